//! `aa tool debug`

use aa_run::debug::{LastFailure, Saying, ToolReport, Trusted, unified};
use serde_json::Value;

use super::named;
use crate::args::Format;
use crate::args::tool::DebugArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::page::Page;
use crate::printer::Printer;
use crate::report::value;
use crate::style::Tone;
use crate::words;

/// Shows why a tool fails.
pub(super) fn run(args: &DebugArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let tool = named(&engine, &args.tool, context.printer)?;
    let report = engine.debug_tool(&tool.name, args.error.as_deref().unwrap_or_default())?;
    let printer = context.printer;
    match args.format.format {
        Format::Json => {
            let json = serde_json::to_value(&report).unwrap_or_default();
            printer.data(format_args!("{json:#}"));
        }
        Format::Human => human(&report, printer),
    }
    Ok(Exit::Ok)
}

fn human(report: &ToolReport, printer: &Printer) {
    let mut page = Page::new(printer);
    let palette = page.palette;
    page.line(format_args!(
        "{}  {}",
        palette.paint(Tone::Strong, &report.tool),
        palette.paint(Tone::Dim, &report.source)
    ));
    page.section("definition");
    page.block(&report.definition);
    if let Some(server) = &report.server {
        page.section("server");
        trusted(server, &mut page);
    }
    page.section("last failure in a run");
    match &report.last_failure {
        Some(failure) => last_failure(failure, &mut page),
        None => page.line("  none; calls of `aa tool call` are in no run"),
    }
    if !report.known_issues.is_empty() {
        page.section("known issues");
        page.block(&value::block(&Value::from(report.known_issues.clone()), 1));
    }
    if !report.diagnosis.is_empty() {
        page.section("diagnosis");
        for finding in &report.diagnosis {
            page.block(&format!("  {}: {}", words::wire(&finding.cause), finding.message));
        }
    }
    if let Some(patch) = &report.patch {
        page.section("proposed patch");
        page.block(&format!("  {}", patch.what));
        page.block(&patch.diff);
    }
    page.print(printer);
    if report.patch.is_some() {
        printer.hint(format_args!("`aa tool fix {}` makes the change", report.tool));
    }
}

/// What is trusted of a tool of an MCP server, and what that says now.
fn trusted(server: &Trusted, page: &mut Page) {
    let since = words::ago(server.since, chrono::Utc::now());
    page.block(&format!("  calls it `{}`; what it says of it was last trusted {since}", server.tool));
    let text = |definition: &Value| format!("{definition:#}\n");
    let before = text(&server.definition);
    match &server.now {
        Saying::Same => page.line("  says the same now:"),
        Saying::Gone => page.line("  does not have it any more; this is what is trusted:"),
        Saying::Nothing { why } => {
            page.block(&format!("  says nothing now: {why}"));
            page.line("  this is what is trusted:");
        }
        Saying::Other { definition } => {
            page.line("  says something else now:");
            return page.block(&unified(&server.tool, &before, &text(definition)));
        }
    }
    page.block(&before);
}

fn last_failure(failure: &LastFailure, page: &mut Page) {
    page.block(&format!(
        "  run {}, step {}, {}",
        failure.run,
        failure.step,
        words::ago(failure.at, chrono::Utc::now())
    ));
    page.block(&format!("  {}: {}", words::wire(&failure.kind), failure.message));
    let mut facts = serde_json::to_value(failure).unwrap_or_default();
    if let Value::Object(facts) = &mut facts {
        facts.retain(|name, _| {
            matches!(name.as_str(), "args" | "command" | "exit_code" | "stderr" | "stdout")
        });
    }
    page.block(&value::block(&facts, 1));
}

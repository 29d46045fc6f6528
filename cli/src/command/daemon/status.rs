//! `aa daemon status`: what it says of itself, read from a file.

use aa_run::engine::{BrokenFile, Check, Health};
use chrono::Utc;
use serde_json::json;

use super::files::{Report, Stage};
use super::start::shown;
use crate::args::Format;
use crate::args::daemon::StatusArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::words;

pub(super) fn run(args: &StatusArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let files = super::files(context)?;
    let running = files.is_claimed();
    let report = if running { files.heard() } else { files.last() };
    let answers = running && report.as_ref().is_none_or(|report| report.silence().is_none());
    let ready = answers && report.as_ref().is_some_and(|report| report.stage == Stage::Ready);
    match args.format.format {
        Format::Json => {
            let report = report.filter(|_| running);
            context
                .printer
                .data(json!({"running": running, "answers": answers, "ready": ready, "daemon": report}));
        }
        Format::Human => human(running, report.as_ref(), context),
    }
    Ok(if ready { Exit::Ok } else { Exit::Failed })
}

fn human(running: bool, report: Option<&Report>, context: &Context<'_>) {
    let printer = context.printer;
    let Some(report) = report else {
        printer.data(if running { "starting" } else { "not running" });
        return;
    };
    if !running {
        printer.data(format_args!("not running (pid {} has ended without a word)", report.pid));
        printer.hint("the next one goes on with its runs: `aa daemon start`");
        return;
    }
    if let Some(silence) = report.silence() {
        let (pid, who) = (report.pid, shown(report));
        printer.data(format_args!(
            "does not answer: {who}, nothing was heard of it for {} s",
            silence.num_seconds()
        ));
        printer.hint(format_args!(
            "it is stopped or stuck: `kill -CONT {pid}` lets one go on that was stopped, `kill -9 {pid}` ends it, and the next one goes on with its runs"
        ));
        return;
    }
    let stage = match report.stage {
        Stage::Starting => "starting",
        Stage::Ready => "ready",
        Stage::NotReady => "not ready",
        Stage::Draining => "about to end",
    };
    printer.data(format_args!("{stage}: {}", shown(report)));
    printer.data(format_args!("since      {}", words::ago(report.started, Utc::now())));
    printer.data(format_args!("version    {}", report.version));
    printer.data(format_args!("folder     {}", words::harmless(&report.folder.display().to_string())));
    printer.data(format_args!("runs       {}", report.runs));
    if !report.secrets.is_empty() {
        printer.data(format_args!("secrets    cannot be read: {}", words::list(&report.secrets)));
    }
    if let Some(Health { store, catalog, scheduler, listeners, broken, .. }) = &report.health {
        for (name, check) in [("store", store), ("catalog", catalog), ("scheduler", scheduler)] {
            printer.data(format_args!("{name:<10} {}", told(check)));
        }
        for (module, check) in listeners {
            printer.data(format_args!("listener   {module}: {}", told(check)));
        }
        for BrokenFile { problem, .. } in broken {
            printer.data(format_args!("broken     {}", words::harmless(problem)));
        }
    }
}

fn told(check: &Check) -> String {
    match check {
        Check::Ok => "ok".to_owned(),
        Check::Off => "off".to_owned(),
        Check::Elsewhere => "another process has it".to_owned(),
        Check::Failing(why) => words::harmless(why),
    }
}

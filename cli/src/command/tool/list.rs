//! `aa tool list`

use aa_run::engine::McpEntry;
use aa_spec::diagnostic::{Diagnostic, has_errors};
use aa_spec::tool::Tier as Offered;

use crate::args::Format;
use crate::args::tool::{ListArgs, Tier};
use crate::context::Context;
use crate::diagnostic;
use crate::failure::{Exit, Failure};
use crate::table::Table;
use crate::words;

/// Lists the tools that skills can call.
pub(super) fn run(args: &ListArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let all = engine.tools()?;
    let wanted = |module: &str| args.module.as_deref().is_none_or(|wanted| wanted == module);
    let mut tools: Vec<_> = all.iter().filter(|tool| wanted(&tool.module)).collect();
    if let (Some(module), true) = (&args.module, tools.is_empty()) {
        if let Some(server) = engine.server(module)? {
            return Err(without_tools(&server, &engine.tool_problems()?, context));
        }
        let near = aa_spec::name::suggest(module, all.iter().map(|tool| tool.module.as_str()));
        return Err(Failure::not_found(format!("there is no module `{module}`")).suggest(near));
    }
    let offered = |tier| args.tier.is_none_or(|wanted| (wanted == Tier::Basic) == (tier == Offered::Basic));
    tools.retain(|tool| offered(tool.tier));
    let printer = context.printer;
    if args.format.format == Format::Json {
        let json = serde_json::to_value(tools.iter().map(|tool| &***tool).collect::<Vec<_>>());
        printer.data(format_args!("{:#}", json.unwrap_or_default()));
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["TOOL", "MODULE", "EFFECT", "TIER", "DESCRIPTION"]);
    for tool in tools {
        let (effect, tier) = (words::wire(&tool.effect), words::wire(&tool.tier));
        let cells = [&tool.name, &tool.module, &effect, &tier, &tool.description];
        table.row(cells.map(Clone::clone));
    }
    table.print(printer);
    if args.module.is_none() {
        for server in engine.servers()?.iter().filter(|server| server.tools.is_none()) {
            let module = &server.module;
            printer.say(format_args!(
                "the tools of `{module}` are not known; `aa tool trust {module}` asks its server"
            ));
        }
    }
    let problems = engine.tool_problems()?;
    if !problems.is_empty() {
        diagnostic::draw_all(&problems, printer);
        diagnostic::sum_up(&problems, printer);
    }
    Ok(if has_errors(&problems) { Exit::Invalid } else { Exit::Ok })
}

/// Why nothing can be listed of a module that is there.
fn without_tools(server: &McpEntry, problems: &[Diagnostic], context: &Context<'_>) -> Failure {
    diagnostic::draw_all(problems, context.printer);
    let module = &server.module;
    match server.tools {
        None => Failure::not_found(format!("the tools of `{module}` are not known"))
            .hint(format!("`aa tool trust {module}` asks its server")),
        Some(_) => Failure::not_found(format!("the server of `{module}` has no tool that can be used")),
    }
}

//! `aa tool list`

use aa_spec::diagnostic::has_errors;
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
    let problems = engine.tool_problems()?;
    if !problems.is_empty() {
        diagnostic::draw_all(&problems, printer);
        diagnostic::sum_up(&problems, printer);
    }
    Ok(if has_errors(&problems) { Exit::Invalid } else { Exit::Ok })
}

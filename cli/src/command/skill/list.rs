//! `aa skill list`

use serde_json::json;

use crate::args::Format;
use crate::args::skill::ListArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::table::Table;

/// Lists the skills that can be run.
pub(super) fn run(args: &ListArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let skills = context.engine()?.skills()?;
    if args.format.format == Format::Json {
        let all: Vec<_> = skills
            .iter()
            .map(|skill| {
                json!({
                    "name": skill.name,
                    "description": skill.description,
                    "layer": skill.layer,
                    "path": skill.path,
                })
            })
            .collect();
        context.printer.data(format_args!("{:#}", serde_json::Value::from(all)));
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["NAME", "FROM", "DESCRIPTION"]);
    for skill in skills {
        table.row([skill.name, skill.layer, skill.description]);
    }
    table.print(context.printer);
    Ok(Exit::Ok)
}

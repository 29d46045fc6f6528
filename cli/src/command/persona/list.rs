//! `aa persona list`

use serde_json::{Value, json};

use crate::args::Format;
use crate::args::persona::ListArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::table::Table;

/// Lists the personas.
pub(super) fn run(args: &ListArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let personas = context.engine()?.personas()?;
    if args.format.format == Format::Json {
        let told = |persona: &aa_run::persona::PersonaEntry| {
            json!({
                "name": persona.name, "description": persona.description,
                "layer": persona.layer, "path": persona.path,
            })
        };
        let all: Value = personas.iter().map(told).collect();
        context.printer.data(format_args!("{all:#}"));
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["PERSONA", "LAYER", "DESCRIPTION"]);
    for persona in personas {
        table.row([persona.name, persona.layer, persona.description]);
    }
    table.print(context.printer);
    Ok(Exit::Ok)
}

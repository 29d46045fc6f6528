//! `aa config show`

use serde_json::{Map, Value, json};

use crate::args::Format;
use crate::args::config::ShowArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::page::Page;
use crate::report::value;

/// Shows the settings that are in force.
pub(super) fn run(args: &ShowArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let settings = engine.visible_settings();
    let printer = context.printer;
    if args.format.format == Format::Json {
        let all: Map<String, Value> = settings
            .iter()
            .map(|setting| {
                let origin = setting.origin.to_string();
                let value = if args.origin {
                    json!({"value": setting.value, "origin": origin})
                } else {
                    setting.value.clone()
                };
                (setting.key.clone(), value)
            })
            .collect();
        printer.data(format_args!("{:#}", Value::Object(all)));
        return Ok(Exit::Ok);
    }
    let mut page = Page::new(printer);
    for setting in &settings {
        let origin = if args.origin { format!("  # {}", setting.origin) } else { String::new() };
        page.line(format_args!("{}: {}{origin}", setting.key, value::short(&setting.value)));
    }
    page.print(printer);
    Ok(Exit::Ok)
}

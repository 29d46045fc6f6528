//! `aa tool show`

use aa_spec::tool::ToolSpec;
use serde_json::Value;

use super::named;
use crate::args::Format;
use crate::args::tool::ShowArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::report::value;
use crate::style::{Palette, Tone};
use crate::words;

/// Shows a tool.
pub(super) fn run(args: &ShowArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let tool = named(&context.engine()?, &args.tool)?;
    let printer = context.printer;
    match args.format.format {
        Format::Json => {
            let json = serde_json::to_value(&*tool).unwrap_or_default();
            printer.data(format_args!("{json:#}"));
        }
        Format::Human => printer.write(human(&tool, printer.out).as_bytes()),
    }
    Ok(Exit::Ok)
}

fn human(tool: &ToolSpec, palette: Palette) -> String {
    let repeat = if tool.idempotent { "may be repeated" } else { "is not repeated by itself" };
    let mut text = format!(
        "{}  {}\n{}\n\neffect {}, {repeat}\n",
        palette.paint(Tone::Strong, &tool.name),
        palette.paint(Tone::Dim, &tool.source),
        words::harmless(&tool.description),
        words::wire(&tool.effect),
    );
    let arguments = arguments(&tool.input);
    if !arguments.is_empty() {
        text.push_str(&format!("\n{}\n", palette.paint(Tone::Good, "arguments")));
        let width =
            |column: usize| arguments.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (name, facts) = (width(0), width(1));
        for [argument, about, description] in &arguments {
            let line = format!("  {argument:<name$}  {about:<facts$}  {description}");
            text.push_str(&format!("{}\n", line.trim_end()));
        }
    }
    if tool.output != Value::Bool(true) {
        text.push_str(&format!("\n{}\n", palette.paint(Tone::Good, "result")));
        text.push_str(&value::block(&tool.output, 1));
    }
    text
}

/// `limit  integer, default 10  How many`, required ones first.
fn arguments(schema: &Value) -> Vec<[String; 3]> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(properties) = schema["properties"].as_object() else { return Vec::new() };
    let mut rows: Vec<(bool, [String; 3])> = properties
        .iter()
        .map(|(name, property)| {
            let is_required = required.contains(&name.as_str());
            let mut facts = vec![property.get("type").map_or_else(|| "any".to_owned(), value::short)];
            if is_required {
                facts.push("required".to_owned());
            }
            if let Some(default) = property.get("default") {
                facts.push(format!("default {}", value::short(default)));
            }
            let description = property["description"].as_str().unwrap_or("");
            (!is_required, [name.clone(), facts.join(", "), words::harmless(description)])
        })
        .collect();
    rows.sort_by_key(|(optional, _)| *optional);
    rows.into_iter().map(|(_, row)| row).collect()
}

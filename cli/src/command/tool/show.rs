//! `aa tool show`

use aa_spec::tool::{Tier, ToolSpec, alias};
use serde_json::Value;

use super::named;
use crate::args::Format;
use crate::args::tool::ShowArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::page::Page;
use crate::report::value;
use crate::style::Tone;
use crate::words;

/// Shows a tool.
pub(super) fn run(args: &ShowArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let tool = named(&context.engine()?, &args.tool, context.printer)?;
    let printer = context.printer;
    match args.format.format {
        Format::Json => {
            let json = serde_json::to_value(&*tool).unwrap_or_default();
            printer.data(format_args!("{json:#}"));
        }
        Format::Human => {
            let mut page = Page::new(printer);
            human(&tool, &mut page);
            page.print(printer);
        }
    }
    Ok(Exit::Ok)
}

fn human(tool: &ToolSpec, page: &mut Page) {
    let palette = page.palette;
    page.line(format_args!(
        "{}  {}",
        palette.paint(Tone::Strong, &tool.name),
        palette.paint(Tone::Dim, &tool.source)
    ));
    page.block(&tool.description);
    let repeat = if tool.idempotent { "may be repeated" } else { "is not repeated by itself" };
    let on_request = if tool.tier == Tier::Extra { ", offered on request" } else { "" };
    page.line(format_args!("effect {}, {repeat}{on_request}", words::wire(&tool.effect)));
    let arguments = arguments(&tool.input);
    if !arguments.is_empty() {
        page.section("arguments");
        page.columns(arguments.into_iter());
    }
    if tool.output != Value::Bool(true) {
        page.section("result");
        page.block(&value::block(&tool.output, 1));
    }
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
            facts.extend(alias::of(property).map(|alias| format!("wrongly `{alias}`")));
            let description = property["description"].as_str().unwrap_or("");
            (!is_required, [name.clone(), facts.join(", "), description.to_owned()])
        })
        .collect();
    rows.sort_by_key(|(optional, _)| *optional);
    rows.into_iter().map(|(_, row)| row).collect()
}

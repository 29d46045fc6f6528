//! A skill as a prompt: what clients offer as a slash command.

use std::fmt::Write;

use aa_run::engine::{Engine, SkillEntry};
use aa_run::export::run_text;
use aa_spec::check::Strictness;
use aa_spec::name::fold;
use aa_spec::plan::{InputPlan, Plan};
use rmcp::model::{ErrorData, GetPromptResult, JsonObject, Prompt, PromptArgument};
use serde_json::{Map, Value};

use crate::mcp::names;

/// The name that clients see: that of the skill's tool.
pub(super) fn name(entry: &SkillEntry) -> String {
    names::shown(&entry.name)
}

/// What clients are told; none when the skill has errors.
pub(super) fn definition(engine: &Engine, entry: &SkillEntry) -> Option<Prompt> {
    let plan = plan(engine, entry).ok()?;
    let arguments = plan.skill.inputs.iter().map(argument).collect();
    Some(
        Prompt::new(name(entry), Some(entry.description.clone()), Some(arguments))
            .with_title(title(&entry.name)),
    )
}

/// The name as words: `deploy_ephemeral` is `Deploy ephemeral`.
fn title(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn argument(input: &InputPlan) -> PromptArgument {
    let mut what = input.description.trim().to_owned();
    if what.ends_with(char::is_alphanumeric) {
        what.push('.');
    }
    if let Some(values) = input.schema.get("enum").and_then(Value::as_array) {
        let values: Vec<String> = values.iter().map(shown).collect();
        let _ = write!(what, " One of {}.", values.join(", "));
    }
    if let Some(default) = input.default.as_ref().filter(|default| !default.source().is_null()) {
        let _ = write!(what, " Default: {}.", shown(default.source()));
    }
    PromptArgument::new(input.name.clone()).with_description(what.trim()).with_required(input.required)
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The checked plan of a skill.
pub(super) fn plan(engine: &Engine, entry: &SkillEntry) -> Result<std::sync::Arc<Plan>, ErrorData> {
    let checked = engine.check(&entry.name, Strictness { lenient: false, strict: false });
    let plan = checked.map_err(super::unreadable)?.plan;
    plan.ok_or_else(|| {
        let message = format!("the skill `{0}` has errors; `aa skill check {0}` shows them", entry.name);
        ErrorData::invalid_params(message, None)
    })
}

/// The prompt: what to call, what it does, what it asks, and what is still to be asked of the person.
pub(super) fn get(
    engine: &Engine,
    entry: &SkillEntry,
    arguments: &JsonObject,
) -> Result<GetPromptResult, ErrorData> {
    let plan = plan(engine, entry)?;
    let inputs = inputs(&plan, arguments)?;
    Ok(super::one(run_text(&plan, &inputs)).with_description(entry.description.clone()))
}

/// The arguments of a prompt, which are texts, as the values that the skill declares.
fn inputs(plan: &Plan, arguments: &JsonObject) -> Result<Map<String, Value>, ErrorData> {
    let mut inputs = Map::new();
    for (name, value) in arguments {
        let Some(input) = plan.skill.inputs.iter().find(|input| input.name == fold(name)) else {
            let message = format!("the skill `{}` has no input `{name}`", plan.skill.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        let value = match value {
            // A client that has nothing for an argument may send an empty text.
            Value::String(text) if text.trim().is_empty() => continue,
            Value::String(text) if !is_text(&input.schema) => {
                aa_spec::json::exact(text.as_bytes()).unwrap_or_else(|_| value.clone())
            }
            value => value.clone(),
        };
        inputs.insert(input.name.clone(), value);
    }
    Ok(inputs)
}

fn is_text(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == "string",
        Some(Value::Array(several)) => several.iter().any(|one| one == "string"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_title_is_the_name_as_words() {
        assert_eq!(title("deploy_ephemeral"), "Deploy ephemeral");
        assert_eq!(title(""), "");
    }

    #[test]
    fn only_what_may_be_a_text_is_kept_as_one() {
        assert!(is_text(&json!({"type": "string"})) && is_text(&json!({})));
        assert!(is_text(&json!({"type": ["integer", "string"]})) && !is_text(&json!({"type": "integer"})));
    }
}

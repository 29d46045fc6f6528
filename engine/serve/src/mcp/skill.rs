//! A skill as a tool of its own.

use aa_run::engine::{Engine, SkillEntry};
use aa_spec::check::Strictness;
use rmcp::model::Tool;
use serde_json::{Map, Value, json};

use super::core::object;
use super::follow::{self, Wanted};
use super::server::{Answer, Call};

/// The name that clients see.
pub(crate) fn name(entry: &SkillEntry) -> String {
    entry.name.clone()
}

/// What clients are told; none when the skill has errors.
pub(crate) fn definition(engine: &Engine, entry: &SkillEntry) -> Option<Tool> {
    let checked = engine.check(&entry.name, Strictness { lenient: false, strict: false }).ok()?;
    let plan = checked.plan?;
    let properties: Map<String, Value> =
        plan.skill.inputs.iter().map(|input| (input.name.clone(), input.schema.clone())).collect();
    let required: Vec<_> =
        plan.skill.inputs.iter().filter(|input| input.required).map(|input| &input.name).collect();
    let schema = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false
    });
    Some(Tool::new(name(entry), entry.description.clone(), object(schema)))
}

/// Runs it.
pub(crate) async fn call(call: Call<'_>, entry: &SkillEntry) -> Answer {
    let inputs = call.request.arguments.clone().unwrap_or_default();
    follow::run(call, Wanted { skill: entry.name.clone(), inputs, ..Wanted::default() }).await
}

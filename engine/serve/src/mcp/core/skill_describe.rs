//! `skill_describe`: all that is told of a skill before it is run.

use aa_run::engine::{Described, Engine};
use aa_spec::plan::{Action, InputPlan, SkillPlan, StepPlan};
use async_trait::async_trait;
use rmcp::model::{CallToolResult, Tool};
use serde_json::{Map, Value, json};

use super::{CoreTool, Hint, define, text};
use crate::mcp::names;
use crate::mcp::server::{Answer, Call, failed, internal};

pub(crate) struct SkillDescribe;

#[async_trait]
impl CoreTool for SkillDescribe {
    fn definition(&self) -> Tool {
        let description = "Describe a skill: its inputs and outputs, its steps with what they change, and a call as an example.";
        let properties = json!({
            "skill_name": {"type": "string", "description": "Name of the skill, as skill_list or skill_search gives it."},
        });
        define("skill_describe", "Describe a skill", description, (properties, &["skill_name"]), Hint::Read)
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        let name = text(&args, "skill_name");
        let engine = &call.visit.engine;
        let catalogue = engine.catalogue().map_err(|error| internal(&error))?;
        Ok(match catalogue.described(name) {
            Some(Ok(skill)) => CallToolResult::structured(told(engine, &skill)).into(),
            Some(Err(broken)) => {
                failed(format!("the skill `{name}` cannot be run:\n{}", broken.problems.join("\n")))
            }
            None => {
                let near = catalogue.near_skill(name).map(|near| format!("; did you mean `{near}`?"));
                failed(format!("there is no skill `{name}`{}", near.unwrap_or_default()))
            }
        })
    }
}

fn told(engine: &Engine, skill: &Described) -> Value {
    let (card, plan) = (&skill.card, &skill.plan.skill);
    let mut told = json!({
        "name": card.name,
        "tool": names::shown(&card.name),
        "description": card.description,
        "path": card.path,
        "effect": card.effect,
        "idempotent": card.idempotent,
        "asks": card.asks,
        "inputs": card.input,
        "outputs": card.output["properties"],
        "steps": plan.steps.iter().map(step).collect::<Vec<_>>(),
        "example": example(plan),
    });
    if let Some(expected) = engine.usual_duration(&card.name) {
        told["usual_duration_ms"] = json!(expected);
    }
    told
}

fn step(step: &StepPlan) -> Value {
    let does = match &step.action {
        Action::Tool { tool, .. } => format!("tool {tool}"),
        Action::Skill { skill, .. } => format!("skill {skill}"),
        Action::Compute { block } if block.calls.is_empty() => "compute".to_owned(),
        Action::Compute { block } => {
            format!(
                "compute, may call {}",
                block.calls.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
            )
        }
        Action::Confirm { .. } => "ask a person".to_owned(),
        Action::WaitFor { .. } | Action::WaitUntil { .. } => "wait".to_owned(),
        Action::Return { .. } => "end".to_owned(),
    };
    let mut told = json!({"name": step.name, "does": does, "effect": step.effect});
    if !step.description.is_empty() {
        told["description"] = json!(step.description);
    }
    if let Some(condition) = &step.condition {
        told["if"] = json!(condition.source());
    }
    told
}

/// A call with all inputs that have to be given.
fn example(skill: &SkillPlan) -> Value {
    let inputs = skill.inputs.iter().filter(|input| input.required);
    let inputs: Map<String, Value> = inputs.map(|input| (input.name.clone(), sample(input))).collect();
    json!({"tool": "skill_run", "arguments": {"skill_name": skill.name, "inputs": inputs}})
}

fn sample(input: &InputPlan) -> Value {
    let schema = &input.schema;
    let first = |word: &str| schema[word].as_array().and_then(|values| values.first()).cloned();
    let by_type = || match schema["type"].as_str() {
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!(format!("<{}>", input.name)),
    };
    first("examples").or_else(|| first("enum")).unwrap_or_else(by_type)
}

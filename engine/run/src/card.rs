//! A skill as others are told of it: what it takes and gives, and what it does to the world.

use std::sync::Arc;

use aa_spec::compute::CalleeKind;
use aa_spec::diagnostic::Diagnostic;
use aa_spec::plan::{Action, Plan, SkillPlan, StepPlan};
use aa_spec::tool::{Effect, ToolSpec};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::engine::SkillEntry;

/// Modules whose tools touch nothing but the values, files and memory that are at hand.
const CLOSED: [&str; 6] = ["code", "file", "knowledge", "memory", "plain", "project"];

/// What is told of a skill that can be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Canonical name.
    pub name: String,
    /// The name as words: `Deploy ephemeral`.
    pub title: String,
    /// All of its description.
    pub description: String,
    /// Where it comes from: `project`, `user`, `shipped` or a configured folder.
    pub layer: String,
    /// Path as shown to people.
    pub path: String,
    /// JSON Schema of its inputs: an object of exactly these.
    pub input: Value,
    /// JSON Schema of its outputs: an object. Not all of them need be there, as a skill may end early.
    pub output: Value,
    /// The strongest effect of all that it may call: its steps, those of sub-skills, the calls of Python blocks,
    /// heal rules and undo tools.
    pub effect: Effect,
    /// Whether running it twice equals running it once.
    pub idempotent: bool,
    /// Whether it reaches beyond this machine's files and memory.
    pub open_world: bool,
    /// Whether it may ask a person.
    pub asks: bool,
    /// The tools that its own steps call, in their order.
    pub calls: Vec<String>,
}

/// A skill that cannot be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BrokenSkill {
    /// Canonical name.
    pub name: String,
    /// Path as shown to people.
    pub path: String,
    /// What is wrong, a line each.
    pub problems: Vec<String>,
}

impl Card {
    /// The card of a checked skill; `tool` looks up what its steps call.
    pub(crate) fn new(entry: SkillEntry, plan: &Plan, tool: &dyn Fn(&str) -> Option<Arc<ToolSpec>>) -> Self {
        let steps = || skills(plan).flat_map(|skill| &skill.steps);
        let called: Vec<&str> = steps().flat_map(called_tools).collect();
        Self {
            title: title(&entry.name),
            description: plan.skill.description.trim().to_owned(),
            layer: entry.layer,
            path: entry.path,
            input: input_schema(&plan.skill),
            output: output_schema(&plan.skill),
            effect: plan.effect(),
            idempotent: steps().all(|step| step.effect == Effect::Read || is_idempotent(step, tool)),
            open_world: called.iter().any(|name| tool(name).is_none_or(|spec| is_open(&spec))),
            asks: steps().any(|step| matches!(step.action, Action::Confirm { .. })),
            name: entry.name,
            calls: plan.skill.steps.iter().filter_map(tool_of).map(str::to_owned).collect(),
        }
    }

    /// The names of its inputs, in their order.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        self.input["properties"].as_object().into_iter().flat_map(|all| all.keys()).map(String::as_str)
    }

    /// What a list has of it.
    pub fn entry(&self) -> SkillEntry {
        SkillEntry {
            name: self.name.clone(),
            description: self.summary().to_owned(),
            layer: self.layer.clone(),
            path: self.path.clone(),
        }
    }

    /// The first line of its description.
    pub fn summary(&self) -> &str {
        self.description.lines().next().unwrap_or_default()
    }
}

impl BrokenSkill {
    pub(crate) fn new(entry: SkillEntry, diagnostics: &[Diagnostic]) -> Self {
        let line = |problem: &Diagnostic| {
            let place = problem.source.place(problem.span.start);
            format!("{}:{}: {} ({})", problem.source.path, place.line, problem.message, problem.code)
        };
        let errors =
            diagnostics.iter().filter(|problem| problem.severity == aa_spec::diagnostic::Severity::Error);
        Self { name: entry.name, path: entry.path, problems: errors.map(line).collect() }
    }
}

/// Whether a tool reaches beyond this machine's files and memory, as far as can be told.
pub fn is_open(spec: &ToolSpec) -> bool {
    spec.source != "built in" || !CLOSED.contains(&spec.module.as_str())
}

/// A name as words: `Git log`.
pub fn title(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The skill and its sub-skills.
fn skills(plan: &Plan) -> impl Iterator<Item = &SkillPlan> {
    std::iter::once(&plan.skill).chain(plan.skills.values())
}

/// Whether a step may be done again, also by another run. One that runs a sub-skill is judged by that one's steps.
fn is_idempotent(step: &StepPlan, tool: &dyn Fn(&str) -> Option<Arc<ToolSpec>>) -> bool {
    match &step.action {
        Action::Skill { .. } => true,
        // Within a run it may be its key that makes it so, and another run has another one.
        Action::Tool { tool: name, .. } => step.idempotent && tool(name).is_none_or(|spec| spec.idempotent),
        _ => step.idempotent,
    }
}

/// The tools that a step may call.
fn called_tools(step: &StepPlan) -> Vec<&str> {
    match &step.action {
        Action::Tool { tool, .. } => vec![tool],
        Action::Compute { block } => {
            let tools = block.calls.iter().filter(|(_, callee)| callee.kind == CalleeKind::Tool);
            tools.map(|(name, _)| name.as_str()).collect()
        }
        _ => Vec::new(),
    }
}

fn tool_of(step: &StepPlan) -> Option<&str> {
    match &step.action {
        Action::Tool { tool, .. } => Some(tool),
        _ => None,
    }
}

fn input_schema(skill: &SkillPlan) -> Value {
    let property = |input: &aa_spec::plan::InputPlan| {
        let mut schema = match &input.schema {
            Value::Object(schema) => schema.clone(),
            _ => Map::new(),
        };
        if !input.description.is_empty() {
            schema.insert("description".to_owned(), input.description.trim().into());
        }
        if let Some(default) = input.default.as_ref().filter(|default| default.is_constant()) {
            schema.insert("default".to_owned(), default.source().clone());
        }
        (input.name.clone(), Value::Object(schema))
    };
    let required: Vec<_> =
        skill.inputs.iter().filter(|input| input.required).map(|input| &input.name).collect();
    json!({
        "type": "object",
        "properties": skill.inputs.iter().map(property).collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}

fn output_schema(skill: &SkillPlan) -> Value {
    let properties: Map<_, _> =
        skill.outputs.iter().map(|output| (output.name.clone(), output.schema())).collect();
    json!({ "type": "object", "properties": properties })
}

//! The names that templates of one skill may use.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::name::fold;
use crate::template::vocabulary::FUNCTIONS;

/// Names that mean something by themselves in a template.
pub(super) const CONTEXT: [&str; 11] =
    ["config", "defaults", "env", "index", "inputs", "item", "memory", "run", "secrets", "steps", "today"];

/// Words of the template language.
const KEYWORDS: [&str; 14] = [
    "and",
    "else",
    "false",
    "for",
    "if",
    "in",
    "is",
    "loop",
    "none",
    "not",
    "or",
    "recursive",
    "self",
    "true",
];

/// What `run` holds.
pub(super) static RUN: LazyLock<Value> = LazyLock::new(|| {
    let text = json!({"type": "string"});
    closed(&json!({"folder": text, "id": {"type": "integer"}, "skill": text, "started_at": text}))
});

/// What `steps.NAME` holds: of an error only what it says.
pub(super) static STEP: LazyLock<Value> = LazyLock::new(|| {
    closed(&json!({
        "attempts": {"type": "integer"},
        "duration": {"type": "number"},
        "error": {"type": ["string", "null"]},
        "status": {"type": "string", "enum": ["completed", "failed", "skipped"]},
    }))
});

/// What `error` holds in `retry.when`.
pub(super) static ERROR: LazyLock<Value> = LazyLock::new(|| {
    closed(&json!({"details": {}, "kind": {"type": "string"}, "message": {"type": "string"}}))
});

fn closed(properties: &Value) -> Value {
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// Everything declared in one skill, by canonical name.
#[derive(Default)]
pub(super) struct Names {
    pub(super) inputs: Vec<InputName>,
    pub(super) steps: Vec<StepName>,
    pub(super) env: Vec<String>,
    pub(super) defaults: Value,
    /// Output variables, with the steps that give them a value, in order.
    by_output: BTreeMap<String, Vec<usize>>,
    by_step: BTreeMap<String, usize>,
}

pub(super) struct InputName {
    pub(super) name: String,
    pub(super) schema: Value,
}

pub(super) struct StepName {
    /// As written.
    pub(super) name: String,
    /// JSON Schema of its output variable.
    pub(super) schema: Value,
    /// The tool that gives it; empty where none does.
    pub(super) tool: String,
}

impl Names {
    /// Declares the next step; an earlier step of the same name keeps it.
    pub(super) fn declare(&mut self, name: &str, output: Option<&str>, schema: Value) {
        let index = self.steps.len();
        self.by_step.entry(fold(name)).or_insert(index);
        if let Some(output) = output {
            self.by_output.entry(fold(output)).or_default().push(index);
        }
        self.steps.push(StepName { name: name.to_owned(), schema, tool: String::new() });
    }

    pub(super) fn input(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|input| input.name == name)
    }

    /// The steps whose output variable has that canonical name, in order.
    pub(super) fn outputs(&self, name: &str) -> &[usize] {
        self.by_output.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// JSON Schema of an output variable; several steps may give it different values.
    pub(super) fn output_schema(&self, name: &str) -> Option<&Value> {
        let (first, others) = self.outputs(name).split_first()?;
        let schema = &self.steps[*first].schema;
        others.iter().all(|other| self.steps[*other].schema == *schema).then_some(schema)
    }

    /// The tool that gives an output variable, where it is one.
    pub(super) fn tool_of(&self, name: &str) -> Option<&str> {
        let tool = self.steps[*self.outputs(name).first()?].tool.as_str();
        (!tool.is_empty()).then_some(tool)
    }

    /// The step of that canonical name.
    pub(super) fn step(&self, name: &str) -> Option<usize> {
        self.by_step.get(name).copied()
    }

    /// Every name that a template may begin with, for suggestions.
    pub(super) fn roots(&self) -> Vec<&str> {
        self.by_output.keys().map(String::as_str).chain(CONTEXT).collect()
    }

    pub(super) fn step_names(&self) -> Vec<&str> {
        self.by_step.keys().map(String::as_str).collect()
    }
}

/// Whether a variable of that canonical name could not be read.
pub(super) fn is_reserved(name: &str) -> bool {
    CONTEXT.contains(&name) || KEYWORDS.contains(&name) || FUNCTIONS.contains(&name)
}

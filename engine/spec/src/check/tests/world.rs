//! A small world of tools and skills, and problems as text.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::check::Catalog;
use crate::diagnostic::Diagnostic;
use crate::source::Source;
use crate::tool::{Effect, ToolSpec};

/// A few tools, some skills, a secret and a little configuration.
#[derive(Default)]
pub(super) struct World;

const SKILLS: [(&str, &str); 4] = [
    (
        "sub",
        "{name: sub, description: s, inputs: [{name: n, type: integer, required: true}, {name: m, type: string}],
          steps: [{name: w, tool: write, args: {path: \"n{{ inputs.n }}\", text: \"{{ inputs.m | d('') }}\"}}],
          outputs: [{name: sum, value: \"{{ w }}\"}]}",
    ),
    ("broken", "{name: broken, description: b, steps: [{name: a, tool: nothing_like_it}]}"),
    ("loop_a", "{name: loop_a, description: l, steps: [{name: a, skill: loop_b}]}"),
    ("loop_b", "{name: loop_b, description: l, steps: [{name: a, skill: loop_a}]}"),
];

impl Catalog for World {
    fn tool(&self, name: &str) -> Option<Arc<ToolSpec>> {
        let (effect, input, output) = match crate::name::fold(name).as_str() {
            "read" => (
                Effect::Read,
                json!({"path": {"type": "string", "description": "File to read", "x-aa-aliases": ["file"]}, "limit": {"type": "integer", "minimum": 1}}),
                json!({"type": "object", "properties": {
                    "text": {"type": "string"}, "size": {"type": "integer"},
                    "lines": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": false}}
                }, "additionalProperties": false}),
            ),
            "write" => (
                Effect::Write,
                json!({"path": {"type": "string"}, "text": {"type": "string"}, "mode": {"enum": ["new", "append"]}}),
                json!(true),
            ),
            "status" => (
                Effect::Read,
                json!({}),
                json!({"type": "object", "properties": {
                    "branch": {"type": "string"},
                    "head": {"type": "object", "properties": {"author": {"type": "string"}}},
                    "files": {"type": "array", "items": {"type": "object", "properties": {"path": {"type": "string"}}}},
                    "labels": {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}},
                    "more": {"type": "object", "properties": {"a": {}}, "additionalProperties": true},
                    "any": {"type": "object"}, "open": true
                }}),
            ),
            "log" => (
                Effect::Read,
                json!({"count": {"type": "boolean"}, "filter": {"type": "object"}}),
                json!({"anyOf": [
                    {"type": "array", "items": {"type": "object", "properties": {"author": {"type": "string"}}}},
                    {"type": "integer"}
                ]}),
            ),
            "remove" => (Effect::Destructive, json!({"path": {"type": "string"}}), json!(true)),
            "shell" => {
                (Effect::Unknown, json!({"run": {"type": "array", "items": {"type": "string"}}}), json!(true))
            }
            "script" => (
                Effect::Unknown,
                json!({"script": {"type": "string", "x-aa-literal": true, "x-aa-shell": true},
                    "command": {"type": "string", "x-aa-literal": true, "x-aa-shell": true},
                    "vars": {"type": "object"}, "args": {"type": "array"}, "interpreter": {"type": "string"}}),
                json!(true),
            ),
            _ => return None,
        };
        let required: Vec<Value> = match name {
            "read" | "remove" => vec![json!("path")],
            "write" => vec![json!("path"), json!("text")],
            _ => Vec::new(),
        };
        let mut input = json!({"type": "object", "properties": input, "required": required, "additionalProperties": false});
        if name == "script" {
            input["oneOf"] = json!([{"required": ["script"]}, {"required": ["command"]}]);
        }
        Some(Arc::new(ToolSpec {
            name: name.to_owned(),
            module: "test".to_owned(),
            description: String::new(),
            input,
            written: None,
            output,
            effect,
            idempotent: effect == Effect::Read,
            keyed: None,
            tier: crate::tool::Tier::Basic,
            of_machine: false,
            cache_ms: None,
            reconcile: None,
            source: "built in".to_owned(),
        }))
    }

    fn is_on_command_line(&self, tool: &str, argument: &str) -> bool {
        (tool, argument) == ("remove", "path")
    }

    fn tool_names(&self) -> Vec<String> {
        ["read", "write", "remove", "shell", "script"].map(str::to_owned).to_vec()
    }

    fn skill(&self, name: &str) -> Option<Source> {
        let (_, text) = SKILLS.iter().find(|(known, _)| *known == name)?;
        Some(Source::new(format!("skills/{name}.yaml"), *text))
    }

    fn skill_names(&self) -> Vec<String> {
        SKILLS.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    fn secret_names(&self) -> Vec<String> {
        vec!["TOKEN".to_owned()]
    }

    fn config(&self) -> Value {
        json!({"namespaces": {"stage": "s1", "production": "p1"}})
    }
}

/// Problems as text: where, which, what, the marked text, advice.
pub(super) fn drawn(diagnostics: &[Diagnostic]) -> String {
    let draw = |problem: &Diagnostic| {
        let place = problem.place();
        let severity = format!("{:?}", problem.severity).to_lowercase();
        let marked = problem.source.slice(problem.span).lines().next().unwrap_or_default();
        let hint =
            if problem.hint.is_empty() { String::new() } else { format!("\n    hint: {}", problem.hint) };
        let Diagnostic { code, message, .. } = problem;
        format!("{}:{} {severity}[{code}]: {message}\n    at: {marked}{hint}\n", place.line, place.column)
    };
    diagnostics.iter().map(draw).collect()
}

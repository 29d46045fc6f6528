//! What documents of known keys look like.
//!
//! Skills and people rely on these, so a change that breaks their shape is refused before
//! it is written. Only what is relied on is fixed: fields that are not named here are free,
//! and so is every other key.

use aa_spec::input::fits;
use serde_json::{Map, Value, json};

use crate::tool::ToolError;
use crate::tool::native::invalid;

/// Keys of the knowledge of a project: `knowledge/personas/PERSONA/PROJECT`.
pub(crate) const KNOWLEDGE: &str = "knowledge/personas/";

/// Where the registered projects are.
pub(crate) const PROJECTS: &str = "state/projects";

/// Refuses a document that is not of its key's shape.
pub(crate) fn check(key: &str, document: &Map<String, Value>) -> Result<(), ToolError> {
    let Some(shape) = of(key) else { return Ok(()) };
    fits(&shape, &Value::Object(document.clone()))
        .map_err(|what| invalid(format!("`{key}` would not be of its shape: {what}")))
}

/// The shape of a key's documents, as JSON Schema; `None` where anything goes.
fn of(key: &str) -> Option<Value> {
    Some(match key {
        "state/current_work" => mapping(&json!({
            "active_issues": list(&[("key", name())], &["key"]),
            "open_mrs": list(&[("id", name())], &["id"]),
            "follow_ups": list(&[("task", text())], &["task"]),
            "reviews_assigned": {"type": ["array", "null"]},
        })),
        "state/environments" => mapping(&json!({"environments": {"type": ["object", "null"]}})),
        "learned/patterns" => {
            let patterns = list(&[("pattern", text())], &["pattern"]);
            let known = ["auth", "error", "bonfire", "pipeline", "jira_cli"];
            let fields = known.map(|name| (format!("{name}_patterns"), patterns.clone()));
            mapping(&Value::Object(fields.into_iter().collect()))
        }
        "learned/tool_fixes" => mapping(&json!({
            "tool_fixes": list(&[
                ("tool_name", text()),
                ("error_pattern", words()),
                ("root_cause", words()),
                ("fix_applied", words()),
                ("occurrences", json!({"type": "integer", "minimum": 0})),
            ], &["tool_name", "error_pattern"]),
            "common_mistakes": {"type": ["object", "array", "null"]},
        })),
        "learned/tool_failures" => mapping(&json!({
            "failures": list(&[("tool", text())], &["tool"]),
            "stats": {"type": ["object", "null"]},
        })),
        PROJECTS => projects(),
        session if session.starts_with("sessions/") => mapping(&json!({
            "entries": list(&[("action", words()), ("time", words())], &["action"]),
        })),
        knowledge if knowledge.starts_with(KNOWLEDGE) => project_knowledge(),
        _ => return None,
    })
}

fn projects() -> Value {
    let project = json!({
        "type": "object",
        "properties": {"path": text(), "gitlab": words(), "jira_project": words(), "default_branch": words(),
            "scopes": {"type": "array", "items": {"type": "string"}}},
        "required": ["path"],
    });
    mapping(&json!({"projects": {"type": "object", "additionalProperties": project}}))
}

fn project_knowledge() -> Value {
    let texts = json!({"type": ["array", "null"], "items": {"type": "string"}});
    let sure = json!({"type": "number", "minimum": 0, "maximum": 1});
    let patterns = json!({"coding": texts, "testing": texts, "deployment": texts});
    mapping(&json!({
        "metadata": {
            "type": "object",
            "properties": {"project": text(), "persona": text(), "confidence": sure},
            "required": ["project", "persona"],
        },
        "architecture": {"type": ["object", "null"], "properties": {
            "overview": {"type": ["string", "null"]},
            "key_modules": list(&[("path", text())], &["path"]),
            "dependencies": texts,
        }},
        "patterns": {"type": ["object", "null"], "properties": patterns},
        "gotchas": list(&[("issue", text())], &["issue"]),
        "learned_from_tasks": list(&[("learning", text()), ("confidence", sure)], &["learning"]),
    }))
}

fn mapping(properties: &Value) -> Value {
    json!({"type": "object", "properties": properties})
}

/// A list of mappings; nothing is an empty list.
fn list(fields: &[(&str, Value)], required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|(name, shape)| ((*name).to_owned(), shape.clone())).collect();
    let item = json!({"type": "object", "properties": properties, "required": required});
    json!({"type": ["array", "null"], "items": item})
}

/// A text that says something.
fn text() -> Value {
    json!({"type": "string", "minLength": 1})
}

fn words() -> Value {
    json!({"type": "string"})
}

/// What things are called, in words or by number.
fn name() -> Value {
    json!({"type": ["string", "integer"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys_have_a_shape_and_others_none() {
        let cases = [
            ("state/current_work", json!({"active_issues": [{"key": "A-1", "more": 1}], "notes": 1}), true),
            ("state/current_work", json!({"active_issues": null, "open_mrs": [{"id": 12}]}), true),
            ("state/current_work", json!({"active_issues": ["A-1"]}), false),
            ("state/current_work", json!({"active_issues": {"key": "A-1"}}), false),
            ("state/current_work", json!({"follow_ups": [{"task": ""}]}), false),
            ("learned/patterns", json!({"auth_patterns": [{"pattern": "x"}], "my_patterns": "free"}), true),
            ("learned/patterns", json!({"auth_patterns": [{"meaning": "x"}]}), false),
            ("learned/tool_fixes", json!({"tool_fixes": [{"tool_name": "t", "error_pattern": ""}]}), true),
            ("learned/tool_fixes", json!({"tool_fixes": [{"tool_name": "t"}]}), false),
            ("sessions/2026-11-26", json!({"date": "d", "entries": [{"action": "a"}]}), true),
            ("sessions/2026-11-26", json!({"entries": ["a"]}), false),
            ("state/projects", json!({"projects": {"a": {"path": "/a"}}}), true),
            ("state/projects", json!({"projects": {"a": {"gitlab": "/a"}}}), false),
            (
                "knowledge/personas/dev/aa",
                json!({"metadata": {"project": "aa", "persona": "dev", "confidence": 0.3}}),
                true,
            ),
            (
                "knowledge/personas/dev/aa",
                json!({"metadata": {"project": "aa", "persona": "dev", "confidence": 3}}),
                false,
            ),
            ("knowledge/personas/dev/aa", json!({"learned_from_tasks": [{"task": "t"}]}), false),
            ("anything/else", json!({"active_issues": 1}), true),
        ];
        for (key, document, fits) in cases {
            let checked = check(key, document.as_object().unwrap());
            assert_eq!(checked.is_ok(), fits, "{key} {document}: {checked:?}");
        }
    }

    #[test]
    fn a_refusal_names_the_key_and_the_place() {
        let document = json!({"active_issues": [{"key": "A"}, {"summary": "s"}]});
        let error = check("state/current_work", document.as_object().unwrap()).unwrap_err();
        assert!(error.message.starts_with("`state/current_work` would not be of its shape: "), "{error}");
        assert!(error.message.contains("active_issues") && error.message.contains("key"), "{error}");
    }
}

//! `tool: skill_run` with inputs as JSON in a text, meant as a step with `skill`.

use serde_json::Value;

use super::{Dialect, edit, tree};
use crate::fix::Edit;
use crate::yaml::{Kind, Node};

/// What stands for a template while the JSON is read.
const MARK: char = '\u{e000}';

impl Dialect<'_> {
    pub(super) fn skill_as_tool(&mut self, step: &mut Node) {
        let Some(tool) = step.get("tool").cloned() else { return };
        if tool.as_str().map(crate::name::fold).as_deref() != Some("skill_run") {
            return;
        }
        let Some(call) = step.get("args").and_then(Call::of) else {
            let problem = self.error("skill-as-tool", tool.span, "it is not clear what this call runs with");
            "write `skill: NAME` and its inputs as a mapping in `args`".clone_into(&mut problem.hint);
            return;
        };
        let fix = self.as_skill(step, &call);
        let problem = self.warn("skill-as-tool", tool.span, "a skill is run by a step of its own kind");
        problem.hint = format!("write `skill: {}` and its inputs as a mapping in `args`", call.skill);
        problem.fix = fix;
        tree::take(step, "tool");
        tree::set(step, "skill", tree::text(call.skill, tool.span));
        match call.inputs {
            Some(inputs) => tree::set(step, "args", inputs),
            None => drop(tree::take(step, "args")),
        }
    }

    fn as_skill(&self, step: &Node, call: &Call) -> Vec<Edit> {
        let (Some((key, tool)), Some((args, value))) = (step.entry("tool"), step.entry("args")) else {
            return Vec::new();
        };
        // Nothing that is said beside the arguments may get lost.
        if self.source.slice(value.span).contains(" #") {
            return Vec::new();
        }
        let head = Edit::replace(key.span.to(tool.span), format!("skill: {}", call.skill));
        let body = match &call.inputs {
            Some(inputs) => format!("args: {}", flow(inputs)),
            None => "args: {}".to_owned(),
        };
        vec![head, Edit::replace(args.span.to(value.span), body)]
    }
}

/// A call of a skill by way of a tool.
struct Call {
    skill: String,
    inputs: Option<Node>,
}

impl Call {
    /// None when something in it is not clear.
    fn of(args: &Node) -> Option<Self> {
        let known = |(key, value): &tree::Entry| match &*key.value {
            "skill_name" | "inputs" | "debug" => true,
            "execute" => {
                matches!(&value.kind, Kind::Scalar(Value::Bool(true))) || value.as_str() == Some("true")
            }
            _ => false,
        };
        let skill = args.get("skill_name")?.as_str().filter(|name| crate::name::is_valid(name))?;
        if !args.entries().iter().all(known) {
            return None;
        }
        let inputs = match args.get("inputs") {
            None => None,
            Some(inputs) if matches!(inputs.kind, Kind::Map(_)) => Some(inputs.clone()),
            Some(inputs) => Some(tree::of_json(json(inputs.as_str()?)?, inputs.span)),
        };
        Some(Self { skill: skill.to_owned(), inputs })
    }
}

/// The mapping that a JSON text with templates stands for.
fn json(text: &str) -> Option<Value> {
    if text.contains("{%") || text.contains(MARK) {
        return None;
    }
    let (marked, holes) = marked(text)?;
    let value: Value = serde_json::from_str(&marked).ok()?;
    value.is_object().then(|| filled(value, &holes))
}

/// The text with a mark and a number for each template, in quotes where it stands for a whole value.
fn marked(text: &str) -> Option<(String, Vec<String>)> {
    let (mut marked, mut holes, mut in_text, mut rest) = (String::new(), Vec::new(), false, text);
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("{{") {
            let close = rest.find("}}")?;
            let inner = rest[2..close].trim_matches(['-', '+']).trim();
            let mark = format!("{MARK}{}{MARK}", holes.len());
            if in_text {
                holes.push(format!("{{{{ {inner} }}}}"));
                marked.push_str(&mark);
            } else {
                holes.push(format!("{{{{ {} }}}}", value_of(inner)));
                marked.extend(["\"", &*mark, "\""]);
            }
            rest = &rest[close + 2..];
            continue;
        }
        let width =
            if in_text && first == '\\' { 1 + rest.chars().nth(1)?.len_utf8() } else { first.len_utf8() };
        in_text ^= first == '"';
        marked.push_str(&rest[..width]);
        rest = &rest[width..];
    }
    Some((marked, holes))
}

/// What a template writes as JSON, as the value itself.
fn value_of(expression: &str) -> String {
    let mut value = expression;
    while let Some((before, filter)) = value.rsplit_once('|') {
        if !matches!(filter.trim(), "tojson" | "lower" | "string") {
            break;
        }
        value = before.trim();
    }
    // `'true' if x else 'false'` is how one writes a boolean there.
    let words = value.strip_prefix("'true' if ").and_then(|rest| rest.strip_suffix(" else 'false'"));
    words.map_or_else(|| value.to_owned(), |condition| format!("true if {condition} else false"))
}

/// Puts the templates back.
fn filled(value: Value, holes: &[String]) -> Value {
    match value {
        Value::String(text) => {
            let mut filled = text;
            for (index, hole) in holes.iter().enumerate() {
                filled = filled.replace(&format!("{MARK}{index}{MARK}"), hole);
            }
            Value::String(filled)
        }
        Value::Array(items) => items.into_iter().map(|item| filled(item, holes)).collect(),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(key, value)| (key, filled(value, holes))).collect())
        }
        scalar => scalar,
    }
}

/// A tree in one line of YAML.
fn flow(node: &Node) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match &node.kind {
        Kind::Scalar(Value::String(text)) => edit::written(text),
        Kind::Scalar(value) => value.to_string(),
        Kind::List(items) => format!("[{}]", joined(items.iter().map(flow).collect())),
        Kind::Map(entries) => {
            let entry =
                |(key, value): &tree::Entry| format!("{}: {}", edit::written(&key.value), flow(value));
            format!("{{{}}}", joined(entries.iter().map(entry).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_with_templates_is_a_mapping_of_templates() {
        let text = r#"{"mr_id": {{ inputs.mr }}, "note": "for {{ inputs.who }}", "force": {{ inputs.force | lower }},
            "list": {{ found | tojson }}, "dry": {{ 'true' if inputs.dry else 'false' }}, "n": 3}"#;
        let expected = serde_json::json!({
            "mr_id": "{{ inputs.mr }}", "note": "for {{ inputs.who }}", "force": "{{ inputs.force }}",
            "list": "{{ found }}", "dry": "{{ true if inputs.dry else false }}", "n": 3
        });
        assert_eq!(json(text), Some(expected));
        for unclear in
            ["{{ inputs.all }}", "[1]", "{\"a\": {% if x %}1{% endif %}}", "{\"a\": ", "{\"a\": {{ x"]
        {
            assert_eq!(json(unclear), None, "{unclear}");
        }
    }
}

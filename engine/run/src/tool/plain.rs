//! Tools that touch nothing: values in, values out.

use aa_spec::tool::{Effect, ToolSpec};
use async_trait::async_trait;
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::native::{Face, Native, invalid};
use super::{CallContext, ToolError};

/// Whether a tool only works on its arguments, so that there is no reason to stand in for it.
pub(crate) fn touches_nothing(spec: &ToolSpec) -> bool {
    spec.module == Echo::FACE.module && spec.source == "built in"
}

/// `echo`.
pub(super) struct Echo;

/// `emit_event`: being called is all it does, since calls are journaled with their arguments.
pub(super) struct EmitEvent;

/// `text_lines`.
pub(super) struct TextLines;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventArgs {
    /// What happened, in a word, such as `review_approved`.
    #[expect(dead_code, reason = "for the journal")]
    event: String,
    /// What else is known of it.
    #[serde(default)]
    #[expect(dead_code, reason = "for the journal")]
    data: Map<String, Value>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinesArgs {
    /// The text.
    text: String,
    /// Only lines that match this regular expression, each as the mapping of its named groups, or
    /// else its first group or the whole match.
    #[serde(default, rename = "match")]
    pattern: Option<String>,
    /// Whether to leave out lines with nothing but white space.
    #[serde(default = "yes")]
    skip_empty: bool,
}

const fn yes() -> bool {
    true
}

#[async_trait]
impl Native for Echo {
    type Args = Map<String, Value>;
    type Output = Map<String, Value>;

    const FACE: Face = Face {
        name: "echo",
        module: "plain",
        description: "Gives its arguments back",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, _context: &CallContext, args: Self::Args) -> Result<Self::Output, ToolError> {
        Ok(args)
    }
}

#[async_trait]
impl Native for EmitEvent {
    type Args = EventArgs;
    type Output = ();

    const FACE: Face = Face {
        name: "emit_event",
        module: "plain",
        description: "Puts a word and what belongs to it into the run's journal",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, _context: &CallContext, _args: EventArgs) -> Result<(), ToolError> {
        Ok(())
    }
}

#[async_trait]
impl Native for TextLines {
    type Args = LinesArgs;
    type Output = Vec<Value>;

    const FACE: Face = Face {
        name: "text_lines",
        module: "plain",
        description: "The lines of a text, all or those that match",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, _context: &CallContext, args: LinesArgs) -> Result<Vec<Value>, ToolError> {
        let pattern = args.pattern.as_deref().map(|pattern| {
            Regex::new(pattern).map_err(|_| invalid(format!("`{pattern}` is not a regular expression")))
        });
        let pattern = pattern.transpose()?;
        let lines = args.text.lines().filter(|line| !(args.skip_empty && line.trim().is_empty()));
        Ok(match &pattern {
            None => lines.map(Value::from).collect(),
            Some(pattern) => lines.filter_map(|line| matched(pattern, line)).collect(),
        })
    }
}

fn matched(pattern: &Regex, line: &str) -> Option<Value> {
    let found = pattern.captures(line)?;
    if pattern.capture_names().flatten().next().is_none() {
        return found.get(1).or_else(|| found.get(0)).map(|group| group.as_str().into());
    }
    let group = |name: &str| (name.to_owned(), found.name(name).map(|group| group.as_str()).into());
    Some(Value::Object(pattern.capture_names().flatten().map(group).collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tool::native;

    async fn call(native: impl Native, args: Value) -> Result<Value, ToolError> {
        let Value::Object(args) = args else { panic!("arguments are an object") };
        native::tool(native).call(&CallContext::detached("/"), args).await
    }

    #[tokio::test]
    async fn an_echo_is_what_was_said() {
        let args = json!({"b": [1, null], "a": {"x": "y"}});
        assert_eq!(call(Echo, args.clone()).await, Ok(args));
    }

    #[tokio::test]
    async fn an_event_has_a_name_and_data() {
        let args = json!({"event": "approved", "data": {"mr": 1}});
        assert_eq!(call(EmitEvent, args).await, Ok(Value::Null));
        assert_eq!(call(EmitEvent, json!({"event": "approved"})).await, Ok(Value::Null));
        assert!(call(EmitEvent, json!({"data": {}})).await.is_err());
        assert!(call(EmitEvent, json!({"event": "approved", "data": [1]})).await.is_err());
    }

    #[tokio::test]
    async fn lines_are_taken_apart() {
        let text = "a=1\n\n  \nb=2";
        let cases = [
            (json!({"text": text}), json!(["a=1", "b=2"])),
            (json!({"text": text, "skip_empty": false}), json!(["a=1", "", "  ", "b=2"])),
            (json!({"text": text, "match": "^b.*"}), json!(["b=2"])),
            (json!({"text": text, "match": "=(.)"}), json!(["1", "2"])),
            (json!({"text": text, "match": "(?<k>a)=(?<v>.)"}), json!([{"k": "a", "v": "1"}])),
        ];
        for (args, expected) in cases {
            assert_eq!(call(TextLines, args.clone()).await, Ok(expected), "{args}");
        }
        assert!(call(TextLines, json!({"text": "", "match": "("})).await.is_err());
    }
}

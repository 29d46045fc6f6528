//! Scripts of steps: whether it is certain what a shell makes of them with the values that they get.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Checker;
use super::argument::Signature;
use crate::shell::{self, Dialect, Reading, Refusal};
use crate::yaml::{Kind, Node, Spanned};

impl Checker<'_, '_> {
    /// Reads a script that is written out, as the tool will before it runs it.
    pub(super) fn script(&mut self, args: &[(Spanned<String>, Node)], signature: &Signature<'_>) {
        let value = |name: &str| args.iter().find(|(key, _)| key.value == name).map(|(_, node)| node);
        let is_script = |name: &str| {
            let schema = signature.parameter(name).map(|parameter| parameter.schema);
            schema.is_some_and(|schema| schema.get("x-aa-shell") == Some(&Value::Bool(true)))
        };
        let script = args.iter().find(|(key, _)| is_script(&key.value)).map(|(_, node)| node);
        let Some((node, text)) = script.and_then(|node| Some((node, node.as_str()?))) else { return };
        let vars = value("vars");
        let values = value("args").map(Node::items).unwrap_or_default();
        let bash = value("interpreter").and_then(Node::as_str) == Some("bash");
        let names: BTreeSet<&str> =
            vars.map(Node::entries).unwrap_or_default().iter().map(|(name, _)| name.value.as_str()).collect();
        let input = value("stdin").filter(|node| {
            node.as_str().is_some_and(|text| !has_template(text) && !shell::has_integers_only(text))
        });
        if has_template(text) || (names.is_empty() && input.is_none() && !values.iter().any(is_text)) {
            return;
        }
        let dialect = if bash { Dialect::Bash } else { Dialect::Sh };
        match shell::read(text, &names, dialect) {
            Ok(Reading { spliced: Some(refusal), .. }) if values.iter().any(is_text) => {
                self.unclear(node, text, refusal);
            }
            Ok(Reading { spliced_input: Some(refusal), .. }) if input.is_some() => {
                self.unclear(node, text, refusal);
            }
            Ok(reading) => {
                self.calculated(&reading, vars, values);
                if let Some(node) = input.filter(|_| reading.calculated.input) {
                    self.report(self.error("calculated-shell", node.span, shell::CALCULATES_INPUT));
                }
            }
            Err(refusal) => self.unclear(node, text, refusal),
        }
    }

    fn unclear(&mut self, node: &Node, script: &str, refusal: Refusal) {
        let problem = self.error("unclear-shell", node.span, refusal.said_of(script));
        self.report(problem.hint(refusal.hint));
    }

    /// Values that are written out and that the shell would calculate with.
    fn calculated(&mut self, reading: &Reading, vars: Option<&Node>, values: &[Node]) {
        let vars = vars.map(Node::entries).unwrap_or_default().iter();
        let vars = vars.filter(|(name, _)| reading.calculated.names.contains(&name.value));
        let named = vars.map(|(name, node)| (name.value.clone(), node));
        let values = values.iter().enumerate().filter(|_| reading.calculated.positional);
        let numbered = values.map(|(index, node)| ((index + 1).to_string(), node));
        for (name, node) in named.chain(numbered).filter(|(_, node)| is_text(node)) {
            let problem =
                self.error("calculated-shell", node.span, shell::calculates(&name, &reading.calculated));
            self.report(problem.hint("write an integer"));
        }
    }
}

/// Whether a value is certain to be none that can be calculated with.
fn is_text(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar(Value::String(text)) => !has_template(text) && !shell::is_integer(text),
        Kind::Scalar(Value::Number(number)) => !shell::is_integer(&number.to_string()),
        Kind::Scalar(Value::Bool(_)) => true,
        _ => false,
    }
}

fn has_template(text: &str) -> bool {
    ["{{", "{%"].iter().any(|mark| text.contains(mark))
}

//! Constants written as another type than they have, such as `"5"` for a number.
//!
//! Other systems read them by the type that is wanted. Where only one value can be
//! meant, so do we, with a warning.

use std::borrow::Cow;

use serde_json::Value;

use super::{Checker, fit};
use crate::fix::{self, Edit};
use crate::yaml::{Kind, Node};

/// The boolean that a word stands for.
pub(crate) fn boolean(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

impl Checker<'_, '_> {
    /// The value that is meant where a schema asks for one type and a constant of another is written.
    pub(super) fn as_meant<'n>(&mut self, name: &str, node: &'n Node, schema: &Value) -> Cow<'n, Node> {
        let Kind::Scalar(written) = &node.kind else { return Cow::Borrowed(node) };
        let text = self.source.slice(node.span);
        let meant = wanted(schema).and_then(|wanted| meant(written, wanted, text));
        let Some(meant) = meant.filter(|meant| fit::fits_at_a_glance(schema, meant) == Some(true)) else {
            return Cow::Borrowed(node);
        };
        let message = format!(
            "`{name}` must be {}, and this is written as {}",
            fit::words(&[fit::type_of(&meant)]),
            fit::words(&[fit::type_of(written)])
        );
        let problem = self.warning("spelled-value", node.span, message);
        // An alias stands for what is written elsewhere.
        let edit = (!text.starts_with('*') && !fix::is_block(self.source, node.span))
            .then(|| Edit::replace(node.span, meant.to_string()));
        self.report(problem.hint(format!("write `{meant}`")).fix(edit.into_iter().collect()));
        Cow::Owned(Node { kind: Kind::Scalar(meant), span: node.span })
    }
}

/// The one type that a schema asks for.
fn wanted(schema: &Value) -> Option<&str> {
    schema.get("type").and_then(Value::as_str)
}

/// The value of the wanted type that is written as another one, when there is only one.
fn meant(written: &Value, wanted: &str, source: &str) -> Option<Value> {
    match (written, wanted) {
        (Value::String(text), "boolean") => boolean(text).map(Value::Bool),
        (Value::String(text), "integer") => {
            let number: i64 = text.parse().ok()?;
            (number.to_string() == *text).then(|| number.into())
        }
        (Value::String(text), "number") => {
            let plain = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-'));
            let number: f64 = text.parse().ok().filter(|_| plain)?;
            match text.parse::<i64>() {
                Ok(whole) if whole.to_string() == *text => Some(whole.into()),
                Ok(_) => None,
                Err(_) => serde_json::Number::from_f64(number).map(Value::Number),
            }
        }
        // As it is written: `1.10` is not `1.1`.
        (Value::Number(_) | Value::Bool(_), "string")
            if !source.is_empty() && !source.contains(['*', '&', '!']) =>
        {
            Some(source.into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_can_mean_one_thing_is_read_as_another_type() {
        let read = |written: Value, wanted| meant(&written, wanted, "1.10");
        assert_eq!(read(json!("5"), "integer"), Some(json!(5)));
        assert_eq!(read(json!("-2"), "number"), Some(json!(-2)));
        assert_eq!(read(json!("2.5"), "number"), Some(json!(2.5)));
        assert_eq!(read(json!("True"), "boolean"), Some(json!(true)));
        assert_eq!(read(json!("off"), "boolean"), Some(json!(false)));
        assert_eq!(read(json!(1.1), "string"), Some(json!("1.10")));
        for (unclear, wanted) in [
            ("05", "integer"),
            ("5.0", "integer"),
            ("1e3", "number"),
            ("007", "number"),
            ("2", "boolean"),
            ("many", "integer"),
        ] {
            assert_eq!(read(json!(unclear), wanted), None, "{unclear}");
        }
        assert_eq!(read(json!(null), "string"), None);
    }
}

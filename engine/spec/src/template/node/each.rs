//! A list made of another one, item by item: `{each: result, as: job, if: job.ok, value: …}`.

use serde_json::{Map, Value};

use super::super::value::Budget;
use super::super::{EvalError, Missing, Reference, Scope, SyntaxError};
use super::{Hole, Node};
use crate::name;

/// What an item is called when `as` does not say.
const ITEM: &str = "item";

/// One value for each item of a list.
#[derive(Clone, Debug)]
pub(crate) struct Each {
    items: Hole,
    name: String,
    condition: Option<Hole>,
    value: Node,
}

impl Each {
    /// Whether a mapping is meant like this: it has `each` and `value`, and nothing that is foreign here.
    pub(super) fn is_meant(entries: &Map<String, Value>) -> bool {
        let known = |key: &String| matches!(key.as_str(), "each" | "as" | "if" | "value");
        entries.contains_key("each") && entries.contains_key("value") && entries.keys().all(known)
    }

    pub(super) fn parse(entries: &Map<String, Value>, depth: usize) -> Result<Self, SyntaxError> {
        let name = entries.get("as").map_or(Some(ITEM), Value::as_str).unwrap_or_default();
        if !name::is_valid(name) {
            return Err(SyntaxError::at(0, "`as` is not a name").inside("as".to_owned()));
        }
        let condition = entries.get("if").map(|text| hole(text, "if")).transpose()?;
        let value = Node::parse_with(&entries["value"], depth + 1, true)
            .map_err(|error| error.inside("value".to_owned()))?;
        Ok(Self { items: hole(&entries["each"], "each")?, name: name.to_owned(), condition, value })
    }

    pub(super) fn render(
        &self,
        scope: &Scope,
        missing: Missing,
        budget: &mut Budget,
    ) -> Result<Value, EvalError> {
        let items = self.items.program.eval(scope, Missing::Null)?;
        let mut values = Vec::new();
        if items.is_none() || items.is_undefined() {
            return Ok(Value::Array(values));
        }
        for item in items.try_iter().map_err(|error| self.items.failed(&error))? {
            let mut inner = scope.child();
            inner.put(&self.name, item);
            if let Some(condition) = &self.condition
                && !condition.program.eval(&inner, Missing::Null)?.is_true()
            {
                continue;
            }
            values.push(self.value.render(&inner, missing, budget)?.unwrap_or_default());
        }
        Ok(Value::Array(values))
    }

    pub(super) fn any_hole(&self, is: &dyn Fn(&Hole) -> bool) -> bool {
        is(&self.items) || self.condition.as_ref().is_some_and(is)
    }

    pub(super) fn value(&self) -> &Node {
        &self.value
    }

    /// Every mention of a name from outside: not of the item.
    pub(super) fn each_reference(&self, at: &mut Vec<String>, each: &mut dyn FnMut(&[String], Reference)) {
        self.items.references().for_each(|reference| each(at, reference));
        let mut outside = |at: &[String], reference: Reference| {
            if reference.path.first().and_then(super::Segment::key) != Some(&self.name) {
                each(at, reference);
            }
        };
        let condition = self.condition.iter().flat_map(Hole::references);
        condition.for_each(|reference| outside(at, reference));
        self.value.each_reference(at, &mut outside);
    }
}

fn hole(text: &Value, key: &str) -> Result<Hole, SyntaxError> {
    let source = text.as_str().ok_or_else(|| SyntaxError::at(0, format!("`{key}` is no expression")));
    let source = source.map_err(|error| error.inside(key.to_owned()))?;
    let (inner, start) = super::unwrapped(source).unwrap_or_else(|| super::trimmed(source));
    Hole::parse(inner, start).map_err(|error| error.inside(key.to_owned()))
}

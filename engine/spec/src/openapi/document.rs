//! A document and the references in it.

use serde_json::Value;

/// References that lead to references are followed this far.
const LONGEST_CHAIN: usize = 16;

/// A document.
pub(super) struct Document {
    pub(super) root: Value,
}

impl Document {
    pub(super) fn new(root: Value) -> Self {
        Self { root }
    }

    /// What a value refers to, or the value; null when the reference leads nowhere.
    pub(super) fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let mut value = value;
        for _ in 0..LONGEST_CHAIN {
            let Some(reference) = reference(value) else { return value };
            value = self.at(reference).unwrap_or(&Value::Null);
        }
        &Value::Null
    }

    /// What a reference within the document leads to.
    pub(super) fn at(&self, reference: &str) -> Option<&Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }

    /// Every tag of an operation.
    pub(super) fn tags(&self) -> impl Iterator<Item = &str> {
        let items = self.root["paths"].as_object().into_iter().flat_map(|paths| paths.values());
        let operations = items.filter_map(Value::as_object).flat_map(|item| item.values());
        operations.filter_map(|operation| operation["tags"].as_array()).flatten().filter_map(Value::as_str)
    }
}

/// Where a value refers to.
pub(super) fn reference(value: &Value) -> Option<&str> {
    value.get("$ref").and_then(Value::as_str)
}

//! A world with nothing in it.

use std::sync::Arc;

use serde_json::Value;

use super::Catalog;
use crate::source::Source;
use crate::tool::ToolSpec;

/// What is checked against that names nothing else: no tools, skills, secrets and values.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

impl Catalog for Nowhere {
    fn tool(&self, _: &str) -> Option<Arc<ToolSpec>> {
        None
    }

    fn tool_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn skill(&self, _: &str) -> Option<Source> {
        None
    }

    fn skill_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn secret_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn config(&self) -> Value {
        Value::Null
    }
}

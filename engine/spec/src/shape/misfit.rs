//! Every place where a tree does not fit a schema.

use serde_json::Value;

use super::Repair;
use crate::diagnostic::Diagnostic;
use crate::source::Source;
use crate::yaml::Node;

/// One misfit, and how to go on without it.
pub(super) struct Problem {
    pub(super) diagnostic: Diagnostic,
    pub(super) repair: Repair,
}

/// All of them.
pub(super) fn all(_: &Source, _: &Node, _: &Value) -> Vec<Problem> {
    Vec::new()
}

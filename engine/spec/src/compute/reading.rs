//! A block read: what it takes from the skill, what it may call, and the code to run.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

use super::CalleeKind;
use super::python::{PythonError, with_module};
use super::walk::Walk;
use crate::diagnostic::Severity;
use crate::template::Segment;

/// Where a block stands.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// Canonical name of the variable that gets its result.
    pub(crate) output: &'a str,
    /// Whether the skill has a value of that name there, which goes before a word of the
    /// prelude.
    pub(crate) is_value: &'a (dyn Fn(&str) -> bool + Sync),
    /// Whether names that nobody knows are nothing.
    pub(crate) lenient: bool,
}

/// What a text says of itself. Places are byte ranges of it.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The text rewritten, line by line, with an expression that gives the result at its end.
    pub(crate) code: String,
    /// Names that are not its own, in the order of the text.
    pub(crate) mentions: Vec<Mention>,
    /// Names that it asks for, as in `'x' in dir()`.
    pub(crate) asked: Vec<(String, Range<usize>)>,
    /// Whether it asks for all of them.
    pub(crate) asks_all: bool,
    /// Names that it sets itself.
    pub(crate) own: BTreeSet<String>,
    /// Names that have to be brought in.
    pub(crate) imports: BTreeSet<String>,
    /// What it may call, in the order of the text.
    pub(crate) calls: Vec<Call>,
    /// What is wrong with it, or doubtful.
    pub(crate) problems: Vec<Problem>,
}

/// A name that is not the text's own, and what is taken out of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Mention {
    pub(crate) path: Vec<Segment>,
    pub(crate) span: Range<usize>,
    /// Whether a missing field does no harm.
    pub(crate) guarded: bool,
    /// Whether a missing name does no harm.
    pub(crate) doubtful: bool,
}

/// A call of a tool or a skill.
#[derive(Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) kind: CalleeKind,
    pub(crate) name: String,
    /// Where the name stands, or the word that stands for it.
    pub(crate) span: Range<usize>,
    /// The word that stands for it, as in `memory.read_memory`.
    pub(crate) by: Option<String>,
    pub(crate) arguments: Vec<Argument>,
    /// Whether there may be other arguments.
    pub(crate) open: bool,
}

/// An argument by name.
#[derive(Debug, PartialEq)]
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) span: Range<usize>,
    /// Where its value stands.
    pub(crate) at: Range<usize>,
    /// Its value, if it is written out.
    pub(crate) value: Option<Value>,
}

/// Something wrong or doubtful in a text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Problem {
    pub(super) fn error(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, span, message: message.into(), hint: String::new() }
    }

    pub(super) fn warning(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

/// Reads a block.
///
/// # Errors
/// The text is not Python.
pub(crate) fn read(source: &str, setting: Setting<'_>) -> Result<Reading, PythonError> {
    with_module(source, |module| {
        let body = module.suite();
        let mut walk = Walk::new(source, setting, body);
        walk.block(body);
        walk.finish()
    })
}

#[cfg(test)]
mod tests;

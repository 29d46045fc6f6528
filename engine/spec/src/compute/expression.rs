//! Expressions that only Python grammar accepts: what they read, and the code that runs.
//!
//! The rules differ from those of a block in one thing: what is missing is `None`, as
//! it is null in the template language, so `xs and any(… for x in xs)` holds up after a
//! skipped step.

mod walk;
mod words;

use std::collections::BTreeSet;

use ruff_python_parser::parse_expression;

use self::walk::Walk;
use super::python::{PythonError, with_expression};
use crate::template::{Field, Reference, SyntaxError};

/// Gives an attribute of a mapping its meaning, and what is missing a value.
const ATTRIBUTE: &str = "\
def _attr_or_none(value, name):
    if isinstance(value, dict):
        return value.get(name)
    return getattr(value, name, None)
";

/// The time, as the template language tells it.
const NOW: &str = "\
from datetime import datetime as _datetime, timezone as _timezone
def now():
    return _datetime.now(_timezone.utc)
";

/// An expression as an interpreter gets it.
#[derive(Clone, Debug)]
pub(crate) struct Rewritten {
    /// A module whose last line is the expression.
    pub(crate) code: String,
    /// Outside names, in the order of the text.
    pub(crate) references: Vec<Reference>,
    /// Fields of items of lists.
    pub(crate) fields: Vec<Field>,
    /// The types of JSON that its value can have, where its words tell.
    pub(crate) kinds: Option<&'static [&'static str]>,
    /// What it has to be given.
    pub(crate) names: BTreeSet<String>,
    /// Whether it asks what time it is.
    pub(crate) clock: bool,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is not Python.
    Grammar(PythonError),
    /// It is, but means nothing here.
    Meaning(SyntaxError),
}

/// Reads an expression in Python and makes code of it.
pub(crate) fn rewrite(source: &str) -> Result<Rewritten, Refusal> {
    match with_expression(source, |tree| rewritten(source, &tree.syntax().body)) {
        Ok(result) => result,
        // A line break ends a line of Python, but not an expression of YAML.
        Err(error) if source.contains('\n') => {
            let joined = source.replace(['\n', '\r'], " ");
            with_expression(&joined, |tree| rewritten(&joined, &tree.syntax().body))
                .unwrap_or(Err(Refusal::Grammar(error)))
        }
        Err(error) => Err(Refusal::Grammar(error)),
    }
}

fn rewritten(source: &str, body: &ruff_python_ast::Expr) -> Result<Rewritten, Refusal> {
    let found = Walk::over(source, body);
    if let Some(refused) = found.refused {
        return Err(Refusal::Meaning(refused));
    }
    let expression = found.edits.apply(source);
    // Edits go by the places of words; odd comments between them could mislead that.
    if parse_expression(&expression).is_err() {
        return Err(Refusal::Meaning(SyntaxError::at(0, "this is too intricate; take the comments out")));
    }
    let helpers = [(found.attributes, ATTRIBUTE), (found.clock, NOW)];
    let helpers: String = helpers.iter().filter(|(used, _)| *used).map(|(_, text)| *text).collect();
    let roots = found.references.iter().filter_map(|reference| reference.path.first()?.key());
    Ok(Rewritten {
        code: format!("{helpers}({expression}\n)\n"),
        names: roots.map(str::to_owned).collect(),
        references: found.references,
        fields: found.fields,
        kinds: kinds(body),
        clock: found.clock,
    })
}

/// The types of JSON that the value of an expression can have; `None` when its words do not tell.
fn kinds(body: &ruff_python_ast::Expr) -> Option<&'static [&'static str]> {
    use ruff_python_ast::Expr;
    match body {
        Expr::List(_) | Expr::ListComp(_) | Expr::Tuple(_) => Some(&["array"]),
        Expr::Dict(_) | Expr::DictComp(_) => Some(&["object"]),
        Expr::FString(_) | Expr::StringLiteral(_) => Some(&["string"]),
        Expr::Compare(_) => Some(&["boolean"]),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

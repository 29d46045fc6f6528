//! Python text to a syntax tree; alone knows how much stack that takes.

use std::thread;

use ruff_python_ast::{ModExpression, ModModule};
use ruff_python_parser::{ParseError, Parsed, parse_expression, parse_module};

/// Longest source, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// The parser and every visitor recurse over the tree, and a source of [`LONGEST`] bytes
/// can be nested that deeply. Only what is touched of it is ever real memory.
const STACK: usize = 512 * 1024 * 1024;

/// Why a text is not Python.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PythonError {
    /// What is wrong.
    pub message: String,
    /// Byte offset in the text.
    pub offset: usize,
}

/// What `look` finds in a module. It runs where there is stack enough for any tree, and
/// the tree does not leave that place.
///
/// # Errors
/// The text is too long, or not Python.
pub(crate) fn with_module<T: Send>(
    source: &str,
    look: impl FnOnce(&Parsed<ModModule>) -> T + Send,
) -> Result<T, PythonError> {
    deep(source, |source| Ok(look(&parse_module(source).map_err(|error| explain(&error))?)))
}

/// The same for a text that is one expression.
///
/// # Errors
/// The text is too long, or not one expression.
pub(crate) fn with_expression<T: Send>(
    source: &str,
    look: impl FnOnce(&Parsed<ModExpression>) -> T + Send,
) -> Result<T, PythonError> {
    deep(source, |source| Ok(look(&parse_expression(source).map_err(|error| explain(&error))?)))
}

fn deep<T: Send>(
    source: &str,
    work: impl FnOnce(&str) -> Result<T, PythonError> + Send,
) -> Result<T, PythonError> {
    if source.len() > LONGEST {
        let message = format!("the source is {} bytes long; {LONGEST} is the most", source.len());
        return Err(PythonError { message, offset: LONGEST });
    }
    let failed = |message: &str| Err(PythonError { message: message.to_owned(), offset: 0 });
    thread::scope(|scope| {
        let started = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || work(source));
        match started.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => failed("the Python parser has failed"),
            Err(_) => failed("there is no memory to parse it in"),
        }
    })
}

fn explain(error: &ParseError) -> PythonError {
    PythonError { message: error.error.to_string(), offset: error.location.start().to_usize() }
}

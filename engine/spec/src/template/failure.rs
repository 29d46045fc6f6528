//! Why an evaluation failed, in words that hold no value of the scope.
//!
//! The engine's own messages may quote values, so none is passed on unless its
//! wording is known to name kinds only.

use std::error::Error as _;

use minijinja::{Error, ErrorKind};

/// The wording of an error made here, carried through the engine as its source.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Wording(String);

/// An error of our own with words that may be shown.
pub(super) fn fail(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, "").with_source(Wording(message.into()))
}

/// An error for a value that is not there.
pub(super) fn missing() -> Error {
    Error::from(ErrorKind::UndefinedError)
}

/// Why it failed. Holds nothing but our own words and names of kinds.
pub(super) fn reason(error: &Error) -> String {
    if let Some(wording) = error.source().and_then(|source| source.downcast_ref::<Wording>()) {
        return wording.0.clone();
    }
    match error.kind() {
        ErrorKind::OutOfFuel => "it takes too many steps".to_owned(),
        ErrorKind::UndefinedError => "a value is missing".to_owned(),
        ErrorKind::TooManyArguments => "there are too many arguments".to_owned(),
        ErrorKind::MissingArgument => "an argument is missing".to_owned(),
        ErrorKind::CannotUnpack => "a list has the wrong length to be unpacked".to_owned(),
        kind => match error.detail().filter(|detail| names_kinds_only(detail)) {
            Some(detail) => detail.to_owned(),
            None => kind.to_string(),
        },
    }
}

/// Whether a message of the engine is one that names kinds of values but no value.
fn names_kinds_only(detail: &str) -> bool {
    const STARTS: [&str; 7] = [
        "tried to use ",
        "cannot convert ",
        "value of type ",
        "cannot reverse values of type ",
        "cannot join value of type ",
        "can only sum numbers",
        "value is not a string",
    ];
    const ENDS: [&str; 1] = [" is not iterable"];
    STARTS.iter().any(|start| detail.starts_with(start)) || ENDS.iter().any(|end| detail.ends_with(end))
}

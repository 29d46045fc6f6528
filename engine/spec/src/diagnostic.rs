//! A problem in a user's text: a value, not an error.
//!
//! Everything that reads user text returns what it could read plus all its
//! diagnostics. Each has a stable code from [`CODES`]; every code has a fixture in
//! `tests/fixtures/skills/bad` (a test checks both directions).

use serde::Serialize;

use crate::source::{Place, Source, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Works, but is likely not what was meant.
    Warning,
    /// Cannot run.
    Error,
}

/// One problem, with its place and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code in kebab case, e.g. `unknown-key`.
    pub code: &'static str,
    /// Whether it stops a run.
    pub severity: Severity,
    /// One line, lower case, literals in back-ticks, no full stop.
    pub message: String,
    /// The text it is in.
    pub source: Source,
    /// Where in that text.
    pub span: Span,
    /// Words for the marked place; empty when the message says it all.
    pub label: String,
    /// What to do, as a sentence fragment; empty when there is nothing to add.
    pub hint: String,
}

impl Diagnostic {
    /// An error at a span.
    pub fn error(code: &'static str, source: &Source, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            source: source.clone(),
            span,
            label: String::new(),
            hint: String::new(),
        }
    }

    /// A warning at a span.
    pub fn warning(code: &'static str, source: &Source, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, source, span, message) }
    }

    /// Adds words for the marked place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Adds the known name that was most likely meant, or else all of them when they are few.
    #[must_use]
    pub fn suggest<'a>(self, wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        match crate::name::suggest(wrong, known.iter().copied()) {
            Some(meant) => self.hint(format!("did you mean `{meant}`?")),
            None if (1..=16).contains(&known.len()) => {
                self.hint(format!("known: {}", crate::name::list(&known)))
            }
            None => self,
        }
    }

    /// Line and column where it starts.
    pub fn place(&self) -> Place {
        self.source.place(self.span.start)
    }
}

/// True when any of them stops a run.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

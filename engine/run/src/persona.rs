//! What a client sees: a persona's tools and skills, or a choice made at the start.

use std::sync::Arc;

use aa_spec::diagnostic::Diagnostic;
use aa_spec::tool::ToolSpec;

use crate::engine::SkillEntry;

/// A persona that can be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonaEntry {
    /// Canonical name.
    pub name: String,
    /// What it is for, in a sentence.
    pub description: String,
    /// Where it comes from: `project`, `user` or `shipped`.
    pub layer: String,
    /// Path as shown to people.
    pub path: String,
}

/// What a client is to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// What a persona shows, by name.
    Persona(String),
    /// Some tools and every skill.
    Tools(Vec<String>),
    /// The tools of one module and no skill.
    Module(String),
    /// Everything.
    All,
}

/// What a client sees. Names are in order, so that two views of the same files are equal.
#[derive(Clone, Debug)]
pub struct View {
    /// The persona, when it is one's.
    pub persona: Option<PersonaEntry>,
    /// What an assistant is told when it plays the part; empty without a persona.
    pub text: String,
    /// Skills by name.
    pub skills: Vec<SkillEntry>,
    /// Tools by name.
    pub tools: Vec<Arc<ToolSpec>>,
}

/// Why there is no such view.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// No persona of that name.
    #[error("there is no persona `{name}`")]
    UnknownPersona {
        /// The name.
        name: String,
        /// A name that is close.
        suggestion: Option<String>,
    },
    /// The persona's file has errors.
    #[error("the persona `{name}` has errors")]
    Invalid {
        /// Which persona.
        name: String,
        /// What is wrong.
        diagnostics: Vec<Diagnostic>,
    },
    /// A tool or module that was chosen is not there or cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// A file or folder cannot be read.
    #[error(transparent)]
    Unreadable(#[from] crate::home::FileError),
}

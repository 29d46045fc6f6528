//! What a client sees: a persona's tools and skills, or a choice made at the start.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use aa_spec::diagnostic::Diagnostic;
use aa_spec::name::fold;
use aa_spec::tool::ToolSpec;
use serde::{Deserialize, Serialize};

use crate::card::{BrokenSkill, Card};
use crate::home::PROJECT;

/// A persona that can be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl PersonaEntry {
    /// Whether the project has brought it, so that it is nobody's word on what others may use.
    pub fn is_of_project(&self) -> bool {
        self.layer == PROJECT
    }
}

/// A persona that was checked.
#[derive(Clone, Debug)]
pub struct CheckedPersona {
    /// Canonical name.
    pub name: String,
    /// Path as shown to people.
    pub path: String,
    /// Everything that is wrong or doubtful.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a client is to see.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct View {
    /// The persona, when it is one's.
    pub persona: Option<PersonaEntry>,
    /// What an assistant is told when it plays the part; empty without a persona.
    pub text: String,
    /// Skills by name.
    pub skills: Vec<Arc<Card>>,
    /// Skills that would be among them, had they no errors.
    pub broken: Vec<Arc<BrokenSkill>>,
    /// Whether nobody has named its skills: then they give way to its tools where there is not room for all.
    #[serde(default)]
    pub any_skill: bool,
    /// Tools by name.
    pub tools: Vec<Arc<ToolSpec>>,
    /// Why it shows nothing of what was chosen; empty when it does.
    #[serde(default)]
    pub trouble: String,
    /// What a front end has made of it.
    #[serde(skip)]
    pub(crate) made: OnceLock<Arc<dyn Any + Send + Sync>>,
}

/// Why there is no such view.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// No persona of that name.
    #[error("there is no persona `{name}`{}", suggestion.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    UnknownPersona {
        /// The name.
        name: String,
        /// A name that is close.
        suggestion: Option<String>,
    },
    /// No tool or module of that name.
    #[error("there is no {what} `{name}`{}", suggestion.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// `tool` or `module`.
        what: &'static str,
        /// The name.
        name: String,
        /// A name that is close.
        suggestion: Option<String>,
    },
    /// The persona's file has errors.
    #[error("the persona `{name}` has errors\n{}", crate::engine::lines(diagnostics))]
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

impl View {
    /// Whether a skill or tool of this name is part of it.
    pub fn shows(&self, name: &str) -> bool {
        let name = fold(name);
        self.skills.iter().any(|card| card.name == name) || self.tools.iter().any(|tool| tool.name == name)
    }

    /// The same without the skills and tools that are not let through.
    #[must_use]
    pub fn only(&self, skill: impl Fn(&str) -> bool, tool: impl Fn(&str) -> bool) -> Self {
        Self {
            persona: self.persona.clone(),
            text: self.text.clone(),
            skills: self.skills.iter().filter(|card| skill(&card.name)).cloned().collect(),
            broken: self.broken.iter().filter(|broken| skill(&broken.name)).cloned().collect(),
            tools: self.tools.iter().filter(|spec| tool(&spec.name)).cloned().collect(),
            any_skill: self.any_skill,
            trouble: self.trouble.clone(),
            made: OnceLock::new(),
        }
    }

    /// The modules that its tools are of.
    pub(crate) fn modules(&self) -> BTreeSet<&str> {
        self.tools.iter().map(|tool| tool.module.as_str()).collect()
    }

    /// What a front end makes of the view, kept as long as the view is: the same view shows the
    /// same to all clients. Each front end makes one thing of it.
    pub fn made<T: Any + Send + Sync>(&self, make: impl Fn(&Self) -> T) -> Arc<T> {
        let made = self.made.get_or_init(|| Arc::new(make(self)));
        // Another front end may have been first; then it is made each time.
        Arc::clone(made).downcast::<T>().unwrap_or_else(|_| Arc::new(make(self)))
    }
}

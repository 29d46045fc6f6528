//! Who calls the engine, and which runs are theirs.
//!
//! A front end that serves several people makes an engine for each of them
//! ([`crate::engine::Engine::for_caller`]); what is not theirs is then not there for them, so no
//! command of a front end can forget to look.

use std::path::{Path, PathBuf};

use crate::event::Origin;
use crate::policy::Rules;
use crate::store::RunSummary;

/// Who calls, through which front end, and what they see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Through which front end.
    pub origin: Origin,
    /// Who, as it was proven: [`LOCAL`], or the name of whoever holds a key.
    pub principal: String,
    /// Which runs they see.
    pub sees: Sees,
    /// What the key that they have shown says of what they may do.
    pub rules: Rules,
}

/// The principal of everybody who can read the store's files: whoever owns them.
pub const LOCAL: &str = "local";

/// Which runs a caller sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sees {
    /// All of the store.
    All,
    /// Those that the same principal has started.
    Own,
    /// Of those, the ones that were started in a folder.
    OwnIn(PathBuf),
}

impl Caller {
    /// Whoever can read the store anyway.
    pub fn local(origin: Origin) -> Self {
        Self { origin, principal: LOCAL.to_owned(), sees: Sees::All, rules: Rules::default() }
    }

    /// Whether a run is there for them.
    pub fn sees(&self, run: &RunSummary) -> bool {
        self.owner().is_none_or(|owner| owner == run.principal)
            && self.folder().is_none_or(|folder| folder == run.folder)
    }

    /// Whose runs alone they see.
    pub fn owner(&self) -> Option<&str> {
        (self.sees != Sees::All).then_some(&self.principal)
    }

    /// The folder whose runs alone they see.
    pub fn folder(&self) -> Option<&Path> {
        match &self.sees {
            Sees::All | Sees::Own => None,
            Sees::OwnIn(folder) => Some(folder),
        }
    }
}

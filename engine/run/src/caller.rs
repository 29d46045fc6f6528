//! Who calls the engine, and which runs are theirs.
//!
//! A front end that serves several people makes an engine for each of them
//! ([`crate::engine::Engine::for_caller`]); what is not theirs is then not there for them, so no
//! command of a front end can forget to look.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::event::Origin;
use crate::grant::Grants;
use crate::policy::Rules;
use crate::store::RunSummary;

/// Who calls, through which front end, and what they see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Through which front end.
    pub origin: Origin,
    /// Who, as it was proven: [`LOCAL`], or the name of whoever holds a key.
    pub principal: String,
    /// To whom they belong: nothing of another tenant is there for them.
    pub tenant: String,
    /// Which runs they see.
    pub sees: Sees,
    /// What the key that they have shown says of what they may do.
    pub rules: Rules,
    /// What they may use.
    pub grants: Grants,
}

/// Whose something is: principals of two tenants may have the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Whose {
    /// The tenant.
    pub tenant: String,
    /// The principal.
    pub principal: String,
}

/// The principal of everybody who can read the store's files: whoever owns them.
pub const LOCAL: &str = "local";

/// The tenant of everybody of whom nothing else is said, and of whoever owns the store.
pub const MAIN: &str = aa_spec::config::MAIN;

/// Which runs a caller sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sees {
    /// All of the store.
    All,
    /// Those of the same tenant.
    Tenant,
    /// Those that the same principal has started.
    Own,
    /// Of those, the ones that were started in a folder.
    OwnIn(PathBuf),
}

impl Caller {
    /// Whoever can read the store anyway.
    pub fn local(origin: Origin) -> Self {
        let (sees, rules, grants) = (Sees::All, Rules::default(), Grants::All);
        let (principal, tenant) = (LOCAL.to_owned(), MAIN.to_owned());
        Self { origin, principal, tenant, sees, rules, grants }
    }

    /// Whether a run is there for them.
    pub fn sees(&self, run: &RunSummary) -> bool {
        self.tenant().is_none_or(|tenant| tenant == run.tenant)
            && self.owner().is_none_or(|owner| owner == run.principal)
            && self.folder().is_none_or(|folder| folder == run.folder)
    }

    /// Whose runs alone they see.
    pub fn owner(&self) -> Option<&str> {
        matches!(self.sees, Sees::Own | Sees::OwnIn(_)).then_some(&self.principal)
    }

    /// The tenant whose runs alone they see.
    pub fn tenant(&self) -> Option<&str> {
        (self.sees != Sees::All).then_some(&self.tenant)
    }

    /// Whose is what they make.
    pub fn whose(&self) -> Whose {
        Whose { tenant: self.tenant.clone(), principal: self.principal.clone() }
    }

    /// Whether all of the store is there for them.
    pub fn sees_all(&self) -> bool {
        self.sees == Sees::All
    }

    /// Whether what belongs to the machine can be there for them, as far as they are granted it.
    pub fn is_of_main(&self) -> bool {
        self.tenant == MAIN
    }

    /// The folder whose runs alone they see.
    pub fn folder(&self) -> Option<&Path> {
        match &self.sees {
            Sees::All | Sees::Tenant | Sees::Own => None,
            Sees::OwnIn(folder) => Some(folder),
        }
    }
}

impl Whose {
    /// That of whoever owns the store.
    pub fn local() -> Self {
        Self { tenant: MAIN.to_owned(), principal: LOCAL.to_owned() }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.tenant, self.principal)
    }
}

/// The tenant of what was written before there were any.
pub(crate) fn main_tenant() -> String {
    MAIN.to_owned()
}

//! Who asks, and what is there for them.

use std::sync::Arc;

use aa_run::caller::{MAIN, Sees};
use aa_run::engine::Engine;
use aa_run::event::Origin;
use aa_run::key::Guest;
use aa_run::workspace::path_of;
use aa_spec::config::ScopeKind;
use aa_spec::tool::Effect;

use super::problem::Problem;
use crate::mcp::scope::Scope;
use crate::mcp::visit;

/// Whoever has shown a key, with the engine as it is for them.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// Runs of others are not there.
    pub(crate) engine: Engine,
    guest: Arc<Guest>,
    /// The same in the folder that the server was started in.
    own: Engine,
}

impl Visitor {
    /// The owner of the store sees all of it, others what is theirs.
    pub(crate) fn new(engine: &Engine, guest: Arc<Guest>) -> Self {
        let sees = match &guest.grants {
            _ if guest.is_local() => Sees::All,
            grants if grants.sees_all_runs() => Sees::Tenant,
            _ => Sees::Own,
        };
        let engine = engine.for_caller(guest.caller(Origin::Http, sees));
        Self { own: engine.clone(), engine, guest }
    }

    /// The same in another folder, if they may work there. What is no folder is a problem of the kind of where it stands.
    pub(crate) fn within(&self, workspace: Option<&str>, kind: &str) -> Result<Self, Problem> {
        let Some(workspace) = workspace else { return Ok(self.clone()) };
        let folder = path_of(workspace).ok_or_else(|| {
            let detail =
                format!("`workspace` must be an absolute path or a `file://` address, not `{workspace}`");
            Problem::of(kind, detail).hint("`GET /api/workspaces` lists the folders that you work in")
        })?;
        let engine = visit::enter(&self.engine, &folder).map_err(|why| Problem::of("forbidden", why))?;
        let engine = engine.for_caller(self.engine.caller().clone());
        Ok(Self { engine, guest: Arc::clone(&self.guest), own: self.own.clone() })
    }

    /// By whom something was said, for the journal.
    pub(crate) fn by(&self) -> String {
        format!("{} (http)", self.guest.principal)
    }

    /// What their key opens.
    pub(crate) fn scope(&self) -> Scope {
        Scope::of(&self.engine, &self.own, &self.guest)
    }

    /// Whether they may play a persona.
    pub(crate) fn may_play(&self, persona: &str) -> bool {
        self.guest.may_play(persona)
    }

    /// That their key opens a skill or tool of this name.
    pub(crate) fn may_use(&self, name: &str) -> Result<(), Problem> {
        if self.scope().shows(name) {
            return Ok(());
        }
        Err(Problem::of("forbidden", format!("your key opens nothing that is called `{name}`")))
    }

    /// That they may look at what their tenant remembers.
    pub(crate) fn may_recall(&self) -> Result<(), Problem> {
        let reads = self.guest.grants.lets(ScopeKind::Tool, "memory_read", Effect::Read);
        if self.guest.personas.is_none() && reads {
            return Ok(());
        }
        Err(Problem::of("forbidden", "your key does not open what is remembered"))
    }

    /// That they may look at what is of this machine: its heal rules, and mistakes that repeat on it.
    pub(crate) fn may_look(&self) -> Result<(), Problem> {
        if self.guest.tenant == MAIN && self.may_recall().is_ok() {
            return Ok(());
        }
        Err(Problem::of("forbidden", "your key does not open what everybody shares"))
    }

    /// That they own the store.
    pub(crate) fn is_owner(&self) -> Result<(), Problem> {
        if self.guest.grants.owns_server() && self.guest.tenant == MAIN {
            return Ok(());
        }
        Err(Problem::of("forbidden", "only the owner of this server may do that"))
    }
}

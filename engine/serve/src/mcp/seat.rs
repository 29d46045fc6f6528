//! What a connection sees.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aa_run::engine::Engine;
use aa_run::persona::{Choice, View, ViewError};
use aa_run::tool::Level;
use rmcp::RoleServer;
use rmcp::service::Peer;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::change::{self, Changes};
use super::resource::Watches;

/// What one connection has: on stdio the process, over HTTP a session of an older client or a
/// single request of a newer one. So nothing that has to last may be kept here.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// The engine of the folder that the server was started in, for nobody in particular.
    pub(crate) engine: Engine,
    choice: Arc<RwLock<Choice>>,
    /// Cancelled when the server or the connection ends. What is cancelled after that was not given up
    /// by the client: a run goes on, or is left to be resumed.
    pub(crate) closing: CancellationToken,
    pinned: bool,
    /// What the client has asked to be told of.
    pub(crate) watches: Arc<Watches>,
    /// Whether the skills extension is spoken.
    pub(crate) skills_extension: bool,
    log_level: Arc<RwLock<Option<Level>>>,
    /// What says that there is something new.
    pub(crate) changes: Arc<Changes>,
    /// Tells the client of changes; ends with the connection.
    teller: Arc<Mutex<JoinSet<()>>>,
}

impl Seat {
    pub(crate) fn new(engine: Engine, choice: Choice) -> Self {
        let (choice, closing) = (Arc::new(RwLock::new(choice)), CancellationToken::new());
        Self {
            changes: Changes::new(engine.clone()),
            engine,
            choice,
            closing,
            pinned: false,
            watches: Arc::default(),
            skills_extension: false,
            log_level: Arc::default(),
            teller: Arc::default(),
        }
    }

    /// The same at an address that means its choice and no other.
    #[must_use]
    pub(crate) fn pinned(self) -> Self {
        Self { pinned: true, ..self }
    }

    /// The same, speaking the skills extension or not.
    #[must_use]
    pub(crate) fn with_skill_folders(self, skills_extension: bool) -> Self {
        Self { skills_extension, ..self }
    }

    /// The same, told of changes by `changes`.
    #[must_use]
    pub(crate) fn with_changes(self, changes: Arc<Changes>) -> Self {
        Self { changes, ..self }
    }

    /// The same in a server that ends with `closing`.
    #[must_use]
    pub(crate) fn closing_with(self, closing: CancellationToken) -> Self {
        Self { closing, ..self }
    }

    /// Tells a client of the session era of changes from now on.
    pub(crate) fn tell_changes(&self, peer: Peer<RoleServer>) {
        let mut teller = self.teller.lock().unwrap_or_else(PoisonError::into_inner);
        if teller.is_empty() {
            teller.spawn(change::tell_session(Arc::clone(&self.changes), peer));
        }
    }

    /// From which level on the client wants to have lines in its log; none before it has said so.
    pub(crate) fn log_level(&self) -> Option<Level> {
        *self.log_level.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_log_level(&self, level: Level) {
        *self.log_level.write().unwrap_or_else(PoisonError::into_inner) = Some(level);
    }

    /// What was chosen last.
    pub(crate) fn choice(&self) -> Choice {
        self.choice.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows something else from now on; when that cannot be shown, nothing changes.
    #[expect(dead_code, reason = "`persona_load` will need it")]
    pub(crate) fn choose(&self, choice: Choice) -> Result<View, ViewError> {
        if self.pinned {
            let text = "this address shows one persona; connect to `/mcp/PERSONA` for another";
            return Err(ViewError::Unusable(text.to_owned()));
        }
        let view = self.engine.view(&choice)?;
        *self.choice.write().unwrap_or_else(PoisonError::into_inner) = choice;
        Ok(view)
    }
}

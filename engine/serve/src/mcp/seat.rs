//! What a connection sees.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use aa_run::engine::Engine;
use aa_run::persona::Choice;
use aa_run::tool::Level;
use rmcp::RoleServer;
use rmcp::service::Peer;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::change::{self, Changes};
use super::kept::Kept;
use super::resource::Watches;
use super::root::Root;

/// What one connection has: on stdio the process, over HTTP a session of an older client or a
/// single request of a newer one. So nothing that has to last may be kept here.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The engine of the folder that the server was started in, for nobody in particular.
    pub(crate) engine: Engine,
    /// What is shown from the start.
    first: Choice,
    choice: RwLock<Choice>,
    pinned: bool,
    /// Cancelled when the server or the connection ends. What is cancelled after that was not given up
    /// by the client: a run goes on, or is left to be resumed.
    pub(crate) closing: CancellationToken,
    /// What the client has asked to be told of.
    pub(crate) watches: Arc<Watches>,
    /// Whether the skills extension is spoken.
    pub(crate) skills_extension: bool,
    log_level: RwLock<Option<Level>>,
    /// Results that were too large for their answers.
    pub(crate) kept: Arc<Kept>,
    /// What says that files have changed.
    pub(crate) files: Arc<Changes>,
    /// Tells the client of changes; ends with the connection.
    teller: Mutex<JoinSet<()>>,
    changes: watch::Sender<()>,
    /// The folder that the client works in, as it says.
    pub(crate) root: Root,
    /// The engine of the folder that its requests are about by themselves; none before the first.
    place: watch::Sender<Option<Engine>>,
    id: OnceLock<String>,
    audit_key: OnceLock<Option<Vec<u8>>>,
}

impl Seat {
    pub(crate) fn new(engine: Engine, choice: Choice) -> Self {
        Self {
            log_level: RwLock::default(),
            kept: Arc::default(),
            files: Changes::new(engine.clone()),
            teller: Mutex::default(),
            engine,
            first: choice.clone(),
            choice: RwLock::new(choice),
            pinned: false,
            closing: CancellationToken::new(),
            watches: Arc::default(),
            skills_extension: false,
            changes: watch::Sender::new(()),
            root: Root::default(),
            place: watch::Sender::new(None),
            id: OnceLock::new(),
            audit_key: OnceLock::new(),
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

    /// The same, told of changed files by `files`.
    #[must_use]
    pub(crate) fn with_files(self, files: Arc<Changes>) -> Self {
        Self { files, ..self }
    }

    /// The same, keeping results in `kept`.
    #[must_use]
    pub(crate) fn with_kept(self, kept: Arc<Kept>) -> Self {
        Self { kept, ..self }
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
            teller.spawn(change::tell_session(Arc::clone(&self.files), self.place.subscribe(), peer));
        }
    }

    /// Takes note of the folder that requests of a client of the session era are about from now on.
    pub(crate) fn work_in(&self, engine: &Engine) {
        self.place.send_if_modified(|place| {
            let is_same = |place: &Engine| place.settings().folder == engine.settings().folder;
            let is_other = !place.as_ref().is_some_and(is_same);
            if is_other {
                *place = Some(engine.clone());
            }
            is_other
        });
    }

    /// From which level on the client wants to have lines in its log; none before it has said so.
    pub(crate) fn log_level(&self) -> Option<Level> {
        *self.log_level.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_log_level(&self, level: Level) {
        *self.log_level.write().unwrap_or_else(PoisonError::into_inner) = Some(level);
    }

    /// Whether its choice is part of the address.
    pub(crate) fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// A name for this connection that no other has.
    pub(crate) fn id(&self) -> &str {
        self.id.get_or_init(|| self.engine.mark().unwrap_or_default())
    }

    /// What hashes in the log are made with; none when there is no key to be had.
    pub(crate) fn audit_key(&self) -> Option<&[u8]> {
        self.audit_key.get_or_init(|| self.engine.sealing_key().ok()).as_deref()
    }

    /// What is shown to whoever is told of no changes.
    pub(crate) fn first_choice(&self) -> Choice {
        self.first.clone()
    }

    /// What was chosen last.
    pub(crate) fn choice(&self) -> Choice {
        self.choice.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows something from now on, which is known to be there. Tells whether that is something else.
    pub(crate) fn choose(&self, choice: Choice) -> bool {
        let mut chosen = self.choice.write().unwrap_or_else(PoisonError::into_inner);
        let is_other = *chosen != choice;
        *chosen = choice;
        drop(chosen);
        if is_other {
            self.changes.send_replace(());
        }
        is_other
    }

    /// Changes whenever something else is shown.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Whether somebody listens for that.
    pub(crate) fn is_heard(&self) -> bool {
        self.changes.receiver_count() > 0
    }
}

//! Workspaces and sessions at hand: read from the store by the first who asks, written back when
//! something about them matters.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::sync::broadcast;

use super::{ChatSession, Opening, WorkspaceState, WorkspaceUpdated, uri_of};
use crate::caller::Whose;
use crate::event::Time;
use crate::store::{LazyStore, StoreError};

/// So often what was merely counted is written.
const COUNTED: Duration = Duration::from_secs(5);

/// So often at least it is looked what may be forgotten.
const TIDIED: Duration = Duration::from_hours(1);

/// Notices that may wait for one who listens.
const WAITING: usize = 256;

/// Sessions that are kept at hand.
const MOST: usize = 4096;

/// Random bytes of a session's id.
const RANDOM: usize = 20;

/// Who works where, in this process and in all that share its store.
pub(crate) struct Registry {
    store: LazyStore,
    held: Mutex<Held>,
    /// Made when it is first needed: a short command has no use for it.
    notices: OnceLock<broadcast::Sender<WorkspaceUpdated>>,
}

#[derive(Default)]
struct Held {
    workspaces: BTreeMap<(Whose, String), WorkspaceState>,
    sessions: HashMap<String, ChatSession>,
    /// Tools that a session has called besides those that it shows.
    others: HashMap<String, BTreeSet<String>>,
    /// Sessions whose counts are not written yet.
    counted: BTreeSet<String>,
    written: Option<Instant>,
    tidied: Option<Instant>,
}

/// What is seen in a folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// The project; empty when it is not known.
    pub(crate) project: String,
    /// The branch that is checked out; empty when there is none.
    pub(crate) branch: String,
}

/// What is to be written.
pub(crate) struct Writing {
    workspace: WorkspaceState,
    sessions: Vec<ChatSession>,
    notice: Option<WorkspaceUpdated>,
}

impl Registry {
    pub(crate) fn new(store: LazyStore) -> Self {
        Self { store, held: Mutex::default(), notices: OnceLock::new() }
    }

    /// What changes about workspaces from now on, of all principals.
    pub(crate) fn notices(&self) -> broadcast::Receiver<WorkspaceUpdated> {
        self.notices.get_or_init(|| broadcast::Sender::new(WAITING)).subscribe()
    }

    /// A folder as a principal works in it; one that nobody has worked in is new.
    pub(crate) fn workspace(
        &self,
        (whose, folder): (&Whose, &Path),
        stale: chrono::Duration,
        look: impl FnOnce() -> Surroundings,
    ) -> Result<WorkspaceState, StoreError> {
        let key = (whose.clone(), uri_of(folder));
        let known = self.held().workspaces.get(&key).cloned();
        let known = if let Some(known) = known {
            known
        } else {
            let stored = self.store.get()?.workspace(&key.0, &key.1)?;
            let state = stored.unwrap_or_else(|| fresh(&key, &look().project));
            self.held().workspaces.entry(key).or_insert(state).clone()
        };
        let rested = Utc::now() - known.last_activity > stale;
        let active_session_id = known.active_session_id.filter(|_| !rested);
        Ok(WorkspaceState { active_session_id, ..known })
    }

    /// A session of a principal; that of another one is not there, and neither is one that was used for so long by nobody
    /// that it is forgotten.
    pub(crate) fn session(
        &self,
        whose: &Whose,
        id: &str,
        keep: chrono::Duration,
    ) -> Result<Option<ChatSession>, StoreError> {
        let first = Utc::now() - keep;
        if let Some(known) = self.held().still_held(id, first) {
            return Ok(Some(known.clone()).filter(|session| session.is_of(whose)));
        }
        let stored = self.store.get()?.chat_session(whose, id)?;
        let stored = stored.filter(|session| session.last_activity >= first);
        if let Some(session) = &stored {
            let mut held = self.held();
            held.make_room();
            held.sessions.insert(id.to_owned(), session.clone());
        }
        Ok(stored)
    }

    /// Makes a session, or goes on with one; `None` when the principal has none of that id.
    pub(crate) async fn open(
        &self,
        (whose, folder): (&Whose, &Path),
        (opening, keep): (Opening, chrono::Duration),
        seen: Surroundings,
    ) -> Result<Option<ChatSession>, StoreError> {
        let now = Utc::now();
        let before = match &opening.resume {
            Some(id) => match self.session(whose, id, keep)? {
                Some(session) => Some(session),
                None => return Ok(None),
            },
            None => None,
        };
        let persona_changed = opening
            .persona
            .as_ref()
            .is_some_and(|(persona, _)| before.as_ref().is_some_and(|before| before.persona != *persona));
        let made = before.is_none();
        let mut session = match before {
            Some(session) => session,
            None => new_session((whose, folder), &seen, now)?,
        };
        session.started_at = now;
        session.last_activity = now;
        apply(&mut session, opening);
        let key = (whose.clone(), session.workspace_uri.clone());
        let stored = self.store.get()?.workspace(&key.0, &key.1)?;
        let writing = {
            let mut held = self.held();
            held.make_room();
            let state = held.workspaces.entry(key.clone());
            let state = state.or_insert_with(|| stored.unwrap_or_else(|| fresh(&key, &seen.project)));
            state.active_session_id = Some(session.session_id.clone());
            state.last_activity = now;
            if !session.persona.is_empty() {
                state.persona.clone_from(&session.persona);
            }
            if !session.is_project_auto_detected {
                state.project.clone_from(&session.project);
                state.is_auto_detected = false;
            }
            let notice = notice(state, Some(&session), persona_changed || made, now);
            let writing =
                Writing { workspace: state.clone(), sessions: vec![session.clone()], notice: Some(notice) };
            held.sessions.insert(session.session_id.clone(), session.clone());
            writing
        };
        self.write(writing).await?;
        Ok(Some(session))
    }

    /// Notes that something of a workspace was used: what is to be written now and then.
    pub(crate) fn count(
        &self,
        (whose, folder): (&Whose, &Path),
        session: Option<&str>,
        (tool, is_other): (&str, bool),
    ) -> Option<Writing> {
        let now = Utc::now();
        let mut held = self.held();
        let held = &mut *held;
        let mut uri = uri_of(folder);
        if let Some(session) = session.and_then(|id| held.sessions.get_mut(id)) {
            session.last_activity = now;
            tool.clone_into(&mut session.last_tool);
            session.last_tool_time = Some(now);
            session.tool_call_count += 1;
            uri.clone_from(&session.workspace_uri);
            if is_other {
                let others = held.others.entry(session.session_id.clone()).or_default();
                others.insert(tool.to_owned());
                session.dynamic_tool_count = others.len().max(session.dynamic_tool_count);
            }
            held.counted.insert(session.session_id.clone());
        }
        let state = held.workspaces.get_mut(&(whose.clone(), uri.clone()))?;
        state.last_activity = now;
        if held.counted.is_empty() || held.written.is_some_and(|at| at.elapsed() < COUNTED) {
            return None;
        }
        held.written = Some(Instant::now());
        let of = |session: &&ChatSession| session.is_of(whose) && session.workspace_uri == uri;
        let sessions: Vec<_> =
            held.counted.iter().filter_map(|id| held.sessions.get(id)).filter(of).cloned().collect();
        for session in &sessions {
            held.counted.remove(&session.session_id);
        }
        Some(Writing { workspace: state.clone(), sessions, notice: None })
    }

    /// All that was merely counted, to be written before the process ends.
    pub(crate) fn unwritten(&self) -> Vec<Writing> {
        let mut held = self.held();
        let held = &mut *held;
        let counted = std::mem::take(&mut held.counted);
        let sessions = counted.iter().filter_map(|id| held.sessions.get(id));
        let writing = |session: &ChatSession| {
            let key = (session.whose(), session.workspace_uri.clone());
            let workspace = held.workspaces.get(&key)?.clone();
            Some(Writing { workspace, sessions: vec![session.clone()], notice: None })
        };
        sessions.filter_map(writing).collect()
    }

    /// Writes, and then tells whoever listens.
    pub(crate) async fn write(&self, writing: Writing) -> Result<(), StoreError> {
        let Writing { workspace, sessions, notice } = writing;
        self.store.soon().await?.keep_workspace(workspace, sessions, notice.clone()).await?;
        if let (Some(notice), Some(listeners)) = (notice, self.notices.get()) {
            // Nobody need listen any more.
            let _ = listeners.send(notice);
        }
        Ok(())
    }

    /// Forgets now and then what nobody has used for so long.
    pub(crate) async fn tidy(&self, keep: chrono::Duration) -> Result<(), StoreError> {
        let now = Instant::now();
        {
            let mut held = self.held();
            let rest = (keep / 2).to_std().unwrap_or_default().min(TIDIED);
            if held.tidied.is_some_and(|at| now - at < rest) {
                return Ok(());
            }
            held.tidied = Some(now);
        }
        // What was used since it was written last is not what is forgotten.
        for writing in self.unwritten() {
            self.write(writing).await?;
        }
        let first = Utc::now() - keep;
        self.store.soon().await?.forget_sessions(first).await?;
        self.held().forget(first);
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// A session at hand that was used since `first`; one that was not is let go of.
    fn still_held(&mut self, id: &str, first: Time) -> Option<&ChatSession> {
        if self.sessions.get(id)?.last_activity < first {
            self.drop_session(id);
        }
        self.sessions.get(id)
    }

    /// Lets go of all that was not used since `first`.
    fn forget(&mut self, first: Time) {
        let old = self.sessions.values().filter(|session| session.last_activity < first);
        let old: Vec<String> = old.map(|session| session.session_id.clone()).collect();
        for id in old {
            self.drop_session(&id);
        }
        self.workspaces.retain(|_, state| state.last_activity >= first);
    }

    fn drop_session(&mut self, id: &str) {
        self.sessions.remove(id);
        self.others.remove(id);
        self.counted.remove(id);
    }

    /// Lets go of sessions that are written; they are read again when they are needed.
    fn make_room(&mut self) {
        if self.sessions.len() >= MOST {
            let counted = &self.counted;
            self.sessions.retain(|id, _| counted.contains(id));
            self.others.retain(|id, _| counted.contains(id));
        }
    }
}

fn fresh((whose, uri): &(Whose, String), project: &str) -> WorkspaceState {
    let now = Utc::now();
    WorkspaceState {
        workspace_uri: uri.clone(),
        tenant: whose.tenant.clone(),
        principal: whose.principal.clone(),
        project: project.to_owned(),
        persona: String::new(),
        active_session_id: None,
        created_at: now,
        last_activity: now,
        is_auto_detected: true,
    }
}

fn new_session(
    (whose, folder): (&Whose, &Path),
    seen: &Surroundings,
    now: Time,
) -> Result<ChatSession, StoreError> {
    let session_id = random_id().map_err(|error| StoreError::Unusable {
        path: "randomness of the system".into(),
        message: crate::cause::cause(&error),
    })?;
    Ok(ChatSession {
        session_id,
        workspace_uri: uri_of(folder),
        tenant: whose.tenant.clone(),
        principal: whose.principal.clone(),
        name: String::new(),
        persona: String::new(),
        project: seen.project.clone(),
        is_project_auto_detected: true,
        issue_key: String::new(),
        branch: seen.branch.clone(),
        static_tool_count: 0,
        dynamic_tool_count: 0,
        created_at: now,
        started_at: now,
        last_activity: now,
        last_tool: String::new(),
        last_tool_time: None,
        tool_call_count: 0,
    })
}

fn apply(session: &mut ChatSession, opening: Opening) {
    if let Some((persona, tools)) = opening.persona {
        session.persona = persona;
        session.static_tool_count = tools;
    }
    if let Some(project) = opening.project {
        session.project = project;
        session.is_project_auto_detected = false;
    }
    if let Some(name) = opening.name {
        session.name = name;
    }
    if let Some(issue_key) = opening.issue_key {
        session.issue_key = issue_key;
    }
}

fn notice(
    state: &WorkspaceState,
    session: Option<&ChatSession>,
    persona_changed: bool,
    at: Time,
) -> WorkspaceUpdated {
    let persona = session.map_or(&state.persona, |session| &session.persona);
    WorkspaceUpdated {
        workspace_uri: state.workspace_uri.clone(),
        tenant: state.tenant.clone(),
        principal: state.principal.clone(),
        session_id: session.map(|session| session.session_id.clone()),
        persona: persona.clone(),
        persona_changed,
        at,
    }
}

/// Random hexadecimal digits.
fn random_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; RANDOM];
    getrandom::fill(&mut bytes)?;
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(digits.concat())
}

//! Sessions of clients of the older era: whose they are, and when they are forgotten.
//!
//! The library takes whoever names a session for its owner, and forgets it while a long call is silent.
//! Here it belongs to the principal and the address that began it, and is in use while an answer is under way.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rmcp::model::RequestId;
use rmcp::transport::streamable_http_server::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use tokio_util::sync::CancellationToken;

/// Who keeps the sessions themselves.
pub(super) type Manager = LocalSessionManager;

/// All sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    manager: Arc<Manager>,
    known: Arc<Mutex<Known>>,
    most: usize,
    timeout: Duration,
}

type Known = HashMap<String, Session>;

#[derive(Debug)]
struct Session {
    principal: String,
    address: String,
    /// Answers under way.
    open: usize,
    /// What is asked by them.
    asked: HashSet<RequestId>,
    used: Instant,
    /// Cancelled before the session is closed, so that its calls know that nobody has given them up.
    ending: CancellationToken,
}

/// One request of a session.
#[derive(Debug)]
pub(super) struct Visit {
    known: Arc<Mutex<Known>>,
    id: String,
    asked: Option<RequestId>,
}

impl Sessions {
    pub(super) fn new(most: usize, timeout: Duration) -> Self {
        let mut manager = Manager::default();
        manager.session_config.keep_alive = None;
        Self { manager: Arc::new(manager), known: Arc::default(), most, timeout }
    }

    pub(super) fn manager(&self) -> Arc<Manager> {
        Arc::clone(&self.manager)
    }

    /// Goes on with a session; none when it is not there for them.
    pub(super) fn enter(&self, id: &str, (principal, address): (&str, &str)) -> Option<Visit> {
        let mut known = lock(&self.known);
        let session = known.get_mut(id)?;
        if session.principal != principal || session.address != address {
            return None;
        }
        session.open += 1;
        session.used = Instant::now();
        Some(Visit { known: Arc::clone(&self.known), id: id.to_owned(), asked: None })
    }

    /// Remembers whose session it is, and closes those that are too many: the ones unused for longest, or
    /// the new one when all others are in use. Tells whether the new one is there.
    pub(super) async fn begin(&self, id: &str, owner: (&str, &str), ending: CancellationToken) -> bool {
        let surplus = self.add(id, owner, ending);
        let is_there = surplus.iter().all(|(other, _)| other != id);
        for (id, session) in surplus {
            self.end(&id, &session).await;
        }
        is_there
    }

    /// Adds a session; gives those that are not among the known any more for it.
    fn add(
        &self,
        id: &str,
        (principal, address): (&str, &str),
        ending: CancellationToken,
    ) -> Vec<(String, Session)> {
        let (owner, address) = (principal.to_owned(), address.to_owned());
        let (open, asked, used) = (0, HashSet::new(), Instant::now());
        let session = Session { principal: owner, address, open, asked, used, ending };
        let mut known = lock(&self.known);
        known.insert(id.to_owned(), session);
        let mut surplus = Vec::new();
        while known.values().filter(|session| session.principal == principal).count() > self.most {
            let unused = known.iter().filter(|(other, session)| {
                session.principal == principal && session.open == 0 && other.as_str() != id
            });
            let oldest = unused.min_by_key(|(_, session)| session.used).map(|(id, _)| id.clone());
            surplus.extend(known.remove_entry(oldest.as_deref().unwrap_or(id)));
        }
        surplus
    }

    pub(super) fn forget(&self, id: &str) {
        lock(&self.known).remove(id);
    }

    /// Forgets what is not used any more, again and again.
    pub(super) async fn sweep(&self) {
        loop {
            tokio::time::sleep((self.timeout / 4).clamp(Duration::from_millis(10), Duration::from_mins(1)))
                .await;
            for (id, session) in self.take_unused() {
                self.end(&id, &session).await;
            }
            self.drop_ended().await;
        }
    }

    fn take_unused(&self) -> Vec<(String, Session)> {
        let is_unused = |session: &Session| session.open == 0 && session.used.elapsed() >= self.timeout;
        lock(&self.known).extract_if(|_, session| is_unused(session)).collect()
    }

    /// Those that have ended by themselves.
    async fn drop_ended(&self) {
        let sessions = self.manager.sessions.read().await;
        lock(&self.known).retain(|id, _| sessions.contains_key(id.as_str()));
    }

    /// Closes a session. Its runs go on.
    async fn end(&self, id: &str, session: &Session) {
        session.ending.cancel();
        if let Err(error) = self.manager.close_session(&id.into()).await {
            tracing::debug!("a session could not be closed: {error}");
        }
    }
}

impl Visit {
    /// Notes the request that it brings; false when another one of the same identifier is under way.
    pub(super) fn ask(&mut self, id: RequestId) -> bool {
        let is_new =
            lock(&self.known).get_mut(&self.id).is_none_or(|session| session.asked.insert(id.clone()));
        if is_new {
            self.asked = Some(id);
        }
        is_new
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(session) = lock(&self.known).get_mut(&self.id) {
            session.open -= 1;
            if let Some(asked) = &self.asked {
                session.asked.remove(asked);
            }
            session.used = Instant::now();
        }
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: (&str, &str) = ("ann", "devops");

    #[tokio::test]
    async fn a_session_is_there_for_whoever_began_it_where_they_began_it() {
        let sessions = Sessions::new(4, Duration::from_mins(1));
        sessions.begin("one", ANN, CancellationToken::new()).await;
        assert!(sessions.enter("one", ANN).is_some());
        for other in [("ben", "devops"), ("ann", ""), ("ann", "admin")] {
            assert!(sessions.enter("one", other).is_none(), "{other:?}");
        }
        assert!(sessions.enter("two", ANN).is_none());
        sessions.forget("one");
        assert!(sessions.enter("one", ANN).is_none());
    }

    #[tokio::test]
    async fn an_identifier_is_free_again_when_its_request_is_answered() {
        let sessions = Sessions::new(4, Duration::from_mins(1));
        sessions.begin("one", ANN, CancellationToken::new()).await;
        let (mut first, mut second) =
            (sessions.enter("one", ANN).unwrap(), sessions.enter("one", ANN).unwrap());
        assert!(first.ask(RequestId::Number(1)) && !second.ask(RequestId::Number(1)));
        drop(second);
        let mut third = sessions.enter("one", ANN).unwrap();
        assert!(!third.ask(RequestId::Number(1)) && third.ask(RequestId::String("1".into())));
        drop(first);
        assert!(sessions.enter("one", ANN).unwrap().ask(RequestId::Number(1)));
    }

    #[tokio::test]
    async fn the_one_unused_for_longest_makes_room_and_none_in_use_does() {
        let sessions = Sessions::new(2, Duration::from_mins(1));
        let (free, ending) = (CancellationToken::new, CancellationToken::new());
        assert!(sessions.begin("old", ANN, free()).await);
        assert!(sessions.begin("new", ANN, ending.clone()).await);
        assert!(sessions.begin("foreign", ("ben", ""), free()).await);
        let used = sessions.enter("old", ANN);
        assert!(!ending.is_cancelled());
        assert!(sessions.begin("third", ANN, free()).await);
        assert!(ending.is_cancelled(), "its calls are told that the session ends, and not the run");
        assert!(sessions.enter("new", ANN).is_none() && sessions.enter("foreign", ("ben", "")).is_some());
        let also_used = sessions.enter("third", ANN);
        let refused = free();
        assert!(!sessions.begin("fourth", ANN, refused.clone()).await);
        assert!(refused.is_cancelled() && sessions.enter("fourth", ANN).is_none());
        drop((used, also_used));
        assert!(sessions.begin("fifth", ANN, free()).await);
        assert!(sessions.enter("old", ANN).is_none());
    }

    #[tokio::test]
    async fn what_is_not_used_is_forgotten_and_what_is_used_is_not() {
        let sessions = Sessions::new(9, Duration::from_millis(5));
        sessions.begin("idle", ANN, CancellationToken::new()).await;
        sessions.begin("busy", ANN, CancellationToken::new()).await;
        let busy = sessions.enter("busy", ANN);
        tokio::time::sleep(Duration::from_millis(10)).await;
        let unused: Vec<String> = sessions.take_unused().into_iter().map(|(id, _)| id).collect();
        assert_eq!(unused, ["idle"]);
        drop(busy);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(sessions.take_unused().len(), 1);
        sessions.begin("ended", ANN, CancellationToken::new()).await;
        sessions.drop_ended().await;
        assert_eq!(lock(&sessions.known).len(), 0);
    }
}

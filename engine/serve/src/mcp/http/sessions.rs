//! Sessions of clients of the older era: whose they are, and when they are forgotten.
//!
//! The library takes whoever names a session for its owner, and forgets it while a long call is silent.
//! Here it belongs to the principal and the address that began it, and is in use while an answer is under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rmcp::transport::streamable_http_server::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;

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
    used: Instant,
}

/// One request of a session.
#[derive(Debug)]
pub(super) struct Visit {
    known: Arc<Mutex<Known>>,
    id: String,
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
        Some(Visit { known: Arc::clone(&self.known), id: id.to_owned() })
    }

    /// Remembers whose session it is.
    pub(super) fn begin(&self, id: &str, (principal, address): (&str, &str)) {
        let (principal, address) = (principal.to_owned(), address.to_owned());
        let session = Session { principal, address, open: 0, used: Instant::now() };
        lock(&self.known).insert(id.to_owned(), session);
    }

    pub(super) fn forget(&self, id: &str) {
        lock(&self.known).remove(id);
    }

    /// Makes room for one more session, at the cost of the one that was unused for longest. False when all
    /// are in use.
    pub(super) async fn make_room(&self, principal: &str) -> bool {
        let oldest = {
            let known = lock(&self.known);
            let own = || known.iter().filter(|(_, session)| session.principal == principal);
            if own().count() < self.most {
                return true;
            }
            let unused = own().filter(|(_, session)| session.open == 0);
            unused.min_by_key(|(_, session)| session.used).map(|(id, _)| id.clone())
        };
        let Some(oldest) = oldest else { return false };
        self.close(&oldest).await;
        true
    }

    /// Forgets what is not used any more, again and again.
    pub(super) async fn sweep(&self) {
        loop {
            tokio::time::sleep((self.timeout / 4).clamp(Duration::from_millis(10), Duration::from_mins(1)))
                .await;
            for id in self.unused() {
                self.close(&id).await;
            }
            self.drop_ended().await;
        }
    }

    fn unused(&self) -> Vec<String> {
        let known = lock(&self.known);
        let unused =
            known.iter().filter(|(_, session)| session.open == 0 && session.used.elapsed() >= self.timeout);
        unused.map(|(id, _)| id.clone()).collect()
    }

    /// Those that have ended by themselves.
    async fn drop_ended(&self) {
        let sessions = self.manager.sessions.read().await;
        lock(&self.known).retain(|id, _| sessions.contains_key(id.as_str()));
    }

    async fn close(&self, id: &str) {
        self.forget(id);
        if let Err(error) = self.manager.close_session(&id.into()).await {
            tracing::debug!("a session could not be closed: {error}");
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(session) = lock(&self.known).get_mut(&self.id) {
            session.open -= 1;
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
        sessions.begin("one", ANN);
        assert!(sessions.enter("one", ANN).is_some());
        for other in [("ben", "devops"), ("ann", ""), ("ann", "admin")] {
            assert!(sessions.enter("one", other).is_none(), "{other:?}");
        }
        assert!(sessions.enter("two", ANN).is_none());
        sessions.forget("one");
        assert!(sessions.enter("one", ANN).is_none());
    }

    #[tokio::test]
    async fn the_one_unused_for_longest_makes_room_and_none_in_use_does() {
        let sessions = Sessions::new(2, Duration::from_mins(1));
        sessions.begin("old", ANN);
        sessions.begin("new", ANN);
        sessions.begin("foreign", ("ben", ""));
        let used = sessions.enter("old", ANN);
        assert!(sessions.make_room("ann").await);
        assert!(sessions.enter("new", ANN).is_none() && sessions.enter("foreign", ("ben", "")).is_some());
        sessions.begin("third", ANN);
        let also_used = sessions.enter("third", ANN);
        assert!(!sessions.make_room("ann").await);
        drop((used, also_used));
        assert!(sessions.make_room("ann").await);
        assert!(sessions.enter("old", ANN).is_none());
    }

    #[tokio::test]
    async fn what_is_not_used_is_forgotten_and_what_is_used_is_not() {
        let sessions = Sessions::new(9, Duration::from_millis(5));
        sessions.begin("idle", ANN);
        sessions.begin("busy", ANN);
        let busy = sessions.enter("busy", ANN);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(sessions.unused(), ["idle"]);
        drop(busy);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(sessions.unused().len(), 2);
        sessions.drop_ended().await;
        assert_eq!(lock(&sessions.known).len(), 0);
    }
}

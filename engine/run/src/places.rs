//! Places: how many runs may move at once, in all and of one session.
//!
//! Whoever finds no place waits. Of those who wait, whoever belongs to somebody with the fewest places is let in first,
//! and among equals in the order of coming: so nobody who asks for much keeps the others out. Those whose own session
//! is full are passed by. What stands before the line end in the name of a session says whose it is. A place is given back by dropping it, so neither a panic nor a
//! caller that goes away keeps one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The places of one process. Cheap to clone; clones share them.
#[derive(Clone, Debug)]
pub struct Places {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    all: usize,
    each: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    /// Of each session that has any.
    sessions: HashMap<Arc<str>, usize>,
    /// Of everybody who has any.
    owners: HashMap<Box<str>, usize>,
    /// Those who wait, in the order of coming.
    queue: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    session: Arc<str>,
    go: oneshot::Sender<Place>,
}

/// The right to move, until it is dropped.
#[derive(Debug)]
pub struct Place {
    shared: Option<Arc<Shared>>,
    session: Arc<str>,
}

impl Places {
    /// So many in all, and so many of each session; at least one.
    pub fn new(all: usize, each: usize) -> Self {
        let shared = Shared { all: all.max(1), each: each.max(1), state: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// A place, when there is one right now.
    pub fn try_take(&self, session: &Arc<str>) -> Option<Place> {
        let mut state = self.shared.state();
        // Whoever waits although there is room waits for their own session.
        state.has_room(&self.shared, session).then(|| state.seat(&self.shared, session))
    }

    /// A place, as soon as there is one. Giving up waiting is fine.
    pub async fn take(&self, session: &Arc<str>) -> Place {
        loop {
            let turn = {
                let mut state = self.shared.state();
                if state.has_room(&self.shared, session) {
                    return state.seat(&self.shared, session);
                }
                let (go, turn) = oneshot::channel();
                state.queue.push_back(Waiting { session: Arc::clone(session), go });
                turn
            };
            if let Ok(place) = turn.await {
                return place;
            }
        }
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.shared.state().queue.iter().filter(|waiting| !waiting.go.is_closed()).count()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the counts is a single step, so a panic leaves them right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self, shared: &Shared, session: &Arc<str>) -> bool {
        self.taken < shared.all && self.sessions.get(session).is_none_or(|taken| *taken < shared.each)
    }

    fn seat(&mut self, shared: &Arc<Shared>, session: &Arc<str>) -> Place {
        self.taken += 1;
        *self.sessions.entry(Arc::clone(session)).or_default() += 1;
        *self.owners.entry(owner(session).into()).or_default() += 1;
        Place { shared: Some(Arc::clone(shared)), session: Arc::clone(session) }
    }

    fn leave(&mut self, session: &Arc<str>) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(taken) = self.sessions.get_mut(session) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                self.sessions.remove(session);
            }
        }
        if let Some(taken) = self.owners.get_mut(owner(session)) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                self.owners.remove(owner(session));
            }
        }
    }

    /// Who is let in next, if there is room for anybody who waits.
    fn next(&self, shared: &Shared) -> Option<usize> {
        let taken = |waiting: &Waiting| self.owners.get(owner(&waiting.session)).copied().unwrap_or_default();
        let fitting = self.queue.iter().enumerate();
        let fitting = fitting.filter(|(_, waiting)| self.has_room(shared, &waiting.session));
        fitting.min_by_key(|(at, waiting)| (taken(waiting), *at)).map(|(at, _)| at)
    }

    /// Lets in whoever there is room for; those who have gone away are forgotten.
    fn let_in(&mut self, shared: &Arc<Shared>) {
        self.queue.retain(|waiting| !waiting.go.is_closed());
        while let Some(at) = self.next(shared) {
            let Some(Waiting { session, go }) = self.queue.remove(at) else { return };
            let place = self.seat(shared, &session);
            if let Err(mut place) = go.send(place) {
                // Gone in this very moment. Dropping it as it is would want the lock that is held here.
                place.shared = None;
                self.leave(&session);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            let mut state = shared.state();
            state.leave(&self.session);
            state.let_in(&shared);
        }
    }
}

/// Whose a session is.
fn owner(session: &str) -> &str {
    session.split('\n').next().unwrap_or_default()
}

/// A run's claim to a place, and the place while it has one.
#[derive(Debug)]
pub(crate) struct Turn {
    places: Places,
    session: Arc<str>,
    place: Option<Place>,
}

impl Turn {
    pub(crate) fn new(places: Places, session: &str) -> Self {
        Self { places, session: session.into(), place: None }
    }

    /// The same claim, without the place.
    pub(crate) fn again(&self) -> Self {
        Self { places: self.places.clone(), session: Arc::clone(&self.session), place: None }
    }

    /// Takes a place if there is one right now; whether it has one then.
    pub(crate) fn try_take(&mut self) -> bool {
        if self.place.is_none() {
            self.place = self.places.try_take(&self.session);
        }
        self.place.is_some()
    }

    /// Waits for a place from now on, in a future that can be kept while other things happen.
    pub(crate) fn wait(&self) -> impl Future<Output = Place> + Send + 'static + use<> {
        let (places, session) = (self.places.clone(), Arc::clone(&self.session));
        async move { places.take(&session).await }
    }

    pub(crate) fn has(&self) -> bool {
        self.place.is_some()
    }

    pub(crate) fn hold(&mut self, place: Place) {
        self.place = Some(place);
    }

    pub(crate) fn give_back(&mut self) {
        self.place = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn session(name: &str) -> Arc<str> {
        name.into()
    }

    #[tokio::test]
    async fn those_who_wait_are_let_in_in_order_and_a_full_session_is_passed_by() {
        let places = Places::new(2, 1);
        let a = places.take(&session("a")).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        let (places, held) = (&places, places.take(&session("z")).await);
        for name in ["a", "b", "c"] {
            let (places, order) = (places.clone(), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let place = places.take(&session(name)).await;
                order.lock().unwrap().push(name);
                place
            }));
            tokio::task::yield_now().await;
        }
        assert_eq!(places.waiting(), 3);
        drop(held);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(*order.lock().unwrap(), ["b"], "`a` is full");
        drop(a);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(*order.lock().unwrap(), ["b", "a"], "`c` came later");
        for task in tasks.drain(..2) {
            drop(task.await.unwrap());
        }
        drop(tasks.remove(0).await.unwrap());
        assert_eq!(places.waiting(), 0);
        assert!(places.try_take(&session("a")).is_some());
    }

    #[tokio::test]
    async fn who_asks_for_much_does_not_keep_the_others_out() {
        let places = Places::new(2, 1);
        let held = [places.take(&session("ann\n1")).await, places.take(&session("ann\n2")).await];
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for name in ["ann\n3", "ann\n4", "ann\n5", "ben\n1", "ben\n2"] {
            let (places, order) = (places.clone(), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let place = places.take(&session(name)).await;
                order.lock().unwrap().push(name);
                tokio::time::sleep(Duration::from_millis(5)).await;
                drop(place);
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for task in tasks {
            task.await.unwrap();
        }
        let order = order.lock().unwrap().clone();
        assert_eq!(order[..2].iter().filter(|name| name.starts_with("ben")).count(), 1, "{order:?}");
        assert!(order.iter().position(|name| *name == "ben\n2").unwrap() < 4, "{order:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn there_are_never_more_than_allowed_and_none_is_lost() {
        let places = Places::new(3, 2);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..200_usize)
            .map(|number| {
                let (places, now, most) = (places.clone(), Arc::clone(&now), Arc::clone(&most));
                tokio::spawn(async move {
                    let session = session(["a", "b", "c"][number % 3]);
                    let taking = places.take(&session);
                    // A third of them gives up.
                    let patience = Duration::from_micros(if number % 3 == 0 { 50 } else { 10_000_000 });
                    let Ok(place) = tokio::time::timeout(patience, taking).await else { return };
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_micros(200)).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    assert!(number % 17 != 0 || place.shared.is_some());
                    if number % 19 == 0 {
                        std::panic::resume_unwind(Box::new("it broke"));
                    }
                })
            })
            .collect();
        for task in tasks {
            let _ = task.await;
        }
        assert!(most.load(Ordering::SeqCst) <= 3);
        let a = session("a");
        let all: Vec<_> = std::iter::from_fn(|| places.try_take(&a)).collect();
        assert_eq!(all.len(), 2, "of one session");
        let b = session("b");
        assert!(places.try_take(&b).is_some());
    }
}

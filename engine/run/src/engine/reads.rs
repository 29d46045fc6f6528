//! Reads that several want at once, made once; and, where a tool allows it, kept for a while.
//!
//! What is the same is the same for one principal in one folder with one environment: nobody is ever given what somebody else has read.
//! A failure is given to all who wait, and kept for nobody.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aa_spec::tool::{Effect, ErrorKind, ToolSpec};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use serde_json::{Map, Value};

use super::Engine;
use crate::event::{Origin, StepError};
use crate::toolbox::Toolbox;

/// Results that are kept at most.
const KEPT: usize = 1024;
/// Longest result that is kept, as JSON, in bytes.
const LONGEST: usize = 256 << 10;
/// Reads under way that are remembered before those are forgotten that nobody waits for any more.
const GOING: usize = 256;

/// What came of a read.
type Answer = Result<Value, StepError>;

/// A read under way. Whoever waits drives it on; it ends when nobody waits any more.
type Going = Shared<BoxFuture<'static, Answer>>;

/// The reads of a process. Cheap to clone; clones share them.
#[derive(Clone, Default)]
pub(super) struct Reads {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    going: HashMap<String, (u64, WeakShared<BoxFuture<'static, Answer>>)>,
    kept: HashMap<String, (Instant, Value)>,
    /// How many were begun.
    count: u64,
}

impl Reads {
    /// What comes of a read: of one that is under way already, or that was kept, or else of a new one.
    pub(super) async fn once(
        &self,
        key: String,
        keep: Option<Duration>,
        make: impl FnOnce() -> BoxFuture<'static, Answer>,
    ) -> Answer {
        let going = {
            let mut state = self.state();
            if let Some(value) = state.kept(&key) {
                return Ok(value);
            }
            match state.going.get(&key).and_then(|(_, going)| going.upgrade()) {
                Some(going) => going,
                None => self.begin(&mut state, key, keep, make()),
            }
        };
        going.await
    }

    fn begin(
        &self,
        state: &mut State,
        key: String,
        keep: Option<Duration>,
        made: BoxFuture<'static, Answer>,
    ) -> Going {
        state.count += 1;
        if state.going.len() >= GOING {
            state.going.retain(|_, (_, going)| going.upgrade().is_some());
        }
        let (reads, name, number) = (self.clone(), key.clone(), state.count);
        let going = async move {
            let answer = AssertUnwindSafe(made).catch_unwind().await;
            let answer =
                answer.unwrap_or_else(|_| Err(StepError::new(ErrorKind::Permanent, "the tool panicked")));
            reads.end(&name, number, keep, &answer);
            answer
        };
        let going = going.boxed().shared();
        if let Some(weak) = going.downgrade() {
            state.going.insert(key, (number, weak));
        }
        going
    }

    /// From now on the next who comes reads anew.
    fn end(&self, key: &str, number: u64, keep: Option<Duration>, answer: &Answer) {
        let mut state = self.state();
        if state.going.get(key).is_some_and(|(of, _)| *of == number) {
            state.going.remove(key);
        }
        if let (Some(keep), Ok(value)) = (keep, answer)
            && value.to_string().len() <= LONGEST
        {
            state.keep(key, value, Instant::now() + keep);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn kept(&self, key: &str) -> Option<Value> {
        let (until, value) = self.kept.get(key)?;
        (*until > Instant::now()).then(|| value.clone())
    }

    fn keep(&mut self, key: &str, value: &Value, until: Instant) {
        if self.kept.len() >= KEPT {
            let now = Instant::now();
            self.kept.retain(|_, (until, _)| *until > now);
        }
        if self.kept.len() < KEPT {
            self.kept.insert(key.to_owned(), (until, value.clone()));
        }
    }
}

impl Engine {
    /// By what a read is known that may be made once for several: those of clients, by tools that only read and ask
    /// nobody. None for all others.
    pub(super) fn read_key(
        &self,
        toolbox: &Toolbox,
        spec: &ToolSpec,
        args: &Map<String, Value>,
    ) -> Option<String> {
        let is_clients = matches!(self.caller.origin, Origin::Mcp | Origin::Http);
        if !is_clients || spec.effect != Effect::Read {
            return None;
        }
        // A server may ask whoever calls, and each of them is asked by themselves.
        if toolbox.server(&spec.module).is_some() {
            return None;
        }
        // What a tool reads may depend on the environment that its caller has brought along.
        let (whose, (folder, environment)) = (self.caller.whose(), self.parts.spot());
        let folder = folder.display();
        let args = canonical(&Value::Object(args.clone()));
        Some(format!("{whose}\n{folder}\n{environment}\n{}\n{}\n{args}", spec.name, spec.source))
    }
}

/// JSON in which the order of keys says nothing.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(canonical).collect(),
        Value::Object(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            Value::Object(sorted.into_iter().map(|(name, value)| (name.clone(), canonical(value))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;

    fn read(count: &Arc<AtomicUsize>, answer: Answer) -> impl FnOnce() -> BoxFuture<'static, Answer> + use<> {
        let count = Arc::clone(count);
        move || {
            async move {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                answer
            }
            .boxed()
        }
    }

    #[tokio::test]
    async fn what_several_want_at_once_is_read_once_and_the_next_reads_anew() {
        let (reads, count) = (Reads::default(), Arc::new(AtomicUsize::new(0)));
        let key = || "a".to_owned();
        let all = futures_util::future::join_all(
            (0..5).map(|_| reads.once(key(), None, read(&count, Ok(json!(1))))),
        )
        .await;
        assert!(all.iter().all(|one| *one == Ok(json!(1))));
        assert_eq!(count.load(Ordering::SeqCst), 1);
        reads.once(key(), None, read(&count, Ok(json!(2)))).await.unwrap();
        let others = [
            reads.once("b".to_owned(), None, read(&count, Ok(json!(3)))),
            reads.once("c".to_owned(), None, read(&count, Ok(json!(4)))),
        ];
        futures_util::future::join_all(others).await;
        assert_eq!(count.load(Ordering::SeqCst), 4);
        assert!(reads.state().going.is_empty());
    }

    #[tokio::test]
    async fn a_failure_is_everybodys_and_is_kept_for_nobody() {
        let (reads, count) = (Reads::default(), Arc::new(AtomicUsize::new(0)));
        let (key, keep) = (|| "a".to_owned(), Some(Duration::from_mins(1)));
        let failed = || Err(StepError::new(ErrorKind::Transient, "no luck"));
        let both = [
            reads.once(key(), keep, read(&count, failed())),
            reads.once(key(), keep, read(&count, failed())),
        ];
        let both = futures_util::future::join_all(both).await;
        assert!(both.iter().all(|one| one.as_ref().is_err_and(|error| error.message == "no luck")));
        let panics = || async { std::panic::resume_unwind(Box::new("it broke")) }.boxed();
        let both = [reads.once(key(), keep, panics), reads.once(key(), keep, panics)];
        let both = futures_util::future::join_all(both).await;
        assert!(both.iter().all(|one| one.as_ref().is_err_and(|error| error.message == "the tool panicked")));
        assert_eq!(
            reads.once(key(), keep, read(&count, Ok(json!(1)))).await,
            Ok(json!(1)),
            "the next reads anew"
        );
        assert_eq!(reads.once(key(), keep, read(&count, Ok(json!(2)))).await, Ok(json!(1)), "it is kept");
    }

    #[tokio::test]
    async fn who_goes_away_ends_it_for_nobody_else_and_the_last_ends_it() {
        let (reads, count) = (Reads::default(), Arc::new(AtomicUsize::new(0)));
        let key = || "a".to_owned();
        let first = reads.once(key(), None, read(&count, Ok(json!(1))));
        let second = reads.once(key(), None, read(&count, Ok(json!(2))));
        tokio::pin!(second);
        assert!(tokio::time::timeout(Duration::from_millis(5), first).await.is_err());
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut second).await.is_err());
        assert_eq!(count.load(Ordering::SeqCst), 2, "the first was alone, and ended with whoever wanted it");
        assert_eq!(second.await, Ok(json!(2)));
    }

    #[test]
    fn the_order_of_arguments_makes_no_other_read() {
        let (one, other) =
            (json!({"a": {"x": 1, "y": [1, 2]}, "b": 2}), json!({"b": 2, "a": {"y": [1, 2], "x": 1}}));
        assert_eq!(canonical(&one).to_string(), canonical(&other).to_string());
        assert_ne!(canonical(&json!([1, 2])).to_string(), canonical(&json!([2, 1])).to_string());
    }
}

//! What is new below other items: replies, which a look at a source does not show.
//!
//! Each thread has a position of its own, as a source has. One that has none yet begins where its
//! source is; so the position of a source only moves on once all its threads were looked at.

use std::cmp::Ordering;

use aa_spec::tool::listener::Threads;
use serde_json::Value;

use super::{Asker, Listener, Positions, evaluate, odd, order, scope, text, unusable};
use crate::event::StepError;
use crate::store::THREAD;

/// Threads that are looked at in one look at a source; the others wait for the next.
const MOST: usize = 20;

/// What was found below the items of a source.
#[derive(Default)]
pub(super) struct Replies {
    pub(super) items: Vec<Value>,
    pub(super) positions: Positions,
    /// Whether there is nothing else.
    pub(super) whole: bool,
    pub(super) failed: Option<StepError>,
}

impl Replies {
    /// Something could not be seen, and the next look must see it.
    fn lack(&mut self, error: StepError) {
        self.whole = false;
        self.failed.get_or_insert(error);
    }
}

/// A thread in which something is new.
struct Lively {
    id: String,
    since: String,
    /// Position of what was said last.
    latest: String,
}

impl<A: Asker> Listener<A> {
    /// What is new in the threads of a source whose position is `since`.
    pub(super) async fn replies(&self, source: &str, since: &str) -> Replies {
        let mut replies = Replies { whole: true, ..Replies::default() };
        let Some(threads) = &self.recipe.poll.threads else { return replies };
        if let Err(error) = self.gather(threads, (source, since), &mut replies).await {
            replies.lack(error);
        }
        replies
    }

    async fn gather(
        &self,
        threads: &Threads,
        (source, since): (&str, &str),
        replies: &mut Replies,
    ) -> Result<(), StepError> {
        let lively = self.lively(threads, (source, since), replies).await?;
        replies.whole &= lively.len() <= MOST;
        for thread in lively.into_iter().take(MOST) {
            // Whatever is behind it must not wait for it.
            match self.below(threads, source, &thread).await {
                Ok((items, seen)) => {
                    replies.positions.push((format!("{source}{THREAD}{}", thread.id), seen));
                    replies.items.extend(items);
                }
                Err(error) => replies.lack(error),
            }
        }
        Ok(())
    }

    /// What is new in one thread, and where the next look at it begins.
    async fn below(
        &self,
        threads: &Threads,
        source: &str,
        thread: &Lively,
    ) -> Result<(Vec<Value>, String), StepError> {
        let given = [
            ("source", &source.into()),
            ("thread", &thread.id.clone().into()),
            ("since", &thread.since.clone().into()),
        ];
        let found = self.ask(&threads.replies, &scope(given)).await?;
        let items = self.items(&found)?;
        // Nothing is there when the last one was taken back.
        let seen = self.newest(&items)?.unwrap_or_else(|| thread.latest.clone());
        Ok((items, seen))
    }

    /// Threads with something new.
    async fn lively(
        &self,
        threads: &Threads,
        (source, since): (&str, &str),
        replies: &mut Replies,
    ) -> Result<Vec<Lively>, StepError> {
        let result = self.ask(&threads.ask, &scope([("source", &source.into())])).await?;
        let mut lively = Vec::new();
        for item in self.items(&result)? {
            match self.thread(threads, (source, since), &item) {
                Ok(thread) => lively.extend(thread),
                Err(error) => replies.lack(error),
            }
        }
        Ok(lively)
    }

    /// The thread below an item, when something is new in it.
    fn thread(
        &self,
        threads: &Threads,
        (source, since): (&str, &str),
        item: &Value,
    ) -> Result<Option<Lively>, StepError> {
        let given = scope([("item", item)]);
        let Some(latest) = text(&evaluate(&threads.since, &given)?) else { return Ok(None) };
        let id = text(&evaluate(&threads.id, &given)?).ok_or_else(|| odd("a thread has no id"))?;
        let place = format!("{source}{THREAD}{id}");
        let known = self.store.listener_position(&self.module, &place);
        let since = known.map_err(|error| unusable(&error))?.unwrap_or_else(|| since.to_owned());
        Ok((order(&latest, &since) == Ordering::Greater).then_some(Lively { id, since, latest }))
    }

    /// The greatest position of some items.
    fn newest(&self, items: &[Value]) -> Result<Option<String>, StepError> {
        let mut newest: Option<String> = None;
        for item in items {
            let position = text(&evaluate(&self.recipe.poll.since, &scope([("item", item)]))?);
            newest = match (newest, position) {
                (Some(old), Some(new)) if order(&new, &old) != Ordering::Greater => Some(old),
                (old, new) => new.or(old),
            };
        }
        Ok(newest)
    }
}

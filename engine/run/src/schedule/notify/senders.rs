//! Who sends: a task for each channel that there is something for, so that no channel waits for another one, and the
//! scheduler for none.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aa_spec::config::Channel;
use chrono::TimeDelta;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::decide::milliseconds;
use super::{Message, Say, send};
use crate::driver::Clock;
use crate::engine::Engine;
use crate::event::Time;
use crate::store::{Notice, Store, StoreError};

/// How long sending may take with all that belongs to it, such as looking up a secret.
const WHOLE: Duration = Duration::from_mins(1);
/// How long messages under way may take when the process ends. Those that are cut off are sent by the next one.
const LAST: Duration = Duration::from_secs(2);
/// How often it is tried to send one.
const TRIES: u32 = 4;
/// Time before the second try; four times as long each time.
const AGAIN_MS: u64 = 5_000;

/// How long after a try that has failed the next one comes.
fn wait_after(tries: u32) -> TimeDelta {
    milliseconds(AGAIN_MS << (2 * tries.saturating_sub(1)))
}

/// The longest time before a message is tried again.
pub(in crate::schedule) fn longest_wait() -> TimeDelta {
    wait_after(TRIES - 1)
}

/// The tasks of a process that send. Safe in any number of processes.
#[derive(Debug, Default)]
pub(in crate::schedule) struct Senders {
    tasks: JoinSet<()>,
    busy: Arc<Mutex<BTreeSet<String>>>,
}

/// What a task needs to send.
#[derive(Clone)]
pub(in crate::schedule) struct Desk {
    pub(in crate::schedule) engine: Engine,
    pub(in crate::schedule) clock: Arc<dyn Clock>,
    pub(in crate::schedule) say: Say,
}

impl Senders {
    /// Begins to send what there is to send by channels that nothing is sent by just now. There may be more for them then:
    /// `done` is called after each.
    pub(in crate::schedule) async fn begin(
        &mut self,
        store: &Store,
        desk: &Desk,
        now: Time,
        done: impl Fn() + Clone + Send + 'static,
    ) -> Result<(), StoreError> {
        while self.tasks.try_join_next().is_some() {}
        if !store.has_notices(now, &self.busy())? || !desk.engine.is_service_enabled("notify")? {
            return Ok(());
        }
        let settings = &desk.engine.settings().scheduling;
        let since = now - milliseconds(u64::try_from(settings.per.as_millis()).unwrap_or(u64::MAX));
        loop {
            let taken = store.take_notices(now, (settings.messages, since), &self.busy()).await?;
            let Some(first) = taken.first() else { return Ok(()) };
            let busy = Busy::begin(&self.busy, &first.channel);
            let (store, desk, done) = (store.clone(), desk.clone(), done.clone());
            self.tasks.spawn(async move {
                if let Err(error) = desk.deliver(&store, &taken).await {
                    tracing::warn!("cannot note whether people were told: {error}");
                }
                drop(busy);
                done();
            });
        }
    }

    /// Lets messages under way come to their end, for a moment.
    pub(in crate::schedule) async fn end(&mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(LAST, all).await.is_err() {
            tracing::info!("{} messages were cut off; they are sent again", self.tasks.len());
        }
        self.tasks.abort_all();
    }

    /// The channels that something is sent by.
    fn busy(&self) -> Vec<String> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Whether nothing was begun when it was looked last, and nothing goes on from before.
    #[cfg(test)]
    pub(in crate::schedule) fn are_idle(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl Desk {
    /// Sends a message, and notes what has become of it.
    async fn deliver(&self, store: &Store, taken: &[Notice]) -> Result<(), StoreError> {
        let Some(first) = taken.first() else { return Ok(()) };
        let sent = timeout(WHOLE, self.send(taken, &first.channel)).await;
        let outcome = sent.unwrap_or_else(|_| Err("it takes too long".to_owned()));
        let now = self.clock.now();
        let again = (outcome.is_err() && first.tries < TRIES).then(|| now + wait_after(first.tries));
        if let Err(error) = &outcome {
            let (channel, title) = (&first.channel, &first.title);
            (self.say)(&format!("nobody could be told by the channel `{channel}` that {title}: {error}"));
        }
        store.sent_notices(taken, outcome, (now, again)).await
    }

    async fn send(&self, taken: &[Notice], channel: &str) -> Result<(), String> {
        let engine = &self.engine;
        match engine.settings().scheduling.channels.get(channel) {
            Some(Channel::Slack(_))
                if !engine.is_service_enabled("slack").map_err(|error| error.to_string())? =>
            {
                Err("the service `slack` is off".to_owned())
            }
            Some(channel) => send(engine, channel, &self.say, &Message::of(taken)).await,
            None => Err(format!("there is no channel `{channel}` any more")),
        }
    }
}

/// A channel that something is sent by, until this is dropped.
struct Busy {
    all: Arc<Mutex<BTreeSet<String>>>,
    channel: String,
}

impl Busy {
    fn begin(all: &Arc<Mutex<BTreeSet<String>>>, channel: &str) -> Self {
        all.lock().unwrap_or_else(PoisonError::into_inner).insert(channel.to_owned());
        Self { all: Arc::clone(all), channel: channel.to_owned() }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.channel);
    }
}

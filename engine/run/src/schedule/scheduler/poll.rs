//! Polls: a tool is asked for news, once at a time and by one process.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use aa_spec::plan::digest;
use aa_spec::schedule::{PollPlan, Trigger};
use aa_spec::template::{Missing, Scope};
use aa_spec::tool::Effect;
use chrono::TimeDelta;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::super::book::Known;
use super::super::decide::lapse;
use super::super::{Slot, SlotKind};
use super::Core;
use crate::engine::new_slot;
use crate::event::Time;
use crate::store::{News, PollTurn, Store};

/// After so many failures in a row people are told.
const TOLD: u32 = 3;
/// How long a tool may be asked without a `timeout` of its schedule; `docs/schedules.md` says so.
const LONGEST: Duration = Duration::from_mins(5);
/// How much later at least the process that asks has noted what came of it.
const NOTED: Duration = Duration::from_mins(1);

impl Core {
    /// Asks for news in a task of its own, if no other process does.
    pub(super) fn ask(self: &Arc<Self>, known: &Arc<Known>, due: Time) {
        let (core, known) = (Arc::clone(self), Arc::clone(known));
        tokio::spawn(async move {
            let Ok(store) = core.store().await else { return };
            let is_on = core.engine().is_service_enabled("poll").unwrap_or(false);
            if !is_on {
                return;
            }
            let Some((asking, asked)) = core.takes_poll(&store, &known, due).await else { return };
            let drain = core.engine().drain();
            let told = tokio::select! {
                told = core.news_in_time(&known) => told,
                // Whoever comes next asks when it is due again.
                () = drain.begun() => return,
            };
            core.log_poll(&known, told.as_ref().err());
            let tells = core.poll_failure(&known, told.as_ref().err());
            let told = core.with_left_out(&known, told);
            if let Err(error) = store.note_poll(&known.key, told, (asked, core.now()), tells).await {
                tracing::warn!(
                    schedule = known.compiled.name,
                    "cannot note what a poll has brought: {error}"
                );
            }
            drop(asking);
            core.wake.notify_one();
        });
    }

    /// Whether it is this process's turn to ask. While it is still being asked from before, the time is left out.
    /// Gives that it asks, and since when.
    async fn takes_poll(self: &Arc<Self>, store: &Store, known: &Known, due: Time) -> Option<(Asking, Time)> {
        // What this process knows of itself holds whatever is done to the clock.
        let Some(asking) = Asking::begin(self, known) else {
            self.leave_out(known);
            return None;
        };
        let now = self.now();
        let longest = TimeDelta::from_std(longest(known) + NOTED).ok();
        let longest = longest.and_then(|delta| now.checked_sub_signed(delta)).unwrap_or(Time::MIN_UTC);
        match store.take_poll(&known.key, due, (longest, now)).await.ok()? {
            PollTurn::Mine => {
                self.left_out.lock().unwrap_or_else(PoisonError::into_inner).remove(&known.key);
                Some((asking, now))
            }
            PollTurn::UnderWay => {
                self.leave_out(known);
                None
            }
            PollTurn::Gone => None,
        }
    }

    /// Takes note of a time that is left out, and says so in the log of the first.
    fn leave_out(&self, known: &Known) {
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        let count = left_out.entry(Arc::clone(&known.key)).or_default();
        *count += 1;
        if *count == 1 {
            let name = &known.compiled.name;
            tracing::warn!(schedule = name, "it is still being asked; what is due meanwhile is left out");
        }
    }

    /// What came of asking, with how many times were left out meanwhile.
    fn with_left_out(&self, known: &Known, told: Result<String, String>) -> Result<String, String> {
        let left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner).remove(&known.key);
        let add = |text: String| match left_out {
            Some(count) => {
                format!("{text}; while it was asked, it was due {count} times more, and not asked again")
            }
            None => text,
        };
        told.map(add).map_err(add)
    }

    /// What came of asking, which may not take for ever.
    async fn news_in_time(&self, known: &Known) -> Result<String, String> {
        let limit = longest(known);
        let too_long = || {
            let limit = lapse(TimeDelta::from_std(limit).unwrap_or(TimeDelta::MAX));
            Err(format!("it took longer than {limit}, and was ended"))
        };
        timeout(limit, self.news(known)).await.unwrap_or_else(|_| too_long())
    }

    /// Says in the log that polling fails, or works again: once, not each time.
    fn log_poll(&self, known: &Known, error: Option<&String>) {
        let name = &known.compiled.name;
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) if failing.get(&known.key) != Some(error) => {
                tracing::warn!(schedule = name, "polling fails: {error}");
                failing.insert(Arc::clone(&known.key), error.clone());
            }
            None if failing.remove(&known.key).is_some() => {
                tracing::warn!(schedule = name, "polling works again");
            }
            _ => {}
        }
    }

    /// Whom to tell when it has failed so often in a row, and since when.
    fn poll_failure(
        &self,
        known: &Known,
        error: Option<&String>,
    ) -> impl Fn(u32, Time) -> Option<News> + Send + 'static {
        let channels = self.channels_of_failure(known);
        let (name, zone, key) =
            (known.compiled.name.clone(), known.zone().clone(), known.key.trim().to_owned());
        let error = error.cloned().unwrap_or_default();
        move |count, since| {
            let text = format!(
                "It has failed {count} times in a row, since {}: {error}\n`aa schedule why {name}`",
                zone.show(since)
            );
            let topic = format!("{key} {} poll", since.timestamp_millis());
            let title = format!("{name}: polling fails");
            let channels = channels.clone();
            (count == TOLD && !channels.is_empty()).then_some(News { topic, channels, title, text })
        }
    }

    /// What came of asking, in words.
    async fn news(&self, known: &Known) -> Result<String, String> {
        let Trigger::Poll(poll) = &known.compiled.trigger else { return Ok(String::new()) };
        let result = self.call(known, poll).await?;
        let mut scope = Scope::default();
        scope.set_now(self.now().timestamp_millis());
        scope.set("result", &result);
        if !poll.condition.is_true(&scope).map_err(|error| format!("`condition`: {}", error.message))? {
            return Ok("there was nothing to do".to_owned());
        }
        let key = poll.key.eval(&scope).map_err(|error| format!("`key`: {}", error.message))?;
        let slot = new_slot(known, self.now(), SlotKind::Poll);
        let inputs = known.inputs(&slot, &scope).map_err(|error| error.to_string())?;
        let slot = Slot { inputs: Some(Value::Object(inputs).to_string()), ..slot };
        let store = self.store().await.map_err(|error| error.to_string())?;
        let keys = vec![format!("poll {}", digest(key.to_string()))];
        match store.add_news(slot, keys).await.map_err(|error| error.to_string())? {
            Ok(_) => Ok("there was something new".to_owned()),
            Err(_) => Ok("there was nothing new: its key was seen before".to_owned()),
        }
    }

    async fn call(&self, known: &Known, poll: &PollPlan) -> Result<Value, String> {
        let engine = self.engine().for_schedule(known).map_err(|error| error.to_string())?;
        let spec = engine.tool(&poll.tool).map_err(|error| error.to_string())?;
        let spec = spec.ok_or_else(|| format!("there is no tool `{}`", poll.tool))?;
        if spec.effect != Effect::Read {
            return Err(format!("`{}` does not only read", poll.tool));
        }
        let mut scope = Scope::default();
        scope.set_now(self.now().timestamp_millis());
        let args = match poll.args.render(&scope, Missing::Fail).map_err(|error| error.message)? {
            Some(Value::Object(args)) => args,
            _ => Map::new(),
        };
        let quiet = Arc::new(|line: &str| tracing::debug!("{line}"));
        engine.call_tool(&poll.tool, args, quiet).await.map_err(|error| error.message)
    }
}

/// A poll that this process asks, until it is dropped.
struct Asking {
    core: Arc<Core>,
    key: Arc<str>,
}

impl Asking {
    /// None when it is asked already.
    fn begin(core: &Arc<Core>, known: &Known) -> Option<Self> {
        let key = Arc::clone(&known.key);
        let new = core.asking.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(&key));
        new.then(|| Self { core: Arc::clone(core), key })
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.core.asking.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// How long its tool may be asked.
fn longest(known: &Known) -> Duration {
    known.compiled.timeout_ms.map_or(LONGEST, Duration::from_millis)
}

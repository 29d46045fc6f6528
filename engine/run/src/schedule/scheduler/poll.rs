//! Polls: a tool is asked for news, by one process at a time.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use aa_spec::plan::digest;
use aa_spec::schedule::{PollPlan, Trigger};
use aa_spec::template::{Missing, Scope};
use aa_spec::tool::Effect;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::super::book::Known;
use super::super::{Slot, SlotKind};
use super::Core;
use crate::engine::new_slot;
use crate::event::Time;
use crate::store::News;

/// After so many failures in a row people are told.
const TOLD: u32 = 3;

/// How long a tool may take to say what is new. What does not answer would be waited for without an end.
const LONGEST: Duration = Duration::from_mins(5);

impl Core {
    /// Asks for news in a task of its own, if no other process does.
    pub(super) fn ask(self: &Arc<Self>, known: &Arc<Known>, due: Time) {
        let (core, known) = (Arc::clone(self), Arc::clone(known));
        tokio::spawn(async move {
            let Ok(store) = core.store().await else { return };
            let is_on = core.engine().is_service_enabled("poll").unwrap_or(false);
            if !is_on || !store.take_poll(&known.key, due).await.unwrap_or(false) {
                return;
            }
            // Whoever is slow is not asked once more meanwhile.
            let Some(_asking) = Asking::begin(&core, &known.key) else { return };
            let told = core.news(&known).await;
            core.log_poll(&known, told.as_ref().err());
            let tells = core.poll_failure(&known, told.as_ref().err());
            if let Err(error) = store.note_poll(&known.key, told, core.now(), tells).await {
                tracing::warn!(
                    schedule = known.compiled.name,
                    "cannot note what a poll has brought: {error}"
                );
            }
            core.wake.notify_one();
        });
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
        let answer = timeout(LONGEST, engine.call_tool(&poll.tool, args, quiet)).await;
        let slow = || format!("`{}` has not answered for {} minutes", poll.tool, LONGEST.as_secs() / 60);
        answer.map_err(|_| slow())?.map_err(|error| error.message)
    }
}

/// A poll that waits for its answer, until this is dropped.
struct Asking {
    core: Arc<Core>,
    key: Arc<str>,
}

impl Asking {
    /// `None` while the same is asked already.
    fn begin(core: &Arc<Core>, key: &Arc<str>) -> Option<Self> {
        let is_new = core.asking.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(key));
        is_new.then(|| Self { core: Arc::clone(core), key: Arc::clone(key) })
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.core.asking.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

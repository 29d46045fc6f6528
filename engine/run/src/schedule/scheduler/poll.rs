//! Polls: a tool is asked for news, by one process at a time.

use std::sync::Arc;

use aa_spec::plan::digest;
use aa_spec::schedule::{PollPlan, Trigger};
use aa_spec::template::{Missing, Scope};
use aa_spec::tool::Effect;
use serde_json::{Map, Value};

use super::super::book::Known;
use super::super::{Slot, SlotKind};
use super::Core;
use crate::engine::new_slot;
use crate::event::Time;

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
            let told = core.news(&known).await.unwrap_or_else(|error| format!("it failed: {error}"));
            if let Err(error) = store.note_poll(&known.key, &told).await {
                tracing::warn!(
                    schedule = known.compiled.name,
                    "cannot note what a poll has brought: {error}"
                );
            }
            core.wake.notify_one();
        });
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

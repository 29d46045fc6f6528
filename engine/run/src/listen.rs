//! Hearing of what is new: polls and sockets of modules that declare a `listener`.
//!
//! Whatever is heard goes into the store's queue before anything else happens with it: before the
//! position moves on, and before a socket's message is acknowledged. Only polls move positions,
//! since a socket may bring a later item and lose an earlier one; an item that both bring is one
//! item by its key. So a listener may be killed at any moment and nothing is lost or there twice.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aa_spec::template::{Expression, Missing, Scope, Template};
use aa_spec::tool::ErrorKind;
use aa_spec::tool::listener::{Ask, Listener as Recipe};
use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use serde_json::{Map, Value};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep_until};

use crate::event::StepError;
use crate::store::{Heard, Pending, Store, StoreError};
use crate::tool::Web;

mod lock;
mod socket;

pub use lock::Lock;

/// How long it is remembered who somebody is.
const ACQUAINTANCE: TimeDelta = TimeDelta::days(1);

/// Calls the tools that a listener asks.
#[async_trait]
pub trait Asker: Send + Sync {
    /// Calls a tool.
    async fn ask(&self, tool: &str, args: Map<String, Value>) -> Result<Value, StepError>;
}

/// Something to show of a listener.
#[derive(Clone, Debug, PartialEq)]
pub enum Tidings {
    /// Something new is in the queue.
    Heard(Box<Pending>),
    /// The socket is connected, and what was missed is in the queue.
    Connected,
    /// The socket is not, and polls stand in for it.
    Disconnected(String),
    /// Something did not work; it will be tried again.
    Trouble(StepError),
}

/// Takes what there is to show; nobody need look.
pub type Tell = UnboundedSender<Tidings>;

/// A module that listens.
#[derive(Debug)]
pub struct Listener<A> {
    module: String,
    recipe: Recipe,
    store: Store,
    asker: A,
    web: Arc<Web>,
    /// There is one listener of a module and store at a time.
    _lock: Lock,
}

impl<A: Asker> Listener<A> {
    /// The listener of a module. Does nothing yet.
    ///
    /// # Errors
    /// Another process listens already.
    pub(crate) fn new(
        module: &str,
        recipe: Recipe,
        (store, folder): (Store, &Path),
        asker: A,
        web: Arc<Web>,
    ) -> Result<Self, StepError> {
        let lock = Lock::take(folder, module)?;
        Ok(Self { module: module.to_owned(), recipe, store, asker, web, _lock: lock })
    }

    /// Looks once at every source; how many items were new.
    ///
    /// # Errors
    /// The first, after every source has been looked at.
    pub async fn once(&self, tell: &Tell) -> Result<usize, StepError> {
        let mut new = 0;
        let mut failed = None;
        for source in self.sources().await? {
            match self.look(&source, tell).await {
                Ok(count) => new += count,
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(new), Err)
    }

    /// Listens for as long as it is polled. It may be dropped at any moment.
    pub async fn run(&self, tell: &Tell) {
        if self.recipe.socket.is_some() {
            self.attend(tell).await;
        }
        let mut trouble = Trouble::default();
        loop {
            self.poll(&mut trouble, tell).await;
            tokio::time::sleep(self.every()).await;
        }
    }

    fn every(&self) -> Duration {
        Duration::from_millis(self.recipe.poll.every_ms)
    }

    /// Looks once, and tells of trouble once as long as it stays the same.
    async fn poll(&self, trouble: &mut Trouble, tell: &Tell) {
        match self.once(tell).await {
            Ok(_) => trouble.last = None,
            Err(error) => trouble.tell(error, tell),
        }
    }

    /// Polls until a moment, at the usual distance.
    async fn poll_until(&self, until: Instant, trouble: &mut Trouble, tell: &Tell) {
        loop {
            self.poll(trouble, tell).await;
            let next = Instant::now() + self.every();
            if next >= until {
                return sleep_until(until).await;
            }
            sleep_until(next).await;
        }
    }

    async fn sources(&self) -> Result<Vec<String>, StepError> {
        let Some((ask, items)) = &self.recipe.poll.sources else { return Ok(vec![String::new()]) };
        let result = self.ask(ask, &Scope::default()).await?;
        let list = evaluate(items, &scope([("result", &result)]))?;
        let Value::Array(list) = list else { return Err(odd("the sources are no list")) };
        Ok(list.iter().filter_map(text).collect())
    }

    /// Looks at one source; how many items were new.
    async fn look(&self, source: &str, tell: &Tell) -> Result<usize, StepError> {
        let poll = &self.recipe.poll;
        let known = self.store.listener_position(&self.module, source).map_err(|error| unusable(&error))?;
        let since = match &known {
            Some(position) => position.clone(),
            None => text(&fill(&poll.start, &moment())?).ok_or_else(|| odd("`start` is no text"))?,
        };
        let given = scope([("source", &source.into()), ("since", &since.clone().into())]);
        let result = self.ask(&poll.ask, &given).await?;
        let Value::Array(items) = evaluate(&poll.items, &scope([("result", &result)]))? else {
            return Err(odd("what a poll found is no list"));
        };
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            let position = text(&evaluate(&poll.since, &scope([("item", &item)]))?);
            found.push((position.ok_or_else(|| odd("an item has no position"))?, item));
        }
        found.sort_by(|(one, _), (other, _)| order(one, other));
        let last = found.last().map(|(position, _)| position.clone());
        let position = last.filter(|last| order(last, &since) == Ordering::Greater).unwrap_or(since);
        let mut heard = Vec::with_capacity(found.len());
        for (_, item) in &found {
            heard.extend(self.prepare(item, source).await?);
        }
        let moved = (known.as_ref() != Some(&position)).then_some(position);
        self.keep(source, heard, moved, tell).await
    }

    /// What is kept of an item; nothing of one that is not wanted.
    async fn prepare(&self, item: &Value, source: &str) -> Result<Option<Heard>, StepError> {
        let recipe = &self.recipe;
        let given = scope([("item", item), ("source", &source.into())]);
        if let Some(condition) = &recipe.condition
            && !condition.is_true(&given).map_err(|error| StepError::new(error.kind, error.message))?
        {
            return Ok(None);
        }
        let key = text(&evaluate(&recipe.key, &given)?).ok_or_else(|| odd("an item has no key"))?;
        let kept = recipe.value.as_ref().map(|value| fill(value, &given)).transpose()?;
        let person = self.person(&given).await?;
        Ok(Some(Heard { key, item: kept.unwrap_or_else(|| item.clone()), person }))
    }

    /// Whom an item comes from. That nobody can be asked is no reason to lose an item.
    async fn person(&self, given: &Scope) -> Result<Option<Value>, StepError> {
        let Some(person) = &self.recipe.person else { return Ok(None) };
        let Some(id) = text(&evaluate(&person.id, given)?) else { return Ok(None) };
        let now = Utc::now();
        let known = self.store.person(&self.module, &id, now - ACQUAINTANCE);
        if let Some(known) = known.map_err(|error| unusable(&error))? {
            return Ok(Some(known));
        }
        match self.ask(&person.ask, &scope([("id", &id.clone().into())])).await {
            Ok(found) => {
                let met = self.store.meet(&self.module, &id, &found, now).await;
                met.map_err(|error| unusable(&error))?;
                Ok(Some(found))
            }
            Err(error) => {
                tracing::debug!(module = self.module, id, error = error.message, "nobody knows who that is");
                Ok(None)
            }
        }
    }

    /// Puts items into the queue; how many were new.
    async fn keep(
        &self,
        source: &str,
        heard: Vec<Heard>,
        position: Option<String>,
        tell: &Tell,
    ) -> Result<usize, StepError> {
        if heard.is_empty() && position.is_none() {
            return Ok(0);
        }
        let kept = self.store.hear(&self.module, source, heard, position, Utc::now()).await;
        let new = kept.map_err(|error| unusable(&error))?;
        let count = new.len();
        new.into_iter().for_each(|pending| say(tell, Tidings::Heard(Box::new(pending))));
        Ok(count)
    }

    async fn ask(&self, ask: &Ask, scope: &Scope) -> Result<Value, StepError> {
        match fill(&ask.args, scope)? {
            Value::Object(args) => self.asker.ask(&ask.tool, args).await,
            _ => Err(odd("the arguments are no mapping")),
        }
    }
}

fn say(tell: &Tell, tidings: Tidings) {
    // It is in the queue, whether somebody looks or not.
    let _ = tell.send(tidings);
}

/// The last trouble that was told.
#[derive(Default)]
struct Trouble {
    last: Option<String>,
}

impl Trouble {
    fn tell(&mut self, error: StepError, tell: &Tell) {
        if self.last.as_ref() != Some(&error.message) {
            self.last = Some(error.message.clone());
            say(tell, Tidings::Trouble(error));
        }
    }
}

/// Positions of one length are compared as texts, so that no digit is lost; others as numbers, if
/// they are some.
fn order(one: &str, other: &str) -> Ordering {
    let numbers = one.parse::<f64>().ok().zip(other.parse::<f64>().ok());
    match numbers {
        Some((one_number, other_number)) if one.len() != other.len() => one_number.total_cmp(&other_number),
        _ => one.cmp(other),
    }
}

fn scope<'a>(values: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Scope {
    let mut scope = moment();
    values.into_iter().collect::<BTreeMap<_, _>>().iter().for_each(|(name, value)| scope.set(name, value));
    scope
}

fn moment() -> Scope {
    let mut scope = Scope::default();
    scope.set_now(Utc::now().timestamp_millis());
    scope
}

fn evaluate(expression: &Expression, scope: &Scope) -> Result<Value, StepError> {
    expression.eval(scope).map_err(|error| StepError::new(error.kind, error.message))
}

fn fill(template: &Template, scope: &Scope) -> Result<Value, StepError> {
    let filled = template.render(scope, Missing::Null);
    filled.map(Option::unwrap_or_default).map_err(|error| StepError::new(error.kind, error.message))
}

/// A text or number as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn odd(what: &str) -> StepError {
    StepError::new(ErrorKind::Permanent, what)
}

fn unusable(error: &StoreError) -> StepError {
    StepError::new(ErrorKind::Permanent, error.to_string())
}

#[cfg(test)]
mod tests;

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
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering as Atomic};
use std::time::Duration;

use aa_spec::plan::digest;
use aa_spec::template::{Expression, Missing, Scope, Template};
use aa_spec::tool::ErrorKind;
use aa_spec::tool::listener::{Ask, Listener as Recipe, mark_tool};
use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until};

use crate::event::{StepError, Time};
use crate::store::{Heard, Pending, Positions, Store, StoreError};
use crate::tool::Web;

mod keeper;
mod lock;
mod socket;
mod standing;
mod thread;

pub use keeper::Keeper;
pub use lock::Lock;
pub(crate) use standing::Standing;

/// How long it is remembered who somebody is.
const ACQUAINTANCE: TimeDelta = TimeDelta::days(1);
/// When more items wait, somebody should be told: it seems that nobody deals with them.
const MANY: u64 = 1000;

/// Calls the tools that a listener asks.
#[async_trait]
pub trait Asker: Send + Sync {
    /// Calls a tool.
    async fn ask(&self, tool: &str, args: Map<String, Value>) -> Result<Value, StepError>;
}

/// When a poll has found as many items as it asks for, so many times as many are asked for.
const MORE: u64 = 5;

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
    /// A look at every source went well.
    Looked,
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
    /// When the last look at every source that went well began, in milliseconds; 0 before the first.
    looked: AtomicI64,
    /// Whether it was told that many items wait.
    crowded: AtomicBool,
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
        let (looked, crowded) = (AtomicI64::new(0), AtomicBool::new(false));
        let module = module.to_owned();
        Ok(Self { module, recipe, store, asker, web, looked, crowded, _lock: lock })
    }

    /// Looks once at every source; how many items were new.
    ///
    /// # Errors
    /// The first, after every source has been looked at.
    pub async fn once(&self, tell: &Tell) -> Result<usize, StepError> {
        let (mut new, mut failed) = (0, None);
        let (begun, start) = (Utc::now(), self.start()?);
        for source in self.sources().await? {
            match self.look(&source, start, tell).await {
                Ok(count) => new += count,
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            None => self.looked.store(begun.timestamp_millis(), Atomic::Relaxed),
            Some(error) => return Err(error),
        }
        Ok(new)
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
            Ok(_) => {
                trouble.last = None;
                say(tell, Tidings::Looked);
            }
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

    /// From when on a source counts that was not there before: it has come after the last look at
    /// all of them, and what was said in it since then is new.
    fn start(&self) -> Result<Time, StepError> {
        let looked = match self.looked.load(Atomic::Relaxed) {
            0 => self.store.listener_moved(&self.module).map_err(|error| unusable(&error))?,
            looked => Time::from_timestamp_millis(looked),
        };
        Ok(looked.unwrap_or_else(Utc::now))
    }

    /// Looks at one source; how many items were new.
    async fn look(&self, source: &str, start: Time, tell: &Tell) -> Result<usize, StepError> {
        let poll = &self.recipe.poll;
        let known = self.store.listener_position(&self.module, source).map_err(|error| unusable(&error))?;
        let since = match &known {
            Some(position) => position.clone(),
            None => text(&fill(&poll.start, &moment(start))?).ok_or_else(|| odd("`start` is no text"))?,
        };
        let given = scope([("source", &source.into()), ("since", &since.clone().into())]);
        let (items, is_all) = self.found(&given).await?;
        let replies = self.replies(source, &since).await;
        let mut failed = replies.failed;
        if !is_all {
            let message = format!(
                "`{}` gave as many items as it is asked for; older ones may be missing",
                poll.ask.tool
            );
            failed.get_or_insert_with(|| odd(&message));
        }
        let mut found = self.in_order(items, &mut failed);
        let last = found.last().and_then(|(position, _)| position.clone());
        let position = last.filter(|last| order(last, &since) == Ordering::Greater).unwrap_or(since);
        found.extend(self.in_order(replies.items, &mut failed));
        let mut heard = Vec::with_capacity(found.len());
        for (_, item) in &found {
            match self.prepare(item, source) {
                Ok(None) => {}
                Ok(Some((item, whom))) => heard.push(Heard { person: self.person(whom).await?, ..item }),
                // Whatever is behind it must not wait for it.
                Err(error) => {
                    heard.push(unread(item, &error));
                    failed.get_or_insert(error);
                }
            }
        }
        let moved = (replies.whole && known.as_ref() != Some(&position)).then_some(position);
        let moved = moved.map(|position| (source.to_owned(), position));
        let positions = moved.into_iter().chain(replies.positions).collect();
        let new = self.keep(source, heard, positions, tell).await?;
        let count = new.len();
        for pending in new {
            say(tell, Tidings::Heard(Box::new(pending)));
        }
        failed.map_or(Ok(count), Err)
    }

    /// What a poll finds, and whether that is all. Where it is as much as was asked for, more is asked for: the next
    /// look begins behind the newest, and what was left out then would never be heard.
    async fn found(&self, given: &Scope) -> Result<(Vec<Value>, bool), StepError> {
        let ask = &self.recipe.poll.ask;
        let items = self.items(&self.ask(ask, given).await?)?;
        let limit = ask.args.source().get("limit").and_then(Value::as_u64);
        let Some(limit) = limit.filter(|limit| items.len() as u64 >= *limit) else {
            return Ok((items, true));
        };
        let Value::Object(mut args) = fill(&ask.args, given)? else { return Ok((items, false)) };
        args.insert("limit".to_owned(), (limit * MORE).into());
        // The tool may not give so many at all.
        let Ok(more) = self.asker.ask(&ask.tool, args).await else { return Ok((items, false)) };
        let more = self.items(&more)?;
        let is_all = (more.len() as u64) < limit * MORE;
        Ok((more, is_all))
    }

    /// The items in what a tool gave.
    fn items(&self, result: &Value) -> Result<Vec<Value>, StepError> {
        let found = evaluate(&self.recipe.poll.items, &scope([("result", result)]))?;
        let Value::Array(items) = found else {
            let place = self.place("items", &self.recipe.poll.items);
            return Err(odd(&format!("what a poll found is no list: {place} gives something else")));
        };
        Ok(items)
    }

    /// Where an expression of the listener stands.
    fn place(&self, key: &str, wanted: &Expression) -> String {
        format!("`{key}: {}` of the listener of `{}`", wanted.source(), self.module)
    }

    /// An item of which what every item must have is neither text nor a number.
    fn without(&self, what: &str, key: &str, wanted: &Expression) -> StepError {
        let place = self.place(key, wanted);
        odd(&format!("an item has no {what}: {place} gives none"))
    }

    /// Items by their positions. Those without one come first: they are found again each time, and
    /// known then by their keys.
    fn in_order(&self, items: Vec<Value>, failed: &mut Option<StepError>) -> Vec<(Option<String>, Value)> {
        let mut found: Vec<_> = items
            .into_iter()
            .map(|item| {
                let position = evaluate(&self.recipe.poll.since, &scope([("item", &item)]));
                let position = position.and_then(|at| {
                    text(&at).ok_or_else(|| self.without("position", "since", &self.recipe.poll.since))
                });
                (position.map_err(|error| _ = failed.get_or_insert(error)).ok(), item)
            })
            .collect();
        found.sort_by(|(one, _), (other, _)| match (one, other) {
            (Some(one), Some(other)) => order(one, other),
            (one, other) => one.is_some().cmp(&other.is_some()),
        });
        found
    }

    /// What is kept of an item, and the id of whom it comes from; nothing of one that is not wanted.
    fn prepare(&self, item: &Value, source: &str) -> Result<Option<(Heard, Option<String>)>, StepError> {
        let recipe = &self.recipe;
        let given = scope([("item", item), ("source", &source.into())]);
        if let Some(condition) = &recipe.condition
            && !is(condition, &given)?
        {
            return Ok(None);
        }
        let key =
            text(&evaluate(&recipe.key, &given)?).ok_or_else(|| self.without("key", "key", &recipe.key))?;
        let kept = recipe.value.as_ref().map(|value| fill(value, &given)).transpose()?;
        let whom = recipe.person.as_ref().map(|person| evaluate(&person.id, &given)).transpose()?;
        let heard = Heard { key, item: kept.unwrap_or_else(|| item.clone()), person: None };
        Ok(Some((heard, whom.as_ref().and_then(text))))
    }

    /// Whom an id means. That nobody can be asked is no reason to lose an item.
    async fn person(&self, id: Option<String>) -> Result<Option<Value>, StepError> {
        let (Some(person), Some(id)) = (&self.recipe.person, id) else { return Ok(None) };
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

    /// Finds out whom items come from that are in the queue already, and shows them. Does not end.
    async fn introduce(&self, met: &mut UnboundedReceiver<Met>, tell: &Tell) {
        let mut trouble = Trouble::default();
        while let Some(Met { mut pending, whom }) = met.recv().await {
            if let Err(error) = self.complete(&mut pending, whom).await {
                trouble.tell(error, tell);
            }
            say(tell, Tidings::Heard(Box::new(pending)));
        }
        std::future::pending::<()>().await;
    }

    async fn complete(&self, pending: &mut Pending, whom: Option<String>) -> Result<(), StepError> {
        pending.person = self.person(whom).await?;
        if pending.person.is_some() {
            let Pending { key, item, person, .. } = pending.clone();
            // The same item once more: only who it comes from is added.
            let added = self.store.hear(
                &self.module,
                &pending.source,
                vec![Heard { key, item, person }],
                Positions::new(),
                Utc::now(),
            );
            added.await.map_err(|error| unusable(&error))?;
        }
        Ok(())
    }

    /// Puts items into the queue; those that were new.
    async fn keep(
        &self,
        source: &str,
        heard: Vec<Heard>,
        positions: Positions,
        tell: &Tell,
    ) -> Result<Vec<Pending>, StepError> {
        if heard.is_empty() && positions.is_empty() {
            return Ok(Vec::new());
        }
        let kept = self.store.hear(&self.module, source, heard, positions, Utc::now()).await;
        let new = kept.map_err(|error| unusable(&error))?;
        if !new.is_empty() {
            self.warn_of_crowd(tell)?;
        }
        Ok(new)
    }

    /// Tells, once, that items pile up which nobody marks.
    fn warn_of_crowd(&self, tell: &Tell) -> Result<(), StepError> {
        let count = self.store.count_pending(&self.module).map_err(|error| unusable(&error))?;
        if !self.crowded.swap(count > MANY, Atomic::Relaxed) && count > MANY {
            let mark = mark_tool(&self.module);
            let message = format!("{count} items wait; nobody seems to mark them with `{mark}`");
            say(tell, Tidings::Trouble(odd(&message)));
        }
        Ok(())
    }

    async fn ask(&self, ask: &Ask, scope: &Scope) -> Result<Value, StepError> {
        match fill(&ask.args, scope)? {
            Value::Object(args) => self.asker.ask(&ask.tool, args).await,
            _ => Err(odd("the arguments are no mapping")),
        }
    }
}

/// An item that is in the queue, and the id of whom it comes from.
struct Met {
    pending: Pending,
    whom: Option<String>,
}

/// What is kept of an item that the recipe cannot deal with, so that it is not lost.
fn unread(item: &Value, error: &StepError) -> Heard {
    let key = format!("unread:{}", digest(item.to_string()));
    Heard { key, item: json!({"unread": item, "error": error.message}), person: None }
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
pub(crate) fn order(one: &str, other: &str) -> Ordering {
    let numbers = one.parse::<f64>().ok().zip(other.parse::<f64>().ok());
    match numbers {
        Some((one_number, other_number)) if one.len() != other.len() => one_number.total_cmp(&other_number),
        _ => one.cmp(other),
    }
}

fn scope<'a>(values: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Scope {
    let mut scope = moment(Utc::now());
    values.into_iter().collect::<BTreeMap<_, _>>().iter().for_each(|(name, value)| scope.set(name, value));
    scope
}

fn moment(at: Time) -> Scope {
    let mut scope = Scope::default();
    scope.set_now(at.timestamp_millis());
    scope
}

fn evaluate(expression: &Expression, scope: &Scope) -> Result<Value, StepError> {
    expression.eval(scope).map_err(|error| StepError::new(error.kind, error.message))
}

fn is(condition: &Expression, scope: &Scope) -> Result<bool, StepError> {
    condition.is_true(scope).map_err(|error| StepError::new(error.kind, error.message))
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

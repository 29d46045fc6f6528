//! Signed requests that set a schedule off.
//!
//! Whoever has no signature learns nothing: neither whether there is such a schedule, nor whether it is
//! held. A signature counts once, so that a request that was listened to cannot be sent again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aa_spec::schedule::{Trigger, WebhookPlan};
use aa_spec::template::Scope;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::Sha256;

use super::super::{Engine, StartError, admission};
use super::{new_slot, told};
use crate::driver::Secrets;
use crate::event::Time;
use crate::schedule::book::{Book, Known};
use crate::schedule::decide::milliseconds;
use crate::schedule::{Slot, SlotKind};

/// What came of a signed request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The schedule.
    pub schedule: String,
    /// The time that it counts as; none when it sets nothing off.
    pub due: Option<Time>,
    /// It came before.
    pub duplicate: bool,
}

/// Why a request sets nothing off.
#[derive(Debug, thiserror::Error)]
pub enum HookRefusal {
    /// There is no such schedule, or the request does not show that it may set it off.
    #[error("there is no schedule of that name that this signature opens")]
    Closed,
    /// It was signed too long ago, or in the future.
    #[error("the request was signed too long ago, or the clocks differ")]
    Stale,
    /// It is held or switched off; the sender may try again later.
    #[error("the schedule is held")]
    Held,
    /// Its inputs cannot be made of it.
    #[error("{0}")]
    Unfit(String),
    /// The secret, the configuration or the store cannot be read.
    #[error("{0}")]
    Broken(String),
}

/// A request as it came: names of headers in lower case.
type Headers<'a> = &'a [(String, String)];

/// The schedules that signed requests set off, as their files are now: a value that a server owns.
pub struct Hooks {
    held: Mutex<Held>,
}

struct Held {
    engine: Engine,
    book: Arc<Book>,
    looked: Option<Instant>,
}

/// Whoever asks in vain must not have files read each time.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Hooks {
    /// Nothing is read yet.
    pub fn new(engine: Engine) -> Self {
        let held = Held { engine, book: Arc::default(), looked: None };
        Self { held: Mutex::new(held) }
    }

    /// Takes a signed request in. On return it is durable; whichever scheduler runs takes it from there.
    ///
    /// # Errors
    /// It may not, or cannot, set anything off.
    pub async fn deliver(
        &self,
        name: &str,
        headers: Headers<'_>,
        body: &[u8],
        now: Time,
    ) -> Result<Delivery, HookRefusal> {
        let (engine, book) = self.current()?;
        let known = book.named(name).filter(|known| known.is_hook()).ok_or(HookRefusal::Closed)?;
        engine.deliver_hook(known, headers, body, now).await
    }

    fn current(&self) -> Result<(Engine, Arc<Book>), HookRefusal> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY)
            && let Err(error) = held.look()
        {
            // What was there serves until the files can be read.
            if held.book.known.is_empty() {
                return Err(HookRefusal::Broken(error.to_string()));
            }
            tracing::warn!("schedules stay as they were: {error}");
        }
        Ok((held.engine.clone(), Arc::clone(&held.book)))
    }
}

impl Held {
    /// Goes by the files as they are now: the first request may come long after the server has begun. Neither the
    /// configuration nor the schedules are read again while they are the same.
    fn look(&mut self) -> Result<(), StartError> {
        self.looked = Some(Instant::now());
        match self.engine.reconfigured() {
            Ok(engine) => self.engine = engine,
            Err(error) => tracing::warn!("signed requests go by what was there before: {error}"),
        }
        self.book = self.engine.schedule_book()?;
        Ok(())
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

impl Engine {
    async fn deliver_hook(
        &self,
        known: &Known,
        headers: Headers<'_>,
        body: &[u8],
        now: Time,
    ) -> Result<Delivery, HookRefusal> {
        let Trigger::Webhook(hook) = &known.compiled.trigger else { return Err(HookRefusal::Closed) };
        let engine = self.for_schedule(known).map_err(|error| HookRefusal::Broken(error.to_string()))?;
        let signature = engine.verify(hook, headers, body, now).await?;
        self.may_deliver(known, now).await?;
        let mut scope = Scope::default();
        scope.set("body", &read(body));
        scope.set(
            "headers",
            &Value::Object(
                headers
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone().into()))
                    .collect::<Map<_, _>>(),
            ),
        );
        let unfit = |message: String| HookRefusal::Unfit(message);
        let wanted = match &hook.condition {
            Some(condition) => condition.is_true(&scope).map_err(|error| unfit(error.message))?,
            None => true,
        };
        let schedule = known.compiled.name.clone();
        if !wanted {
            return Ok(Delivery { schedule, due: None, duplicate: false });
        }
        let slot = new_slot(known, now, SlotKind::Webhook);
        let inputs = known.inputs(&slot, &scope).map_err(|error| unfit(error.to_string()))?;
        engine.may_take(known, &inputs)?;
        let slot = Slot { inputs: Some(Value::Object(inputs).to_string()), ..slot };
        let delivery = hook.delivery.as_ref().and_then(|header| find(headers, header));
        let keys = [Some(format!("signature {signature}")), delivery.map(|id| format!("delivery {id}"))];
        let broken = |error: crate::store::StoreError| HookRefusal::Broken(error.to_string());
        let store = self.parts.store_soon().await.map_err(broken)?;
        let added = store.add_news(slot, keys.into_iter().flatten().collect()).await.map_err(broken)?;
        self.parts.shared.due.notify_one();
        Ok(match added {
            Ok(due) => Delivery { schedule, due: Some(due), duplicate: false },
            Err(due) => Delivery { schedule, due, duplicate: true },
        })
    }

    /// That the skill takes these inputs. What else keeps it from being run is no fault of the sender, and is told to those
    /// who look after the schedule.
    fn may_take(&self, known: &Known, inputs: &Map<String, Value>) -> Result<(), HookRefusal> {
        match admission::admit(&self.parts, &known.request(inputs.clone(), None)) {
            Err(error @ StartError::Inputs(_)) => Err(HookRefusal::Unfit(told(&error))),
            _ => Ok(()),
        }
    }

    async fn may_deliver(&self, known: &Known, now: Time) -> Result<(), HookRefusal> {
        let broken = |error: crate::store::StoreError| HookRefusal::Broken(error.to_string());
        let store = self.parts.store_soon().await.map_err(broken)?;
        let row = match store.schedule(&known.key).map_err(broken)? {
            Some(row) => Some(row),
            None => store.see_schedules(vec![known.sighting()], now).await.map_err(broken)?.pop(),
        };
        // Its file may have been read a moment ago: what has changed since is for schedulers to hold.
        let held = known.held(row.as_ref(), now).is_some();
        let off = !self.is_service_enabled("webhook").map_err(broken)?;
        if held || off || !known.compiled.enabled { Err(HookRefusal::Held) } else { Ok(()) }
    }

    /// The signature in hex, once it has proven that the sender knows the secret.
    async fn verify(
        &self,
        hook: &WebhookPlan,
        headers: Headers<'_>,
        body: &[u8],
        now: Time,
    ) -> Result<String, HookRefusal> {
        let shown = find(headers, &hook.header).ok_or(HookRefusal::Closed)?;
        let shown = shown.trim().trim_start_matches("sha256=").to_ascii_lowercase();
        let bytes = unhex(&shown).ok_or(HookRefusal::Closed)?;
        let secret = self.parts.secrets.reveal(&hook.secret).await;
        let secret = secret.map_err(|why| HookRefusal::Broken(format!("secret `{}`: {why}", hook.secret)))?;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .map_err(|_| HookRefusal::Broken("the secret cannot be a key".to_owned()))?;
        let sent = match &hook.timestamp {
            Some(header) => Some(find(headers, header).ok_or(HookRefusal::Closed)?),
            None => None,
        };
        if let Some(sent) = sent {
            mac.update(sent.as_bytes());
            mac.update(b".");
        }
        mac.update(body);
        // Takes the same time wherever they differ.
        mac.verify_slice(&bytes).map_err(|_| HookRefusal::Closed)?;
        if let Some(sent) = sent {
            let seconds = sent.trim().parse::<i64>().ok();
            let sent =
                seconds.and_then(|seconds| Time::from_timestamp(seconds, 0)).ok_or(HookRefusal::Stale)?;
            if (now - sent).abs() > milliseconds(hook.tolerance_ms) {
                return Err(HookRefusal::Stale);
            }
        }
        Ok(shown)
    }
}

fn find<'a>(headers: Headers<'a>, name: &str) -> Option<&'a str> {
    let mut all = headers.iter().filter(|(header, _)| header == name);
    let only = all.next()?;
    // Of two, it would not be clear which was signed.
    all.next().is_none().then_some(only.1.as_str())
}

/// JSON, or else text.
fn read(body: &[u8]) -> Value {
    aa_spec::json::read(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..32).map(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()).collect()
}

impl From<HookRefusal> for StartError {
    fn from(refusal: HookRefusal) -> Self {
        Self::Refused(refusal.to_string())
    }
}

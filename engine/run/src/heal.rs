//! Who says whether a heal rule may act: the bounds of all runs are kept in the store.
//!
//! Rules, their bounds and how often they helped belong to this machine, whichever tenant's run they act
//! in: a login that does not work works for nobody. What is known of failures and learned from them is
//! remembered, and so belongs to the tenant of the run.

mod advice;
pub(crate) mod learned;

use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;

pub use self::advice::hints;
use crate::driver::{Healer, milliseconds};
use crate::event::{RunId, StepError};
use crate::machine::{Admission, HealCall};
use crate::store::{Entrance, LazyStore, Store, StoreError};

/// How soon to look whether somebody else's call is over, and how seldom after a while.
const SOON: Duration = Duration::from_millis(100);
const SELDOM: Duration = Duration::from_secs(1);

/// Lets rules act by what the store knows of them.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    store: LazyStore,
}

impl Gate {
    pub(crate) const fn new(store: LazyStore) -> Self {
        Self { store }
    }

    async fn ask(&self, run: RunId, call: &HealCall) -> Result<Admission, StoreError> {
        let store = self.store.get()?;
        loop {
            match store.admit_heal(run, call.clone(), milliseconds(Utc::now())).await? {
                Entrance::Granted => return Ok(Admission::Granted),
                Entrance::Reused(note) => return Ok(Admission::Reused(note)),
                Entrance::Refused(why) => return Ok(Admission::Refused(why)),
                Entrance::Busy => until_over(&store, call).await?,
            }
        }
    }
}

/// Waits until nobody is making a call any more, or it seems so.
async fn until_over(store: &Store, call: &HealCall) -> Result<(), StoreError> {
    let mut pause = SOON;
    loop {
        tokio::time::sleep(pause).await;
        if !store.is_heal_open(&call.key, milliseconds(Utc::now()))? {
            return Ok(());
        }
        pause = (pause * 2).min(SELDOM);
    }
}

#[async_trait]
impl Healer for Gate {
    async fn admit(&self, run: RunId, call: &HealCall) -> Admission {
        let failed =
            |error: StoreError| Admission::Refused(format!("it cannot be known whether it may act: {error}"));
        self.ask(run, call).await.unwrap_or_else(failed)
    }

    async fn advise(&self, tenant: &str, tool: &str, error: &mut StepError) {
        let advised = match self.store.get() {
            Ok(store) => advice::advise(&store, (tenant, tool), error).await,
            Err(error) => Err(error),
        };
        if let Err(error) = advised {
            tracing::warn!(tool, "cannot look for known issues: {error}");
        }
    }

    async fn settle(&self, run: RunId) {
        let settled = match self.store.get() {
            Ok(store) => store.settle_heals(run).await,
            Err(error) => Err(error),
        };
        if let Err(error) = settled {
            // The journal has it, so the next who looks puts it down.
            tracing::warn!(%run, "cannot put down how a healing went: {error}");
        }
    }
}

/// Lets every rule act, where all that is called is stood for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freely;

#[async_trait]
impl Healer for Freely {
    async fn admit(&self, _: RunId, _: &HealCall) -> Admission {
        Admission::Granted
    }

    async fn advise(&self, _: &str, _: &str, _: &mut StepError) {}

    async fn settle(&self, _: RunId) {}
}

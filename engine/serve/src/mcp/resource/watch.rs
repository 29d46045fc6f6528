//! Clients that want to be told when a resource changes.
//!
//! A client of the session era subscribes to one address at a time, and hears of it on its
//! connection. A newer one names addresses when it opens a stream, and hears of them there. Runs are
//! told of by their events; what comes from files, whenever those have changed. Nobody hears of memory
//! and settings, so those cannot be watched.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aa_run::engine::Engine;
use aa_run::event::RunId;
use aa_run::feed::Wanted;
use rmcp::model::ResourceUpdatedNotificationParam;
use rmcp::service::{Peer, SubscriptionContext};
use rmcp::{ErrorData, RoleServer};
use serde_json::json;
use tokio::task::{AbortHandle, JoinSet};

use super::{Address, Asked, missing};
use crate::mcp::change::Changes;
use crate::mcp::server::Server;
use crate::mcp::visit::Visit;

/// Addresses that one connection may watch at once.
const MOST: usize = 64;
/// Least time between two notices of one address.
const PACE: Duration = Duration::from_millis(250);

/// What says that something has changed.
#[derive(Debug)]
enum Source {
    /// The events of a run.
    Run(RunId),
    /// Those of all runs.
    Runs,
    /// The files of skills, modules and personas.
    Files,
}

/// What a connection of the session era has subscribed to. Ends with it.
#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<BTreeMap<String, AbortHandle>>);

impl Watches {
    /// Tells the client from now on; twice is the same as once.
    pub(crate) fn add(
        &self,
        server: &Server,
        visit: &Visit,
        uri: &str,
        peer: Peer<RoleServer>,
    ) -> Result<(), ErrorData> {
        let source = Source::of(server, visit, uri)?;
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, watch| !watch.is_finished());
        if held.contains_key(uri) {
            return Ok(());
        }
        if held.len() >= MOST {
            let message = format!("no more than {MOST} resources can be watched at once");
            return Err(ErrorData::invalid_request(message, None));
        }
        let (engine, files, told) = (visit.engine.clone(), Arc::clone(&server.seat.files), uri.to_owned());
        let watch = tokio::spawn(async move {
            let tell = || async {
                let notice = ResourceUpdatedNotificationParam::new(told.clone());
                peer.notify_resource_updated(notice).await.is_ok()
            };
            source.each_change(&engine, &files, tell).await;
        });
        held.insert(uri.to_owned(), watch.abort_handle());
        Ok(())
    }

    /// Tells the client no longer.
    pub(crate) fn remove(&self, uri: &str) {
        if let Some(watch) = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uri) {
            watch.abort();
        }
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        let held = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        held.values().for_each(AbortHandle::abort);
    }
}

/// Of the addresses that a newer client names, those that it can be told of: the answer to its request says which.
pub(crate) fn accepted(uris: Vec<String>) -> Vec<String> {
    let can_change = |uri: &String| Asked::parse(uri).is_none_or(|asked| changes(&asked.address));
    uris.into_iter().filter(can_change).take(MOST).collect()
}

/// Tells a newer client of the addresses that it has named, until its stream ends.
///
/// # Errors
/// At one of them there is nothing for the client, which would wait for ever.
pub(crate) async fn listen(
    server: &Server,
    visit: &Visit,
    context: &SubscriptionContext,
) -> Result<(), ErrorData> {
    let uris = context.accepted().resource_subscriptions.clone().unwrap_or_default();
    let mut watches = JoinSet::new();
    for uri in uris {
        let source = Source::of(server, visit, &uri)?;
        let (engine, files) = (visit.engine.clone(), Arc::clone(&server.seat.files));
        let sink = context.sink().clone();
        watches.spawn(async move {
            let tell = || async { sink.notify_resource_updated(uri.clone()).await.is_ok() };
            source.each_change(&engine, &files, tell).await;
        });
    }
    context.cancelled().await;
    Ok(())
}

/// Whether it is told when what is at an address changes.
fn changes(address: &Address) -> bool {
    !matches!(
        address,
        Address::Memory | Address::Document(_) | Address::Config | Address::Value(_) | Address::Result(_)
    )
}

impl Source {
    /// What says that the resource at an address has changed, which has to be there for the client.
    fn of(server: &Server, visit: &Visit, uri: &str) -> Result<Self, ErrorData> {
        let Some(asked) = Asked::parse(uri) else {
            return if super::is_offered(server, visit, uri)? { Ok(Self::Files) } else { Err(missing(uri)) };
        };
        if let Some(run) = asked.address.run() {
            return visit.engine.run(run).map(|run| Self::Run(run.id)).map_err(|_| missing(uri));
        }
        if super::of(server, visit, &asked)?.is_none() {
            return Err(missing(uri));
        }
        match &asked.address {
            Address::Runs => Ok(Self::Runs),
            address if changes(address) => Ok(Self::Files),
            _ => {
                let message = format!("`{uri}` can be read, and nobody is told when it changes");
                Err(ErrorData::invalid_params(message, Some(json!({ "uri": uri }))))
            }
        }
    }

    /// Does something after each change, at a pace that a client can keep up with, until there are no more or that fails.
    async fn each_change<F: Future<Output = bool>>(
        self,
        engine: &Engine,
        files: &Arc<Changes>,
        tell: impl Fn() -> F,
    ) {
        match self {
            Self::Run(run) => of_run(engine, run, tell).await,
            Self::Runs => of_runs(engine, tell).await,
            Self::Files => {
                let mut changed = files.listen(engine);
                while changed.changed().await.is_ok() && tell().await {}
            }
        }
    }
}

async fn of_run<F: Future<Output = bool>>(engine: &Engine, run: RunId, tell: impl Fn() -> F) {
    let Ok(known) = engine.run(run) else { return };
    let Ok(mut events) = engine.watch(run, known.events) else { return };
    while events.recv().await.is_some() {
        tokio::time::sleep(PACE).await;
        while events.try_recv().is_ok() {}
        if !tell().await {
            return;
        }
    }
}

async fn of_runs<F: Future<Output = bool>>(engine: &Engine, tell: impl Fn() -> F) {
    loop {
        let Ok(mut events) = engine.hear(Wanted::default(), None).await else { return };
        // Whoever was left behind listens anew, and is told that something has changed.
        let mut heard = true;
        while heard {
            heard = events.next().await.is_ok();
            if !tell().await {
                return;
            }
            tokio::time::sleep(PACE).await;
        }
    }
}

//! Clients that want to be told when a run changes.
//!
//! A client of the session era subscribes to one address at a time, and hears of it on its
//! connection. A newer one names addresses when it opens a stream, and hears of them there.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aa_run::engine::Engine;
use aa_run::event::RunId;
use rmcp::model::ResourceUpdatedNotificationParam;
use rmcp::service::{Peer, SubscriptionContext};
use rmcp::{ErrorData, RoleServer};
use tokio::task::{AbortHandle, JoinSet};

use super::{Asked, missing};
use crate::mcp::server::Server;
use crate::mcp::visit::Visit;

/// Addresses that one connection may watch at once.
const MOST: usize = 64;
/// Least time between two notices of one address.
const PACE: Duration = Duration::from_millis(250);

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
        let engine = &visit.engine;
        let run = match watched(engine, uri) {
            Ok(run) => run,
            // There is such a resource, but nothing ever says that it has changed.
            Err(_) if super::is_offered(server, visit, uri)? => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, watch| !watch.is_finished());
        if held.contains_key(uri) {
            return Ok(());
        }
        if held.len() >= MOST {
            let message = format!("no more than {MOST} resources can be watched at once");
            return Err(ErrorData::invalid_request(message, None));
        }
        let (engine, address) = (engine.clone(), uri.to_owned());
        let told = address.clone();
        let watch = tokio::spawn(async move {
            each_change(&engine, run, || {
                let (peer, uri) = (peer.clone(), told.clone());
                async move {
                    peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await.is_ok()
                }
            })
            .await;
        });
        held.insert(address, watch.abort_handle());
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

/// Tells a newer client of the addresses that it has named, until its stream ends.
pub(crate) async fn listen(engine: &Engine, context: &SubscriptionContext) {
    let uris = context.accepted().resource_subscriptions.clone().unwrap_or_default();
    let mut watches = JoinSet::new();
    for uri in uris.into_iter().take(MOST) {
        let Ok(run) = watched(engine, &uri) else { continue };
        let (engine, sink) = (engine.clone(), context.sink().clone());
        watches.spawn(async move {
            each_change(&engine, run, || {
                let (sink, uri) = (sink.clone(), uri.clone());
                async move { sink.notify_resource_updated(uri).await.is_ok() }
            })
            .await;
        });
    }
    context.cancelled().await;
}

/// The run that an address is about; the caller has to see it.
fn watched(engine: &Engine, uri: &str) -> Result<RunId, ErrorData> {
    let run = Asked::parse(uri).and_then(|asked| asked.address.run()).ok_or_else(|| missing(uri))?;
    engine.run(run).map(|run| run.id).map_err(|_| missing(uri))
}

/// Does something after each change of a run, at a pace that a client can keep up with, until the run
/// is over or that fails.
async fn each_change<F: Future<Output = bool>>(engine: &Engine, run: RunId, tell: impl Fn() -> F) {
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

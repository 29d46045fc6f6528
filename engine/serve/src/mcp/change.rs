//! Clients that want to be told when there are other tools, prompts or resources.
//!
//! What there is comes from files that people and runs write at any time, so the files are looked at for
//! as long as somebody listens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aa_run::engine::Engine;
use rmcp::RoleServer;
use rmcp::service::{Peer, SubscriptionContext};
use tokio::sync::watch;

/// How late a change may be told.
const TICK: Duration = Duration::from_millis(250);

/// Tells a newer client of changes, of the kinds that it has named, until its stream ends.
pub(super) async fn tell_stream(changes: &Arc<Changes>, context: &SubscriptionContext) {
    let (wanted, sink) = (context.accepted(), context.sink());
    let is = |flag: Option<bool>| flag.unwrap_or_default();
    let (tools, prompts) = (is(wanted.tools_list_changed), is(wanted.prompts_list_changed));
    let resources = is(wanted.resources_list_changed);
    if !tools && !prompts && !resources {
        // Nothing of this was asked for.
        return std::future::pending().await;
    }
    let mut changes = changes.listen();
    while changes.changed().await.is_ok() {
        // A stream that is gone is noticed elsewhere.
        if tools {
            let _ = sink.notify_tool_list_changed().await;
        }
        if prompts {
            let _ = sink.notify_prompt_list_changed().await;
        }
        if resources {
            let _ = sink.notify_resource_list_changed().await;
        }
    }
}

/// Tells a client of the session era of every change, for as long as it is there.
pub(super) async fn tell_session(changes: Arc<Changes>, peer: Peer<RoleServer>) {
    let mut changes = changes.listen();
    while changes.changed().await.is_ok() {
        let told = [
            peer.notify_tool_list_changed().await.is_ok(),
            peer.notify_prompt_list_changed().await.is_ok(),
            peer.notify_resource_list_changed().await.is_ok(),
        ];
        if told.contains(&false) {
            return;
        }
    }
}

/// Looks at the files of skills, modules and personas, once for everybody who listens.
#[derive(Debug)]
pub(crate) struct Changes {
    engine: Engine,
    /// Counts changes.
    count: watch::Sender<u64>,
    /// Whether somebody looks.
    looks: Mutex<bool>,
}

impl Changes {
    pub(crate) fn new(engine: Engine) -> Arc<Self> {
        Arc::new(Self { engine, count: watch::Sender::new(0), looks: Mutex::default() })
    }

    /// Changes from now on.
    fn listen(self: &Arc<Self>) -> watch::Receiver<u64> {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = self.count.subscribe();
        if !*looks {
            *looks = true;
            tokio::spawn(Arc::clone(self).look(self.engine.files_stamp()));
        }
        changes
    }

    /// Whether a change of files is one of what clients see: while there is a mistake in a persona, they see it as
    /// it was. Where nobody can tell, it is.
    async fn shows_other(&self) -> bool {
        let engine = self.engine.clone();
        tokio::task::spawn_blocking(move || engine.shows_other()).await.unwrap_or(true)
    }

    /// Looks until nobody listens. A folder that cannot be read has not changed.
    async fn look(self: Arc<Self>, mut known: Option<u64>) {
        loop {
            tokio::time::sleep(TICK).await;
            {
                let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
                if self.count.receiver_count() == 0 {
                    *looks = false;
                    return;
                }
            }
            let stamp = self.engine.files_stamp();
            if stamp.is_some() && stamp != known {
                known = stamp;
                if self.shows_other().await {
                    self.count.send_modify(|count| *count += 1);
                }
            }
        }
    }
}

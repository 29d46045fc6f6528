//! Clients that want to be told when there are other tools, prompts or resources.
//!
//! What there is comes from files that people and runs write at any time, so the files are looked at for
//! as long as somebody listens.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aa_run::engine::{Engine, Glance};
use rmcp::RoleServer;
use rmcp::service::{Peer, SubscriptionContext};
use tokio::sync::watch;

/// How late a change may be told.
const TICK: Duration = Duration::from_millis(250);

/// How often it is looked what a change has changed: what was read a moment ago is not read again at once.
const LOOKS: u32 = 3;

/// Tells a newer client of changes in the folder of an engine, of the kinds that it has named, until its stream ends.
pub(super) async fn tell_stream(changes: &Arc<Changes>, engine: &Engine, context: &SubscriptionContext) {
    let (wanted, sink) = (context.accepted(), context.sink());
    let is = |flag: Option<bool>| flag.unwrap_or_default();
    let (tools, prompts) = (is(wanted.tools_list_changed), is(wanted.prompts_list_changed));
    let resources = is(wanted.resources_list_changed);
    if !tools && !prompts && !resources {
        // Nothing of this was asked for.
        return std::future::pending().await;
    }
    let mut changes = changes.listen(engine);
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

/// Tells a client of the session era of every change where it works, and when it works elsewhere, for as long as it is
/// there.
pub(super) async fn tell_session(
    changes: Arc<Changes>,
    mut place: watch::Receiver<Option<Engine>>,
    peer: Peer<RoleServer>,
) {
    let mut is_told = true;
    while is_told {
        let engine = place.borrow_and_update().clone();
        let is_known = engine.is_some();
        let mut changed = changes.listen(engine.as_ref().unwrap_or(&changes.home));
        tokio::select! {
            Ok(()) = changed.changed() => is_told = tell(&peer).await,
            // Before its first request it has seen no list.
            Ok(()) = place.changed() => if is_known { is_told = tell(&peer).await },
            else => return,
        }
    }
}

/// Tells of all that may have changed; whether the client has heard it.
pub(super) async fn tell(peer: &Peer<RoleServer>) -> bool {
    peer.notify_tool_list_changed().await.is_ok()
        && peer.notify_prompt_list_changed().await.is_ok()
        && peer.notify_resource_list_changed().await.is_ok()
}

/// Looks at the files of skills, modules and personas in every folder where somebody listens, once for all of them.
#[derive(Debug)]
pub(crate) struct Changes {
    /// The engine of the folder that the server was started in.
    home: Engine,
    places: Mutex<HashMap<PathBuf, Arc<Place>>>,
}

impl Changes {
    pub(crate) fn new(home: Engine) -> Arc<Self> {
        Arc::new(Self { home, places: Mutex::default() })
    }

    /// Changes in the folder of an engine from now on.
    pub(super) fn listen(&self, engine: &Engine) -> watch::Receiver<u64> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        // Where nobody listens any more, nobody looks.
        places.retain(|_, place| Arc::strong_count(place) > 1);
        let folder = engine.settings().folder.clone();
        places.entry(folder).or_insert_with(|| Place::new(engine.clone())).listen()
    }
}

/// One folder in which somebody listens.
#[derive(Debug)]
struct Place {
    engine: Engine,
    /// Counts changes.
    count: watch::Sender<u64>,
    /// Whether somebody looks.
    looks: Mutex<bool>,
}

impl Place {
    fn new(engine: Engine) -> Arc<Self> {
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
    async fn shows_other_than(&self, before: &Glance) -> bool {
        let (engine, before) = (self.engine.clone(), before.clone());
        tokio::task::spawn_blocking(move || engine.shows_other_than(&before)).await.unwrap_or(true)
    }

    /// Looks until nobody listens. A folder that cannot be read has not changed.
    async fn look(self: Arc<Self>, mut known: Option<u64>) {
        let (mut before, mut looks) = (self.engine.glance(), 0);
        loop {
            tokio::time::sleep(TICK).await;
            if self.is_left() {
                return;
            }
            let stamp = self.engine.files_stamp();
            if stamp.is_some() && stamp != known {
                (known, looks) = (stamp, LOOKS);
            }
            if looks == 0 {
                before = self.engine.glance();
            } else if self.shows_other_than(&before).await {
                looks = 0;
                self.count.send_modify(|count| *count += 1);
            } else {
                looks -= 1;
            }
        }
    }

    /// Whether nobody listens any more; then whoever comes next has to be looked for anew.
    fn is_left(&self) -> bool {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let is_left = self.count.receiver_count() == 0;
        *looks = !is_left;
        is_left
    }
}

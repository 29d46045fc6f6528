//! Where a client of the session era says that it works.
//!
//! It is asked when the first request needs to know, and again once it has said that its folders have changed.
#![expect(deprecated, reason = "clients of the session era have nothing else to say it with")]

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aa_run::engine::Engine;
use aa_run::workspace::path_of;
use rmcp::RoleServer;
use rmcp::service::{Peer, RequestContext};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// How long requests wait for what a client works in. What it says later counts for those that come then.
const PATIENCE: Duration = Duration::from_secs(2);

/// What one client has said of the folders that it works in.
#[derive(Debug, Default)]
pub(crate) struct Root(Mutex<Option<Asked>>);

/// A question to a client.
#[derive(Clone, Debug)]
struct Asked {
    since: Instant,
    /// Its folders on this machine; none before it has said them, and for good where it cannot.
    folders: watch::Receiver<Option<Vec<PathBuf>>>,
}

impl Root {
    /// The first folder that it works in, of those where it may.
    pub(crate) async fn of(&self, own: &Engine, context: &RequestContext<RoleServer>) -> Option<PathBuf> {
        context.client_capabilities()?.roots?;
        let Asked { since, mut folders } = self.asked(&context.peer);
        let told = timeout_at(since + PATIENCE, folders.wait_for(Option::is_some)).await.ok()?.ok()?.clone();
        told?.into_iter().find(|folder| is_open(own, folder))
    }

    /// Asks anew when somebody wants to know: the client has said that it works elsewhere.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn asked(&self, peer: &Peer<RoleServer>) -> Asked {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get_or_insert_with(|| Asked { since: Instant::now(), folders: ask(peer.clone()) }).clone()
    }
}

/// Asks a client. Nobody listens any more when it has said meanwhile that it works elsewhere.
fn ask(peer: Peer<RoleServer>) -> watch::Receiver<Option<Vec<PathBuf>>> {
    let (tell, told) = watch::channel(None);
    tokio::spawn(async move {
        // A connection that ends is an answer as well.
        if let Ok(list) = peer.list_roots().await {
            let folders = list.roots.iter().filter_map(|root| path_of(&root.uri)).collect();
            let _ = tell.send(Some(folders));
        }
    });
    told
}

/// Whether a client may work where it says it is. It says where it is and not where it wants us to be, so a folder that is
/// closed to it is as good as none.
pub(super) fn is_open(own: &Engine, root: &Path) -> bool {
    root.canonicalize().is_ok_and(|real| real.is_dir() && own.may_work_in(&real))
}

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
use rmcp::model::{ClientResult, ListRootsRequest, ServerRequest};
use rmcp::service::{Peer, PeerRequestOptions, RequestContext};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

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
    folders: watch::Receiver<Answer>,
}

type Answer = Option<Vec<PathBuf>>;

impl Root {
    /// The first folder that it works in, of those where it may.
    pub(crate) async fn of(&self, own: &Engine, context: &RequestContext<RoleServer>) -> Option<PathBuf> {
        context.client_capabilities()?.roots?;
        let (Asked { since, mut folders }, tell) = self.asked();
        if let Some(tell) = tell {
            ask(&context.peer, tell).await;
        }
        let told = timeout_at(since + PATIENCE, folders.wait_for(Option::is_some)).await.ok()?.ok()?.clone();
        told?.into_iter().find(|folder| is_open(own, folder))
    }

    /// Asks anew when somebody wants to know: the client has said that it works elsewhere.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The question, and where it is yet to be put, whom its answer is for.
    fn asked(&self) -> (Asked, Option<watch::Sender<Answer>>) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = &*asked {
            return (asked.clone(), None);
        }
        let (tell, folders) = watch::channel(None);
        (asked.insert(Asked { since: Instant::now(), folders }).clone(), Some(tell))
    }
}

/// Asks a client by the stream of its request; only the answer is waited for elsewhere. Nobody listens any more when it has
/// said meanwhile that it works somewhere else.
async fn ask(peer: &Peer<RoleServer>, tell: watch::Sender<Answer>) {
    let request = ServerRequest::ListRootsRequest(ListRootsRequest::default());
    let sent = timeout(PATIENCE, peer.send_cancellable_request(request, PeerRequestOptions::no_options()));
    // A connection that ends is an answer as well.
    let Ok(Ok(handle)) = sent.await else { return };
    tokio::spawn(async move {
        if let Ok(Ok(ClientResult::ListRootsResult(list))) = handle.rx.await {
            let _ = tell.send(Some(list.roots.iter().filter_map(|root| path_of(&root.uri)).collect()));
        }
    });
}

/// Whether a client may work where it says it is. It says where it is and not where it wants us to be, so a folder that is
/// closed to it is as good as none.
pub(super) fn is_open(own: &Engine, root: &Path) -> bool {
    root.canonicalize().is_ok_and(|real| real.is_dir() && own.may_work_in(&real))
}

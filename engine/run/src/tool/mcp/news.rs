//! Hears from servers of the newer protocol that they have other tools now.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rmcp::model::{ErrorCode, ServerNotification, SubscriptionFilter};
use rmcp::service::{ServiceError, Subscription};
use rmcp::{Peer, RoleClient};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::client::Shared;

/// Between the end of a stream and the next: this, twice this, and so on up to the most.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MOST: Duration = Duration::from_mins(1);
/// A stream that has lasted this long did not end because something is wrong with it.
const LASTING: Duration = Duration::from_mins(2);

/// Listens for as long as the connection is there, again after every end.
pub(super) async fn follow(peer: Peer<RoleClient>, shared: Arc<Shared>, closing: CancellationToken) {
    let mut pause = PAUSE;
    loop {
        let began = Instant::now();
        let again = tokio::select! {
            again = listen(&peer, &shared) => again,
            () = closing.cancelled() => false,
        };
        shared.tells.store(false, Ordering::Relaxed);
        if !again || peer.is_transport_closed() {
            return;
        }
        if began.elapsed() >= LASTING {
            pause = PAUSE;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = closing.cancelled() => return,
        }
        pause = (pause * 2).min(PAUSE_MOST);
    }
}

/// Listens until the stream ends; whether there is any use in doing so again.
async fn listen(peer: &Peer<RoleClient>, shared: &Shared) -> bool {
    let wanted = SubscriptionFilter::builder().tools_list_changed().build();
    let mut stream = match peer.listen(wanted).await {
        Ok(stream) => stream,
        Err(ServiceError::McpError(error)) => return error.code != ErrorCode::METHOD_NOT_FOUND,
        Err(_) => return true,
    };
    if stream.acknowledged().tools_list_changed != Some(true) {
        return false;
    }
    // What has changed while nobody listened was said to nobody.
    shared.changed.store(true, Ordering::Relaxed);
    shared.tells.store(true, Ordering::Relaxed);
    while let Some(news) = next(&mut stream).await {
        if matches!(news, ServerNotification::ToolListChangedNotification(_)) {
            shared.changed.store(true, Ordering::Relaxed);
        }
    }
    true
}

async fn next(stream: &mut Subscription) -> Option<ServerNotification> {
    stream.next().await.ok().flatten()
}

//! A daemon that does not answer is hung up on, so that whoever speaks with it finds out as if it had died.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use aa_serve::local;

use super::super::files::Files;
use super::talk::Talk;

/// How often it is looked whether the daemon answers.
const LOOK: Duration = Duration::from_secs(1);

/// A daemon as it is looked at.
pub(super) struct Watched {
    pub(super) files: Files,
    pub(super) socket: PathBuf,
    pub(super) talk: Arc<Talk>,
}

/// Has a connection looked after until it is dropped.
pub(super) struct Watch {
    _until: Sender<()>,
}

impl Watched {
    /// Looks after a connection from now on.
    pub(super) fn watch(self, stream: &UnixStream) -> io::Result<Watch> {
        let (until, is_over) = mpsc::channel();
        let stream = stream.try_clone()?;
        thread::Builder::new().spawn(move || {
            while is_over.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                if self.is_lost() {
                    // It may be gone already.
                    let _gone = stream.shutdown(Shutdown::Both);
                    return;
                }
            }
        })?;
        Ok(Watch { _until: until })
    }

    /// A client that waits is patient with a machine that has much to do. One that has said its last only wants to end:
    /// whether there is still somebody to wait for is asked, then.
    fn is_lost(&self) -> bool {
        self.files.silent().is_some() || self.talk.is_over() && local::is_deaf(&self.socket)
    }
}

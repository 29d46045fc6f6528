//! How far a call has come towards what it changes, and with that whether one that fails may have acted all the same.
//!
//! A tool whose work is done elsewhere (by a command, a service, a server) says when its request goes out, and when the
//! other side has refused it. What fails before that, or was refused, has changed nothing. Everything else may have: it
//! was cut off, or its answer is lost or cannot be read. So a new way to fail is in doubt until somebody knows better.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use aa_spec::tool::ErrorKind;

use crate::store::StoreError;

/// Nothing has been done so far.
const BEFORE: u8 = 0;
/// The tool works in this process: what it answers is what it has done.
const WITHIN: u8 = 1;
/// A request is out that was not refused.
const OUT: u8 = 2;

/// How far one call has come. Clones speak of the same call.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<Call>);

#[derive(Debug, Default)]
struct Call {
    far: AtomicU8,
    /// Why nothing was started, and the run is to stop as if its journal could not be written.
    halted: OnceLock<(PathBuf, String)>,
}

/// A request that is out, for whoever learns that it was refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sending {
    sent: Sent,
    /// What was so before: another request may have been out.
    before: u8,
}

impl Sent {
    /// The tool is called, which may be all there is to it.
    pub(crate) fn begin(&self) {
        self.0.far.store(WITHIN, Ordering::Relaxed);
    }

    /// The tool will say when its request goes out.
    pub(crate) fn not_yet(&self) {
        self.0.far.store(BEFORE, Ordering::Relaxed);
    }

    /// The request goes out, or what does the work is started.
    pub(crate) fn out(&self) -> Sending {
        Sending { sent: self.clone(), before: self.0.far.swap(OUT, Ordering::Relaxed) }
    }

    /// What has to be known of the call after a crash cannot be written down at a path, so it was not made.
    pub(crate) fn halt(&self, path: &Path, why: &str) {
        let _first = self.0.halted.set((path.to_owned(), why.to_owned()));
    }

    /// Why the run of the call has to stop, if it has.
    pub(crate) fn halted(&self) -> Option<StoreError> {
        let (path, message) = self.0.halted.get()?.clone();
        Some(StoreError::Write { path, message })
    }

    /// Whether a call that has ended with an error of a kind may have acted.
    pub(crate) fn may_have_acted(&self, kind: ErrorKind) -> bool {
        let cut_off = matches!(kind, ErrorKind::Timeout | ErrorKind::Cancelled);
        self.may_have_acted_if(cut_off)
    }

    /// The same of one that was cut off by other means.
    pub(crate) fn may_have_acted_if(&self, cut_off: bool) -> bool {
        match self.0.far.load(Ordering::Relaxed) {
            BEFORE => false,
            OUT => true,
            _ => cut_off,
        }
    }
}

impl Sending {
    /// The other side was not reached, or has said that it does not do it.
    pub(crate) fn refused(&self) {
        self.sent.0.far.store(self.before, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubts(sent: &Sent) -> (bool, bool) {
        (sent.may_have_acted(ErrorKind::Invalid), sent.may_have_acted(ErrorKind::Timeout))
    }

    #[test]
    fn what_is_out_and_not_refused_may_have_acted() {
        let sent = Sent::default();
        assert_eq!(doubts(&sent), (false, false));
        sent.begin();
        assert_eq!(doubts(&sent), (false, true), "what it answers is so, unless it was cut off");
        sent.not_yet();
        assert_eq!(doubts(&sent), (false, false));
        let first = sent.out();
        assert_eq!(doubts(&sent), (true, true));
        first.refused();
        assert_eq!(doubts(&sent), (false, false));
    }

    #[test]
    fn a_refusal_says_nothing_of_the_request_before() {
        let sent = Sent::default();
        drop(sent.out());
        sent.out().refused();
        assert_eq!(doubts(&sent), (true, true));
    }
}

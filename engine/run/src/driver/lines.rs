//! Lines that running calls print: all of them for watchers, few of them for the journal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::TimeDelta;
use tokio::sync::mpsc;

use crate::event::{StepPath, Time};
use crate::tool::Level;

/// Lines that may wait for the loop; a call that prints faster loses some, and says so.
const WAITING: usize = 4096;
/// Characters of a line that an event keeps.
const MESSAGE: usize = 500;
/// Between two progress events of a step, and before its first one.
const INTERVAL: TimeDelta = TimeDelta::seconds(1);

/// A line of a call, with secrets hidden.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) step: StepPath,
    pub(super) text: String,
    /// How much it matters, when its tool has said so.
    pub(super) level: Option<Level>,
}

/// The loop's end.
pub(super) struct Lines {
    receiver: mpsc::Receiver<Line>,
    /// When each step last had a progress event, or when it was first heard of.
    last: BTreeMap<StepPath, Time>,
}

/// The calls' end.
#[derive(Clone)]
pub(super) struct LineSender {
    sender: mpsc::Sender<Line>,
    lost: Arc<AtomicU64>,
}

impl Lines {
    pub(super) fn new() -> (Self, LineSender) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self { receiver, last: BTreeMap::new() }, LineSender { sender, lost: Arc::default() })
    }

    pub(super) async fn next(&mut self) -> Option<Line> {
        self.receiver.recv().await
    }

    /// The lines that are waiting now.
    pub(super) fn waiting(&mut self) -> Vec<Line> {
        std::iter::from_fn(|| self.receiver.try_recv().ok()).take(WAITING).collect()
    }

    /// Whether a step's line is to become an event. Not its first one: most steps are
    /// over before anybody could read it.
    pub(super) fn is_due(&mut self, step: &StepPath, now: Time) -> bool {
        let Some(last) = self.last.get_mut(step) else {
            self.last.insert(step.clone(), now);
            return false;
        };
        let due = now - *last >= INTERVAL;
        if due {
            *last = now;
        }
        due
    }

    pub(super) fn forget(&mut self, step: &StepPath) {
        self.last.remove(step);
    }
}

impl LineSender {
    /// Hands a line over, or counts it as lost when too many are waiting.
    pub(super) fn send(&self, step: &StepPath, text: String) {
        self.send_at(step, text, None);
    }

    /// The same for a line that says how much it matters.
    pub(super) fn send_at(&self, step: &StepPath, text: String, level: Option<Level>) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let text = if lost > 0 { format!("[{lost} lines not shown] {text}") } else { text };
        if self.sender.try_send(Line { step: step.clone(), text, level }).is_err() {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }
}

/// A line short enough for an event.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

//! Whether the scheduler of a process still looks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::Check;

/// A scheduler that has not looked for so long is stuck: it means to look every second.
const STUCK: Duration = Duration::from_secs(15);

/// When the scheduler of a process has looked last. Cheap to clone; clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse(Arc<Mutex<State>>);

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// There is none.
    #[default]
    Off,
    /// It has not looked yet.
    Beginning,
    Looked(Instant),
}

impl Pulse {
    /// There is a scheduler from now on.
    pub(crate) fn begin(&self) {
        self.set(State::Beginning);
    }

    /// It has looked.
    pub(crate) fn beat(&self) {
        self.set(State::Looked(Instant::now()));
    }

    /// There is none any more.
    pub(crate) fn end(&self) {
        self.set(State::Off);
    }

    pub(crate) fn check(&self) -> Check {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Off => Check::Off,
            State::Beginning => Check::Failing("it has not looked yet".to_owned()),
            State::Looked(at) if at.elapsed() < STUCK => Check::Ok,
            State::Looked(at) => {
                Check::Failing(format!("it has not looked for {} s", at.elapsed().as_secs()))
            }
        }
    }

    fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

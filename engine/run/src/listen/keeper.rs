//! The listeners of a process that serves. Each that is configured runs in a task of its own, which may be cut off at
//! any moment; it is begun anew when its module or the configuration has changed.

use std::collections::BTreeMap;
use std::time::Duration;

use aa_spec::tool::ErrorKind;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::{Listener, Standing, Tidings};
use crate::engine::{Check, Engine, Wanted};
use crate::event::StepError;

/// How often it is looked which listeners are wanted.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait before a listener that cannot begin is tried again, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Has a process listen for what its configuration names. Without such a name it only looks whether there is one.
#[derive(Debug)]
pub struct Keeper {
    engine: Engine,
    standing: Standing,
    kept: BTreeMap<String, Kept>,
}

/// A listener that runs until this is dropped.
#[derive(Debug)]
struct Kept {
    wanted: Wanted,
    task: JoinHandle<()>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Keeper {
    /// Listens to nothing yet.
    pub fn new(engine: Engine) -> Self {
        let standing = engine.listeners();
        Self { engine, standing, kept: BTreeMap::new() }
    }

    /// Listens until the process is about to end. It may be dropped at any moment.
    pub async fn run(mut self) {
        let drain = self.engine.drain();
        loop {
            self.exchange(&self.engine.wanted_listeners()).await;
            tokio::select! {
                () = drain.begun() => break,
                () = sleep(LOOK) => {}
            }
        }
        self.exchange(&BTreeMap::new()).await;
    }

    /// Ends listeners that are wanted no more, or not as they are, and begins those that are missing.
    async fn exchange(&mut self, wanted: &BTreeMap<String, Wanted>) {
        let is_over = |module: &String, kept: &mut Kept| {
            wanted.get(module).is_none_or(|wanted| *wanted != kept.wanted) || kept.task.is_finished()
        };
        let ended: Vec<_> = self.kept.extract_if(.., is_over).collect();
        for (module, mut kept) in ended {
            kept.task.abort();
            // Only then has it let go of its lock.
            if (&mut kept.task).await.is_err_and(|error| error.is_panic()) {
                tracing::error!(module, "the listener has ended by a bug");
            }
            tracing::info!(module, "the listener has ended");
        }
        self.standing.keep(|module| wanted.contains_key(module));
        for (module, wanted) in wanted {
            if !wanted.is_on {
                self.standing.set(module, Check::Off);
            } else if !self.kept.contains_key(module) {
                let task = tokio::spawn(attend(wanted.engine.clone(), module.clone(), self.standing.clone()));
                self.kept.insert(module.clone(), Kept { wanted: wanted.clone(), task });
            }
        }
    }
}

/// Listens for a module, as soon as that is possible.
async fn attend(engine: Engine, module: String, standing: Standing) {
    standing.set(&module, Check::Failing("it has not looked yet".to_owned()));
    let mut wait = None;
    loop {
        let begun = Instant::now();
        let mut ear = Ear { module: &module, standing: &standing, apart: None, has_worked: false };
        match engine.listener(&module) {
            Ok(listener) => ear.hear(&listener).await,
            Err(error) => refused(&module, &error, &standing),
        }
        let worked = ear.has_worked.then(|| begun.elapsed());
        let pause = back_off(wait, worked);
        sleep(pause).await;
        wait = Some(pause);
    }
}

/// How long to wait before a listener is begun anew: longer each time, and as at first when it has worked for longer than
/// anybody waits: what has ended it then is something new.
fn back_off(before: Option<Duration>, worked: Option<Duration>) -> Duration {
    match before {
        Some(before) if worked.is_none_or(|worked| worked < BACK_OFF.1) => (before * 2).min(BACK_OFF.1),
        _ => BACK_OFF.0,
    }
}

/// Says why a listener cannot begin, once for as long as that is the same.
fn refused(module: &str, error: &StepError, standing: &Standing) {
    let check = match error.kind {
        // Another process listens.
        ErrorKind::Invalid => Check::Elsewhere,
        _ => Check::Failing(error.message.clone()),
    };
    if standing.set(module, check.clone()) != Some(check) {
        tracing::warn!(module, "nothing is heard here: {}", error.message);
    }
}

/// What is made of the tidings of a listener: its standing, and lines of the log.
struct Ear<'a> {
    module: &'a str,
    standing: &'a Standing,
    /// Why its socket is not connected, once that was said.
    apart: Option<String>,
    /// Whether anything was heard, or looked at.
    has_worked: bool,
}

impl Ear<'_> {
    async fn hear(&mut self, listener: &Listener<Engine>) {
        let (tell, mut told) = mpsc::unbounded_channel();
        let work = Box::pin(listener.run(&tell));
        let note = async {
            while let Some(tidings) = told.recv().await {
                self.note(tidings);
            }
        };
        tokio::select! {
            () = work => {}
            () = note => {}
        }
    }

    fn note(&mut self, tidings: Tidings) {
        let module = self.module;
        match tidings {
            Tidings::Heard(pending) => tracing::info!(module, item = pending.id, "something new was heard"),
            Tidings::Connected => {
                self.apart = None;
                self.has_worked = true;
                tracing::info!(module, "the socket is connected");
            }
            Tidings::Disconnected(why) if self.apart.as_ref() == Some(&why) => {}
            Tidings::Disconnected(why) => {
                tracing::warn!(module, "the socket is not connected, polls stand in: {why}");
                self.apart = Some(why);
            }
            Tidings::Trouble(error) => {
                tracing::warn!(module, "listening fails: {}", error.message);
                self.standing.set(module, Check::Failing(error.message));
            }
            Tidings::Looked => {
                self.has_worked = true;
                if self.standing.set(module, Check::Ok) != Some(Check::Ok) {
                    tracing::info!(module, "listening works");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_has_worked_for_a_while_is_soon_begun_anew() {
        let seconds = Duration::from_secs;
        let (mut wait, mut waits) = (None, Vec::new());
        for _ in 0..7 {
            wait = Some(back_off(wait, None));
            waits.extend(wait.map(|wait| wait.as_secs()));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(back_off(wait, Some(seconds(5))), seconds(30), "it has ended at once");
        assert_eq!(back_off(wait, Some(seconds(300))), seconds(1));
    }
}

//! What the daemon says of itself while it lives: to its file, and to a service manager that waits for it.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use aa_run::engine::Engine;
use chrono::{TimeDelta, Utc};
use rustix::process::getpid;
use tokio::time::sleep;

use super::files::{Files, Lock, Report, Stage};
use crate::words;

/// How often it is looked how the daemon stands, before it is ready and then.
const AT_FIRST: Duration = Duration::from_millis(10);
const LATER: Duration = Duration::from_secs(1);
/// What is said again at least so often, to show that somebody still says it.
const AGAIN: TimeDelta = TimeDelta::seconds(10);

/// Whoever is told.
pub(super) struct Teller<'a> {
    pub(super) files: &'a Files,
    pub(super) lock: &'a Lock,
    pub(super) report: Report,
    /// The socket of a service manager that waits to hear that the daemon is ready.
    pub(super) manager: Option<String>,
}

impl Report {
    /// What can be said at first.
    pub(super) fn first(engine: &Engine, arguments: Vec<String>) -> Self {
        let settings = engine.settings();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: getpid().as_raw_nonzero().get().unsigned_abs(),
            stage: Stage::Starting,
            started: Utc::now(),
            at: Utc::now(),
            address: None,
            socket: None,
            folder: settings.folder.clone(),
            arguments,
            secrets: Vec::new(),
            zone: settings.zone().map_or_else(
                |_| settings.environment.get("TZ").cloned().unwrap_or_default(),
                |zone| zone.to_string(),
            ),
            health: None,
            runs: 0,
            patience: (settings.daemon.drain_timeout + settings.serve.shutdown_timeout).as_secs(),
        }
    }
}

impl Teller<'_> {
    /// Tells how the daemon stands whenever that is something else; never ends.
    pub(super) async fn tell(&mut self, engine: &Engine) {
        let drain = engine.drain();
        loop {
            let health = engine.health().await;
            let stage = match (health.draining, health.is_ready(), self.report.stage) {
                (true, ..) => Stage::Draining,
                (false, true, _) => Stage::Ready,
                // The scheduler has not had its first look yet.
                (false, false, Stage::Starting) if !is_late(&self.report) => Stage::Starting,
                (false, false, _) => Stage::NotReady,
            };
            let secrets = engine.current().unreadable_secrets();
            if secrets != self.report.secrets {
                note_secrets(&secrets);
            }
            let health = Some(health);
            let next = Report { stage, secrets, health, runs: drain.driven(), ..self.report.clone() };
            // By the clock that whoever reads it goes by: it goes on while the machine sleeps.
            let is_old = (Utc::now() - self.report.at).abs() >= AGAIN;
            let is_news = next != self.report;
            let turns = next.stage != self.report.stage;
            self.report = next;
            if is_news || is_old {
                self.say();
            }
            if turns {
                self.note();
            }
            let pause = if self.report.stage == Stage::Starting { AT_FIRST } else { LATER };
            tokio::select! {
                () = sleep(pause) => {}
                () = drain.begun(), if stage != Stage::Draining => {}
            }
        }
    }

    /// Says that it ends, unless that has been said: an end may come between two looks.
    pub(super) fn end(&mut self) {
        if self.report.stage != Stage::Draining {
            self.report.stage = Stage::Draining;
            self.say();
            self.note();
        }
    }

    fn say(&mut self) {
        self.report.at = Utc::now();
        if let Err(error) = self.files.say(self.lock, &self.report) {
            tracing::warn!("cannot write how the daemon stands: {error}");
        }
    }

    /// Says to the log and to the service manager where it stands now.
    fn note(&self) {
        let state = match self.report.stage {
            Stage::Starting => return,
            Stage::Ready => {
                let took = (Utc::now() - self.report.started).num_milliseconds();
                tracing::info!("ready after {took} ms");
                "READY=1"
            }
            Stage::NotReady => {
                tracing::warn!("not ready: {:?}", self.report.health);
                return;
            }
            Stage::Draining => {
                tracing::info!("about to end; {} runs come to rest", self.report.runs);
                "STOPPING=1"
            }
        };
        let Some(manager) = &self.manager else { return };
        if let Err(error) = notify(manager, state) {
            tracing::warn!("cannot tell the service manager: {error}");
        }
    }
}

/// Says to the log which secrets cannot be read by now; never more than their names.
fn note_secrets(names: &[String]) {
    match names {
        [] => tracing::info!("all secrets can be read again"),
        names => tracing::warn!("secrets that cannot be read: {}", words::list(names)),
    }
}

/// Whether it should be ready by now.
fn is_late(report: &Report) -> bool {
    Utc::now() - report.started > chrono::TimeDelta::seconds(10)
}

fn notify(manager: &str, state: &str) -> std::io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    match manager.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            socket.send_to_addr(state.as_bytes(), &address)
        }
        _ => socket.send_to(state.as_bytes(), manager),
    }
    .map(drop)
}

//! The schedules that files define, as they are now.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use aa_spec::diagnostic::Diagnostic;
use aa_spec::plan::digest;
use aa_spec::schedule::{Compiled, Trigger, Zone};
use chrono::TimeDelta;

use super::decide::lapse;
use crate::engine::stamps::Stamps;
use crate::store::Sighting;

/// All schedules of one folder's configuration and skills.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Those that can run, by key.
    pub known: BTreeMap<String, Arc<Known>>,
    /// Those that cannot.
    pub broken: Vec<Broken>,
}

/// A schedule that can run.
#[derive(Clone, Debug)]
pub struct Known {
    /// What the store knows it by: where it is defined and its name.
    pub key: String,
    /// The project that defines it; none for the user's own.
    pub project: Option<PathBuf>,
    /// File and line.
    pub place: String,
    /// What it says.
    pub compiled: Compiled,
}

/// A schedule that cannot run.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Its name.
    pub name: String,
    /// File and line.
    pub place: String,
    /// What is wrong.
    pub problems: Vec<Diagnostic>,
}

/// What tells whether the files of a book are still the same.
#[derive(Debug, Default, PartialEq)]
pub struct BookStamps {
    pub(crate) config: Stamps,
    pub(crate) skills: Stamps,
}

/// Why a project's schedule does not run yet.
const HELD: &str = "it is defined by a project, and nobody on this machine has let it run yet";

impl Known {
    /// A schedule under its key.
    pub fn new(compiled: Compiled, project: Option<PathBuf>, place: String) -> Self {
        let scope = project.as_ref().map(|folder| folder.display().to_string()).unwrap_or_default();
        Self { key: format!("{scope}\n{}", compiled.name), project, place, compiled }
    }

    /// What the store is told of it. Those of a project are held until somebody lets them run: whoever
    /// clones a project has not written them.
    pub fn sighting(&self) -> Sighting {
        let held = self.project.is_some().then(|| HELD.to_owned());
        // What was due while it was switched off is no concern of anybody.
        let trigger = format!("{} {}", self.trigger_text(), self.compiled.enabled);
        Sighting { key: self.key.clone(), trigger: digest(trigger), held }
    }

    /// What makes it due, in words.
    pub fn trigger_text(&self) -> String {
        let zone = &self.compiled.zone;
        match &self.compiled.trigger {
            Trigger::Cron(cron) => format!("cron `{}` in {zone}", cron.text()),
            Trigger::Every { every_ms, anchor }
                if *anchor == zone.first(chrono::NaiveDateTime::default()) =>
            {
                format!("every {}", every(*every_ms))
            }
            Trigger::Every { every_ms, anchor } => {
                format!("every {} from {}", every(*every_ms), zone.show(*anchor))
            }
            Trigger::At(moment) => format!("at {}", zone.show(*moment)),
            Trigger::Poll(poll) => format!("`{}` asked every {}", poll.tool, every(poll.every_ms)),
            Trigger::Webhook(_) => format!("POST /hooks/{}", self.compiled.name),
        }
    }

    /// The zone of its times.
    pub fn zone(&self) -> &Zone {
        &self.compiled.zone
    }
}

impl Book {
    /// The schedule of a name (`-` and `_` are the same letter); that of the project comes first.
    pub fn named(&self, name: &str) -> Option<&Arc<Known>> {
        let name = aa_spec::name::fold(name);
        let mut found: Vec<_> = self.known.values().filter(|known| known.compiled.name == name).collect();
        found.sort_by_key(|known| known.project.is_none());
        found.into_iter().next()
    }
}

fn every(ms: u64) -> String {
    if ms.is_multiple_of(1000) { lapse(super::decide::milliseconds(ms)) } else { format!("{ms}ms") }
}

/// The longest time that a loop sleeps: clocks may be set, and other processes may want something.
pub const NAP: TimeDelta = TimeDelta::seconds(1);

//! The schedules that files define, as they are now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use aa_spec::diagnostic::Diagnostic;
use aa_spec::plan::digest;
use aa_spec::schedule::{Compiled, Trigger, Zone};
use chrono::TimeDelta;

use super::decide::lapse;
use super::{Pause, Remembered};
use crate::engine::stamps::Stamps;
use crate::event::Time;
use crate::store::Sighting;

/// All schedules of one folder's configuration and skills.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Those that can run, by key.
    pub known: BTreeMap<Arc<str>, Arc<Known>>,
    /// Those that cannot.
    pub broken: Vec<Broken>,
    /// The projects that define any.
    projects: BTreeSet<Arc<Path>>,
}

/// A schedule that can run.
#[derive(Clone, Debug)]
pub struct Known {
    /// What the store knows it by: where it is defined and its name.
    pub key: Arc<str>,
    /// The project that defines it; none for the user's own.
    pub project: Option<Arc<Path>>,
    /// Where it is written.
    pub place: Place,
    /// What it says.
    pub compiled: Compiled,
}

/// A file and a line.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file, as people see it.
    pub path: Arc<str>,
    /// The line, from 1.
    pub line: u32,
}

/// A schedule that cannot run.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Its name.
    pub name: String,
    /// Where it is written.
    pub place: Place,
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
pub(crate) const HELD: &str = "it is defined by a project, and nobody on this machine has let it run yet";
/// Why it does not run any more.
pub(crate) const CHANGED: &str =
    "the project has changed it since somebody let it run; whoever resumes it lets it run as it is now";

impl Known {
    /// A schedule under its key.
    pub fn new(compiled: Compiled, project: Option<Arc<Path>>, place: Place) -> Self {
        let key = key(project.as_deref(), &compiled.name);
        Self { key, project, place, compiled }
    }

    /// What the store is told of it. Those of a project are held until somebody lets them run as they are: whoever
    /// clones a project, or has it brought up to date, has not written them.
    pub fn sighting(&self) -> Sighting {
        let consent = self.project.is_some().then(|| self.consent());
        // What was due while it was switched off is no concern of anybody.
        let trigger = format!("{} {}", self.trigger_text(), self.compiled.enabled);
        Sighting { key: Arc::clone(&self.key), trigger: digest(trigger), consent }
    }

    /// Hash of what somebody lets run: everything that decides what is run and when. Who is told of it, and what it is
    /// said to be for, may change.
    fn consent(&self) -> String {
        let compiled = Compiled {
            description: String::new(),
            notify: None,
            deadline_ms: None,
            enabled: true,
            // That of whoever looks is not the project's.
            zone: if self.compiled.names_zone { self.compiled.zone.clone() } else { Zone::UTC },
            ..self.compiled.clone()
        };
        digest(serde_json::to_string(&compiled).unwrap_or_default())
    }

    /// Whether it may be run as it is, also by hand: one of a project once somebody has said so. What was let run before
    /// that was written down is taken for what it is now.
    pub(crate) fn is_let_run(&self, remembered: Option<&Remembered>) -> bool {
        self.project.is_none()
            || remembered.is_some_and(|row| match &row.consent {
                Some(consent) => *consent == self.consent(),
                None => row.pause.is_none(),
            })
    }

    /// Why it is held, whoever has said so, by what is known of it.
    pub(crate) fn held(&self, remembered: Option<&Remembered>, now: Time) -> Option<Pause> {
        let consent = self.project.is_some().then(|| self.consent());
        let held = |why: &str| Some(Pause { at: now, by: String::new(), why: why.to_owned() });
        match (remembered, consent) {
            (None, Some(_)) => held(HELD),
            (Some(row), consent) if row.pause.is_some() || consent.is_none() => row.pause.clone(),
            // No scheduler has seen yet that it is another one.
            (Some(row), consent) if row.consent.is_some() && row.consent != consent => held(CHANGED),
            _ => None,
        }
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
    /// Takes a schedule in. The first of a name in a place holds.
    pub fn add(&mut self, known: Known) {
        self.projects.extend(known.project.clone());
        self.known.entry(Arc::clone(&known.key)).or_insert_with(|| Arc::new(known));
    }

    /// The schedule of a name (`-` and `_` are the same letter); that of the project comes first.
    pub fn named(&self, name: &str) -> Option<&Arc<Known>> {
        let name = aa_spec::name::fold(name);
        let scopes = self.projects.iter().map(|folder| Some(&**folder)).chain([None]);
        scopes.into_iter().find_map(|scope| self.known.get(&key(scope, &name)))
    }
}

/// Whether a schedule of this key would be in a book of this project: then it is no longer there when it is not. That of
/// another project may be there for others.
pub(crate) fn is_of_book(key: &str, project: Option<&Path>) -> bool {
    let scope = key.rsplit_once('\n').map_or("", |(scope, _)| scope);
    scope.is_empty() || project.is_some_and(|folder| folder.display().to_string() == scope)
}

/// Whether the folder of the project that a schedule is of is gone: no book will ever have it.
pub(crate) fn is_of_nobody(key: &str) -> bool {
    let scope = key.rsplit_once('\n').map_or("", |(scope, _)| scope);
    // What cannot be looked at may be there.
    !scope.is_empty() && matches!(Path::new(scope).try_exists(), Ok(false))
}

/// What the store knows a schedule by.
pub(crate) fn key(project: Option<&Path>, name: &str) -> Arc<str> {
    match project {
        Some(folder) => format!("{}\n{name}", folder.display()).into(),
        None => format!("\n{name}").into(),
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.path, self.line)
    }
}

fn every(ms: u64) -> String {
    if ms.is_multiple_of(1000) { lapse(super::decide::milliseconds(ms)) } else { format!("{ms}ms") }
}

/// The longest time that a loop sleeps: clocks may be set, and other processes may want something.
pub const NAP: TimeDelta = TimeDelta::seconds(1);

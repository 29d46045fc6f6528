//! Where a run stands, as its events tell it so far: what runs, what is done, what is asked.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::event::{Body, Event, StepError, StepPath, Time};
use crate::want::Want;

/// Where a run stands. Events are folded in one after the other.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Number of the next event.
    pub next: u64,
    /// When the last event was.
    pub at: Option<Time>,
    /// What was called or asked and is not over, with the last that it said.
    pub busy: BTreeMap<StepPath, String>,
    /// Steps of the skill itself that are over.
    pub done: BTreeSet<StepPath>,
    /// Open questions.
    pub questions: BTreeMap<StepPath, Asked>,
    /// Steps of which only a person can tell how they ended.
    pub unknown: BTreeSet<StepPath>,
    /// The event since which that is so of the last of them, for as long as it is of any.
    pub(crate) doubt: Option<(u64, Time)>,
    /// Whether any step has started yet.
    pub begun: bool,
    /// Whether it is over.
    pub over: bool,
    /// How often each step has asked.
    asked: BTreeMap<StepPath, u32>,
}

/// A question that is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Which step asks.
    pub step: StepPath,
    /// Tells this question from earlier ones of the run: the step's path, and a number from the second on.
    pub key: String,
    /// What is asked.
    pub message: String,
    /// Possible answers.
    pub options: Vec<String>,
    /// JSON Schema of the form that is to be filled in instead.
    pub form: Option<Value>,
    /// The answer when nobody answers in time.
    pub default: Option<String>,
    /// When that is.
    pub until: Option<Time>,
    /// What only the AI client that has started the run can give.
    pub want: Option<Want>,
    /// Number of the event that put it.
    pub seq: u64,
}

impl Standing {
    /// Where a run stands after these events.
    pub fn of(events: &[Event]) -> Self {
        let mut standing = Self::default();
        for event in events {
            standing.apply(event);
        }
        standing
    }

    /// Folds one more event in; one that has been folded in before changes nothing.
    pub fn apply(&mut self, event: &Event) {
        if event.seq < self.next {
            return;
        }
        self.next = event.seq + 1;
        self.at = Some(event.at);
        match &event.body {
            Body::StepStarted { step, kind, .. } => {
                self.begun = true;
                self.leave(step);
                if kind != "foreach" && kind != "skill" {
                    self.busy.insert(step.clone(), String::new());
                }
            }
            Body::StepProgress { step, message, .. } => self.say(step, message),
            Body::StepRetrying { step, error, .. } => {
                self.leave(step);
                self.busy.insert(step.clone(), retrying(error));
            }
            Body::ConfirmRequested { step, message, options, form, default, until, want } => {
                let number = self.asked.entry(step.clone()).or_default();
                *number += 1;
                let key = if *number == 1 { step.to_string() } else { format!("{step}#{number}") };
                let asked = Asked {
                    step: step.clone(),
                    key,
                    message: message.clone(),
                    options: options.clone(),
                    form: form.clone(),
                    default: default.clone(),
                    until: *until,
                    want: want.clone(),
                    seq: event.seq,
                };
                self.questions.insert(step.clone(), asked);
            }
            Body::ConfirmAnswered { step, .. } => {
                self.questions.remove(step);
            }
            Body::StepCompleted { step, .. }
            | Body::StepFailed { step, .. }
            | Body::StepSkipped { step, .. } => {
                self.leave(step);
                if !step.0.contains(['/', '[', '#']) {
                    self.done.insert(step.clone());
                }
            }
            Body::StepResolved { step, .. } => {
                self.unknown.remove(step);
                self.leave(&step.inquiry());
            }
            Body::RunResumed { unknown, .. } => {
                for step in unknown {
                    // Each takeover says it once more.
                    let is_new = !self.unknown.contains(step);
                    self.leave(step);
                    self.unknown.insert(step.clone());
                    if is_new {
                        self.doubt = Some((event.seq, event.at));
                    }
                }
            }
            Body::SkillCompleted { .. } | Body::SkillFailed { .. } | Body::SkillCancelled { .. } => {
                self.end();
            }
            Body::SkillStarted { .. }
            | Body::HealStarted { .. }
            | Body::HealFinished { .. }
            | Body::CancelRequested { .. }
            | Body::UndoStarted { .. }
            | Body::UndoFinished { .. }
            | Body::WorkspaceUpdated { .. } => {}
        }
    }

    /// A line that a step has said.
    pub fn say(&mut self, step: &StepPath, line: &str) {
        if let Some(said) = self.busy.get_mut(step) {
            line.clone_into(said);
        }
    }

    /// The open question of a key.
    pub fn question(&self, key: &str) -> Option<&Asked> {
        self.questions.values().find(|asked| asked.key == key)
    }

    /// Whether nobody but a person who knows how a step ended can move it on.
    pub fn needs_resolving(&self) -> bool {
        !self.unknown.is_empty() && self.questions.is_empty() && self.busy.is_empty()
    }

    /// In a line: the steps that run, and what they say.
    pub fn line(&self) -> String {
        if let Some(asked) = self.questions.values().next() {
            return format!("waiting for a person at `{}`", asked.step);
        }
        if let Some(step) = self.unknown.iter().next() {
            return format!("waiting for a person to say how `{step}` ended");
        }
        if !self.begun && !self.over {
            return "waiting for its turn".to_owned();
        }
        let told = |(step, said): (&StepPath, &String)| {
            if said.is_empty() { step.to_string() } else { format!("{step}: {said}") }
        };
        let mut lines: Vec<String> = self.busy.iter().take(3).map(told).collect();
        if self.busy.len() > 3 {
            lines.push(format!("and {} more", self.busy.len() - 3));
        }
        lines.join("; ")
    }

    /// Whether nothing happens until somebody says something: neither a call is under way, nor does
    /// time answer a question.
    pub fn only_waits(&self) -> bool {
        let asks = !self.questions.is_empty() || !self.unknown.is_empty();
        asks && self.busy.keys().all(|step| self.questions.contains_key(step))
            && self.questions.values().all(|asked| asked.until.is_none())
    }

    fn leave(&mut self, step: &StepPath) {
        self.busy.remove(step);
        self.unknown.remove(step);
        self.questions.remove(step);
    }

    fn end(&mut self) {
        self.over = true;
        self.busy.clear();
        self.questions.clear();
        self.unknown.clear();
    }
}

/// The step that a question's key is about.
pub fn step_of(key: &str) -> StepPath {
    let numbered = key.rsplit_once('#').filter(|(_, number)| number.parse::<u32>().is_ok());
    StepPath(numbered.map_or(key, |(step, _)| step).to_owned())
}

fn retrying(error: &StepError) -> String {
    format!("again, after: {}", error.message.lines().next().unwrap_or_default())
}

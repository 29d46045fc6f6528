//! How a run goes, step by step: a fold over its events that lists, pages and comparisons show.
//!
//! Small whatever the run has handled: arguments and results, which may be large, are read for one
//! step at a time ([`detail`]). [`compare`] holds two courses against each other, [`log`] is what was
//! said on the way.

mod compare;
mod detail;
mod fold;
pub(crate) mod log;

use aa_spec::graph::{Marks, StepMark};
use aa_spec::plan::Plan;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

pub use self::compare::{Comparison, Pair, StepEnd, StepPair, ValueChange};
pub use self::detail::StepDetail;
pub use self::log::{Level, LogLine};
use crate::event::{Event, StepError, StepPath, Time};
use crate::machine::APPROVAL;
use crate::store::RunSummary;

/// How a run goes, or went.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Course {
    /// The run in a list.
    pub run: RunSummary,
    /// What it was started with.
    pub inputs: Map<String, Value>,
    /// Reads run; writes, and what reads their results, are answered from the plan.
    pub dry_run: bool,
    /// What it gave; null while it has given nothing.
    pub outputs: Option<Map<String, Value>>,
    /// Why it failed; null when it has not.
    pub error: Option<StepError>,
    /// The step that brought it down.
    pub failed_step: Option<StepPath>,
    /// What it took, in milliseconds; null while it goes on.
    pub duration_ms: Option<u64>,
    /// Who asked for its end, and why.
    pub cancel: Option<Cancel>,
    /// The steps: those of the skill in its order, each with its parts after it.
    pub steps: Vec<StepCourse>,
    /// Number of the next event.
    pub next_seq: u64,
}

/// Who asked for a run's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cancel {
    /// Who.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
}

/// How a step goes, or went.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StepCourse {
    /// Which.
    pub path: StepPath,
    /// The step or item that it is part of.
    pub parent: Option<StepPath>,
    /// `tool`, `skill`, `compute`, `confirm`, `wait`, `then`, `foreach`, `undo`, `reconcile`; empty before it
    /// has started.
    pub kind: String,
    /// The tool or skill.
    pub target: Option<String>,
    /// How it stands.
    pub state: StepState,
    /// When its first attempt started.
    pub started_at: Option<Time>,
    /// When it was over.
    pub ended_at: Option<Time>,
    /// What it took, in milliseconds, once it is over.
    pub duration_ms: Option<u64>,
    /// Its attempts, the first one first.
    pub attempts: Vec<Attempt>,
    /// Why it failed; null when it has not.
    pub error: Option<StepError>,
    /// It failed, and the run goes on all the same.
    pub continued: bool,
    /// Why it was skipped; empty when it was not.
    pub reason: String,
    /// What it asks; null when nothing is open.
    pub question: Option<Question>,
    /// How its question was answered.
    pub answer: Option<Answered>,
    /// Number of items of a foreach step.
    pub items: Option<u64>,
    /// The last that it said.
    pub line: String,
    /// Mistakes that it was warned of before it started.
    pub warnings: Vec<String>,
    /// What was tried to mend it.
    pub heals: Vec<Healing>,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It has not started.
    Pending,
    /// It goes on.
    Running,
    /// It failed and is tried again.
    Retrying,
    /// It waits for a time.
    Waiting,
    /// It asks a person.
    Asking,
    /// Its process died; only a person can say how it ended.
    Unknown,
    /// It has its result.
    Completed,
    /// It failed for good.
    Failed,
    /// It did not run.
    Skipped,
}

/// One attempt at a step.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it started.
    pub started_at: Time,
    /// When it was over.
    pub ended_at: Option<Time>,
    /// Why it failed; null when it has not.
    pub error: Option<StepError>,
}

/// A question that is open.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Question {
    /// By which it is answered: the run's number and that of the event that put it.
    pub id: String,
    /// Number of the event that put it.
    pub seq: u64,
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
    /// Since when it is open.
    pub asked_at: Time,
}

/// How a question was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Answered {
    /// One of the options, or the values of a form as JSON.
    pub answer: String,
    /// Who answered; `timeout` for the default.
    pub by: String,
    /// When.
    pub at: Time,
}

/// What was tried to mend a step.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Healing {
    /// By which rule.
    pub rule: String,
    /// Which healing of the step, from 1.
    pub number: u32,
    /// The tool or skill that was called.
    pub target: Option<String>,
    /// When.
    pub started_at: Time,
    /// When it was over.
    pub ended_at: Option<Time>,
    /// Whether its call worked; null while it is not over.
    pub healed: Option<bool>,
    /// Why the call was not made; empty when it was.
    pub note: String,
}

impl Course {
    /// How a run goes that has come so far.
    pub fn of(run: RunSummary, plan: &Plan, events: &[Event]) -> Self {
        let mut fold = fold::Fold::new(run);
        for event in events {
            fold.apply(event);
        }
        fold.finish(plan)
    }

    /// A step by its path.
    pub fn step(&self, path: &StepPath) -> Option<&StepCourse> {
        self.steps.iter().find(|step| step.path == *path)
    }

    /// The steps of the skill itself, as a picture has them: without what asks whether the run may begin, and
    /// without what takes steps back.
    pub fn top(&self) -> impl Iterator<Item = &StepCourse> {
        let is_own = |step: &&StepCourse| step.path.0 != APPROVAL && !step.path.0.contains('#');
        self.steps.iter().filter(|step| step.parent.is_none()).filter(is_own)
    }

    /// How the steps of the skill itself stand, for a picture of them.
    pub fn marks(&self) -> Marks {
        self.top().filter_map(|step| Some((step.path.0.clone(), step.state.mark()?))).collect()
    }

    /// The questions that are open, with the steps that ask.
    pub fn questions(&self) -> impl Iterator<Item = (&StepPath, &Question)> {
        self.steps.iter().filter_map(|step| Some((&step.path, step.question.as_ref()?)))
    }

    /// The steps of which only a person can say how they ended.
    pub fn doubts(&self) -> impl Iterator<Item = &StepCourse> {
        self.steps.iter().filter(|step| step.state == StepState::Unknown && self.run.ended_at.is_none())
    }

    /// Whether a person has to answer or to resolve something.
    pub fn waits_for_person(&self) -> bool {
        self.questions().next().is_some() || self.doubts().next().is_some()
    }
}

impl StepState {
    /// How it is shown in a picture.
    fn mark(self) -> Option<StepMark> {
        match self {
            Self::Pending => None,
            Self::Running | Self::Retrying | Self::Waiting => Some(StepMark::Running),
            Self::Asking | Self::Unknown => Some(StepMark::Asking),
            Self::Completed => Some(StepMark::Completed),
            Self::Failed => Some(StepMark::Failed),
            Self::Skipped => Some(StepMark::Skipped),
        }
    }

    /// Whether nothing happens to it any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Skipped)
    }
}

/// The path of what a step is part of: `fan[3]/x` is in `fan[3]`, `fan[3]` in `fan`.
///
/// Taking a step back comes after everything else, and stands alone. What a heal rule calls is a part of
/// the step that it mends.
pub fn parent(path: &str) -> Option<&str> {
    let healing = path.rfind("#heal/").map(|at| (&path[..at], &path[at + "#heal/".len()..]));
    if healing.map_or(path, |(_, call)| call).contains('#') {
        return None;
    }
    if let Some((step, _)) = healing.filter(|(_, call)| !call.contains(['/', '['])) {
        return Some(step);
    }
    let last = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[last..].find('[') {
        Some(bracket) => Some(&path[..last + bracket]),
        None => path[..last].strip_suffix('/'),
    }
}

#[cfg(test)]
mod tests;

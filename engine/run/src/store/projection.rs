//! What the list of runs says of a run, derived from its events and nothing else.

use std::collections::BTreeSet;

use super::RunStatus;
use crate::event::{Body, StepPath, Time};

/// A run's events added up, as far as a list needs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Projection {
    /// Number of events so far, which is the next `seq`.
    pub(super) events: u64,
    /// How and when it ended, if it has.
    end: Option<(RunStatus, Time)>,
    /// It was asked whether the run may begin at all.
    gated: bool,
    /// A run that was over is being taken back.
    undoing: bool,
    /// Steps that go on by themselves.
    busy: BTreeSet<StepPath>,
    /// Steps that need a person: an open question or an unknown outcome.
    open: BTreeSet<StepPath>,
    /// Why it failed, in one line; empty when it did not.
    error: String,
    /// Steps that could not be taken back.
    left: BTreeSet<StepPath>,
}

impl Projection {
    /// Takes one more event into account.
    pub(super) fn fold(&mut self, at: Time, body: &Body) {
        self.events += 1;
        match body {
            // A step that holds others is not itself at work.
            Body::StepStarted { kind, .. } if kind == "foreach" || kind == "skill" => {}
            // Nothing has begun that could be at work after the answer.
            Body::ConfirmAnswered { step, .. } if self.gated => {
                self.gated = false;
                self.open.remove(step);
            }
            Body::StepStarted { step, .. } | Body::ConfirmAnswered { step, .. } => {
                self.open.remove(step);
                self.busy.insert(step.clone());
            }
            Body::ConfirmRequested { step, .. } => {
                self.gated = self.events == 2;
                self.needs_person(step);
            }
            Body::RunResumed { unknown, .. } => unknown.iter().for_each(|step| self.needs_person(step)),
            Body::StepResolved { step, .. } => {
                self.open.remove(step);
                self.busy.remove(step);
                self.busy.remove(&step.inquiry());
            }
            Body::StepCompleted { step, .. }
            | Body::StepFailed { step, .. }
            | Body::StepSkipped { step, .. } => {
                self.open.remove(step);
                self.busy.remove(step);
            }
            Body::UndoStarted { step: None, .. } if self.end.is_some() => {
                self.undoing = true;
                self.left.clear();
            }
            Body::UndoFinished { step, failed } => {
                self.undoing &= step.is_some();
                self.left.extend(failed.iter().cloned());
            }
            Body::SkillCompleted { .. } => self.end(RunStatus::Completed, at, ""),
            Body::SkillFailed { error, .. } => self.end(RunStatus::Failed, at, &error.message),
            Body::SkillCancelled { .. } => self.end(RunStatus::Cancelled, at, ""),
            Body::SkillStarted { .. }
            | Body::StepProgress { .. }
            | Body::StepRetrying { .. }
            | Body::HealStarted { .. }
            | Body::HealFinished { .. }
            | Body::CancelRequested { .. }
            | Body::UndoStarted { .. }
            | Body::WorkspaceUpdated { .. } => {}
        }
    }

    pub(super) fn status(&self) -> RunStatus {
        match self.end {
            Some((status, _)) if !self.undoing => status,
            _ if !self.open.is_empty() && self.busy.iter().all(|step| self.is_held_up(step)) => {
                RunStatus::Waiting
            }
            _ => RunStatus::Running,
        }
    }

    /// Whether a step goes on only after a part of it that needs a person: a block after
    /// its call.
    fn is_held_up(&self, step: &StepPath) -> bool {
        let part =
            |open: &StepPath| open.0.strip_prefix(&step.0).is_some_and(|rest| rest.starts_with(['/', '#']));
        self.open.iter().any(part)
    }

    /// One line on what went wrong; empty when all is well.
    pub(super) fn error(&self) -> String {
        let left: Vec<&str> = self.left.iter().map(|step| step.0.as_str()).collect();
        let left = match &left[..] {
            [] => String::new(),
            left => format!("could not be taken back: {} failed", left.join(", ")),
        };
        let parts = [self.error.as_str(), &left];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
    }

    /// When it ended; none while it goes on.
    pub(super) fn ended_at(&self) -> Option<Time> {
        self.end.filter(|_| !self.undoing).map(|(_, at)| at)
    }

    fn needs_person(&mut self, step: &StepPath) {
        self.busy.remove(step);
        self.open.insert(step.clone());
    }

    fn end(&mut self, status: RunStatus, at: Time, error: &str) {
        self.end = Some((status, at));
        error.lines().next().unwrap_or("").clone_into(&mut self.error);
        self.busy.clear();
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use aa_spec::tool::ErrorKind;
    use serde_json::{Map, Value};

    use super::*;
    use crate::event::{Resolution, StepError};

    fn step(name: &str) -> StepPath {
        StepPath(name.to_owned())
    }

    fn started(name: &str, kind: &str) -> Body {
        Body::StepStarted {
            step: step(name),
            attempt: 1,
            kind: kind.to_owned(),
            target: None,
            args: None,
            until: None,
            items: None,
        }
    }

    fn completed(name: &str) -> Body {
        Body::StepCompleted { step: step(name), output: Value::Null, duration_ms: 1, reads: Vec::new() }
    }

    fn asked(name: &str) -> Body {
        Body::ConfirmRequested {
            step: step(name),
            message: String::new(),
            options: vec!["yes".to_owned()],
            form: None,
            default: None,
            until: None,
            want: None,
        }
    }

    fn failed() -> Body {
        let error = StepError::new(ErrorKind::Permanent, "it broke\nbadly");
        Body::SkillFailed { error, step: None, duration_ms: 1 }
    }

    fn after(bodies: &[Body]) -> Projection {
        let mut projection = Projection::default();
        for body in bodies {
            projection.fold(Time::UNIX_EPOCH, body);
        }
        projection
    }

    #[test]
    fn a_question_waits_once_nothing_else_is_at_work() {
        let mut bodies =
            vec![started("fan", "foreach"), started("fan[0]", "tool"), started("ask", "confirm")];
        bodies.push(asked("ask"));
        assert_eq!(after(&bodies).status(), RunStatus::Running);
        bodies.push(completed("fan[0]"));
        assert_eq!(after(&bodies).status(), RunStatus::Waiting);
        let by = "ann".to_owned();
        bodies.push(Body::ConfirmAnswered { step: step("ask"), answer: "yes".to_owned(), by });
        assert_eq!(after(&bodies).status(), RunStatus::Running);
    }

    #[test]
    fn a_block_is_not_at_work_while_its_call_needs_a_person() {
        let mut bodies = vec![started("calc", "compute"), started("calc/1_put", "tool")];
        assert_eq!(after(&bodies).status(), RunStatus::Running);
        bodies.push(Body::RunResumed {
            unknown: vec![step("calc/1_put")],
            ended: Vec::new(),
            changed: Vec::new(),
        });
        assert_eq!(after(&bodies).status(), RunStatus::Waiting);
        bodies.push(started("calcium", "compute"));
        assert_eq!(after(&bodies).status(), RunStatus::Running);
    }

    #[test]
    fn an_unknown_outcome_waits_until_resolved_or_run_again() {
        let mut bodies = vec![
            started("a", "tool"),
            Body::RunResumed { unknown: vec![step("a")], ended: Vec::new(), changed: Vec::new() },
        ];
        assert_eq!(after(&bodies).status(), RunStatus::Waiting);
        bodies.push(started("a", "tool"));
        assert_eq!(after(&bodies).status(), RunStatus::Running);
        bodies.push(Body::RunResumed { unknown: vec![step("a")], ended: Vec::new(), changed: Vec::new() });
        bodies.push(Body::StepResolved {
            step: step("a"),
            resolution: Resolution::Fail,
            by: "ann".to_owned(),
        });
        assert_eq!(after(&bodies).status(), RunStatus::Running);
    }

    #[test]
    fn the_end_shows_with_one_line_of_why() {
        let projection = after(&[started("a", "tool"), failed()]);
        assert_eq!((projection.status(), projection.error()), (RunStatus::Failed, "it broke".to_owned()));
        assert_eq!(projection.ended_at(), Some(Time::UNIX_EPOCH));
        let projection = after(&[Body::SkillCompleted { outputs: Map::new(), duration_ms: 1 }]);
        assert_eq!((projection.status(), projection.error()), (RunStatus::Completed, String::new()));
    }

    #[test]
    fn what_could_not_be_taken_back_is_told_until_it_is() {
        let undo = || Body::UndoStarted { by: "ann".to_owned(), step: None, error: None };
        let undone = |failed: &[&str]| Body::UndoFinished {
            step: None,
            failed: failed.iter().map(|name| step(name)).collect(),
        };
        let mut bodies = vec![failed(), undo(), undone(&["a", "b"])];
        assert_eq!(after(&bodies).error(), "it broke; could not be taken back: a, b failed");
        bodies.push(undo());
        assert_eq!(after(&bodies).error(), "it broke");
        bodies.push(undone(&[]));
        assert_eq!(after(&bodies).error(), "it broke");
        // A run that takes back by itself does so before it ends.
        let before = after(&[undo(), undone(&["a"]), failed()]);
        assert_eq!(before.error(), "it broke; could not be taken back: a failed");
    }

    #[test]
    fn taking_back_a_run_that_was_over_opens_it_until_done() {
        let mut bodies = vec![failed(), Body::UndoStarted { by: "ann".to_owned(), step: None, error: None }];
        assert_eq!((after(&bodies).status(), after(&bodies).ended_at()), (RunStatus::Running, None));
        bodies.push(Body::UndoFinished { step: None, failed: Vec::new() });
        assert_eq!(after(&bodies).status(), RunStatus::Failed);
        // Within a run that is still going on it changes nothing.
        let inside = after(&bodies[1..]);
        assert_eq!((inside.status(), inside.ended_at()), (RunStatus::Running, None));
    }
}

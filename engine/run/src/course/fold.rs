//! Events added up to a course.

use std::collections::HashMap;

use aa_spec::plan::Plan;
use serde_json::Map;

use super::{Answered, Attempt, Cancel, Course, Healing, Question, StepCourse, StepState, parent};
use crate::event::{Body, Event, StepError, StepPath, Time};
use crate::feed::question_id;
use crate::store::RunSummary;

/// A course so far, with its steps in the order in which they were heard of.
pub(super) struct Fold {
    course: Course,
    by_path: HashMap<StepPath, usize>,
}

impl Fold {
    pub(super) fn new(run: RunSummary) -> Self {
        let course = Course {
            run,
            inputs: Map::new(),
            dry_run: false,
            outputs: None,
            error: None,
            failed_step: None,
            duration_ms: None,
            cancel: None,
            steps: Vec::new(),
            next_seq: 0,
        };
        Self { course, by_path: HashMap::new() }
    }

    /// Folds one event in.
    pub(super) fn apply(&mut self, event: &Event) {
        self.course.next_seq = event.seq + 1;
        if event.body.step().is_some() {
            self.step(event);
        } else {
            self.run(event);
        }
    }

    /// The course, with the steps that have not begun.
    pub(super) fn finish(mut self, plan: &Plan) -> Course {
        let order: HashMap<&str, usize> =
            plan.skill.steps.iter().enumerate().map(|(at, step)| (step.name.as_str(), at)).collect();
        for step in &plan.skill.steps {
            let path = StepPath(step.name.clone());
            if !self.by_path.contains_key(&path) {
                self.touch(&path);
            }
        }
        // What was asked before anything began comes first, taking back last.
        let place = |step: &StepCourse| {
            let top = step.path.0.split(['/', '[', '#']).next().unwrap_or_default();
            let is_undo = step.path.0.contains("#undo");
            (is_undo, order.get(top).map_or(0, |at| at + 1))
        };
        self.course.steps.sort_by_key(place);
        self.course
    }

    fn run(&mut self, event: &Event) {
        let course = &mut self.course;
        match &event.body {
            Body::SkillStarted { inputs, dry_run, .. } => {
                course.inputs.clone_from(inputs);
                course.dry_run = *dry_run;
            }
            Body::CancelRequested { by, reason } => {
                course.cancel = Some(Cancel { by: by.clone(), reason: reason.clone() });
            }
            Body::RunResumed { unknown, .. } => {
                for path in unknown {
                    self.touch(path).state = StepState::Unknown;
                }
            }
            Body::SkillCompleted { outputs, duration_ms } => {
                course.outputs = Some(outputs.clone());
                course.duration_ms = Some(*duration_ms);
            }
            Body::SkillFailed { error, step, duration_ms } => {
                course.error = Some(error.clone());
                course.failed_step.clone_from(step);
                course.duration_ms = Some(*duration_ms);
                self.close_questions();
            }
            Body::SkillCancelled { duration_ms } => {
                course.duration_ms = Some(*duration_ms);
                self.close_questions();
            }
            _ => {}
        }
    }

    fn step(&mut self, event: &Event) {
        let Some(path) = event.body.step() else { return };
        let (at, seq, run) = (event.at, event.seq, event.run_id);
        let step = self.touch(path);
        match &event.body {
            Body::StepStarted { attempt, kind, target, until, items, .. } => {
                step.kind.clone_from(kind);
                step.target.clone_from(target);
                step.items = items.or(step.items);
                step.started_at.get_or_insert(at);
                step.attempts.push(Attempt { number: *attempt, started_at: at, ended_at: None, error: None });
                let waits = until.is_some() && kind == "wait";
                step.state = if waits { StepState::Waiting } else { StepState::Running };
            }
            Body::StepProgress { message, mistake, .. } => {
                message.trim().clone_into(&mut step.line);
                if mistake.is_some() {
                    step.warnings.push(message.clone());
                }
            }
            Body::StepRetrying { error, .. } => {
                end_attempt(step, at, Some(error));
                step.state = StepState::Retrying;
            }
            Body::HealStarted { rule, number, error, target, .. } => {
                end_attempt(step, at, error.as_ref());
                let (rule, target) = (rule.clone(), target.clone());
                let (started_at, note) = (at, String::new());
                let healing =
                    Healing { rule, number: *number, target, started_at, ended_at: None, healed: None, note };
                step.heals.push(healing);
            }
            Body::HealFinished { rule, healed, note, .. } => {
                let open =
                    step.heals.iter_mut().rev().find(|heal| heal.rule == *rule && heal.healed.is_none());
                if let Some(open) = open {
                    (open.ended_at, open.healed) = (Some(at), Some(*healed));
                    open.note.clone_from(note);
                }
            }
            Body::ConfirmRequested { message, options, form, default, until, .. } => {
                step.started_at.get_or_insert(at);
                step.state = StepState::Asking;
                step.question = Some(Question {
                    id: question_id(run, seq),
                    seq,
                    message: message.clone(),
                    options: options.clone(),
                    form: form.clone(),
                    default: default.clone(),
                    until: *until,
                    asked_at: at,
                });
            }
            Body::ConfirmAnswered { answer, by, .. } => {
                step.question = None;
                step.answer = Some(Answered { answer: answer.clone(), by: by.clone(), at });
                // Whether the run may begin is no step of it: the answer is its end.
                let is_step = !step.kind.is_empty();
                step.state = if is_step { StepState::Running } else { StepState::Completed };
                step.ended_at = (!is_step).then_some(at);
            }
            Body::StepResolved { resolution, .. } => {
                step.state = StepState::Running;
                if let Some(ended) = resolution.end(path) {
                    let state = if ended.is_ok() { StepState::Completed } else { StepState::Failed };
                    step.error = ended.err();
                    end_attempt(step, at, step.error.clone().as_ref());
                    end(step, at, state, since(step.started_at, at));
                }
                self.end_inquiry(path, at);
            }
            Body::StepCompleted { duration_ms, .. } => {
                end_attempt(step, at, None);
                end(step, at, StepState::Completed, *duration_ms);
            }
            Body::StepFailed { error, continued, duration_ms, .. } => {
                end_attempt(step, at, Some(error));
                end(step, at, StepState::Failed, *duration_ms);
                (step.error, step.continued) = (Some(error.clone()), *continued);
            }
            Body::StepSkipped { reason, .. } => {
                end(step, at, StepState::Skipped, 0);
                step.reason.clone_from(reason);
            }
            _ => {}
        }
    }

    /// What asked how a step had ended is over with the answer: it has no end of its own.
    fn end_inquiry(&mut self, path: &StepPath, at: Time) {
        let Some(&found) = self.by_path.get(&path.inquiry()) else { return };
        let inquiry = &mut self.course.steps[found];
        if inquiry.ended_at.is_none() {
            let begun = inquiry.attempts.last().map(|attempt| attempt.started_at);
            end_attempt(inquiry, at, None);
            end(inquiry, at, StepState::Completed, since(begun, at));
        }
    }

    fn close_questions(&mut self) {
        self.course.steps.iter_mut().for_each(|step| step.question = None);
    }

    /// The step of a path, made (with those above it) when it is new.
    fn touch(&mut self, path: &StepPath) -> &mut StepCourse {
        let at = match self.by_path.get(path) {
            Some(&at) => at,
            None => self.insert(path),
        };
        &mut self.course.steps[at]
    }

    fn insert(&mut self, path: &StepPath) -> usize {
        let above = parent(&path.0).map(|above| StepPath(above.to_owned()));
        if let Some(above) = &above {
            self.touch(above);
        }
        let at = self.course.steps.len();
        self.by_path.insert(path.clone(), at);
        self.course.steps.push(unheard(path.clone(), above));
        at
    }
}

fn unheard(path: StepPath, parent: Option<StepPath>) -> StepCourse {
    StepCourse {
        path,
        parent,
        kind: String::new(),
        target: None,
        state: StepState::Pending,
        started_at: None,
        ended_at: None,
        duration_ms: None,
        attempts: Vec::new(),
        error: None,
        continued: false,
        reason: String::new(),
        question: None,
        answer: None,
        items: None,
        line: String::new(),
        warnings: Vec::new(),
        heals: Vec::new(),
    }
}

/// Milliseconds since something began.
fn since(begun: Option<Time>, at: Time) -> u64 {
    begun.map_or(0, |begun| u64::try_from((at - begun).num_milliseconds()).unwrap_or_default())
}

fn end_attempt(step: &mut StepCourse, at: Time, error: Option<&StepError>) {
    if let Some(attempt) = step.attempts.last_mut().filter(|attempt| attempt.ended_at.is_none()) {
        attempt.ended_at = Some(at);
        attempt.error = error.cloned();
    }
}

fn end(step: &mut StepCourse, at: Time, state: StepState, duration_ms: u64) {
    step.state = state;
    step.ended_at = Some(at);
    step.duration_ms = Some(duration_ms);
    step.question = None;
}

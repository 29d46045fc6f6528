//! Which step it was that brought a run down, or that it waits for.

use std::collections::BTreeMap;

use aa_spec::plan::{Action, Plan, SkillPlan, StepPlan};
use serde_json::{Map, Value};

use super::{HealReport, MOST, StepReport, origin};
use crate::event::{Body, Event, StepError, StepPath};
use crate::store::{History, RunStatus};

/// A step, and why it failed if it has.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) step: StepPath,
    pub(super) error: Option<StepError>,
}

/// Where a step is written: the step, its skill, and the step that runs that skill.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) skill: &'a SkillPlan,
    pub(super) step: &'a StepPlan,
    pub(super) outer: Option<&'a Written<'a>>,
}

/// The step to look at.
pub(super) fn find(history: &History) -> Option<Failure> {
    let failures = failures(&history.events);
    match history.run.status {
        RunStatus::Failed => {
            let (error, step) = ending(&history.events)?;
            let step = step?;
            Some(innermost(Failure { step, error: Some(error) }, &failures))
        }
        RunStatus::Running | RunStatus::Waiting => open(&history.events),
        RunStatus::Cancelled => None,
        RunStatus::Completed => {
            let (step, error) = failures.last()?;
            Some(Failure { step: (*step).clone(), error: Some((*error).clone()) })
        }
    }
}

/// Steps that failed for good, in order; not those that take back or mend.
fn failures(events: &[Event]) -> Vec<(&StepPath, &StepError)> {
    let failed = events.iter().filter_map(|event| match &event.body {
        Body::StepFailed { step, error, .. } if !step.0.contains('#') => Some((step, error)),
        _ => None,
    });
    failed.collect()
}

/// How a step fared in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fared {
    /// It, or the step of the run that it is within, completed, and it never failed for good.
    Well,
    /// It was skipped, or the skill did not have it.
    NotAtAll,
    /// It failed, or it was not yet through.
    Badly,
}

/// How a step fared.
pub(super) fn fared(events: &[Event], step: &StepPath) -> Fared {
    if failures(events).iter().any(|(failed, _)| *failed == step) {
        return Fared::Badly;
    }
    let outermost = step.0.split(['/', '[', '#']).next().unwrap_or_default();
    let of_it = events.iter().filter(|event| event.body.step().is_some_and(|step| step.0 == outermost));
    let mut fared = Fared::NotAtAll;
    for event in of_it {
        match &event.body {
            Body::StepCompleted { .. } => return Fared::Well,
            Body::StepSkipped { .. } => {}
            _ => fared = Fared::Badly,
        }
    }
    fared
}

fn ending(events: &[Event]) -> Option<(StepError, Option<StepPath>)> {
    events.iter().rev().find_map(|event| match &event.body {
        Body::SkillFailed { error, step, .. } => Some((error.clone(), step.clone())),
        _ => None,
    })
}

/// Follows a failure inwards: to the item, the step of a sub-skill or the call of a block that it
/// came from. A block may have caught the failure of a call, so what it says must be the same.
fn innermost(failure: Failure, failures: &[(&StepPath, &StepError)]) -> Failure {
    let within = failures.iter().rev().filter(|(path, _)| is_within(path, &failure.step));
    let same =
        |error: &StepError| failure.error.as_ref().is_none_or(|outer| outer.message.contains(&error.message));
    let mut same: Vec<_> = within.filter(|(_, error)| same(error)).collect();
    same.sort_by_key(|(path, _)| std::cmp::Reverse(path.0.len()));
    match same.first() {
        Some((step, error)) => Failure { step: (*step).clone(), error: Some((*error).clone()) },
        None => failure,
    }
}

fn is_within(path: &StepPath, outer: &StepPath) -> bool {
    path.0.strip_prefix(&outer.0).is_some_and(|rest| rest.starts_with(['/', '[']))
}

/// The innermost step that has begun and not ended, a question before all others.
fn open(events: &[Event]) -> Option<Failure> {
    let mut open = BTreeMap::<&StepPath, (bool, u64)>::new();
    for event in events {
        match &event.body {
            Body::StepStarted { step, .. } | Body::ConfirmAnswered { step, .. } => {
                open.insert(step, (false, event.seq));
            }
            Body::ConfirmRequested { step, .. } => {
                open.insert(step, (true, event.seq));
            }
            Body::StepCompleted { step, .. }
            | Body::StepFailed { step, .. }
            | Body::StepSkipped { step, .. } => {
                open.remove(step);
            }
            _ => {}
        }
    }
    let last = open.into_iter().max_by_key(|(_, rank)| *rank);
    last.map(|(step, _)| Failure { step: step.clone(), error: None })
}

/// Everything about the step.
pub(super) fn report(history: &History, failure: &Failure) -> StepReport {
    let of_step = || history.events.iter().filter(|event| event.body.step() == Some(&failure.step));
    let mut report = StepReport {
        path: failure.step.clone(),
        kind: String::new(),
        target: None,
        written: String::new(),
        error: failure.error.clone(),
        attempts: 0,
        args: Vec::new(),
        heals: heals(of_step().map(|event| &event.body)),
    };
    let mut given = Map::new();
    for event in of_step() {
        if let Body::StepStarted { attempt, kind, target, args, .. } = &event.body {
            report.attempts = *attempt;
            report.kind.clone_from(kind);
            report.target.clone_from(target);
            if let Some(Value::Object(args)) = args {
                given.clone_from(args);
            }
        }
    }
    with_written(&history.plan, &failure.step, &mut |written| {
        report.written = format!("`{}`, line {}", written.skill.name, written.step.line);
        if report.kind.is_empty() {
            kind_of(&written.step.action).clone_into(&mut report.kind);
        }
        report.args = origin::written(&given, written, history);
    });
    if report.written.is_empty() {
        report.args = origin::made(&given, &failure.step);
    }
    report.args.truncate(2 * MOST);
    report
}

/// The kind of a step that never began, as its start would have named it.
fn kind_of(action: &Action) -> &'static str {
    match action {
        Action::Tool { .. } => "tool",
        Action::Compute { .. } => "compute",
        Action::Skill { .. } => "skill",
        Action::Confirm { .. } => "confirm",
        Action::WaitFor { .. } | Action::WaitUntil { .. } => "wait",
        Action::Return { .. } => "then",
    }
}

fn heals<'a>(bodies: impl Iterator<Item = &'a Body>) -> Vec<HealReport> {
    let mut heals = Vec::<(u32, HealReport)>::new();
    for body in bodies {
        match body {
            Body::HealStarted { rule, number, target, .. } => {
                let report = HealReport {
                    rule: rule.clone(),
                    target: target.clone(),
                    healed: None,
                    note: String::new(),
                };
                heals.push((*number, report));
            }
            Body::HealFinished { rule, number, healed, note, .. } => {
                let known =
                    heals.iter_mut().rev().find(|(known, heal)| known == number && heal.rule == *rule);
                if let Some((_, heal)) = known {
                    heal.healed = Some(*healed);
                    heal.note.clone_from(note);
                }
            }
            _ => {}
        }
    }
    heals.into_iter().map(|(_, heal)| heal).take(MOST).collect()
}

/// Finds a step by its path. What it is written in exists only while it is looked at, since each
/// level refers to the one around it.
pub(super) fn with_written(plan: &Plan, path: &StepPath, found: &mut dyn FnMut(Written<'_>)) {
    let parts: Vec<&str> = path.0.split('/').collect();
    descend(plan, (&plan.skill, None), &parts, found);
}

fn descend(
    plan: &Plan,
    (skill, outer): (&SkillPlan, Option<&Written<'_>>),
    parts: &[&str],
    found: &mut dyn FnMut(Written<'_>),
) {
    let Some((part, rest)) = parts.split_first() else { return };
    let name = part.split(['[', '#']).next().unwrap_or(part);
    let Some(step) = skill.steps.iter().find(|step| step.name == name) else { return };
    let written = Written { skill, step, outer };
    if rest.is_empty() {
        return found(written);
    }
    if let Action::Skill { skill: inner, .. } = &step.action
        && let Some(inner) = plan.skill(inner)
    {
        descend(plan, (inner, Some(&written)), rest, found);
    }
}

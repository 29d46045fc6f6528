//! `serve:`: how long calls of clients wait, how many runs of theirs move, and what they may do.

use std::time::Duration;

use aa_spec::config::Rule;
use serde_json::json;

use super::layer::{Field, Layers};
use super::{count, time};
use crate::policy::{Bound, Policy};

/// What calls of clients may take and do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calling {
    /// Runs that move at once.
    pub runs: usize,
    /// Of one session.
    pub runs_per_session: usize,
    /// Runs that wait to move at most.
    pub waiting_runs: usize,
    /// How long a call waits for its run.
    pub wait: Duration,
    /// How long a call waits before it becomes a task.
    pub task_after: Duration,
    /// What may be run without asking.
    pub policy: Policy,
    /// What schedules may run without asking.
    pub unattended: Policy,
    /// Whether a model may answer questions itself.
    pub self_approve: bool,
    /// What the project's file lets anybody do at most.
    pub bound: Bound,
}

impl Default for Calling {
    fn default() -> Self {
        Self {
            runs: 5,
            runs_per_session: 2,
            waiting_runs: 1000,
            wait: Duration::from_secs(40),
            task_after: Duration::from_secs(1),
            policy: Policy { read: Rule::Allow, write: Rule::Plan, destructive: Rule::Ask },
            unattended: Policy::FREE,
            self_approve: false,
            bound: Bound::NONE,
        }
    }
}

/// What files and variables say of it.
pub(super) fn calling(layers: &mut Layers<'_>) -> Calling {
    let usual = Calling::default();
    Calling {
        runs: count(layers, "serve.runs", |c| &c.serve.runs, 5) as usize,
        runs_per_session: count(layers, "serve.runs_per_session", |c| &c.serve.runs_per_session, 2) as usize,
        waiting_runs: count(layers, "serve.waiting_runs", |c| &c.serve.waiting_runs, 1000) as usize,
        wait: time(layers, "serve.wait", |c| &c.serve.wait, "40s"),
        task_after: time(layers, "serve.task_after", |c| &c.serve.task_after, "1s"),
        policy: Policy {
            read: rule(layers, "serve.policy.read", READ, usual.policy.read),
            write: rule(layers, "serve.policy.write", WRITE, usual.policy.write),
            destructive: rule(layers, "serve.policy.destructive", DESTRUCTIVE, usual.policy.destructive),
        },
        unattended: Policy {
            read: rule(layers, "scheduler.policy.read", |c| &c.scheduler.policy.read, Rule::Allow),
            write: rule(layers, "scheduler.policy.write", |c| &c.scheduler.policy.write, Rule::Allow),
            destructive: rule(
                layers,
                "scheduler.policy.destructive",
                |c| &c.scheduler.policy.destructive,
                Rule::Allow,
            ),
        },
        self_approve: truth(layers, "serve.self_approve", SELF_APPROVE),
        bound: bound(layers),
    }
}

const READ: Field<Rule> = |c| &c.serve.policy.read;
const WRITE: Field<Rule> = |c| &c.serve.policy.write;
const DESTRUCTIVE: Field<Rule> = |c| &c.serve.policy.destructive;
const SELF_APPROVE: Field<bool> = |c| &c.serve.self_approve;

fn bound(layers: &Layers<'_>) -> Bound {
    let rule = |field| layers.of_project(field).unwrap_or(Rule::Allow);
    Bound {
        policy: Policy { read: rule(READ), write: rule(WRITE), destructive: rule(DESTRUCTIVE) },
        self_approve: layers.of_project(SELF_APPROVE).unwrap_or(true),
    }
}

fn rule(layers: &mut Layers<'_>, key: &'static str, field: Field<Rule>, usual: Rule) -> Rule {
    let (rule, origin) = layers.guard(key, (field, Rule::parse), usual, |a, b| a > b);
    layers.note(key, json!(rule.word()), origin);
    rule
}

fn truth(layers: &mut Layers<'_>, key: &'static str, field: Field<bool>) -> bool {
    let parse = |text: &str| text.parse().map_err(|_| format!("`{text}` is neither `true` nor `false`"));
    let (truth, origin) = layers.guard(key, (field, parse), false, |a, b| !a && *b);
    layers.note(key, json!(truth), origin);
    truth
}

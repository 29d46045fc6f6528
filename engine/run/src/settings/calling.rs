//! `serve:`: how long calls of clients wait, how many runs of theirs move, and what they may do.

use std::time::Duration;

use aa_spec::config::Rule;
use aa_spec::duration::parse_ms;
use serde_json::json;

use super::count;
use super::layer::{Field, Layers, Origin};
use crate::policy::Policy;

/// What calls of clients may take and do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calling {
    /// Runs that move at once.
    pub runs: usize,
    /// Of one session.
    pub runs_per_session: usize,
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
}

pub(super) fn calling(layers: &mut Layers<'_>) -> Calling {
    Calling {
        runs: count(layers, "serve.runs", |c| &c.serve.runs, 5) as usize,
        runs_per_session: count(layers, "serve.runs_per_session", |c| &c.serve.runs_per_session, 2) as usize,
        wait: duration(layers, "serve.wait", |c| &c.serve.wait, "40s"),
        task_after: duration(layers, "serve.task_after", |c| &c.serve.task_after, "1s"),
        policy: Policy {
            read: rule(layers, "serve.policy.read", |c| &c.serve.policy.read, Rule::Allow),
            write: rule(layers, "serve.policy.write", |c| &c.serve.policy.write, Rule::Plan),
            destructive: rule(layers, "serve.policy.destructive", |c| &c.serve.policy.destructive, Rule::Ask),
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
        self_approve: truth(layers, "serve.self_approve", |c| &c.serve.self_approve),
    }
}

fn duration(layers: &mut Layers<'_>, key: &'static str, field: Field<String>, usual: &str) -> Duration {
    let parse = |text: &str| parse_ms(text).map(|_| text.to_owned());
    let (text, origin) =
        layers.scalar(key, field, parse).unwrap_or_else(|| (usual.to_owned(), Origin::Default));
    layers.note(key, json!(text), origin);
    // A file's durations were checked when it was read, a variable's just now.
    Duration::from_millis(parse_ms(&text).or_else(|_| parse_ms(usual)).unwrap_or_default())
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

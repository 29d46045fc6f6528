//! A plan drawn: SVG, Mermaid and terminal art.
//!
//! All three show the same facts about a step: its name, what it does, what that does to
//! the world (by shape as well as by colour), and whether it is conditional, repeated,
//! retried or can be taken back.

mod layout;
mod mermaid;
mod svg;
mod terminal;

use std::collections::BTreeMap;

use crate::plan::{Action, SkillPlan, StepPlan};
use crate::tool::Effect;

pub use self::mermaid::mermaid;
pub use self::svg::{Within, svg, svg_within};
pub use self::terminal::terminal;

/// How steps stand in a run, by name.
pub type Marks = BTreeMap<String, StepMark>;

/// How a step stands in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepMark {
    /// It is running.
    Running,
    /// It waits for a person.
    Asking,
    /// It has succeeded.
    Completed,
    /// It has failed.
    Failed,
    /// It did not have to run.
    Skipped,
    /// It was stopped.
    Cancelled,
    /// Nobody knows how it ended.
    Unknown,
}

/// The looks of a step: the effect of a call, or what else it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    Read,
    Write,
    Destructive,
    Unknown,
    Confirm,
    Wait,
    Return,
}

impl Look {
    fn of(step: &StepPlan) -> Self {
        match (&step.action, step.effect) {
            (Action::Confirm { .. }, _) => Self::Confirm,
            (Action::WaitFor { .. } | Action::WaitUntil { .. }, _) => Self::Wait,
            (Action::Return { .. }, _) => Self::Return,
            (_, Effect::Read) => Self::Read,
            (_, Effect::Write) => Self::Write,
            (_, Effect::Destructive) => Self::Destructive,
            (_, Effect::Unknown) => Self::Unknown,
        }
    }

    /// The word for it, in legends and as a class.
    fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
            Self::Unknown => "unknown",
            Self::Confirm => "confirm",
            Self::Wait => "wait",
            Self::Return => "return",
        }
    }
}

/// What a step does, in a few words: `tool git_log`.
fn action_words(step: &StepPlan) -> String {
    match &step.action {
        Action::Tool { tool, .. } => format!("tool {tool}"),
        Action::Skill { skill, .. } => format!("skill {skill}"),
        Action::Compute { .. } => "compute".to_owned(),
        Action::Confirm { options, form, .. } => {
            format!("ask: {}", crate::form::answers(options, form.as_ref()).join(" / "))
        }
        Action::WaitFor { duration } => match duration.source().as_u64() {
            Some(ms) => format!("wait {}", humantime::format_duration(std::time::Duration::from_millis(ms))),
            None => "wait".to_owned(),
        },
        Action::WaitUntil { .. } => "wait until".to_owned(),
        Action::Return { .. } => "return".to_owned(),
    }
}

/// What is special about a step: `if …`, `for each`, `3 attempts`, `can be undone`.
fn notes(step: &StepPlan) -> Vec<String> {
    let condition = step.condition.as_ref().map(|condition| {
        let source = condition.source().trim();
        let inner = source.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(source);
        format!("if {}", inner.split_whitespace().collect::<Vec<_>>().join(" "))
    });
    let each = step.foreach.as_ref().map(|each| match each.concurrency {
        1 => "for each".to_owned(),
        many => format!("for each, {many} at once"),
    });
    let retry = step.retry.as_ref().map(|retry| match retry.attempts {
        1 => "1 attempt".to_owned(),
        many => format!("{many} attempts"),
    });
    let undo = step.undo.as_ref().map(|_| "can be undone".to_owned());
    [each, retry, undo, condition].into_iter().flatten().collect()
}

/// The looks that occur, in a fixed order.
fn looks(skill: &SkillPlan) -> Vec<Look> {
    let all: std::collections::BTreeSet<Look> = skill.steps.iter().map(Look::of).collect();
    all.into_iter().collect()
}

/// A text cut to a number of columns.
fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += char_width(c);
        if used > columns {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    cut
}

/// Columns that a text takes in a fixed-width font.
fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match u32::from(c) {
        0..=0x1F | 0x7F..=0x9F | 0x300..=0x36F | 0x200B..=0x200F | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F
        | 0x2E80..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1FAFF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;

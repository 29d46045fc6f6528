//! Lines for a log: one when a step is over, none twice, nothing redrawn.

use super::line::{Layout, one_line};
use super::tree::{Change, State, Tree};
use crate::style::{Mark, Palette, Tone};
use crate::words;

/// The lines that a change is worth; none for most.
pub(crate) fn lines(tree: &Tree, change: &Change, palette: Palette) -> Vec<String> {
    let layout = Layout { palette, name: 0 };
    match change {
        Change::Finished(index) if is_item_without_news(tree, *index) => Vec::new(),
        Change::Finished(index) => vec![layout.finished(tree, *index, 0)],
        other => news(tree, other, palette).into_iter().collect(),
    }
}

/// What is said the same way on a terminal and in a log.
pub(crate) fn news(tree: &Tree, change: &Change, palette: Palette) -> Option<String> {
    Some(match change {
        Change::None | Change::Finished(_) | Change::Ended => return None,
        Change::Started => {
            format!("{} {} {}", palette.mark(Mark::Running), tree.skill, tree.title(palette.dot()))
        }
        Change::Resumed { unknown, ended, changed } => {
            let list = |what: &str, names: Vec<&str>| {
                if names.is_empty() { String::new() } else { format!("; {what}: {}", words::list(&names)) }
            };
            let unknown = list("unknown", unknown.iter().map(|step| step.0.as_str()).collect());
            let ended = list("ended what was still running", ended.iter().map(String::as_str).collect());
            let changed = list("not what it was at the start", changed.iter().map(String::as_str).collect());
            format!("{} resumed{unknown}{ended}{changed}", palette.mark(Mark::Again))
        }
        Change::Warned(index) => {
            let node = &tree.nodes[*index];
            let what = format!("warning: {}", one_line(node.warnings.last()?));
            format!("{} {}  {}", palette.mark(Mark::Question), node.path, palette.paint(Tone::Warn, what))
        }
        Change::Retrying(index) => {
            let node = &tree.nodes[*index];
            let State::Retrying { error, .. } = &node.state else { return None };
            let what = format!("attempt {} failed: {}", node.attempt, one_line(&error.message));
            format!("{} {}  {}", palette.mark(Mark::Again), node.path, palette.paint(Tone::Warn, what))
        }
        Change::Healing(index, what) => {
            let what = palette.paint(Tone::Warn, one_line(what));
            format!("{} {}  {what}", palette.mark(Mark::Again), tree.nodes[*index].path)
        }
        Change::Asked(index) => {
            let State::Asking(question) = &tree.nodes[*index].state else { return None };
            let what = format!("{} ({})", one_line(&question.message), question.answers().join(", "));
            format!("{} {}  {what}", palette.mark(Mark::Question), question.step)
        }
        Change::Resolved(index) => {
            format!("{} {}  resolved", palette.mark(Mark::Again), tree.nodes[*index].path)
        }
        Change::CancelRequested(by) => {
            format!("{} cancelling, asked by {by}", palette.mark(Mark::Stopped))
        }
        Change::UndoStarted(by) => {
            let why = if by == "on_failure" { String::new() } else { format!(", asked by {by}") };
            format!("{} taking back what was done{why}", palette.mark(Mark::Again))
        }
    })
}

/// An item that went well is counted by its step, and steps within it are its own matter.
fn is_item_without_news(tree: &Tree, index: usize) -> bool {
    let node = &tree.nodes[index];
    let mut above = node.parent;
    let mut within = false;
    while let Some(parent) = above {
        within |= tree.nodes[parent].items.is_some();
        above = tree.nodes[parent].parent;
    }
    within && !matches!(node.state, State::Failed { .. })
}

//! One step, one line.

use aa_run::event::Time;
use aa_spec::tool::ErrorKind;

use super::tree::{Node, State, Tree};
use crate::style::{Mark, Palette, Tone};
use crate::words;

/// Failed parts shown beneath their step.
const FAILED_PARTS: usize = 5;

/// How step lines are set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Colours and marks.
    pub(crate) palette: Palette,
    /// Columns of the name column; 0 for lines that stand alone.
    pub(crate) name: usize,
}

impl Layout {
    /// The line of a step that is over.
    pub(crate) fn finished(self, tree: &Tree, index: usize, depth: usize) -> String {
        let node = &tree.nodes[index];
        let (mark, remark) = self.verdict(node);
        let time = match node.state {
            State::Skipped(_) => String::new(),
            _ => words::duration(node.duration_ms),
        };
        self.compose((&self.palette.mark(mark).to_string(), &time, &remark), node, depth)
    }

    /// The lines of a step that is over and of the parts of it that are worth showing.
    pub(crate) fn subtree(self, tree: &Tree, index: usize, depth: usize) -> Vec<String> {
        let node = &tree.nodes[index];
        let warning = |text: &String| {
            let text = format!("warning: {}", one_line(text));
            format!("{}{}", indent(depth + 2), self.palette.paint(Tone::Warn, text))
        };
        let mut lines = vec![self.finished(tree, index, depth)];
        lines.extend(node.warnings.iter().map(warning));
        let parts = node.children.iter().copied();
        if node.items.is_none() {
            for part in parts {
                lines.extend(self.subtree(tree, part, depth + 1));
            }
            return lines;
        }
        let failed: Vec<usize> = parts.filter(|&part| tree.nodes[part].has_failed()).collect();
        for &part in failed.iter().take(FAILED_PARTS) {
            lines.extend(self.subtree(tree, part, depth + 1));
        }
        if failed.len() > FAILED_PARTS {
            let more = words::count(failed.len() - FAILED_PARTS, "failed item");
            lines.push(format!(
                "{}{}",
                indent(depth + 2),
                self.palette.paint(Tone::Dim, format!("and {more}"))
            ));
        }
        lines
    }

    /// The line of a step that goes on.
    pub(crate) fn running(self, node: &Node, depth: usize, sign: &str, now: Time) -> String {
        let remark = match &node.state {
            State::Retrying { error, until } => {
                let wait = words::duration(words::between(now, *until));
                self.note(
                    Tone::Warn,
                    format!("attempt {} in {wait}: {}", node.attempt + 1, one_line(&error.message)),
                )
            }
            State::Waiting(until) => {
                self.note(Tone::Dim, format!("{} left", words::duration(words::between(now, *until))))
            }
            State::Asking(question) => self.note(Tone::Warn, one_line(&question.message)),
            State::Unknown => self.note(Tone::Warn, "outcome unknown".to_owned()),
            _ => self.progress(node),
        };
        let time = words::duration(node.elapsed_ms(now));
        self.compose((sign, &time, &remark), node, depth)
    }

    /// What a running step has to say: its items, its attempt, its last line.
    fn progress(self, node: &Node) -> String {
        let mut parts = Vec::new();
        if let Some(items) = node.items {
            parts.push(format!("{}/{}", words::thousands(node.parts.over()), words::thousands(items)));
            if node.parts.failed > 0 {
                parts.push(format!("{} failed", words::thousands(node.parts.failed)));
            }
        }
        if node.attempt > 1 {
            parts.push(format!("attempt {}", node.attempt));
        }
        if !node.line.is_empty() {
            parts.push(one_line(&node.line));
        }
        self.note(Tone::Dim, parts.join(&format!(" {} ", self.palette.dot())))
    }

    fn verdict(self, node: &Node) -> (Mark, String) {
        match &node.state {
            State::Done(said) => (Mark::Done, self.note(Tone::Dim, result(node, said))),
            State::Failed { error, continued } => {
                let end = if *continued { " (the run goes on)" } else { "" };
                let tone = if *continued { Tone::Warn } else { Tone::Bad };
                let mark = if error.kind == ErrorKind::Cancelled { Mark::Stopped } else { Mark::Failed };
                (mark, self.note(tone, format!("{}{end}", one_line(&error.message))))
            }
            State::Skipped(reason) => (Mark::Skipped, self.note(Tone::Dim, one_line(reason))),
            State::Unknown => (Mark::Unknown, self.note(Tone::Warn, "outcome unknown".to_owned())),
            State::Retrying { error, .. } => (Mark::Again, self.note(Tone::Warn, one_line(&error.message))),
            State::Asking(question) => (Mark::Question, self.note(Tone::Warn, one_line(&question.message))),
            State::Running | State::Waiting(_) => {
                (Mark::Stopped, self.note(Tone::Dim, "not finished".to_owned()))
            }
        }
    }

    fn note(self, tone: Tone, text: String) -> String {
        if text.is_empty() { text } else { self.palette.paint(tone, text).to_string() }
    }

    /// A sign, a name, a time, and what there is to say.
    fn compose(self, (sign, time, remark): (&str, &str, &str), node: &Node, depth: usize) -> String {
        let label = if self.name == 0 { node.path.0.as_str() } else { node.label() };
        // `build#undo` is the taking back of `build`.
        let label = label
            .rsplit_once('#')
            .filter(|(_, what)| !what.contains('/'))
            .map_or_else(|| label.to_owned(), |(step, what)| format!("{what} {step}"));
        if self.name == 0 {
            let parts = [&format!("{sign} {label}"), time, remark];
            return parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
        }
        let width = self.name.saturating_sub(2 * depth);
        format!("{}{sign} {label:<width$}  {time:>6}  {remark}", indent(depth)).trim_end().to_owned()
    }
}

impl Node {
    fn has_failed(&self) -> bool {
        matches!(self.state, State::Failed { .. })
    }
}

/// What there is to say of a result: items, attempts, an answer.
fn result(node: &Node, said: &str) -> String {
    let mut parts = Vec::new();
    if let Some(items) = node.items {
        parts.push(words::count(usize::try_from(items).unwrap_or(usize::MAX), "item"));
        for (number, word) in [(node.parts.failed, "failed"), (node.parts.skipped, "skipped")] {
            if number > 0 {
                parts.push(format!("{} {word}", words::thousands(number)));
            }
        }
    }
    if node.attempt > 1 {
        parts.push(words::count(node.attempt as usize, "attempt"));
    }
    if !said.is_empty() {
        parts.push(one_line(said));
    }
    parts.join(", ")
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

/// The first line of a text, safe to show.
pub(crate) fn one_line(text: &str) -> String {
    words::harmless(text).trim().lines().next().unwrap_or("").to_owned()
}

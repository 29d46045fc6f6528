//! The live display: what is over scrolls away above, what goes on is redrawn below.

use aa_run::event::Time;
use chrono::Utc;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::line::Layout;
use super::plain;
use super::tree::{Change, State, Tree};
use crate::style::{Mark, Palette, Tone};
use crate::words;

/// Running items of one foreach step that are shown.
const ITEMS: usize = 3;
/// Columns that the name column takes at least and at most.
const NAME: (usize, usize) = (12, 32);
/// Frames per second at most.
const FRAMES: u8 = 15;

/// Draws a run on a terminal.
#[derive(Debug)]
pub(crate) struct Human {
    palette: Palette,
    bar: ProgressBar,
    /// Lines that are final but not drawn yet.
    settled: Vec<String>,
    name: usize,
    frame: usize,
    paused: bool,
}

impl Human {
    /// A display with nothing in it.
    pub(crate) fn new(palette: Palette) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(FRAMES));
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Self { palette, bar, settled: Vec::new(), name: NAME.0, frame: 0, paused: false }
    }

    /// Makes room for these names from the start, so that columns do not jump.
    pub(crate) fn expect<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let longest = names.map(str::len).max().unwrap_or(0);
        self.name = longest.clamp(self.name, NAME.1);
    }

    /// Takes note of a change; drawn by the next [`Self::tick`].
    pub(crate) fn change(&mut self, tree: &Tree, change: &Change) {
        match change {
            Change::Finished(index) => {
                if tree.nodes[*index].parent.is_none() {
                    self.settled.extend(self.layout().subtree(tree, *index, 0));
                }
            }
            // They are seen while they last, and a warning with the end of its step.
            Change::Retrying(_) | Change::Asked(_) | Change::Warned(_) => {}
            other => self.settled.extend(plain::news(tree, other, self.palette)),
        }
    }

    /// Draws what has changed, and the next frame of what goes on.
    pub(crate) fn tick(&mut self, tree: &Tree) {
        if self.paused {
            return;
        }
        self.frame += 1;
        self.flush();
        let lines = self.live(tree, Utc::now(), size());
        self.bar.set_message(lines.join("\n"));
        self.bar.tick();
    }

    /// Leaves the terminal to somebody else, with everything final on it.
    pub(crate) fn pause(&mut self) {
        self.flush();
        self.bar.set_message("");
        self.bar.tick();
        self.bar.suspend(|| {});
        self.paused = true;
    }

    /// Takes the terminal back.
    pub(crate) fn go_on(&mut self) {
        self.paused = false;
    }

    /// Draws what is final, for good.
    pub(crate) fn finish(&mut self) {
        self.flush();
        self.bar.finish_and_clear();
    }

    fn flush(&mut self) {
        if !self.settled.is_empty() {
            self.bar.println(std::mem::take(&mut self.settled).join("\n"));
        }
    }

    fn layout(&self) -> Layout {
        Layout { palette: self.palette, name: self.name }
    }

    /// The lines of everything that goes on, fitted to the terminal.
    pub(super) fn live(&self, tree: &Tree, now: Time, (columns, rows): (usize, usize)) -> Vec<String> {
        let mut lines = Vec::new();
        for &index in &tree.top {
            self.add(&mut lines, tree, index, 0, now);
        }
        let room = rows.saturating_sub(2).max(1);
        if lines.len() > room {
            let hidden = lines.len() - room + 1;
            lines.truncate(room - 1);
            let more = format!("{} and {}", self.palette.ellipsis(), words::count(hidden, "line"));
            lines.push(self.palette.paint(Tone::Dim, more).to_string());
        }
        lines.iter().map(|line| fitted(line, columns.saturating_sub(1), self.palette)).collect()
    }

    fn add(&self, lines: &mut Vec<String>, tree: &Tree, index: usize, depth: usize, now: Time) {
        let node = &tree.nodes[index];
        if depth == 0 && node.is_over() {
            return;
        }
        if node.is_over() {
            lines.push(self.layout().finished(tree, index, depth));
            return;
        }
        let sign = match node.state {
            State::Retrying { .. } => self.palette.mark(Mark::Again).to_string(),
            State::Asking(_) => self.palette.mark(Mark::Question).to_string(),
            State::Unknown => self.palette.mark(Mark::Unknown).to_string(),
            _ => self.palette.spinner(self.frame).to_string(),
        };
        lines.push(self.layout().running(node, depth, &sign, now));
        if node.items.is_none() {
            for &part in &node.children {
                self.add(lines, tree, part, depth + 1, now);
            }
            return;
        }
        // Items start in order, so the running ones are near the end.
        let window = node.children.iter().rev().take(64);
        let mut running: Vec<usize> = window.copied().filter(|&item| !tree.nodes[item].is_over()).collect();
        running.truncate(ITEMS);
        for &item in running.iter().rev() {
            self.add(lines, tree, item, depth + 1, now);
        }
    }
}

/// Columns and rows of the terminal behind stderr.
fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// A line with colours in it, cut to the terminal's width.
fn fitted(line: &str, columns: usize, palette: Palette) -> String {
    let plain = words::harmless(line);
    if unicode_width::UnicodeWidthStr::width(plain.as_str()) <= columns {
        return line.to_owned();
    }
    cut(line, columns, palette)
}

/// Cuts what is seen, keeps the escape sequences.
fn cut(line: &str, columns: usize, palette: Palette) -> String {
    let room = columns.saturating_sub(palette.ellipsis().chars().count());
    let mut short = String::new();
    let mut used = 0;
    let mut escape = false;
    for char in line.chars() {
        if char == '\u{1b}' {
            escape = true;
        }
        if escape {
            short.push(char);
            escape = char != 'm';
            continue;
        }
        let width = unicode_width::UnicodeWidthChar::width(char).unwrap_or(0);
        if used + width > room {
            short.push_str(palette.ellipsis());
            break;
        }
        used += width;
        short.push(char);
    }
    if palette.color { short + "\u{1b}[0m" } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_keeps_colours_closed() {
        let palette = Palette { color: true, unicode: true };
        assert_eq!(fitted("\u{1b}[31mred\u{1b}[0m", 3, palette), "\u{1b}[31mred\u{1b}[0m");
        assert_eq!(fitted("\u{1b}[31mreddish\u{1b}[0m", 4, palette), "\u{1b}[31mred…\u{1b}[0m");
    }
}

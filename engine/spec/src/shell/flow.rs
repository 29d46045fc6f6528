//! Which values get to where a shell calculates.
//!
//! Variables are followed by name: what is calculated, what was assigned to that, and so on. In bash a text is an
//! expression in its turn, so a name in it counts like a use of the variable.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Calculated, From, Notes};

/// What has to be an integer.
pub(super) fn calculated(script: &str, notes: &Notes, names: &BTreeSet<&str>) -> Calculated {
    let everything = || {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Calculated { names, positional: true, input: true }
    };
    if notes.integers {
        return everything();
    }
    let mut search = Search { script, notes, found: BTreeSet::new(), queue: Vec::new(), input: false };
    for range in &notes.calculated {
        search.add(range);
    }
    while let Some(name) = search.queue.pop() {
        search.follow(name);
    }
    let positional = search.found.contains(POSITIONAL);
    // Functions and `set` give other parameters than those of the script: any value may be one.
    if positional && notes.positional_change {
        return everything();
    }
    let names = names.iter().filter(|name| search.found.contains(**name));
    let names = names.map(|&name| name.to_owned()).collect();
    Calculated { names, positional, input: search.input }
}

/// Stands for all positional parameters; no variable is called so.
const POSITIONAL: &str = "@";

struct Search<'a> {
    script: &'a str,
    notes: &'a Notes,
    found: BTreeSet<&'a str>,
    queue: Vec<&'a str>,
    /// Whether what the script is given to read may get there: by `read`, or by the output of a command.
    input: bool,
}

impl Search<'_> {
    /// All that is named in a part of the script.
    fn add(&mut self, range: &Range<usize>) {
        let is_in =
            |part: &Range<usize>, whole: &Range<usize>| whole.start <= part.start && part.end <= whole.end;
        let notes = self.notes;
        let mut said =
            notes.substitutions.iter().filter(|part| part.start < range.end && range.start < part.end);
        self.input |= said.any(|part| !notes.numbers.iter().any(|number| is_in(part, number)));
        for (offset, word) in words(&self.script[range.clone()]) {
            let at = range.start + offset;
            let expanded = self.script[..at].ends_with(['$', '{', '!', '#']);
            // What commands are called and given is no variable unless it is expanded.
            let command = within(&self.notes.substitutions, at, range) && !expanded;
            let positional = word == POSITIONAL || word.starts_with(|c: char| c.is_ascii_digit());
            if within(&self.notes.numbers, at, range) || command || (positional && !expanded) {
                continue;
            }
            let name = if positional { POSITIONAL } else { word };
            if self.found.insert(name) {
                self.queue.push(name);
            }
        }
    }

    /// What a variable may have its value from.
    fn follow(&mut self, name: &str) {
        let notes = self.notes;
        for (_, from) in notes.assigned.iter().filter(|(assigned, _)| assigned == name) {
            match from {
                From::Text(range) => self.add(range),
                From::Positional => {
                    if self.found.insert(POSITIONAL) {
                        self.queue.push(POSITIONAL);
                    }
                }
                From::Input => {
                    self.input = true;
                    notes.fed.iter().for_each(|range| self.add(range));
                }
            }
        }
    }
}

/// Whether a place is in one of these parts, which is itself in a whole.
fn within(parts: &[Range<usize>], at: usize, whole: &Range<usize>) -> bool {
    parts.iter().any(|part| part.contains(&at) && whole.start <= part.start && part.end <= whole.end)
}

/// What may be a name in a text, with its place; `@` and `*` after a `$` are one.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = &text[at..];
            let first = rest.chars().next()?;
            let from = at;
            if is_part(first) {
                let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                at += length;
                return Some((from, &rest[..length]));
            }
            at += first.len_utf8();
            if matches!(first, '@' | '*') && text[..from].ends_with(['$', '{']) {
                return Some((from, POSITIONAL));
            }
        }
    })
}

//! Which values get to where a shell calculates.
//!
//! Variables are followed by name: what is calculated, what was assigned to that, and so on. In bash a text is an
//! expression in its turn, so a name in it counts like a use of the variable. What is read, and what programs print, may be
//! anything that was given: by a pipe, a file, the environment.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Calculated, From, Function, Nested, Notes, Output, is_in};

/// What has to be an integer.
pub(super) fn calculated(script: &str, notes: &Notes, names: &BTreeSet<&str>) -> Calculated {
    let search = Search::from(script, notes, &notes.calculated);
    if notes.integers {
        return Calculated::everything(names);
    }
    if search.anything {
        return Calculated { unfollowed: true, ..Calculated::everything(names) };
    }
    let positional = search.found.contains(POSITIONAL);
    // `set` gives other parameters than those of the script: any value may be one.
    if positional && notes.positional_change {
        return Calculated::everything(names);
    }
    let names = names.iter().filter(|name| search.found.contains(**name));
    Calculated { names: names.map(|&name| name.to_owned()).collect(), positional, ..Calculated::default() }
}

/// Stands for all positional parameters; no variable is called so.
pub(super) const POSITIONAL: &str = "@";

struct Search<'a> {
    script: &'a str,
    notes: &'a Notes,
    found: BTreeSet<&'a str>,
    queue: Vec<&'a str>,
    /// Functions whose parameters get there.
    functions: BTreeSet<&'a str>,
    /// Whether what nobody can follow may get there: what is read, and what programs print.
    anything: bool,
}

impl<'a> Search<'a> {
    /// All that gets to some parts of a script.
    fn from(script: &'a str, notes: &'a Notes, parts: impl IntoIterator<Item = &'a Range<usize>>) -> Self {
        let (found, queue, functions) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        let mut search = Self { script, notes, found, queue, functions, anything: false };
        for range in parts {
            search.add(range);
        }
        while let Some(name) = search.queue.pop() {
            search.follow(name);
        }
        search
    }

    /// All that is named in a part of the script.
    fn add(&mut self, range: &Range<usize>) {
        let notes = self.notes;
        let is_number = |part: &Range<usize>| notes.numbers.iter().any(|number| is_in(part, number));
        let overlapping = notes
            .substitutions
            .iter()
            .filter(|(part, _)| part.start < range.end && range.start < part.end && !is_number(part));
        self.anything |= overlapping.into_iter().any(|(_, output)| *output == Output::Anything);
        for (offset, word) in words(&self.script[range.clone()]) {
            let at = range.start + offset;
            let is_positional = word == POSITIONAL || word.starts_with(|c: char| c.is_ascii_digit());
            let is_expanded = self.script[..at].ends_with(['$', '{', '!', '#']);
            if within(&notes.numbers, at, range) || (is_positional && !is_expanded) {
                continue;
            }
            if is_positional { self.positional(at) } else { self.find(word) }
        }
    }

    fn find(&mut self, name: &'a str) {
        if self.found.insert(name) {
            self.queue.push(name);
        }
    }

    /// What the positional parameters of a place are.
    fn positional(&mut self, at: usize) {
        let notes = self.notes;
        let unclear = notes.functions.iter().any(|function| function.body.is_none());
        let is_around = |function: &&Function| function.body.as_ref().is_some_and(|body| body.contains(&at));
        // The innermost begins last.
        let Some(function) = notes.functions.iter().rfind(is_around) else {
            self.anything |= unclear;
            return self.find(POSITIONAL);
        };
        // Others may call it, or give it other parameters.
        self.anything |= unclear || notes.positional_change || notes.nested != Nested::Nothing;
        if self.functions.insert(&function.name) {
            let given = notes.calls.iter().filter(|call| self.is_given(call.name.as_deref()));
            given
                .flat_map(|call| call.args.clone())
                .collect::<Vec<_>>()
                .iter()
                .for_each(|args| self.add(args));
        }
    }

    /// Whether what a command is given gets to a function whose parameters matter.
    fn is_given(&self, name: Option<&str>) -> bool {
        !self.functions.is_empty() && name.is_none_or(|name| self.functions.contains(name))
    }

    /// What a variable may have its value from.
    fn follow(&mut self, name: &str) {
        let notes = self.notes;
        for (_, from) in notes.assigned.iter().filter(|(assigned, _)| assigned == name) {
            match from {
                From::Text(range) => self.add(range),
                From::Positional(at) => self.positional(*at),
                From::Input => self.anything = true,
            }
        }
    }
}

/// Whether a place is in one of these parts, which is itself in a whole.
fn within(parts: &[Range<usize>], at: usize, whole: &Range<usize>) -> bool {
    parts.iter().any(|part| part.contains(&at) && is_in(part, whole))
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

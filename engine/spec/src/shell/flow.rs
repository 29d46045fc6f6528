//! Which values get to where a shell calculates, or to where another one reads a script.
//!
//! Variables are followed by name: what is calculated, what was assigned to that, and so on. In bash a text is an
//! expression in its turn, so a name in it counts like a use of the variable. What is read, and what programs print, may be
//! anything that was given: by a pipe, a file, the environment.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Calculated, Call, From, Function, Nested, Notes, Output};

/// What has to be an integer.
pub(super) fn calculated(script: &str, notes: &Notes, names: &BTreeSet<&str>) -> Calculated {
    let search = Search::from((script, notes), &notes.calculated, false);
    if notes.integers || search.anything {
        return Calculated::everything(names);
    }
    let positional = search.found.contains(POSITIONAL);
    // `set` gives other parameters than those of the script: any value may be one.
    if positional && notes.positional_change {
        return Calculated::everything(names);
    }
    let names = names.iter().filter(|name| search.found.contains(**name));
    Calculated { names: names.map(|&name| name.to_owned()).collect(), positional, input: false }
}

/// What is a part of a script for another shell, beside anything else.
pub(super) struct Spliced {
    /// Where a given variable is.
    pub value: Option<usize>,
    /// Where a positional parameter is.
    pub positional: Option<usize>,
}

/// Looks at what is put together before it is handed on as a script (`line="ls $n"; eval "$line"`).
pub(super) fn spliced(script: &str, notes: &Notes) -> Spliced {
    let fed = if notes.nested == Nested::Fed { notes.fed.as_slice() } else { &[] };
    let search = Search::from((script, notes), notes.scripts.iter().chain(fed), true);
    let is_assigned = |name: &str| search.found.contains(name);
    let texts =
        notes.assigned.iter().filter(|(name, _)| is_assigned(name)).filter_map(|(_, from)| match from {
            From::Text(range) => Some(range),
            _ => None,
        });
    // What functions print, and what they are given, is nowhere else.
    let sets = search.found.contains(POSITIONAL);
    let is_given =
        |call: &&Call| search.is_given(call.name.as_deref()) || sets && call.name.as_deref() == Some("set");
    let given = notes.calls.iter().filter(is_given).map(|call| &call.args);
    let bodies =
        notes.functions.iter().filter_map(|function| function.body.as_ref()).filter(|_| !fed.is_empty());
    let parts: Vec<&Range<usize>> =
        texts.chain(given).chain(bodies).chain(&notes.scripts).chain(fed).collect();
    let part_of = |uses: &[Range<usize>]| {
        let is_part = |used: &&Range<usize>| {
            let within = parts.iter().filter(|part| part.start <= used.start && used.end <= part.end);
            !is_one_word(script, notes, used) && within.into_iter().any(|part| !is_whole(script, part, used))
        };
        uses.iter().find(is_part).map(|used| used.start)
    };
    Spliced { value: part_of(&notes.used), positional: part_of(&notes.positional) }
}

/// Whether a shell reads what a use comes to as one word.
fn is_one_word(script: &str, notes: &Notes, used: &Range<usize>) -> bool {
    let is_in = |part: &Range<usize>| part.start <= used.start && used.end <= part.end;
    script[used.clone()].ends_with("@Q}")
        || notes.escapes.iter().any(is_in)
        || notes.numbers.iter().any(is_in)
}

/// Whether a text is nothing but the use of a variable: whoever gave the value gave a script. All parameters at once are
/// several words, of which a shell makes one text.
fn is_whole(script: &str, part: &Range<usize>, used: &Range<usize>) -> bool {
    let is_added = script[..part.start].ends_with("+=");
    let text = &script[used.clone()];
    !is_added && !text.contains(['@', '*']) && script[part.clone()].trim().trim_matches('"') == text
}

/// Stands for all positional parameters; no variable is called so.
const POSITIONAL: &str = "@";

struct Search<'a> {
    script: &'a str,
    notes: &'a Notes,
    found: BTreeSet<&'a str>,
    queue: Vec<&'a str>,
    /// Whether only what is expanded counts: the words of a script are none of ours, those of a calculation may be.
    expanded: bool,
    /// Functions whose parameters get there.
    functions: BTreeSet<&'a str>,
    /// Whether what nobody can follow may get there: what is read, and what programs print.
    anything: bool,
}

impl<'a> Search<'a> {
    /// All that gets to some parts of a script.
    fn from(
        (script, notes): (&'a str, &'a Notes),
        parts: impl IntoIterator<Item = &'a Range<usize>>,
        expanded: bool,
    ) -> Self {
        let (found, queue, functions) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        let mut search = Self { script, notes, found, queue, expanded, functions, anything: false };
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
        let is_number = |part: &Range<usize>| {
            notes.numbers.iter().any(|number| number.start <= part.start && part.end <= number.end)
        };
        let overlapping = notes
            .substitutions
            .iter()
            .filter(|(part, _)| part.start < range.end && range.start < part.end && !is_number(part));
        self.anything |= overlapping.into_iter().any(|(_, output)| *output == Output::Anything);
        for (offset, word) in words(&self.script[range.clone()]) {
            let at = range.start + offset;
            let is_positional = word == POSITIONAL || word.starts_with(|c: char| c.is_ascii_digit());
            let is_expanded = self.script[..at].ends_with(['$', '{', '!', '#']);
            let is_text = self.expanded && notes.texts.iter().any(|text| text.contains(&at));
            if within(&notes.numbers, at, range)
                || is_text
                || (!is_expanded && (self.expanded || is_positional))
            {
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
            given.map(|call| call.args.clone()).collect::<Vec<_>>().iter().for_each(|args| self.add(args));
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

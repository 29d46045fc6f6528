//! Which values become a part of a script for another program (`line="ls $n"; eval "$line"`).
//!
//! What a variable has something of is followed forward, by name. A script that is nothing but a value is another thing:
//! whoever gave the value gave a script.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::flow::POSITIONAL;
use super::{Call, From, Nested, Notes, Output, Use, is_in};

/// Where something is a part of a script.
#[derive(Default)]
pub(super) struct Spliced {
    /// Of a given variable.
    pub value: Option<usize>,
    /// Of a positional parameter.
    pub positional: Option<usize>,
    /// Of what the script reads.
    pub input: Option<usize>,
}

/// What a text may have something of.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Taint {
    value: bool,
    positional: bool,
    input: bool,
}

impl Taint {
    const INPUT: Self = Self { value: false, positional: false, input: true };

    fn and(self, other: Self) -> Self {
        Self {
            value: self.value || other.value,
            positional: self.positional || other.positional,
            input: self.input || other.input,
        }
    }
}

/// Looks at all scripts, and at what is fed to whoever reads one.
pub(super) fn look(script: &str, notes: &Notes, names: &BTreeSet<&str>) -> Spliced {
    let mut search = Search::new(script, notes, names);
    let fed = if notes.nested == Nested::Fed { notes.fed.as_slice() } else { &[] };
    search.parts.extend(notes.scripts.iter().chain(fed).cloned());
    if !fed.is_empty() {
        // What functions print is nowhere else.
        search.parts.extend(notes.functions.iter().filter_map(|function| function.body.clone()));
    }
    while let Some(part) = search.parts.pop() {
        if search.seen.insert((part.start, part.end)) {
            search.look_at(&part);
        }
    }
    search.found
}

/// Variables that have something of what was given, and are not given themselves.
pub(super) fn tainted<'a>(script: &'a str, notes: &'a Notes, names: &BTreeSet<&str>) -> BTreeSet<&'a str> {
    let search = Search::new(script, notes, names);
    let is_other = |(name, taint): &(&&'a str, &Taint)| {
        (taint.value || taint.positional) && !names.contains(**name) && **name != POSITIONAL
    };
    search.taints.iter().filter(is_other).map(|(name, _)| *name).collect()
}

struct Search<'a> {
    script: &'a str,
    notes: &'a Notes,
    names: BTreeSet<&'a str>,
    taints: BTreeMap<&'a str, Taint>,
    /// What is yet to be looked at.
    parts: Vec<Range<usize>>,
    seen: BTreeSet<(usize, usize)>,
    found: Spliced,
}

impl<'a> Search<'a> {
    fn new(script: &'a str, notes: &'a Notes, names: &BTreeSet<&str>) -> Self {
        let positional = Taint { positional: true, ..Taint::default() };
        let given = notes.uses.iter().map(|used| used.name.as_str()).filter(|name| names.contains(name));
        let names: BTreeSet<&str> = given.collect();
        let value = Taint { value: true, ..Taint::default() };
        let taints = names.iter().map(|name| (*name, value)).chain([(POSITIONAL, positional)]).collect();
        let (parts, seen, found) = (Vec::new(), BTreeSet::new(), Spliced::default());
        let mut search = Self { script, notes, names, taints, parts, seen, found };
        while search.spreads() {}
        search
    }

    /// Follows every assignment once; whether anything has come of that.
    fn spreads(&mut self) -> bool {
        let mut changed = false;
        for (name, from) in &self.notes.assigned {
            let taint = match from {
                From::Text(range) => self.of(range),
                From::Positional(_) => self.taints[POSITIONAL],
                From::Input => self.notes.fed.iter().fold(Taint::INPUT, |all, fed| all.and(self.of(fed))),
            };
            changed |= self.gets(name, taint);
        }
        let given: Vec<Taint> = self.calls().flat_map(|call| &call.args).map(|word| self.of(word)).collect();
        given.into_iter().fold(changed, |changed, taint| self.gets(POSITIONAL, taint) || changed)
    }

    fn gets(&mut self, name: &'a str, taint: Taint) -> bool {
        let before = self.taints.get(name).copied().unwrap_or_default();
        let after = before.and(taint);
        after != before && self.taints.insert(name, after) != Some(after)
    }

    /// Calls that give others than the script's own positional parameters.
    fn calls(&self) -> impl Iterator<Item = &'a Call> {
        let functions = &self.notes.functions;
        let is_one = |name: &String| name == "set" || functions.iter().any(|function| function.name == *name);
        let calls = self.notes.calls.iter();
        calls.filter(move |call| call.name.as_ref().map_or(!functions.is_empty(), is_one))
    }

    /// What a part of the script has something of.
    fn of(&self, part: &Range<usize>) -> Taint {
        let uses = self.uses(part).filter(|used| !self.is_one_word(part, used));
        let taint = uses.fold(Taint::default(), |all, used| all.and(self.taint(used)));
        if self.prints(part).is_some() { taint.and(Taint::INPUT) } else { taint }
    }

    fn taint(&self, used: &Use) -> Taint {
        self.taints.get(used.name.as_str()).copied().unwrap_or_default()
    }

    fn uses(&self, part: &Range<usize>) -> impl Iterator<Item = &'a Use> {
        let part = part.clone();
        self.notes.uses.iter().filter(move |used| is_in(&used.range, &part))
    }

    /// What in a part is what commands print, which may be anything.
    fn prints(&self, part: &Range<usize>) -> Option<&'a Range<usize>> {
        let numbers = &self.notes.numbers;
        let is_number = |range: &Range<usize>| numbers.iter().any(|number| is_in(range, number));
        let mut prints = self.notes.substitutions.iter().filter(|(_, output)| *output == Output::Anything);
        prints.find(|(range, _)| is_in(range, part) && !is_number(range)).map(|(range, _)| range)
    }

    fn look_at(&mut self, part: &Range<usize>) {
        if let Some(printed) = self.prints(part).filter(|printed| !is_all(self.script, part, printed)) {
            self.note(printed.start, Taint::INPUT);
        }
        for used in self.uses(part).collect::<Vec<_>>() {
            if self.is_one_word(part, used) {
                continue;
            }
            if is_whole(self.script, part, &used.range) {
                self.follow(used);
            } else {
                self.note(used.range.start, self.taint(used));
            }
        }
    }

    /// The script is what this variable holds.
    fn follow(&mut self, used: &Use) {
        if self.names.contains(used.name.as_str()) {
            return;
        }
        let texts = self.notes.assigned.iter().filter(|(name, _)| *name == used.name);
        let texts = texts.filter_map(|(_, from)| match from {
            From::Text(range) => Some(range.clone()),
            From::Positional(_) | From::Input => None,
        });
        let given = self.calls().filter(|_| used.name == POSITIONAL).flat_map(|call| &call.args).cloned();
        let more: Vec<Range<usize>> = texts.chain(given).collect();
        self.parts.extend(more);
    }

    fn note(&mut self, at: usize, taint: Taint) {
        let places = [
            (taint.value, &mut self.found.value),
            (taint.positional, &mut self.found.positional),
            (taint.input, &mut self.found.input),
        ];
        for (_, place) in places.into_iter().filter(|(is, _)| *is) {
            place.get_or_insert(at);
        }
    }

    /// Whether a shell reads what a use comes to as one word: not where that stands between quotes of its own.
    fn is_one_word(&self, part: &Range<usize>, used: &Use) -> bool {
        let before = &self.script[part.start..used.range.start];
        let is_quoted = before.matches('\'').count() % 2 == 1 || before.matches("\\\"").count() % 2 == 1;
        let is_escaped = self.script[used.range.clone()].ends_with("@Q}")
            || self.notes.escapes.iter().any(|escaped| is_in(&used.range, escaped));
        (is_escaped && !is_quoted) || self.notes.numbers.iter().any(|number| is_in(&used.range, number))
    }
}

/// Whether a part is nothing but this.
fn is_all(script: &str, part: &Range<usize>, this: &Range<usize>) -> bool {
    script[part.clone()].trim().trim_matches('"') == &script[this.clone()]
}

/// Whether a text is nothing but the use of a variable. All parameters at once are several words, of which a shell makes one
/// text, and what is added to something is not all of it.
fn is_whole(script: &str, part: &Range<usize>, used: &Range<usize>) -> bool {
    let is_added = script[..part.start].ends_with("+=");
    !is_added && !script[used.clone()].contains(['@', '*']) && is_all(script, part, used)
}

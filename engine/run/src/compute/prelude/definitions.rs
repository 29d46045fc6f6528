//! Python files of the prelude whose definitions are taken one by one: a block that uses
//! one of fifty parsers pays for that one and what it uses.
//!
//! A definition begins at a `def`, `class` or assignment in the first column and reaches to
//! the next. It needs whatever other definitions of its file it mentions.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::LazyLock;

/// The files, in the order in which their definitions are put in front of a block.
const FILES: [&str; 2] = [include_str!("memory.py"), include_str!("parsers.py")];

/// The object that has every parser as an attribute.
const PARSERS: &str = "parsers";

/// One definition.
struct Definition {
    name: &'static str,
    text: &'static str,
    /// The others that it mentions, by index.
    needs: Vec<usize>,
    is_parser: bool,
}

static ALL: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for (file, text) in FILES.into_iter().enumerate() {
        let first = all.len();
        let split = |(name, text)| Definition { name, text, needs: Vec::new(), is_parser: file == 1 };
        all.extend(split_file(text).into_iter().map(split));
        for index in first..all.len() {
            let words: BTreeSet<&str> = words(all[index].text).collect();
            let needs =
                (first..all.len()).filter(|other| *other != index && words.contains(all[*other].name));
            all[index].needs = needs.collect();
        }
    }
    all
});

/// Whether something here defines a name: a function, `memory`, `parsers`, or an attribute
/// of `parsers` such as `parsers.slugify_text`.
pub(super) fn has(name: &str) -> bool {
    name == PARSERS || position(name.strip_prefix("parsers.").unwrap_or(name)).is_some()
}

/// The text that defines these names. Of `parsers`, only the named attributes are there,
/// unless the object itself is among the names.
pub(super) fn text<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let (mut left, mut attributes) = (Vec::new(), BTreeSet::new());
    let mut has_object = false;
    for name in names {
        match name.strip_prefix("parsers.") {
            Some(attribute) => attributes.extend(position(attribute)),
            None if name == PARSERS => attributes.extend(public_parsers()),
            None => left.extend(position(name)),
        }
        has_object |= name == PARSERS || name.starts_with("parsers.");
    }
    left.extend(&attributes);
    let mut wanted = BTreeSet::new();
    while let Some(index) = left.pop() {
        if wanted.insert(index) {
            left.extend(&ALL[index].needs);
        }
    }
    let mut text: String = wanted.into_iter().map(|index| ALL[index].text).collect();
    if has_object {
        add_object(&mut text, attributes);
    }
    text
}

fn add_object(text: &mut String, attributes: BTreeSet<usize>) {
    text.push_str("class _Parsers:\n    pass\nparsers = _Parsers()\n");
    for name in attributes.into_iter().map(|index| ALL[index].name) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "parsers.{name} = {name}");
    }
}

fn position(name: &str) -> Option<usize> {
    ALL.iter().position(|definition| definition.name == name)
}

fn public_parsers() -> impl Iterator<Item = usize> {
    let is_public = |definition: &Definition| definition.is_parser && !definition.name.starts_with('_');
    ALL.iter().enumerate().filter(move |(_, definition)| is_public(definition)).map(|(index, _)| index)
}

fn split_file(text: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut found: Vec<(&str, usize, usize)> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(name) = defined(line) {
            found.push((name, at, at));
        }
        at += line.len();
        // Comments and empty lines belong to what follows them.
        if let Some((_, _, end)) = found.last_mut()
            && !line.starts_with('#')
            && !line.trim().is_empty()
        {
            *end = at;
        }
    }
    found.into_iter().map(|(name, start, end)| (name, &text[start..end])).collect()
}

/// The name that a line in the first column defines.
fn defined(line: &'static str) -> Option<&'static str> {
    let rest = line.strip_prefix("def ").or_else(|| line.strip_prefix("class "));
    let name = words(rest.unwrap_or(line)).next()?;
    let is_assignment = line.starts_with(name) && line[name.len()..].starts_with(" = ");
    (rest.is_some() || is_assignment).then_some(name)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests;

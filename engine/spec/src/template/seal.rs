//! Secrets as sealed references: a name between two Unicode noncharacters.
//!
//! `secrets.NAME` evaluates to such a reference, so that a secret's value is never in
//! a scope, a journal or a message. Only whoever is about to call a tool opens it.
//! Text from outside must not contain the two marks: see [`clean`].

use std::collections::BTreeSet;

use serde_json::Value;

const OPEN: char = '\u{FDD0}';
const CLOSE: char = '\u{FDD1}';
const LABEL: &str = "secret:";

/// Why sealed references could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No value for the name.
    #[error("there is no secret `{0}`")]
    Unknown(String),
    /// Something has cut a reference to pieces, e.g. a filter.
    #[error("a secret was changed on its way to the tool; use `secrets.NAME` as it is")]
    Damaged,
}

/// A reference to the secret of that name.
pub fn seal(name: &str) -> String {
    format!("{OPEN}{LABEL}{name}{CLOSE}")
}

/// Whether a text holds a reference, or the remains of one.
pub fn contains(text: &str) -> bool {
    text.contains([OPEN, CLOSE])
}

/// Whether a value holds no reference, nor remains of one.
pub fn is_clean(value: &Value) -> bool {
    let mut clean = true;
    visit(value, &mut |text| clean &= !contains(text));
    clean
}

/// Names of the secrets that a value refers to.
pub fn names_in(value: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    visit(value, &mut |text| {
        for part in parts(text) {
            if let Part::Secret(name) = part {
                names.insert(name.to_owned());
            }
        }
    });
    names
}

/// Puts the real values in the place of their references.
///
/// # Errors
/// When `lookup` does not know a name, or when a reference is damaged. The value is
/// then partly opened and must be thrown away.
pub fn open(value: &mut Value, lookup: &dyn Fn(&str) -> Option<String>) -> Result<(), OpenError> {
    match value {
        Value::String(text) if contains(text) => {
            *text = open_text(text, lookup)?;
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| open(item, lookup)),
        Value::Object(entries) => {
            if entries.keys().any(|key| contains(key)) {
                return Err(OpenError::Damaged);
            }
            entries.values_mut().try_for_each(|item| open(item, lookup))
        }
        _ => Ok(()),
    }
}

/// Makes text from outside harmless: both marks become U+FFFD.
pub fn clean(value: &mut Value) {
    rewrite(value, &|text| text.replace([OPEN, CLOSE], "\u{FFFD}"));
}

/// Makes a value fit for readers: a reference becomes `‹secret:NAME›`.
pub fn show(value: &mut Value) {
    rewrite(value, &show_text);
}

/// Makes a text fit for readers: a reference becomes `‹secret:NAME›`.
pub fn show_text(text: &str) -> String {
    if !contains(text) {
        return text.to_owned();
    }
    let shown = parts(text).map(|part| match part {
        Part::Text(text) => text.replace([OPEN, CLOSE], "\u{FFFD}"),
        Part::Secret(name) => format!("‹{LABEL}{name}›"),
    });
    shown.collect()
}

fn open_text(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, OpenError> {
    let mut opened = String::new();
    for part in parts(text) {
        match part {
            Part::Text(text) if contains(text) => return Err(OpenError::Damaged),
            Part::Text(text) => opened.push_str(text),
            Part::Secret(name) => {
                opened.push_str(&lookup(name).ok_or_else(|| OpenError::Unknown(name.to_owned()))?);
            }
        }
    }
    Ok(opened)
}

enum Part<'a> {
    Text(&'a str),
    Secret(&'a str),
}

/// Cuts a text into whole references and what is between them.
fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, after)) = leading_reference(rest) {
            rest = after;
            return Some(Part::Secret(name));
        }
        let after_first = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[after_first..].find(OPEN).map_or(rest.len(), |at| after_first + at);
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(Part::Text(part))
    })
}

fn leading_reference(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix(OPEN)?.strip_prefix(LABEL)?;
    let (name, after) = inner.split_once(CLOSE)?;
    (!name.contains(OPEN)).then_some((name, after))
}

fn visit(value: &Value, each: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| visit(item, each)),
        Value::Object(entries) => entries.iter().for_each(|(key, item)| {
            each(key);
            visit(item, each);
        }),
        _ => {}
    }
}

fn rewrite(value: &mut Value, with: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) if contains(text) => *text = with(text),
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, with)),
        Value::Object(entries) => {
            if entries.keys().any(|key| contains(key)) {
                let old = std::mem::take(entries);
                entries.extend(old.into_iter().map(|(key, item)| (with(&key), item)));
            }
            entries.values_mut().for_each(|item| rewrite(item, with));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "TOKEN").then(|| "hunter2".to_owned())
    }

    #[test]
    fn opens_references_inside_text() {
        let sealed = seal("TOKEN");
        let mut value = json!({"header": format!("Bearer {sealed}"), "list": [sealed, 1]});
        assert_eq!(names_in(&value), BTreeSet::from(["TOKEN".to_owned()]));
        open(&mut value, &lookup).unwrap();
        assert_eq!(value, json!({"header": "Bearer hunter2", "list": ["hunter2", 1]}));
    }

    #[test]
    fn shows_references_by_name() {
        let mut value = json!([format!("a {} b", seal("TOKEN")), {seal("TOKEN"): 1}]);
        show(&mut value);
        assert_eq!(value, json!(["a ‹secret:TOKEN› b", {"‹secret:TOKEN›": 1}]));
    }

    #[test]
    fn damaged_references_are_refused() {
        let sealed = seal("TOKEN");
        for damaged in [&sealed[..sealed.len() - 3], &sealed[3..], &sealed.to_uppercase()] {
            let mut value = json!(damaged);
            assert_eq!(open(&mut value, &lookup), Err(OpenError::Damaged), "{damaged:?}");
        }
        assert_eq!(open(&mut json!({sealed: 1}), &lookup), Err(OpenError::Damaged));
    }

    #[test]
    fn unknown_names_are_refused() {
        let mut value = json!(seal("OTHER"));
        assert_eq!(open(&mut value, &lookup), Err(OpenError::Unknown("OTHER".to_owned())));
    }

    #[test]
    fn text_from_outside_loses_its_marks() {
        let mut value = json!([seal("TOKEN")]);
        clean(&mut value);
        assert_eq!(value, json!(["\u{FFFD}secret:TOKEN\u{FFFD}"]));
    }
}

//! Scripts within a script (`trap '…' EXIT`, `sh -c '…'`): nothing is changed in them.

use std::collections::BTreeSet;

use super::{Calculated, Dialect, Nested, Notes, Reading, Refusal, flow, read, splice};

/// What calculations within begin with; a text without any of it has none.
const CALCULATIONS: [&str; 7] = ["((", "[", "${", "let ", "declare", "typeset", "local"];

/// Adds what is calculated within.
pub(super) fn look_at(
    script: &str,
    names: &BTreeSet<&str>,
    notes: &Notes,
    calculated: &mut Calculated,
) -> Result<(), Refusal> {
    if let Some(at) = notes.escaped {
        return Err(unquoted(at));
    }
    for text in &notes.texts {
        let inner = read_one(&script[text.clone()], names).map_err(|()| unquoted(text.start))?;
        if inner.as_ref().is_some_and(|inner| inner.script.len() > text.len()) {
            return Err(unquoted(text.start));
        }
        add(inner, names, calculated);
    }
    // Variables that have something of a value may be exported.
    let tainted = splice::tainted(script, notes, names);
    let others: BTreeSet<&str> = names.union(&tainted).copied().collect();
    let texts = notes.texts.iter().map(|text| script[text.clone()].to_owned());
    for text in texts.filter(|_| !tainted.is_empty()).chain(expanded_scripts(script, notes)) {
        match read(&text, &others, Dialect::Bash) {
            Ok(inner) => add(Some(inner), names, calculated),
            Err(_) if calculates(&text) => *calculated = Calculated::everything(names),
            Err(_) => {}
        }
    }
    Ok(())
}

fn calculates(text: &str) -> bool {
    CALCULATIONS.iter().any(|begin| text.contains(begin))
}

/// A text as a script: none where it is certain to calculate nothing that matters, an error where it cannot be read and has
/// a variable in it.
fn read_one(text: &str, names: &BTreeSet<&str>) -> Result<Option<Reading>, ()> {
    match read(text, names, Dialect::Bash) {
        Ok(inner) => Ok(Some(inner)),
        Err(_) if !text.contains(['$', '`', '[']) && !text.contains("((") => Ok(None),
        Err(_) if uses_any(text, names) => Err(()),
        Err(_) if calculates(text) => {
            let calculated = Calculated::everything(names);
            Ok(Some(Reading { script: text.to_owned(), calculated, spliced: None, spliced_input: None }))
        }
        Err(_) => Ok(None),
    }
}

/// What positional parameters mean within, nobody follows: any value may be one.
fn add(inner: Option<Reading>, names: &BTreeSet<&str>, calculated: &mut Calculated) {
    let Some(Reading { calculated: inner, spliced, spliced_input, .. }) = inner else { return };
    let is_other = |name: &String| !names.contains(name.as_str());
    if inner.positional || spliced.is_some() || inner.names.iter().any(is_other) {
        *calculated = Calculated::everything(names);
    }
    calculated.names.extend(inner.names.into_iter().filter(|name| names.contains(name.as_str())));
    calculated.input |= inner.input || spliced_input.is_some();
}

/// Scripts that are not in single quotes, as the other shell reads them where nothing is expanded before.
fn expanded_scripts<'a>(script: &'a str, notes: &'a Notes) -> impl Iterator<Item = String> + 'a {
    let fed = notes.fed.iter().filter(|_| notes.nested == Nested::Fed);
    let texts = notes.scripts.iter().chain(fed).map(|range| script[range.clone()].trim_matches('"'));
    let texts = texts.filter(|text| !text.starts_with('\''));
    texts.map(|text| text.replace("\\$", "$").replace("\\`", "`").replace("\\\"", "\""))
}

fn unquoted(at: usize) -> Refusal {
    Refusal {
        at,
        message: "a text that a shell may read in its turn uses a given variable without quotes".to_owned(),
        hint: "write double quotes around the variable in the inner text, too".to_owned(),
    }
}

/// Whether one of the variables occurs, however.
fn uses_any(text: &str, names: &BTreeSet<&str>) -> bool {
    flow::words(text).any(|(_, word)| names.contains(word))
}

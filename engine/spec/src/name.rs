//! Names: how they are compared and suggested.

/// The canonical spelling of a name: `-` and `_` are the same letter.
///
/// ```
/// assert_eq!(aa_spec::name::fold("deploy-ephemeral"), "deploy_ephemeral");
/// ```
pub fn fold(name: &str) -> String {
    name.replace('-', "_")
}

/// True for a name that a skill, step, tool, input or output may have: a letter or
/// `_`, then letters, digits, `_` and `-`.
pub fn is_valid(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && name.len() <= 128
}

/// The known name that was most likely meant, if one is close enough.
pub fn suggest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&fold(wrong), &fold(name)), name))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Names for people to read: `` `a`, `b`, `c` ``.
pub fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

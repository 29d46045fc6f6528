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

/// The only known name that is the given one but for a slip of the hand: a letter too
/// many, one too few, or two of them swapped.
///
/// Another letter in the place of one is no slip: `get_x` is not `set_x`.
pub fn slip<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut near = known.into_iter().filter(|name| is_slip(&fold(wrong), &fold(name)));
    let only = near.next()?;
    near.next().is_none().then_some(only)
}

fn is_slip(wrong: &str, name: &str) -> bool {
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    let one_change = wrong.len() >= 3 && strsim::osa_distance(wrong, name) <= 1;
    one_change && (wrong.chars().count() != name.chars().count() || letters(wrong) == letters(name))
}

/// Names for people to read: `` `a`, `b`, `c` ``.
pub fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slips_of_the_hand_are_certain() {
        let known = ["git_log", "git_get", "jira_set", "limit"];
        assert_eq!(slip("git_lgo", known), Some("git_log"));
        assert_eq!(slip("git-logg", known), Some("git_log"));
        assert_eq!(slip("imit", known), Some("limit"));
        assert_eq!(slip("jira_get", known), None);
        assert_eq!(slip("deployment", ["deployment_name"]), None);
        assert_eq!(slip("tag", ["tags", "stag"]), None, "two are as near");
    }
}

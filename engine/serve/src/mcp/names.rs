//! Names of tools that every known client takes.

use aa_spec::name::fold;
use aa_spec::plan::digest;

/// Clients put the server's name before that of a tool, and some count 60 letters in all.
const LONGEST: usize = 40;

/// Digits of the hash behind a name that could not stay as it is.
const DIGITS: usize = 8;

/// The name under which clients see a skill or tool: a letter, then letters, digits and `_`. One
/// that has to be changed for it gets a hash, so that no two become one.
pub(crate) fn shown(name: &str) -> String {
    let folded = fold(name);
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts = folded.starts_with(|c: char| c.is_ascii_lowercase());
    if starts && folded.chars().all(is_plain) && folded.len() <= LONGEST {
        return folded;
    }
    marked(&folded)
}

/// A name with a hash, for one that could not stay as it is or is that of something else.
pub(crate) fn marked(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let folded = fold(name);
    let plain = folded.chars().map(|c| c.to_ascii_lowercase()).map(|c| if is_plain(c) { c } else { '_' });
    let plain: String = plain.skip_while(|c| !c.is_ascii_lowercase()).take(LONGEST - DIGITS - 1).collect();
    let plain = if plain.is_empty() { "tool".to_owned() } else { plain };
    let hash: String = digest(folded).chars().take(DIGITS).collect();
    format!("{plain}_{hash}")
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn plain_names_stay() {
        for name in ["git_log", "a", "deploy_2_stage", &"x".repeat(40)] {
            assert_eq!(shown(name), name);
        }
        assert_eq!(shown("deploy-ephemeral"), "deploy_ephemeral");
    }

    #[test]
    fn others_become_names_of_their_own() {
        let long = "x".repeat(60);
        let longer = "x".repeat(61);
        let names = ["_private", "Deploy", "deplOy", &long, &longer, "grün", "1st", "ä", "a.b", "a_B"];
        let shown: Vec<String> = names.iter().map(|name| shown(name)).collect();
        for name in &shown {
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(name.len() <= 40 && name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
            assert!(name.chars().all(good), "{name}");
        }
        let distinct: std::collections::BTreeSet<_> = shown.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{shown:?}");
        assert_eq!(shown[1], format!("deploy_{}", &aa_spec::plan::digest("Deploy")[..8]));
    }
}

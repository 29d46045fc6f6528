//! Skills and tools found by words.

use std::collections::BTreeSet;

use aa_run::card::Card;
use aa_spec::tool::ToolSpec;
use rmcp::model::Tool;

/// Words that say nothing about what is wanted.
const IDLE: [&str; 40] = [
    "a", "about", "all", "an", "and", "any", "are", "at", "be", "can", "do", "for", "from", "get", "have",
    "how", "i", "in", "is", "it", "let", "me", "my", "need", "of", "on", "or", "our", "please", "show",
    "the", "this", "to", "want", "we", "what", "which", "with", "would", "you",
];

/// The words of a text that are worth looking for.
pub(crate) fn words(text: &str) -> BTreeSet<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let parts = parts.map(str::to_lowercase).filter(|word| !IDLE.contains(&word.as_str()));
    parts.map(|word| stem(&word)).collect()
}

/// A word without the endings by which its forms differ most.
fn stem(word: &str) -> String {
    for ending in ["ing", "ies", "es", "ed", "s"] {
        if let Some(start) = word.strip_suffix(ending)
            && start.len() >= 3
            && !(ending == "s" && start.ends_with('s'))
        {
            return if ending == "ies" { format!("{start}y") } else { start.to_owned() };
        }
    }
    word.to_owned()
}

/// How well something fits the words, by its name, its description and the names of what it
/// takes; 0 when it does not.
fn score(wanted: &BTreeSet<String>, name: &str, description: &str, inputs: &[&str]) -> usize {
    let (name_words, told) = (words(name), words(description));
    let taken: BTreeSet<String> = inputs.iter().flat_map(|input| words(input)).collect();
    let one = |word: &String| match () {
        () if name_words.contains(word) => 10,
        () if word.len() >= 4 && name.contains(word.as_str()) => 6,
        () if told.contains(word) => 3,
        () if taken.contains(word) => 2,
        () => 0,
    };
    let fitting = wanted.iter().filter(|word| one(word) > 0).count();
    wanted.iter().map(one).sum::<usize>() * fitting
}

/// How well a skill fits.
pub(crate) fn skill(wanted: &BTreeSet<String>, card: &Card) -> usize {
    let inputs: Vec<&str> = card.inputs().collect();
    score(wanted, &card.name, &card.description, &inputs)
}

/// How well a tool fits.
pub(crate) fn tool(wanted: &BTreeSet<String>, spec: &ToolSpec) -> usize {
    let inputs = spec.input["properties"].as_object().into_iter().flat_map(|all| all.keys());
    let inputs: Vec<&str> = inputs.map(String::as_str).collect();
    score(wanted, &spec.name, &spec.description, &inputs)
}

/// How well a tool of the server itself fits.
pub(crate) fn own(wanted: &BTreeSet<String>, tool: &Tool) -> usize {
    score(wanted, &tool.name, tool.description.as_deref().unwrap_or_default(), &[])
}

/// The best of what fits, the best first; of equal ones, as they came.
pub(crate) fn best<T>(all: impl IntoIterator<Item = T>, most: usize, score: impl Fn(&T) -> usize) -> Vec<T> {
    let mut scored: Vec<(usize, T)> =
        all.into_iter().map(|of| (score(&of), of)).filter(|(n, _)| *n > 0).collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().take(most).map(|(_, of)| of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_are_one_word() {
        for (a, b) in
            [("deploys", "deploy"), ("releases", "released"), ("queries", "query"), ("listing", "list")]
        {
            assert_eq!(words(a), words(b));
        }
        assert_eq!(words("What is the status of my pods?"), words("status pods"));
    }

    #[test]
    fn names_count_more_than_descriptions() {
        let wanted = words("namespace logs");
        let fits = |name: &str, told: &str, inputs: &[&str]| score(&wanted, name, told, inputs);
        assert!(fits("kubectl_logs", "", &["namespace"]) > fits("kubectl_exec", "In a namespace", &[]));
        assert!(fits("kubectl_exec", "In a namespace", &[]) > 0);
        assert_eq!(fits("git_status", "What has changed", &["repo"]), 0);
    }
}

//! What commands print, as far as that is known.

use super::Output;
use super::command::Command;
use super::word::Word;

/// Programs whose output has nothing in it that they were given, if all their words are written out.
const OF_MACHINE: [&str; 2] = ["id", "nproc"];

/// Commands that print nothing.
const SILENT: [&str; 8] = ["cd", ":", "true", "false", "sleep", "set", "test", "["];

/// What `stat` prints of a file that no name of a file can be.
const OF_FILE: [&str; 9] = ["%s", "%Y", "%X", "%Z", "%a", "%u", "%g", "%h", "%b"];

/// What `git` is asked for that is a number.
const OF_COMMIT: [&str; 6] =
    ["--count", "--format=%ct", "--format=%at", "--pretty=%ct", "--pretty=%at", "--pretty=format:%ct"];

impl Command {
    /// What its output may be.
    pub(super) fn output(&self) -> Output {
        let words = self.call();
        let first = words.first().and_then(|word| word.literal.as_deref());
        let rest = words.get(1..).unwrap_or_default();
        match first {
            _ if self.complains => Output::Anything,
            Some(name) if prints_number(name, rest) => Output::Number,
            Some("echo" | "printf") => Output::Words,
            _ => Output::Anything,
        }
    }

    /// Whether it prints nothing at all.
    pub(super) fn is_silent(&self) -> bool {
        match self.call().first() {
            Some(word) => word.literal.as_deref().is_some_and(|name| SILENT.contains(&name)),
            None => self.only_assigns(),
        }
    }
}

fn prints_number(name: &str, words: &[Word]) -> bool {
    let is_written = |words: &[Word]| words.iter().all(|word| word.literal.is_some());
    let has = |text: &str| words.iter().any(|word| word.literal.as_deref() == Some(text));
    match name {
        "wc" => is_written(words),
        // With several files it prints their names as well; the last word may be the one file.
        "grep" => {
            let (files, options) = words.split_last().map_or((0, words), |(_, options)| (1, options));
            files == 1 && options.len() <= 2 && words.first().is_some_and(counts) && is_written(options)
        }
        // With a value for a date it is still one.
        "date" if has("+%s") => true,
        "date" => is_written(words) && !words.iter().any(|word| is_option(word, 'f')),
        "stat" => {
            words.first().is_some_and(|word| is_option(word, 'c'))
                && OF_FILE
                    .iter()
                    .any(|form| words.get(1).and_then(|word| word.literal.as_deref()) == Some(form))
        }
        "git" => is_written(words) && OF_COMMIT.iter().any(|form| has(form)),
        "printf" => words
            .first()
            .and_then(|word| word.literal.as_deref())
            .is_some_and(|form| ["%d", "%d\\n"].contains(&form)),
        name => OF_MACHINE.contains(&name) && is_written(words),
    }
}

fn counts(word: &Word) -> bool {
    is_option(word, 'c')
}

/// Whether a word is options of one letter, this one among them.
fn is_option(word: &Word, letter: char) -> bool {
    let word = word.literal.as_deref().unwrap_or_default();
    word.starts_with('-') && !word.starts_with("--") && word.contains(letter)
}

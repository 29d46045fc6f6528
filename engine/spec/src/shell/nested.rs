//! Texts that another shell is given as a script: a value within one is read as a part of that script, whatever quotes
//! are around it here.

use std::ops::Range;

use super::Nested;
use super::command::Command;
use super::reader::{Read, Reader};
use super::word::Word;

/// Shells that take a script after `-c`, or read one.
const SHELLS: [&str; 9] = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox", "su"];

/// Options of `ssh` that take the next word.
const OF_SSH: &str = "BbcDEeFIiJLlmOoPpQRSWw";

impl Reader<'_> {
    /// Refuses a given variable that stands in a script for another shell beside anything else.
    pub(super) fn run_by_others(&mut self, command: &Command) -> Read<()> {
        let words = command.call();
        for (index, word) in words.iter().enumerate() {
            if program(word).is_some_and(runs_text) {
                self.within(Nested::Texts);
            }
            let rest = &words[index + 1..];
            let is_first = index == 0 || words[0].literal.as_deref() == Some("sudo");
            match program(word) {
                Some("eval") if is_first => self.joined(rest)?,
                Some("trap") if is_first => self.script(rest.iter().find(|word| !is_option(word)))?,
                Some("ssh") if is_first => self.remote(rest)?,
                Some(name) if SHELLS.contains(&name) => self.shell(rest, is_first && name != "su")?,
                _ => {}
            }
        }
        Ok(())
    }

    fn within(&mut self, nested: Nested) {
        self.notes.nested = self.notes.nested.max(nested);
    }

    /// What comes after the name of a shell.
    fn shell(&mut self, words: &[Word], may_read: bool) -> Read<()> {
        let command = words.iter().position(|word| is_option(word) && letters(word).contains('c'));
        let operand = words.iter().find(|word| !is_option(word) && program(word) != Some("sh"));
        let reads =
            operand.is_none() || words.iter().any(|word| is_option(word) && letters(word).contains('s'));
        if let Some(at) = command {
            return self.script(words[at + 1..].iter().find(|word| !is_option(word)));
        }
        if may_read && reads {
            self.within(Nested::Fed);
        }
        Ok(())
    }

    /// What comes after `ssh`: the host, and then what a shell there is given.
    fn remote(&mut self, words: &[Word]) -> Read<()> {
        let mut at = 0;
        while let Some(word) = words.get(at).filter(|word| is_option(word)) {
            let takes = letters(word).len() == 1 && OF_SSH.contains(letters(word));
            at += 1 + usize::from(takes);
        }
        let command = words.get(at + 1..).unwrap_or_default();
        if command.is_empty() {
            self.within(Nested::Fed);
        }
        self.joined(command)
    }

    /// Words that become one script.
    fn joined(&mut self, words: &[Word]) -> Read<()> {
        match words {
            [] => Ok(()),
            [one] => self.script(Some(one)),
            [first, .., last] => self.none_in(first.range.start..last.range.end),
        }
    }

    /// A word that is a script. One that is nothing but the value was given as a script.
    fn script(&mut self, word: Option<&Word>) -> Read<()> {
        let Some(word) = word else { return Ok(()) };
        let text = self.text[word.range.clone()].trim_matches('"');
        let is_whole = self.notes.used.iter().any(|used| self.text[used.clone()] == *text);
        if is_whole { Ok(()) } else { self.none_in(word.range.clone()) }
    }

    pub(super) fn none_in(&self, range: Range<usize>) -> Read<()> {
        let within = |used: &&Range<usize>| range.start <= used.start && used.end <= range.end;
        // Bash writes it as one word then.
        let is_written = |used: &&Range<usize>| !self.text[(*used).clone()].ends_with("@Q}");
        match self.notes.used.iter().filter(within).find(is_written) {
            None => Ok(()),
            Some(used) => self.refuse(
                used.start,
                "another shell reads this text as a script, and the value with it",
                "write it as `'ls \"$name\"'`, with single quotes around the text; for `ssh`, `${name@Q}` in bash",
            ),
        }
    }
}

/// Whether a program reads some of its words as a script.
fn runs_text(program: &str) -> bool {
    SHELLS.contains(&program) || ["eval", "trap", "ssh"].contains(&program)
}

/// The program that a word names.
fn program(word: &Word) -> Option<&str> {
    word.literal.as_deref().map(|name| name.rsplit('/').next().unwrap_or(name))
}

fn is_option(word: &Word) -> bool {
    word.literal.as_deref().is_some_and(|word| word.len() > 1 && word.starts_with('-'))
}

/// The letters of an option; of long ones there are none.
fn letters(word: &Word) -> &str {
    let option = word.literal.as_deref().and_then(|word| word.strip_prefix('-')).unwrap_or_default();
    if option.starts_with('-') { "" } else { option }
}

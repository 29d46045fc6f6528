//! Texts that another shell is given as a script: a value within one is read as a part of that script, whatever quotes
//! are around it here.

use std::ops::Range;

use super::command::Command;
use super::reader::{Read, Reader};
use super::word::Word;
use super::{From, Nested, Refusal};

/// Shells that take a script after `-c`, or read one.
const SHELLS: [&str; 10] = ["sh", "bash", "rbash", "dash", "ash", "ksh", "mksh", "zsh", "busybox", "su"];

/// Programs that run what stands behind them.
const WRAPPERS: [&str; 22] = [
    "chroot",
    "doas",
    "docker",
    "env",
    "find",
    "flock",
    "ionice",
    "kubectl",
    "nice",
    "nohup",
    "nsenter",
    "oc",
    "parallel",
    "podman",
    "setsid",
    "stdbuf",
    "sudo",
    "systemd-run",
    "time",
    "timeout",
    "unshare",
    "xargs",
];

/// Programs that put names in the place of `{}`.
const PUTTING: [&str; 3] = ["find", "parallel", "xargs"];

/// Other languages, and the option before a script.
const LANGUAGES: [(&str, char); 7] =
    [("python", 'c'), ("pypy", 'c'), ("perl", 'e'), ("ruby", 'e'), ("node", 'e'), ("php", 'r'), ("lua", 'e')];

/// Options of `ssh` that take the next word.
const OF_SSH: &str = "BbcDEeFIiJLlmOoPpQRSWw";

impl Reader<'_> {
    /// Refuses a given variable that stands in a script for another shell beside anything else.
    pub(super) fn run_by_others(&mut self, command: &Command) -> Read<()> {
        let words = command.call();
        // What another program runs stands anywhere behind it.
        let functions = &self.notes.functions;
        let runs =
            |name: &str| WRAPPERS.contains(&name) || functions.iter().any(|function| function.name == name);
        let anywhere = words.first().is_some_and(|first| program(first).is_none_or(runs));
        for (index, word) in words.iter().enumerate() {
            let rest = &words[index + 1..];
            let is_called = index == 0 || anywhere;
            let name = program(word).or_else(|| self.held(word).filter(|_| is_called)).map(str::to_owned);
            match name {
                Some(name) => self.run_by(&name, words, (rest, is_called))?,
                // It may be a shell (`$SHELL -c …`).
                None if is_called && rest.first().is_some_and(is_command_option) => self.script(rest.get(1)),
                None => {}
            }
        }
        Ok(())
    }

    /// The program that is named by the variable which a word is.
    fn held(&self, word: &Word) -> Option<&str> {
        let variable = self.text[word.range.clone()].trim_matches('"').strip_prefix('$')?;
        let name = variable.trim_start_matches('{').trim_end_matches('}');
        self.notes.assigned.iter().rev().filter(|(assigned, _)| assigned == name).find_map(|(_, from)| {
            match from {
                From::Text(range) => {
                    let command = self.text[range.clone()].trim_matches(['"', '\'']);
                    command.split_whitespace().next()?.rsplit('/').next()
                }
                _ => None,
            }
        })
    }

    fn run_by(&mut self, name: &str, words: &[Word], (rest, is_called): (&[Word], bool)) -> Read<()> {
        match name {
            "eval" if is_called => self.joined(rest),
            "trap" if is_called => self.script(rest.iter().find(|word| !is_option(word))),
            "ssh" if is_called => self.remote(rest),
            "source" | "." if is_called => self.sourced(rest),
            "flock" | "script" => {
                let at = rest.iter().position(is_command_option);
                self.script(at.and_then(|at| rest.get(at + 1)));
            }
            name if SHELLS.contains(&name) => {
                let script = self.shell(rest, is_called && name != "su");
                return self.no_names_in(words, script);
            }
            name => self.interpreted(name, rest),
        }
        Ok(())
    }

    /// What `xargs` and `find` put in the place of `{}`, or of what they are told: names, which nobody has quoted.
    fn no_names_in(&self, words: &[Word], script: Option<Range<usize>>) -> Read<()> {
        let puts = words.first().and_then(program).is_some_and(|name| PUTTING.contains(&name));
        let told = words.windows(2).find_map(|pair| {
            let option = pair[0].literal.as_deref()?.strip_prefix("-I")?;
            if option.is_empty() { pair[1].literal.as_deref() } else { Some(option) }
        });
        let mark = told.unwrap_or("{}");
        let place = script.and_then(|script| Some(script.start + self.text[script].find(mark)?));
        match place.filter(|_| puts) {
            None => Ok(()),
            Some(at) => self.refuse(
                at,
                format!("another shell reads this text as a script, and what is put in the place of `{mark}` with it"),
                format!("write `\"$1\"` in it, and `sh {mark}` after it"),
            ),
        }
    }

    /// `source` without a file reads what it is fed.
    fn sourced(&mut self, words: &[Word]) {
        let file = words.iter().find(|word| !is_option(word)).and_then(|word| word.literal.as_deref());
        if words.is_empty() || file.is_some_and(|file| file.starts_with("/dev/")) {
            self.within(Nested::Fed);
        }
    }

    /// Other languages have scripts among their words as well.
    fn interpreted(&mut self, name: &str, words: &[Word]) {
        let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let Some((_, option)) = LANGUAGES.iter().find(|(language, _)| *language == name) else { return };
        // The modules that Perl is told to load have letters, too.
        let is_one = |word: &Word| {
            let letters = letters(word).to_ascii_lowercase();
            is_option(word) && !letters.starts_with(['m', 'i']) && letters.contains(*option)
        };
        let at = words.iter().position(is_one);
        // No shell reads it.
        self.notes.scripts.extend(at.and_then(|at| words.get(at + 1)).map(|word| word.range.clone()));
    }

    fn within(&mut self, nested: Nested) {
        self.notes.nested = self.notes.nested.max(nested);
    }

    /// What comes after the name of a shell: the script, if there is one among the words.
    fn shell(&mut self, words: &[Word], may_read: bool) -> Option<Range<usize>> {
        let command = words.iter().position(|word| is_option(word) && letters(word).contains('c'));
        let operand = words.iter().find(|word| !is_option(word) && program(word) != Some("sh"));
        let reads =
            operand.is_none() || words.iter().any(|word| is_option(word) && letters(word).contains('s'));
        if let Some(at) = command {
            let script = words[at + 1..].iter().find(|word| !is_option(word));
            self.script(script);
            return script.map(|word| word.range.clone());
        }
        if may_read && reads {
            self.within(Nested::Fed);
        }
        None
    }

    /// What comes after `ssh`: the host, and then what a shell there is given.
    fn remote(&mut self, words: &[Word]) {
        let mut at = 0;
        while let Some(word) = words.get(at).filter(|word| is_option(word)) {
            let takes = letters(word).len() == 1 && OF_SSH.contains(letters(word));
            at += 1 + usize::from(takes);
        }
        let command = words.get(at + 1..).unwrap_or_default();
        if command.is_empty() {
            self.within(Nested::Fed);
        }
        self.joined(command);
    }

    /// Words that become one script.
    fn joined(&mut self, words: &[Word]) {
        if let (Some(first), Some(last)) = (words.first(), words.last()) {
            self.notes.scripts.push(first.range.start..last.range.end);
            self.within(Nested::Texts);
        }
    }

    fn script(&mut self, word: Option<&Word>) {
        self.joined(word.map(std::slice::from_ref).unwrap_or_default());
    }
}

/// A value is a part of a script for another program.
pub(super) fn part_of_a_script(at: usize) -> Refusal {
    let message = "another program reads this text as a script, and the value with it";
    let hint =
        "write it as `'ls \"$name\"'`, with single quotes around the text; for `ssh`, `${name@Q}` in bash";
    Refusal { at, message: message.to_owned(), hint: hint.to_owned() }
}

/// Whether a word is options with a `c` among them, which a script follows.
fn is_command_option(word: &Word) -> bool {
    is_option(word) && letters(word).contains('c')
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

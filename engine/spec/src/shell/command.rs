//! Commands that calculate with their words, take them for names of variables, or run them.

use std::ops::Range;

use super::reader::{Read, Reader};
use super::word::{Word, name_of};
use super::{Call, From};

/// Variables in whose value a shell runs commands when it shows what it does, or that name a script which it runs first.
const EXPANDED: [&str; 2] = ["PS4", "BASH_ENV"];

/// Variables whose value other programs have a shell run.
const COMMANDS: [&str; 7] =
    ["EDITOR", "GIT_EDITOR", "GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_SSH_COMMAND", "LESSOPEN", "PAGER"];

/// What has been read of a command.
pub(super) struct Command {
    /// Where it begins.
    pub from: usize,
    words: Vec<Word>,
    /// Whether a reserved word may come.
    reserved: bool,
    compound: bool,
    /// Whether what it complains of is part of its output.
    pub complains: bool,
}

impl Command {
    pub(super) fn at(from: usize) -> Self {
        Self { from, words: Vec::new(), reserved: true, compound: false, complains: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty() && !self.compound
    }

    /// Whether this may be the first word.
    pub(super) fn may_begin(&self) -> bool {
        self.words.is_empty() && self.reserved
    }

    /// A command of these words.
    pub(super) fn of(words: Vec<Word>) -> Self {
        Self { words, ..Self::at(0) }
    }

    pub(super) fn push(&mut self, word: Word) {
        self.words.push(word);
    }

    /// A compound command is over: only what closes another one may follow.
    pub(super) fn closed(&mut self) {
        self.compound = true;
    }

    pub(super) fn redirected(&mut self) {
        self.reserved = self.compound;
    }

    /// Whether it is nothing but assignments.
    pub(super) fn only_assigns(&self) -> bool {
        !self.compound && !self.words.is_empty()
    }

    /// The name of the function that it defines, if a `(` comes next.
    pub(super) fn function(&self) -> Option<&str> {
        let [word] = self.words.as_slice() else { return None };
        word.plain.as_deref().filter(|name| word.assigns.is_none() && !name.is_empty())
    }

    /// Its words without assignments and without what only passes them on.
    pub(super) fn call(&self) -> &[Word] {
        let passes = |word: &Word| {
            word.assigns.is_some()
                || matches!(word.literal.as_deref(), Some("command" | "builtin" | "exec" | "-p" | "--"))
        };
        let first = self.words.iter().position(|word| !passes(word)).unwrap_or(self.words.len());
        &self.words[first..]
    }
}

impl Reader<'_> {
    /// Notes what a command does with its words.
    pub(super) fn look_at(&mut self, command: &Command) -> Read<()> {
        for word in &command.words {
            if let Some((name, from)) = &word.assigns {
                self.assigned(name, *from..word.range.end);
            }
        }
        self.run_by_others(command)?;
        let Some((first, rest)) = command.call().split_first() else { return Ok(()) };
        self.called(first, rest);
        match first.literal.as_deref() {
            Some("let") => self.calculated(rest),
            Some("declare" | "typeset" | "local") => self.declared(rest, true),
            Some("export" | "readonly") => self.declared(rest, false),
            Some("read" | "mapfile" | "readarray" | "getopts") => self.read_into(rest),
            Some("unset" | "compgen" | "complete") => self.names(rest),
            Some("wait") => self.calculated_if_open(rest),
            Some("printf") => self.printed(rest),
            Some("test" | "[") => self.tested(rest),
            Some("set") => {
                self.notes.positional_change = true;
                return self.options(first, rest, &["hist"]);
            }
            Some("shopt") => {
                return self.options(
                    first,
                    rest,
                    &["extglob", "expand_aliases", "compat", "extquote", "assoc"],
                );
            }
            Some("alias") => {
                let message = "`alias` makes it unclear what the text after it means";
                return self.refuse(first.range.start, message, "do without it");
            }
            _ => {}
        }
        Ok(())
    }

    /// A variable gets a value. Some are expanded when a shell shows or looks for something, with all that runs in them.
    fn assigned(&mut self, name: &str, value: Range<usize>) {
        if EXPANDED.contains(&name) {
            self.notes.calculated.push(value.clone());
        }
        if COMMANDS.contains(&name) {
            self.notes.scripts.push(value.clone());
        }
        self.notes.assigned.push((name.to_owned(), From::Text(value)));
    }

    fn called(&mut self, first: &Word, rest: &[Word]) {
        let own = Some(first).filter(|first| first.literal.is_none());
        let args: Vec<_> = own.into_iter().chain(rest).map(|word| word.range.clone()).collect();
        if !args.is_empty() {
            self.notes.calls.push(Call { name: first.literal.clone(), args });
        }
    }

    fn calculated(&mut self, words: &[Word]) {
        self.notes.calculated.extend(words.iter().map(|word| word.range.clone()));
    }

    /// `declare x=$value` is harmless, unless the variable calculates, is a list or stands for another one.
    fn declared(&mut self, words: &[Word], may_calculate: bool) {
        let option = |word: &Word, letters: &[char]| {
            word.literal.as_deref().is_some_and(|word| word.starts_with(['-', '+']) && word.contains(letters))
        };
        let may_be =
            |word: &Word| word.literal.is_none() && word.assigns.is_none() && self.may_be_option(word);
        let braced = |word: &Word| word.plain.as_deref().is_some_and(|word| word.contains('{'));
        let calculates = words.iter().any(|word| option(word, &['i', 'n']) || may_be(word) || braced(word));
        self.notes.integers |= may_calculate && calculates;
        let list = words.iter().any(|word| option(word, &['a', 'A']));
        // What is written as a list is one, and its elements are texts.
        let written = |word: &Word| {
            word.assigns.as_ref().is_some_and(|(_, from)| !list || self.text[*from..].starts_with('('))
        };
        let unclear = |word: &&Word| word.literal.is_none() && !written(word);
        self.notes.calculated.extend(words.iter().filter(unclear).map(|word| word.range.clone()));
    }

    /// What is read may be what was given, by way of a here-document, a pipe or a file.
    fn read_into(&mut self, words: &[Word]) {
        self.names(words);
        // `mapfile -C` has a script run for each line.
        let callback = words.windows(2).find(|pair| pair[0].literal.as_deref() == Some("-C"));
        self.notes.scripts.extend(callback.map(|pair| pair[1].range.clone()));
        for name in words.iter().filter_map(|word| word.literal.as_deref()) {
            if !name.is_empty() && name_of(name).len() == name.len() {
                self.notes.assigned.push((name.to_owned(), From::Input));
            }
        }
        let reply = ["REPLY", "MAPFILE", "OPTARG"].map(|name| (name.to_owned(), From::Input));
        self.notes.assigned.extend(reply);
    }

    /// Words that name variables wherever they stand.
    fn calculated_if_open(&mut self, words: &[Word]) {
        let open = words.iter().filter(|word| word.literal.is_none()).map(|word| word.range.clone());
        self.notes.calculated.extend(open);
    }

    /// Words that name variables: `list[…]` is one, and what is in the brackets is calculated.
    fn names(&mut self, words: &[Word]) {
        // After an option that takes a text, a word is that text.
        let takes = |word: &Word| {
            word.literal.as_deref().is_some_and(|word| {
                word.starts_with('-') && word.ends_with(['p', 'd', 'n', 'N', 't', 'u', 'i'])
            })
        };
        let mut after_option = false;
        for word in words {
            if word.literal.is_none() && !after_option {
                self.notes.calculated.push(word.range.clone());
            }
            after_option = takes(word);
        }
    }

    /// `printf -v name`: a first word that is not written out may be that option.
    fn printed(&mut self, words: &[Word]) {
        let [first, rest @ ..] = words else { return };
        // A shell reads what `%q` has written as one word.
        let form = if first.literal.as_deref() == Some("-v") { rest.get(1) } else { Some(first) };
        if form.and_then(|form| form.literal.as_deref()).is_some_and(is_for_shells) {
            self.notes
                .escapes
                .push(first.range.end..rest.last().map_or(first.range.end, |word| word.range.end));
        }
        let option = first.literal.as_deref() == Some("-v");
        let open = !rest.is_empty() && first.literal.is_none() && self.may_be_option(first);
        if option && let Some(name) = rest.first() {
            let assigned = name.literal.clone().unwrap_or_default();
            if assigned.is_empty() || assigned.contains('[') {
                self.notes.calculated.push(name.range.clone());
            }
            let value = name.range.end..rest.last().map_or(name.range.end, |word| word.range.end);
            self.notes.assigned.push((assigned, From::Text(value)));
        } else if open {
            self.notes.calculated.push(first.range.clone());
        }
    }

    /// `test -v name`: so is a word that may come to `-v`.
    fn tested(&mut self, words: &[Word]) {
        for pair in words.windows(2) {
            let names = match pair[0].literal.as_deref() {
                Some(option) => option == "-v" || option == "-R",
                None => self.may_be_option(&pair[0]),
            };
            if names {
                self.notes.calculated.push(pair[1].range.clone());
            }
        }
    }

    /// Whether what it comes to may begin with a `-`.
    fn may_be_option(&self, word: &Word) -> bool {
        let text = self.text[word.range.clone()].trim_start_matches(['"', '\'']);
        text.starts_with(['$', '`', '-', '\\'])
    }

    fn options(&self, first: &Word, words: &[Word], unclear: &[&str]) -> Read<()> {
        let is_unclear = |word: &Word| {
            word.literal.as_deref().is_some_and(|word| unclear.iter().any(|unclear| word.contains(unclear)))
        };
        if words.iter().any(is_unclear) {
            let name = first.literal.as_deref().unwrap_or_default();
            let message = format!("`{name}` changes what the text after it means");
            return self.refuse(first.range.start, message, "do without it");
        }
        Ok(())
    }
}

/// Whether a format writes all that it is given for a shell.
fn is_for_shells(form: &str) -> bool {
    let mut parts = form.split('%').skip(1).peekable();
    parts.peek().is_some() && parts.all(|part| part.starts_with('q'))
}

//! What reserved words begin: `case`, `for`, `[[ … ]]`, and calculations.

use super::command::Command;
use super::reader::{Read, Reader, Until};
use super::word::Word;
use super::{Dialect, From};

impl Reader<'_> {
    /// The next word of a command; says whether it was the `esac` that ends the clause.
    pub(super) fn command_word(&mut self, command: &mut Command, until: Until) -> Read<bool> {
        let word = self.word()?;
        let word = self.array(word)?;
        let reserved = word.plain.clone().filter(|_| command.may_begin());
        match reserved.as_deref() {
            Some("esac") if until == Until::Clause => return Ok(true),
            Some("case") => {
                self.opens(word.range.start);
                self.case(word.range.start)?;
                self.closes(false);
            }
            Some("[[") => self.conditional(word.range.start)?,
            Some("for" | "select") => {
                self.opens(word.range.start);
                return self.for_each(command).map(|()| false);
            }
            Some("function") => return self.function(command).map(|()| false),
            Some("if" | "while" | "until" | "{") => {
                self.opens(word.range.start);
                return Ok(false);
            }
            Some("then" | "elif" | "else" | "do" | "!") => return Ok(false),
            Some("time") => return Ok(self.timed()),
            Some(end @ ("fi" | "done" | "}")) => {
                // A pipe after it gets what all of it prints.
                command.from = self.closes(end == "}").unwrap_or(command.from);
            }
            Some(unclear @ ("coproc" | "esac")) => {
                let message = format!("`{unclear}` makes it unclear what the text after it means");
                return self.refuse(word.range.start, message, "do without it");
            }
            _ => {
                command.push(word);
                return Ok(false);
            }
        }
        command.closed();
        Ok(false)
    }

    /// `a=( … )`: an array, whose elements are words.
    fn array(&mut self, mut word: Word) -> Read<Word> {
        if self.peek() != Some('(') || !self.text[word.range.clone()].ends_with('=') || word.assigns.is_none()
        {
            return Ok(word);
        }
        self.at += 1;
        self.lines()?;
        let mut elements = Vec::new();
        while self.peek() != Some(')') {
            let element = self.word()?;
            if element.range.is_empty() {
                return self.refuse(self.at, "an array is not closed", "close it with `)`");
            }
            // `([n]=x)`: what is in the brackets is calculated.
            let text = &self.text[element.range.clone()];
            if let Some(inner) = text.strip_prefix('[') {
                let plain = inner.find("]=").filter(|end| !inner[..*end].contains('['));
                let end = plain.map_or(element.range.end, |end| element.range.start + 1 + end);
                self.notes.calculated.push(element.range.start..end);
            }
            elements.push(element);
            self.lines()?;
        }
        // It may be called later.
        self.run_by_others(&Command::of(elements))?;
        self.at += 1;
        word.range.end = self.at;
        word.literal = None;
        word.plain = None;
        Ok(word)
    }

    /// `time` may have an option.
    fn timed(&mut self) -> bool {
        self.blanks();
        if self.rest().starts_with("-p ") {
            self.at += 2;
        }
        false
    }

    fn function(&mut self, command: &mut Command) -> Read<()> {
        self.blanks();
        let name = self.word()?;
        if name.plain.as_deref().unwrap_or_default().is_empty() {
            return self.refuse(name.range.start, "a function has no plain name", "write `name() { … }`");
        }
        self.blanks();
        if self.take("(") {
            self.blanks();
            if !self.take(")") {
                return self.refuse(self.at, "it is not clear what this `(` means", "write `name() { … }`");
            }
        }
        self.defines(name.plain.as_deref().unwrap_or_default());
        *command = Command::at(self.at);
        Ok(())
    }

    /// `for name in words`, and `for ((…))`.
    fn for_each(&mut self, command: &mut Command) -> Read<()> {
        self.blanks();
        let at = self.at;
        *command = Command::at(at);
        if self.take("((") {
            self.only_bash(at, "`for ((`", "count in a `while` with `$(( … ))`")?;
            return self.arithmetic(at, true);
        }
        let Some(name) = self.word()?.plain.filter(|name| !name.is_empty()) else {
            return self.refuse(at, "`for` has no plain variable", "write `for name in …`");
        };
        self.lines()?;
        let before = self.at;
        if !self.keyword("in") {
            self.at = before;
            self.notes.assigned.push((name, From::Positional(at)));
            return Ok(());
        }
        let words = self.at;
        loop {
            self.blanks();
            match self.peek() {
                None | Some('\n' | ';' | '#') => break,
                Some('(' | ')' | '<' | '>' | '&' | '|') => {
                    return self.refuse(
                        self.at,
                        "it is not clear what `for` goes through",
                        "put it in quotes",
                    );
                }
                Some(_) => drop(self.word()?),
            }
        }
        // Names of files may be anything.
        if self.text[words..self.at].contains(['*', '?']) {
            self.notes.assigned.push((name.clone(), From::Input));
        }
        self.notes.assigned.push((name, From::Text(words..self.at)));
        Ok(())
    }

    fn case(&mut self, at: usize) -> Read<()> {
        self.blanks();
        self.word()?;
        self.lines()?;
        if !self.keyword("in") {
            return self.refuse(at, "a `case` has no `in`", "write `case … in`");
        }
        loop {
            self.lines()?;
            if self.keyword("esac") {
                return Ok(());
            }
            self.take("(");
            self.patterns(at)?;
            if self.commands(Until::Clause)?.esac {
                return Ok(());
            }
        }
    }

    /// The patterns of a clause and the `)` after them.
    fn patterns(&mut self, at: usize) -> Read<()> {
        loop {
            self.blanks();
            let pattern = self.word()?;
            self.blanks();
            if pattern.range.is_empty() || !(self.take("|") || self.rest().starts_with(')')) {
                return self.refuse(
                    at,
                    "the patterns of a `case` are not clear",
                    "put what is not a letter in quotes",
                );
            }
            if self.take(")") {
                return Ok(());
            }
        }
    }

    /// Takes a word if it is this one.
    fn keyword(&mut self, word: &str) -> bool {
        let after = self.rest().strip_prefix(word).map(|rest| rest.chars().next());
        let there = after.is_some_and(|next| next.is_none_or(|c| " \t\n;&|()<>".contains(c)));
        self.at += if there { word.len() } else { 0 };
        there
    }

    /// `[[ … ]]`: what stands beside `-gt` and its like is calculated.
    fn conditional(&mut self, at: usize) -> Read<()> {
        let mut words: Vec<Word> = Vec::new();
        loop {
            self.blanks();
            if ["<<", "<(", ">(", "#"].iter().any(|unclear| self.rest().starts_with(unclear)) {
                return self.refuse(self.at, "it is not clear what is compared", "put it in quotes");
            }
            match self.peek() {
                None => return self.refuse(at, "a `[[` is not closed", "close it with `]]`"),
                Some('\n') => {
                    self.at += 1;
                    self.no_heredoc()?;
                }
                Some('(' | ')' | '<' | '>' | '&' | '|' | ';') => self.at += 1,
                Some(_) => {
                    let word = self.word()?;
                    if word.plain.as_deref() == Some("]]") {
                        break;
                    }
                    words.push(word);
                }
            }
        }
        let is =
            |word: &Word, list: &[&str]| word.literal.as_deref().is_some_and(|word| list.contains(&word));
        for (index, word) in words.iter().enumerate() {
            let next = words.get(index + 1).map(|word| word.range.clone());
            if is(word, &["-eq", "-ne", "-lt", "-le", "-gt", "-ge"]) {
                self.notes.calculated.extend(index.checked_sub(1).map(|before| words[before].range.clone()));
                self.notes.calculated.extend(next);
            } else if is(word, &["-v", "-R"]) {
                self.notes.calculated.extend(next);
            }
        }
        Ok(())
    }

    /// What stands between `((` and `))`.
    pub(super) fn arithmetic(&mut self, at: usize, parts: bool) -> Read<()> {
        let from = self.at;
        self.deeper(at, |reader| reader.expression(at, parts))?;
        self.notes.calculated.push(from..self.at - 2);
        self.one_line(at)
    }

    fn expression(&mut self, at: usize, parts: bool) -> Read<()> {
        let mut open = 0u32;
        loop {
            match self.peek() {
                Some(')') if open == 0 && self.take("))") => return Ok(()),
                Some(')') if open > 0 => open -= 1,
                Some('(') => open += 1,
                Some('$' | '"' | '`') => {
                    self.inner_expansion()?;
                    continue;
                }
                Some(';') if parts => {}
                Some(c) if c.is_ascii_alphanumeric() || " \t\n+-*/%<>=!&|^~?:,[]#_.@".contains(c) => {}
                _ => {
                    let hint = "write a calculation as `$(( … ))`, and commands with a space: `$( (`";
                    return self.refuse(at, "it is not clear whether this is a calculation", hint);
                }
            }
            self.at += 1;
        }
    }

    /// Whether the shell is one of which some read it otherwise.
    pub(super) fn is_sh(&self) -> bool {
        self.dialect == Dialect::Sh
    }
}

//! Commands and what separates them.

use std::collections::BTreeSet;
use std::ops::Range;

use super::command::Command;
use super::heredoc::Heredoc;
use super::{Dialect, Function, Notes, Output, Refusal};

pub(super) type Read<T> = Result<T, Refusal>;

/// So deep a script may be nested; no person writes such a one.
const DEPTH: usize = 100;

/// What ends a list of commands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// The end of the text.
    End,
    /// A `)`, which is left.
    Parenthesis,
    /// `;;` or `esac`, which are taken.
    Clause,
}

/// What a list of commands was.
#[derive(Default)]
pub(super) struct Listed {
    /// What the commands print together; none where they are none.
    pub output: Option<Output>,
    /// Whether it ended with `esac`.
    pub esac: bool,
}

/// A compound command that is not closed yet.
struct Opened {
    from: usize,
    /// Whether a `}` closes it.
    brace: bool,
    /// The function that it is the body of.
    function: Option<usize>,
}

impl Listed {
    /// What comes out of several commands that print more than numbers may be anything.
    fn add(&mut self, output: Output) {
        self.output = match self.output {
            None => Some(output),
            Some(Output::Number) if output == Output::Number => Some(output),
            Some(_) => Some(Output::Anything),
        };
    }
}

pub(super) struct Reader<'a> {
    pub text: &'a str,
    pub at: usize,
    /// Where the part that is being read ends.
    pub end: usize,
    pub names: &'a BTreeSet<&'a str>,
    pub dialect: Dialect,
    /// Here-documents that begin after this line.
    pub pending: Vec<Heredoc>,
    pub notes: Notes,
    /// Compound commands that are not closed.
    opened: Vec<Opened>,
    /// The function whose body comes next.
    defining: Option<usize>,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn read(text: &'a str, names: &'a BTreeSet<&'a str>, dialect: Dialect) -> Read<Notes> {
        let notes = Notes::default();
        let (pending, opened, end) = (Vec::new(), Vec::new(), text.len());
        let mut reader =
            Self { text, at: 0, end, names, dialect, pending, notes, opened, defining: None, depth: 0 };
        reader.commands(Until::End)?;
        Ok(reader.notes)
    }

    /// Reads commands up to what ends them.
    pub(super) fn commands(&mut self, until: Until) -> Read<Listed> {
        let from = self.at;
        self.deeper(from, |reader| reader.list(until))
    }

    fn list(&mut self, until: Until) -> Read<Listed> {
        let mut listed = Listed::default();
        let mut command = Command::at(self.at);
        loop {
            self.blanks();
            match self.peek() {
                None if until == Until::End => break,
                None => return self.refuse(self.at, "the script ends too early", "close what it opens"),
                Some(')') if until == Until::Parenthesis => break,
                Some(')') => return self.refuse(self.at, "a `)` closes nothing", "put it in quotes"),
                Some(';' | '&' | '|' | '\n') if !self.rest().starts_with("&>") => {
                    self.ended(&mut command, &mut listed)?;
                    if self.separator(until)? {
                        return Ok(listed);
                    }
                }
                Some('#') => self.at = self.line_end(),
                Some('(') => self.parenthesis(&mut command)?,
                Some('<' | '>' | '&') => self.redirection(&mut command)?,
                Some(_) if self.command_word(&mut command, until)? => {
                    listed.esac = true;
                    return Ok(listed);
                }
                Some(_) => {}
            }
        }
        self.ended(&mut command, &mut listed)?;
        if until == Until::End { self.no_heredoc().map(|()| listed) } else { Ok(listed) }
    }

    /// A command is over: what it does with its words is looked at.
    fn ended(&mut self, command: &mut Command, listed: &mut Listed) -> Read<()> {
        let piped = self.peek() == Some('|') && !self.rest().starts_with("||");
        let done = std::mem::replace(command, Command::at(self.at + 1));
        if done.is_empty() {
            return Ok(());
        }
        if piped {
            self.notes.fed.push(done.from..self.at);
        } else if !done.is_silent() {
            listed.add(done.output());
        }
        self.look_at(&done)
    }

    /// Takes an operator or the end of a line; says whether it ends a clause of a `case`.
    fn separator(&mut self, until: Until) -> Read<bool> {
        let at = self.at;
        let clause = [";;&", ";;", ";&"].into_iter().find(|end| self.rest().starts_with(end));
        if let Some(end) = clause {
            self.at += end.len();
            return match until {
                Until::Clause => Ok(true),
                _ => self.refuse(at, format!("`{end}` stands outside of a `case`"), "leave it out"),
            };
        }
        if self.peek() == Some('\n') {
            self.at += 1;
            self.bodies()?;
        } else {
            self.at += 1;
            self.not_joined()?;
        }
        Ok(false)
    }

    /// `( … )` where a command may begin, and `name ()`.
    fn parenthesis(&mut self, command: &mut Command) -> Read<()> {
        let at = self.at;
        if let Some(name) = command.function().map(str::to_owned) {
            self.at += 1;
            self.blanks();
            if self.take(")") {
                self.defines(&name);
                *command = Command::at(self.at);
                return Ok(());
            }
        }
        if !command.may_begin() {
            return self.refuse(at, "it is not clear what this `(` means", "put it in quotes");
        }
        self.defining = None;
        if self.rest().starts_with("((") {
            self.only_bash(at, "`((`", "write `$(( … ))`, or `( (` for commands")?;
            self.at += 2;
            self.arithmetic(at, false)?;
        } else {
            self.at += 1;
            self.not_joined()?;
            self.commands(Until::Parenthesis)?;
            self.at += 1;
        }
        command.closed();
        Ok(())
    }

    /// A function begins: its body comes next, and what that is given are its own parameters.
    pub(super) fn defines(&mut self, name: &str) {
        self.defining = Some(self.notes.functions.len());
        self.notes.functions.push(Function { name: name.to_owned(), body: None });
    }

    /// A compound command begins.
    pub(super) fn opens(&mut self, from: usize) {
        let brace = self.text[from..].starts_with('{');
        let function = self.defining.take().filter(|_| brace);
        self.opened.push(Opened { from, brace, function });
    }

    /// One ends, by a `}` or by another word: where it has begun.
    pub(super) fn closes(&mut self, brace: bool) -> Option<usize> {
        // `for ((…)) { … }` has no end of its own.
        let opened = std::iter::from_fn(|| self.opened.pop()).find(|opened| opened.brace == brace)?;
        if let Some(function) = opened.function {
            self.notes.functions[function].body = Some(opened.from..self.at);
        }
        Some(opened.from)
    }

    /// `>file`, `<<END`, `2>&1` …; the file is no argument of the command.
    fn redirection(&mut self, command: &mut Command) -> Read<()> {
        const OPERATORS: [&str; 13] =
            ["&>>", "&>", "<<<", "<<-", "<<", "<&", "<>", "<(", ">>", ">&", ">|", ">(", "<"];
        let at = self.at;
        let operator =
            OPERATORS.into_iter().find(|operator| self.rest().starts_with(operator)).unwrap_or(">");
        self.at += operator.len();
        self.not_joined()?;
        command.redirected();
        command.complains |= operator.contains('&');
        match operator {
            "<<" | "<<-" => return self.heredoc(at, operator == "<<-"),
            "<(" | ">(" => {
                self.commands(Until::Parenthesis)?;
                self.at += 1;
                // What it prints is read like any other input.
                self.notes.fed.push(at..self.at);
                return Ok(());
            }
            _ => self.blanks(),
        }
        if matches!(self.peek(), Some('<' | '>')) && self.rest()[1..].starts_with('(') {
            return Ok(());
        }
        let word = self.word()?;
        if word.range.is_empty() {
            return self.refuse(at, "a redirection names no file", "write the file after it");
        }
        if operator == "<<<" {
            self.notes.fed.push(word.range);
        }
        Ok(())
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..self.end]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn take(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        self.at += if there { text.len() } else { 0 };
        there
    }

    pub(super) fn line_end(&self) -> usize {
        self.rest().find('\n').map_or(self.end, |length| self.at + length)
    }

    /// Skips blanks, and line ends with a backslash before them, which a shell takes away.
    pub(super) fn blanks(&mut self) {
        while self.take(" ") || self.take("\t") || self.take("\\\n") {}
    }

    /// Skips what may stand between the parts of a compound command.
    pub(super) fn lines(&mut self) -> Read<()> {
        loop {
            self.blanks();
            match self.peek() {
                Some('\n') => {
                    self.at += 1;
                    self.bodies()?;
                }
                Some('#') => self.at = self.line_end(),
                _ => return Ok(()),
            }
        }
    }

    /// An operator must not go on after a line that is continued.
    fn not_joined(&self) -> Read<()> {
        let next = self.rest().strip_prefix("\\\n").and_then(|rest| rest.chars().next());
        match next {
            Some('<' | '>' | '&' | '|' | ';' | '(' | ')' | '\\') => self.continued(),
            _ => Ok(()),
        }
    }

    /// What a shell puts together over the end of a line is not looked for.
    pub(super) fn continued<T>(&self) -> Read<T> {
        self.refuse(
            self.at,
            "a line is continued in the middle of a word",
            "put a space before the backslash",
        )
    }

    pub(super) fn only_bash(&self, at: usize, what: &str, hint: &str) -> Read<()> {
        match self.dialect {
            Dialect::Bash => Ok(()),
            Dialect::Sh => self.refuse(at, format!("{what} does not mean the same in every `sh`"), hint),
        }
    }

    #[expect(clippy::unused_self, reason = "whoever reads refuses")]
    pub(super) fn refuse<T>(
        &self,
        at: usize,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Read<T> {
        Err(Refusal { at, message: message.into(), hint: hint.into() })
    }

    /// Reads something that has something else in it.
    pub(super) fn deeper<T>(&mut self, at: usize, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth == DEPTH {
            return self.refuse(at, "it is nested too deeply", "take it apart");
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Reads a part of the text as if there were nothing after it.
    pub(super) fn part<T>(&mut self, part: Range<usize>, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        let end = std::mem::replace(&mut self.end, part.end);
        self.at = part.start;
        let result = read(self)?;
        self.at = part.end;
        self.end = end;
        Ok(result)
    }
}

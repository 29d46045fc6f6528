//! Words and the quotes in them.

use std::ops::Range;

use super::dollar::Context;
use super::reader::{Read, Reader, Until};

/// A word of a command.
pub(super) struct Word {
    pub range: Range<usize>,
    /// What it comes to, if that is known.
    pub literal: Option<String>,
    /// The same if nothing in it is quoted, so that it may be a reserved word.
    pub plain: Option<String>,
    /// The variable that it gives a value, and where that begins.
    pub assigns: Option<(String, usize)>,
}

/// What has been read of a word.
struct Parts {
    literal: Option<String>,
    plain: bool,
}

impl Parts {
    fn push(&mut self, text: &str) {
        if let Some(literal) = &mut self.literal {
            literal.push_str(text);
        }
    }
}

impl Reader<'_> {
    /// Reads up to what ends a word.
    pub(super) fn word(&mut self) -> Read<Word> {
        let start = self.at;
        let mut parts = Parts { literal: Some(String::new()), plain: true };
        while let Some(c) = self.peek().filter(|c| !" \t\n;&|<>()".contains(*c)) {
            self.piece(c, start, &mut parts)?;
        }
        let range = start..self.at;
        let assigns =
            assignment(&self.text[range.clone()]).map(|(name, from)| (name.to_owned(), start + from));
        // `{list[n]}>file`
        if self.text[range.clone()].starts_with('{') && self.text[range.clone()].contains('[') {
            self.notes.calculated.push(range.clone());
        }
        let plain = parts.literal.clone().filter(|_| parts.plain);
        Ok(Word { range, literal: parts.literal, plain, assigns })
    }

    fn piece(&mut self, c: char, start: usize, parts: &mut Parts) -> Read<()> {
        let at = self.at;
        parts.plain &= !"\\'\"`$".contains(c);
        match c {
            '\\' if self.rest().starts_with("\\\n") => return self.continued(),
            '\\' => {
                self.escape();
                parts.push(&self.text[at + 1..self.at]);
            }
            '\'' => {
                self.single()?;
                parts.push(&self.text[at + 1..self.at - 1]);
            }
            '"' => {
                let expands = self.double()?;
                if expands {
                    parts.literal = None;
                }
                parts.push(&self.text[at + 1..self.at - 1]);
            }
            '`' => {
                self.back_ticks(Context::Bare)?;
                parts.literal = None;
            }
            '$' => {
                self.dollar(Context::Bare)?;
                parts.literal = None;
            }
            '[' if is_name(&self.text[start..at]) => {
                let before = self.at;
                self.subscript_of_word()?;
                parts.plain = false;
                parts.literal =
                    parts.literal.take().filter(|_| !self.text[before..self.at].contains(['$', '`']));
                parts.push(&self.text[before..self.at]);
            }
            c => {
                self.at += c.len_utf8();
                parts.push(&self.text[at..self.at]);
            }
        }
        Ok(())
    }

    /// `name[…]` at the beginning of a word: a subscript if a value follows, else a pattern for file names.
    fn subscript_of_word(&mut self) -> Read<()> {
        let at = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return Ok(()),
                Some(']') => break,
                // A shell may read on to the bracket.
                Some(
                    ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' | '\\' | '\'' | '"' | '[',
                ) => {
                    return self.refuse(at, "it is not clear where this `[` ends", "put the word in quotes");
                }
                Some('$' | '`') => self.expansion(Context::Bare)?,
                Some(c) => self.at += c.len_utf8(),
            }
        }
        self.at += 1;
        if self.rest().starts_with('=') || self.rest().starts_with("+=") {
            self.notes.calculated.push(at + 1..self.at - 1);
        }
        Ok(())
    }

    /// A backslash and what it takes the meaning from.
    pub(super) fn escape(&mut self) {
        self.at += 1;
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    /// `' … '`.
    pub(super) fn single(&mut self) -> Read<()> {
        let at = self.at;
        match self.rest()[1..].find('\'') {
            Some(length) => self.at += length + 2,
            None => return self.refuse(at, "a `'` is not closed", "close it with `'`"),
        }
        self.notes.texts.push(at + 1..self.at - 1);
        self.one_line(at)
    }

    /// `" … "`; says whether anything is expanded in it.
    pub(super) fn double(&mut self) -> Read<bool> {
        let at = self.at;
        self.at += 1;
        let expands = self.deeper(at, |reader| reader.double_body(at))?;
        self.at += 1;
        self.one_line(at)?;
        Ok(expands)
    }

    fn double_body(&mut self, at: usize) -> Read<bool> {
        let mut expands = false;
        loop {
            match self.peek() {
                None => return self.refuse(at, "a `\"` is not closed", "close it with `\"`"),
                Some('"') => return Ok(expands),
                Some('\\') => {
                    self.escaped_dollar();
                    self.escape();
                    // What it comes to is not worked out.
                    expands = true;
                }
                Some('$' | '`') => {
                    self.expansion(Context::Double)?;
                    expands = true;
                }
                Some(c) => self.at += c.len_utf8(),
            }
        }
    }

    /// Notes a given variable that is only one for another shell.
    pub(super) fn escaped_dollar(&mut self) {
        let name =
            self.rest().strip_prefix("\\$").map(|rest| name_of(rest.trim_start_matches(['{', '#', '!'])));
        if name.is_some_and(|name| self.names.contains(name)) {
            self.notes.escaped.get_or_insert(self.at);
        }
    }

    /// A `$` or a back-tick.
    pub(super) fn expansion(&mut self, context: Context) -> Read<()> {
        if self.peek() == Some('`') { self.back_ticks(context) } else { self.dollar(context) }
    }

    /// What may be expanded in a calculation.
    pub(super) fn inner_expansion(&mut self) -> Read<()> {
        if self.peek() == Some('"') { self.double().map(drop) } else { self.expansion(Context::Double) }
    }

    /// Commands between back-ticks: they end at the next one that has no backslash.
    pub(super) fn back_ticks(&mut self, context: Context) -> Read<()> {
        let at = self.at;
        let text = self.rest();
        let mut escaped = true;
        let end = text.char_indices().find(|(_, c)| {
            let ends = *c == '`' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let Some((length, _)) = end else {
            return self.refuse(at, "a back-tick is not closed", "write `$( … )`");
        };
        let inner = &text[1..length];
        let unclear = ["\\$", "\\`", "\\\\", "\\\"", "\\\n"].iter().any(|pair| inner.contains(pair))
            || (context != Context::Bare && inner.contains('"'));
        if unclear {
            return self.refuse(
                at,
                "quotes between back-ticks mean other things than elsewhere",
                "write `$( … )`",
            );
        }
        let outer = std::mem::take(&mut self.pending);
        let listed = self.part(at + 1..at + length, |reader| reader.commands(Until::End))?;
        self.at = at + length + 1;
        self.pending = outer;
        self.substituted(at, listed.output);
        self.one_line(at)
    }
}

/// The variable that a word gives a value (`name=…`, `name+=…`, `name[…]=…`), and where the value begins.
fn assignment(word: &str) -> Option<(&str, usize)> {
    let name = name_of(word);
    let mut from = name.len();
    if word[from..].starts_with('[') {
        from += word[from..].find(']')? + 1;
    }
    from += usize::from(word[from..].starts_with('+'));
    (!name.is_empty() && word[from..].starts_with('=')).then_some((name, from + 1))
}

/// The name of a variable that a text begins with; empty for special parameters.
pub(super) fn name_of(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    if text.starts_with(|c: char| c.is_ascii_digit()) { "" } else { &text[..end] }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && name_of(text).len() == text.len()
}

//! What begins with a `$`.

use super::flow::POSITIONAL;
use super::reader::{Read, Reader, Until};
use super::word::name_of;
use super::{From, Output, Use};

/// What an expansion stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// No quotes: what it comes to is split, and taken for file names.
    Bare,
    /// Double quotes.
    Double,
    /// A here-document.
    Document,
}

impl<'a> Reader<'a> {
    pub(super) fn dollar(&mut self, context: Context) -> Read<()> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some('(') if self.rest().starts_with("((") => {
                self.at += 2;
                self.arithmetic(start, false)
            }
            Some('(') => self.substitution(start),
            Some('{') => self.deeper(start, |reader| reader.braced(start, context)),
            Some('[') => {
                self.refuse(start, "`$[` is not the same in every shell", "write `$(( … ))`, or `\\$[`")
            }
            Some('\\') if self.rest().starts_with("\\\n") => self.continued(),
            Some('\'') if context == Context::Bare => self.ansi(start),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = name_of(self.rest());
                self.at += name.len();
                if self.rest().starts_with("\\\n") {
                    return self.continued();
                }
                self.used(name, start, context);
                Ok(())
            }
            Some(c) if c.is_ascii_digit() || "@*#?$!-".contains(c) => {
                self.at += 1;
                self.parameter_used(start, &self.text[start + 1..self.at]);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A use of a variable, which gets quotes if it has none.
    fn used(&mut self, name: &str, start: usize, context: Context) {
        if !name.is_empty() {
            self.notes.uses.push(Use { name: name.to_owned(), range: start..self.at });
        }
        if self.names.contains(name) {
            self.notes.used += 1;
            if context == Context::Bare {
                self.notes.wraps.push(start..self.at);
            }
        }
    }

    /// A use of a positional parameter; other signs stand for numbers and options.
    fn parameter_used(&mut self, start: usize, sign: &str) {
        if sign == "@" || sign == "*" || sign.starts_with(|c: char| c.is_ascii_digit() && sign != "0") {
            self.notes.uses.push(Use { name: POSITIONAL.to_owned(), range: start..self.at });
        }
    }

    /// `$( … )`.
    fn substitution(&mut self, start: usize) -> Read<()> {
        self.at += 1;
        let outer = std::mem::take(&mut self.pending);
        let listed = self.commands(Until::Parenthesis)?;
        self.no_heredoc()?;
        self.at += 1;
        self.pending = outer;
        self.substituted(start, listed.output);
        self.one_line(start)
    }

    /// What commands print stands here.
    pub(super) fn substituted(&mut self, start: usize, output: Option<Output>) {
        let output = output.unwrap_or(Output::Anything);
        self.notes.substitutions.push((start..self.at, output));
        if output == Output::Number {
            self.notes.numbers.push(start..self.at);
        }
    }

    /// `$' … '`, which only some shells know: both readings must end at the same quote.
    fn ansi(&mut self, start: usize) -> Read<()> {
        let mut escaped = true;
        let end = self.rest().char_indices().find(|(_, c)| {
            let ends = *c == '\'' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let Some((length, _)) = end else {
            return self.refuse(start, "a `$'` is not closed", "close it with `'`");
        };
        let text = self.at + 1..self.at + length;
        if self.is_sh() && self.text[text.clone()].contains('\'') {
            let hint = "write the quote as `\"'\"`";
            return self.refuse(start, "not every `sh` reads a `\\'` between `$'` and `'` alike", hint);
        }
        self.at = text.end + 1;
        self.notes.texts.push(text);
        self.one_line(start)
    }

    /// `${ … }`.
    fn braced(&mut self, start: usize, context: Context) -> Read<()> {
        self.at += 1;
        let indirect =
            self.rest().starts_with('!') && !name_of(&self.rest()[1..]).is_empty() && self.take("!");
        let length = self.rest().starts_with('#') && !self.rest().starts_with("#}") && self.take("#");
        let from = self.at;
        let name = self.parameter(start)?;
        let name_or_sign = &self.text[from..self.at];
        let given = self.names.contains(name);
        // These only name what there is: `${!list[@]}`, `${!begin*}`.
        let lists = ["[@]}", "[*]}", "@}", "*}"].iter().any(|end| self.rest().starts_with(end));
        if indirect && !lists {
            self.notes.calculated.push(from..self.at);
        }
        let inner = if given && context == Context::Bare { Context::Double } else { context };
        let uses = self.notes.used;
        if self.rest().starts_with('[') {
            self.subscript(start, inner)?;
        }
        let operation = self.at;
        let whole = self.operation(start, inner)?;
        if self.text[operation..self.at].trim_start_matches(':').starts_with('=') {
            self.notes.assigned.push((name.to_owned(), From::Text(operation..self.at)));
        }
        // What these give is split again, whatever is quoted in it.
        if whole && context == Context::Bare && !given && self.notes.used > uses {
            return self.unclear(start);
        }
        self.at += 1;
        // Keys are numbers, or were calculated when they became keys.
        if length || (indirect && lists) {
            self.notes.numbers.push(start..self.at);
        }
        self.used(name, start, context);
        if !length {
            self.parameter_used(start, name_or_sign);
        }
        self.one_line(start)
    }

    /// The name of a parameter, or the sign that stands for one.
    fn parameter(&mut self, start: usize) -> Read<&'a str> {
        let name = name_of(self.rest());
        let digits = self.rest().len() - self.rest().trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let sign = self.peek().is_some_and(|c| "@*#?$!-".contains(c));
        self.at += if name.is_empty() { digits.max(usize::from(sign)) } else { name.len() };
        if name.is_empty() && digits == 0 && !sign {
            return self.refuse(start, "it is not clear what this `${` means", "write `${name}`, or `\\${`");
        }
        Ok(name)
    }

    /// `[…]` after a name.
    fn subscript(&mut self, start: usize, context: Context) -> Read<()> {
        let from = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(']') => break,
                Some('$' | '`') => self.expansion(Context::Double)?,
                Some('"') if context != Context::Document => self.double().map(drop)?,
                Some(c) if c.is_ascii_alphanumeric() || " +-*/%_.@:,".contains(c) => self.at += 1,
                _ => return self.unclear(start),
            }
        }
        self.notes.calculated.push(from + 1..self.at);
        self.at += 1;
        Ok(())
    }

    /// What is done with the parameter, up to the `}`; says whether what is given there is split with the rest.
    fn operation(&mut self, start: usize, context: Context) -> Read<bool> {
        let operand = self.rest().strip_prefix(':').unwrap_or_else(|| self.rest());
        match operand.chars().next() {
            Some('}') if operand.len() == self.rest().len() => return Ok(false),
            Some(sign @ ('-' | '=' | '?' | '+')) => {
                self.at += 1 + self.rest().len() - operand.len();
                self.operand(start, context, context)?;
                return Ok(sign == '=');
            }
            _ => {}
        }
        match self.peek() {
            Some(':') => self.slice(start).map(|()| false),
            Some('%' | '#' | '^' | ',') => {
                self.at += 1;
                let pattern = if context == Context::Document { context } else { Context::Bare };
                self.operand(start, context, pattern).map(|()| false)
            }
            Some('/') => self.replacement(start, context).map(|()| true),
            Some('@' | '*') => self.transformation(start).map(|()| false),
            _ => self.unclear(start),
        }
    }

    /// A word up to the `}` that ends the expansion. In a pattern only quotes of its own count.
    fn operand(&mut self, start: usize, context: Context, inner: Context) -> Read<()> {
        loop {
            match self.peek() {
                Some('}') => return Ok(()),
                Some('\\') if !self.rest().starts_with("\\\n") => self.escape(),
                Some('$' | '`') => self.expansion(inner)?,
                Some('"') if context != Context::Document => self.double().map(drop)?,
                Some('\'') if context == Context::Bare => self.single()?,
                Some('<' | '>') if self.rest()[1..].starts_with('(') => return self.unclear(start),
                Some('\\' | '\'' | '"') | None => return self.unclear(start),
                Some(c) => self.at += c.len_utf8(),
            }
        }
    }

    /// `${name:from:length}`.
    fn slice(&mut self, start: usize) -> Read<()> {
        let from = self.at;
        loop {
            match self.peek() {
                Some('}') => break,
                Some('$' | '"' | '`') => self.inner_expansion()?,
                Some(c) if c.is_ascii_alphanumeric() || " +-*/%<>=!&|^~?:,[]#_.@()".contains(c) => {
                    self.at += 1;
                }
                _ => return self.unclear(start),
            }
        }
        self.notes.calculated.push(from..self.at);
        Ok(())
    }

    /// `${name/pattern/text}`. What is put in is taken for more than text by some, so values in it need quotes.
    fn replacement(&mut self, start: usize, context: Context) -> Read<()> {
        let from = self.at;
        let uses = self.notes.used;
        let wraps = self.notes.wraps.len();
        self.at += 1;
        self.operand(start, context, Context::Bare)?;
        let text = &self.text[from..self.at];
        if ["//[!0-9]/", "//[^0-9]/"].contains(&text) {
            self.notes.numbers.push(start..self.at);
        }
        if (context == Context::Document && self.notes.used > uses) || self.notes.wraps.len() > wraps {
            let hint = "write double quotes around the variable in it";
            return self.refuse(start, format!("a value in `{text}` may be more than text"), hint);
        }
        Ok(())
    }

    /// `${name@Q}`, `${!start*}`. To expand like a prompt runs commands.
    fn transformation(&mut self, start: usize) -> Read<()> {
        let sign = self.rest().trim_end_matches(|c| c != '}').find('}').map(|end| &self.rest()[..end]);
        let known =
            sign.is_some_and(|sign| sign.len() <= 2 && sign[1..].chars().all(|c| c.is_ascii_alphabetic()));
        if !known {
            return self.unclear(start);
        }
        if sign == Some("@P") {
            self.notes.calculated.push(start..self.at);
        }
        self.at += sign.map_or(0, str::len);
        Ok(())
    }

    fn unclear<T>(&self, start: usize) -> Read<T> {
        let body = self.text[start + 2..].split(['}', '\n']).next().unwrap_or_default();
        let hint = "write double quotes around it and none within it, or take it apart";
        self.refuse(start, format!("it is not clear how to quote in `${{{body}}}`"), hint)
    }
}

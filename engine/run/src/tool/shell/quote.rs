//! Quotes for variables in shell text.
//!
//! `cp $from $to` means two arguments, whatever is in the variables; a shell splits
//! them at white space and takes `*` for file names. Here every use of a given variable
//! that is not quoted gets its double quotes. Other variables are left alone.

use std::collections::BTreeSet;

use crate::tool::ToolError;
use crate::tool::native::invalid;

/// The script with double quotes around unquoted uses of these variables.
///
/// # Errors
/// A use that cannot be quoted without knowing what is meant.
pub(super) fn quote(script: &str, names: &BTreeSet<&str>) -> Result<String, ToolError> {
    let mut scanner = Scanner {
        rest: script,
        done: String::with_capacity(script.len() + 16),
        inside: Vec::new(),
        heredocs: Vec::new(),
    };
    while !scanner.rest.is_empty() {
        scanner.step(names)?;
    }
    Ok(scanner.done)
}

/// What the text at hand stands in. Outside of all these are commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// `( … )` and `$( … )`: commands.
    Parentheses,
    /// Commands between back-ticks.
    BackTicks,
    /// `" … "`.
    DoubleQuotes,
    /// `$(( … ))`, with the parentheses that are open in it.
    Arithmetic(u32),
}

struct Scanner<'a> {
    rest: &'a str,
    done: String,
    inside: Vec<Inside>,
    /// What ends the here-documents that begin after this line.
    heredocs: Vec<(String, bool)>,
}

impl<'a> Scanner<'a> {
    fn step(&mut self, names: &BTreeSet<&str>) -> Result<(), ToolError> {
        let Some(c) = self.rest.chars().next() else { return Ok(()) };
        match (self.inside.last().copied(), c) {
            (_, '\\') => self.copy(1 + self.rest[1..].chars().next().map_or(0, char::len_utf8)),
            (Some(Inside::Arithmetic(open)), _) => self.arithmetic(open, c),
            (_, '$') => return self.dollar(names),
            (Some(Inside::DoubleQuotes), '"')
            | (Some(Inside::BackTicks), '`')
            | (Some(Inside::Parentheses), ')') => self.leave(1),
            (_, '`') => self.enter(Inside::BackTicks, 1),
            (Some(Inside::DoubleQuotes), c) => self.copy(c.len_utf8()),
            (_, '"') => self.enter(Inside::DoubleQuotes, 1),
            (_, '\'') => self.copy_through('\''),
            (_, '#') if self.at_word_start() => self.copy(self.rest.find('\n').unwrap_or(self.rest.len())),
            (_, '<') if self.rest.starts_with("<<") => self.heredoc(),
            (_, '\n') if !self.heredocs.is_empty() => self.heredoc_bodies(),
            (_, '(') => self.enter(Inside::Parentheses, 1),
            (_, c) => self.copy(c.len_utf8()),
        }
        Ok(())
    }

    fn dollar(&mut self, names: &BTreeSet<&str>) -> Result<(), ToolError> {
        let quoted = self.inside.last() == Some(&Inside::DoubleQuotes);
        let after = &self.rest[1..];
        if after.starts_with("((") {
            self.enter(Inside::Arithmetic(0), 3);
        } else if after.starts_with('(') {
            self.enter(Inside::Parentheses, 2);
        } else if after.starts_with('\'') && !quoted {
            self.copy(1);
            self.copy_through_escaped('\'');
        } else if let Some(braced) = after.strip_prefix('{') {
            let body = braced.split('}').next().unwrap_or_default();
            let name = name_of(body.trim_start_matches(['#', '!']));
            if quoted || !names.contains(name) {
                self.copy(2);
            } else if body.contains(['"', '\'', '$', '`', '\\']) || body.len() == braced.len() {
                return Err(invalid(format!("write double quotes around `${{{body}}}`")));
            } else {
                self.wrap(body.len() + 3);
            }
        } else {
            let name = name_of(after);
            if !quoted && names.contains(name) {
                self.wrap(1 + name.len());
            } else {
                self.copy(1 + name.len());
            }
        }
        Ok(())
    }

    fn arithmetic(&mut self, open: u32, c: char) {
        let now = |scanner: &mut Self, open| {
            if let Some(inside) = scanner.inside.last_mut() {
                *inside = Inside::Arithmetic(open);
            }
        };
        match c {
            ')' if open == 0 && self.rest.starts_with("))") => return self.leave(2),
            ')' => now(self, open.saturating_sub(1)),
            '(' => now(self, open + 1),
            _ => {}
        }
        self.copy(c.len_utf8());
    }

    /// `<<WORD`: the document begins after the line.
    fn heredoc(&mut self) {
        if self.rest.starts_with("<<<") {
            return self.copy(3);
        }
        let after = &self.rest[2..];
        let indented = after.starts_with('-');
        let word_start = after.trim_start_matches('-').trim_start_matches([' ', '\t']);
        let length =
            word_start.find(|c: char| c.is_whitespace() || ";&|<>()".contains(c)).unwrap_or(word_start.len());
        let word = word_start[..length].replace(['"', '\'', '\\'], "");
        if !word.is_empty() {
            self.heredocs.push((word, indented));
        }
        self.copy(self.rest.len() - word_start.len() + length);
    }

    /// Nothing in a here-document is split.
    fn heredoc_bodies(&mut self) {
        self.copy(1);
        for (word, indented) in std::mem::take(&mut self.heredocs) {
            while !self.rest.is_empty() {
                let line = self.rest.split_inclusive('\n').next().unwrap_or_default();
                let text = line.trim_end_matches('\n');
                let text = if indented { text.trim_start_matches('\t') } else { text };
                let last = text == word;
                self.copy(line.len());
                if last {
                    break;
                }
            }
        }
    }

    fn at_word_start(&self) -> bool {
        self.done.chars().next_back().is_none_or(|c| c.is_whitespace() || ";&|(".contains(c))
    }

    fn enter(&mut self, inside: Inside, bytes: usize) {
        self.inside.push(inside);
        self.copy(bytes);
    }

    fn leave(&mut self, bytes: usize) {
        self.inside.pop();
        self.copy(bytes);
    }

    fn wrap(&mut self, bytes: usize) {
        self.done.push('"');
        self.copy(bytes);
        self.done.push('"');
    }

    /// Copies a quote and all up to the next one.
    fn copy_through(&mut self, quote: char) {
        let end = self.rest[1..].find(quote).map_or(self.rest.len(), |at| at + 2);
        self.copy(end);
    }

    /// The same where a backslash can stand before a quote that ends nothing.
    fn copy_through_escaped(&mut self, quote: char) {
        let mut escaped = true;
        let end = self.rest.char_indices().find(|(_, c)| {
            let ends = *c == quote && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        self.copy(end.map_or(self.rest.len(), |(at, _)| at + 1));
    }

    fn copy(&mut self, bytes: usize) {
        let (copied, rest): (&'a str, &'a str) = self.rest.split_at(bytes);
        self.done.push_str(copied);
        self.rest = rest;
    }
}

/// The name of a variable that a text begins with; empty for special parameters.
fn name_of(text: &str) -> &str {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    if text.starts_with(|c: char| c.is_ascii_digit()) { "" } else { &text[..end] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(script: &str) -> Result<String, String> {
        quote(script, &BTreeSet::from(["a", "b_2"])).map_err(|error| error.message)
    }

    #[test]
    fn unquoted_uses_are_quoted_and_nothing_else() {
        let cases = [
            ("cp $a $b_2", r#"cp "$a" "$b_2""#),
            ("x${a}y$a/z", r#"x"${a}"y"$a"/z"#),
            ("${a%/} ${#a} ${a:-x}", r#""${a%/}" "${#a}" "${a:-x}""#),
            (r#"echo "$a ${a}" $a"#, r#"echo "$a ${a}" "$a""#),
            ("echo '$a' \\$a $ab $c $1 $@ $$", "echo '$a' \\$a $ab $c $1 $@ $$"),
            ("echo $(cat $a)", r#"echo $(cat "$a")"#),
            (r#"echo "$(cat $a "$a") $a""#, r#"echo "$(cat "$a" "$a") $a""#),
            ("echo `cat $a`", r#"echo `cat "$a"`"#),
            ("echo $(( $a + (1) )) $a", r#"echo $(( $a + (1) )) "$a""#),
            ("( cd $a ) # $a and 'that\nx=$a", "( cd \"$a\" ) # $a and 'that\nx=\"$a\""),
            ("echo a#$a", r#"echo a#"$a""#),
            ("cat <<X $a\n$a \"\n X\nX\n$a", "cat <<X \"$a\"\n$a \"\n X\nX\n\"$a\""),
            ("cat <<-'X Y'\n$a\n", "cat <<-'X Y'\n$a\n"),
            ("cat <<-X\n$a\n\tX\n$a", "cat <<-X\n$a\n\tX\n\"$a\""),
            ("cat <<<$a", r#"cat <<<"$a""#),
            (r"echo $'it\'s $a' $a", r#"echo $'it\'s $a' "$a""#),
            (r#"echo "\"$a" $a"#, r#"echo "\"$a" "$a""#),
            ("case $a in $b_2) echo ü$a;; esac", r#"case "$a" in "$b_2") echo ü"$a";; esac"#),
            ("", ""),
            ("\\", "\\"),
            ("$", "$"),
        ];
        for (script, expected) in cases {
            assert_eq!(quoted(script).as_deref(), Ok(expected), "{script}");
        }
    }

    #[test]
    fn what_cannot_be_quoted_is_refused() {
        for script in [r#"echo ${a:-"x"}"#, "echo ${a:-$b}", "echo ${a"] {
            assert!(quoted(script).unwrap_err().starts_with("write double quotes around `${a"), "{script}");
        }
        assert!(quoted(r#"echo "${a:-"x"}""#).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn only_quotes_are_added(script in "[$a(){}'\"`#<\\\\ \\n|ü]{0,60}") {
            if let Ok(quoted) = quoted(&script) {
                let without = |text: &str| text.replace('"', "");
                proptest::prop_assert_eq!(without(&quoted), without(&script));
            }
        }
    }
}

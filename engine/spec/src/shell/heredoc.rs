//! Here-documents.

use super::dollar::Context;
use super::reader::{Read, Reader};

/// A here-document whose text is still to come.
pub(super) struct Heredoc {
    /// Where it was announced.
    at: usize,
    /// The line that ends it.
    last: String,
    /// Whether tabs before its lines do not count.
    indented: bool,
    /// Whether nothing in it is expanded.
    literal: bool,
}

impl Reader<'_> {
    /// What follows `<<`: the document itself begins after the line.
    pub(super) fn heredoc(&mut self, at: usize, indented: bool) -> Read<()> {
        self.blanks();
        let (mut last, mut literal) = (String::new(), false);
        while let Some(c) = self.peek().filter(|c| !" \t\n;&|<>()".contains(*c)) {
            let from = self.at;
            match c {
                '\'' | '"' => {
                    let end = self.rest()[1..].find(c).map(|length| from + 1 + length);
                    let Some(end) =
                        end.filter(|end| !self.text[from + 1..*end].contains(['\n', '\\', '$', '`']))
                    else {
                        return self.unclear_end(at);
                    };
                    last.push_str(&self.text[from + 1..end]);
                    self.at = end + 1;
                    literal = true;
                }
                '\\' | '$' | '`' => return self.unclear_end(at),
                c => {
                    last.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        if last.is_empty() {
            return self.unclear_end(at);
        }
        self.pending.push(Heredoc { at, last, indented, literal });
        Ok(())
    }

    fn unclear_end<T>(&self, at: usize) -> Read<T> {
        self.refuse(at, "it is not clear where a here-document ends", "write `<<'END'` or `<<END`")
    }

    /// Reads the documents that begin here.
    pub(super) fn bodies(&mut self) -> Read<()> {
        for document in std::mem::take(&mut self.pending) {
            self.body(&document)?;
        }
        Ok(())
    }

    fn body(&mut self, document: &Heredoc) -> Read<()> {
        let start = self.at;
        let mut line_start = start;
        let mut joined = false;
        for line in self.rest().split_inclusive('\n') {
            let text = line.trim_end_matches('\n');
            let text = if document.indented { text.trim_start_matches('\t') } else { text };
            if text == document.last && !joined {
                self.document(document, start, line_start)?;
                self.at = line_start + line.len();
                return Ok(());
            }
            let backslashes = text.len() - text.trim_end_matches('\\').len();
            joined = !document.literal && backslashes % 2 == 1;
            line_start += line.len();
        }
        self.refuse(
            document.at,
            format!("a here-document has no line `{}` that ends it", document.last),
            "write that line, with nothing before or after it",
        )
    }

    /// In a document values are not split, but commands in it are commands.
    fn document(&mut self, document: &Heredoc, start: usize, end: usize) -> Read<()> {
        if document.literal {
            self.notes.texts.push(start..end);
            return Ok(());
        }
        self.notes.fed.push(start..end);
        self.part(start..end, |reader| {
            while let Some(c) = reader.peek() {
                match c {
                    '\\' => {
                        reader.escaped_dollar();
                        reader.escape();
                    }
                    '$' | '`' => reader.expansion(Context::Document)?,
                    c => reader.at += c.len_utf8(),
                }
            }
            Ok(())
        })
    }

    /// All documents that were announced must have been there.
    pub(super) fn no_heredoc(&self) -> Read<()> {
        match self.pending.first() {
            None => Ok(()),
            Some(document) => self.refuse(
                document.at,
                "the text of a here-document does not follow on the next line",
                "begin it after the line with `<<`, outside of quotes and parentheses",
            ),
        }
    }

    /// Between `<<END` and the text nothing may go over the end of a line: shells look for the text at
    /// different places then.
    pub(super) fn one_line(&self, from: usize) -> Read<()> {
        if self.pending.is_empty() || !self.text[from..self.at].contains('\n') {
            Ok(())
        } else {
            self.no_heredoc()
        }
    }
}

//! A document for people, built line by line.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use crate::printer::Printer;
use crate::style::{Palette, Tone};
use crate::words;

/// Lines on their way to stdout.
#[derive(Debug)]
pub(crate) struct Page {
    /// How it is dressed.
    pub(crate) palette: Palette,
    text: String,
}

impl Page {
    /// An empty page for stdout.
    pub(crate) fn new(printer: &Printer) -> Self {
        Self { palette: printer.out, text: String::new() }
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, line: impl fmt::Display) {
        let line = line.to_string();
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Adds text from anywhere: whole lines, made harmless.
    pub(crate) fn block(&mut self, text: &str) {
        words::harmless(text).lines().for_each(|line| self.line(line));
    }

    /// Adds a heading with an empty line above it.
    pub(crate) fn section(&mut self, name: &str) {
        let heading = format!("\n{}", self.palette.paint(Tone::Good, name));
        self.line(heading);
    }

    /// Adds rows of aligned columns; columns that are empty in every row are left out.
    pub(crate) fn columns<const N: usize>(&mut self, rows: impl Iterator<Item = [String; N]>) {
        let one_line = |cell: &String| words::harmless(cell).split_whitespace().collect::<Vec<_>>().join(" ");
        let rows: Vec<[String; N]> = rows.map(|row| row.each_ref().map(one_line)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..N).map(width).collect();
        for row in &rows {
            let cells = row.iter().zip(&widths).filter(|(_, width)| **width > 0);
            let cells = cells.map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())));
            self.line(format_args!("  {}", cells.collect::<Vec<_>>().join("  ")));
        }
    }

    /// Prints it.
    pub(crate) fn print(self, printer: &Printer) {
        printer.write(self.text.as_bytes());
    }
}

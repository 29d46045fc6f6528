//! Rows with aligned columns on stdout.

use unicode_width::UnicodeWidthStr;

use crate::printer::Printer;
use crate::style::Tone;
use crate::words;

/// Columns that a table takes at most when nobody says how wide the terminal is.
const WIDTH: usize = 100;

/// Rows of cells; the last column takes what room is left.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| words::harmless(&cell).replace('\n', " ")).collect());
    }

    /// Prints it. On a terminal the last column is cut to fit; in a file nothing is.
    pub(crate) fn print(&self, printer: &Printer) {
        let widths = self.widths();
        let room =
            if printer.out_is_terminal() { printer.out_columns().unwrap_or(WIDTH) } else { usize::MAX };
        let head = self.line(&self.head, &widths, (room, printer.out.ellipsis()));
        let mut text = format!("{}\n", printer.out.paint(Tone::Dim, head));
        for row in &self.rows {
            text.push_str(&self.line(row, &widths, (room, printer.out.ellipsis())));
            text.push('\n');
        }
        printer.write(text.as_bytes());
    }

    fn widths(&self) -> Vec<usize> {
        (0..self.head.len())
            .map(|column| {
                let cells = std::iter::once(&self.head).chain(&self.rows).filter_map(|row| row.get(column));
                cells.map(|cell| cell.width()).max().unwrap_or(0)
            })
            .collect()
    }

    fn line(&self, cells: &[String], widths: &[usize], (room, ellipsis): (usize, &str)) -> String {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            if column + 1 == self.head.len() {
                line.push_str(&words::shortened(cell, room.saturating_sub(line.width()), ellipsis));
            } else {
                line.push_str(cell);
                line.push_str(&" ".repeat(widths[column].saturating_sub(cell.width()) + 2));
            }
        }
        line.trim_end().to_owned()
    }
}

//! The only door to stdout and stderr.
//!
//! stdout is for data, stderr for everything said about it. A reader that goes away
//! (`aa run list | head`) is no failure: from then on nothing is written.

use aa_run::cause::cause;
use aa_spec::config::LogFormat;
use chrono::{SecondsFormat, Utc};
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, IsTerminal, Write};

use crate::args;
use crate::env::{self, Environment};
use crate::failure::Exit;
use crate::style::{Palette, Tone};

/// Writes to stdout and stderr, knowing what each of them can show.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about a stream, and any mix occurs")]
pub(crate) struct Printer {
    /// How data is dressed.
    pub(crate) out: Palette,
    /// How messages are dressed.
    pub(crate) err: Palette,
    /// Only data and errors are wanted.
    pub(crate) quiet: bool,
    out_is_terminal: bool,
    live: bool,
    asks: bool,
    /// What is said is written as entries of a log.
    json: bool,
    deaf: Cell<bool>,
    gone: Cell<bool>,
    broken: RefCell<Option<io::Error>>,
}

impl Printer {
    /// Finds out what the two streams are.
    pub(crate) fn new(environment: &Environment, color: args::Color, quiet: bool) -> Self {
        let unicode = environment.unicode();
        let wanted = |terminal: bool| match color {
            args::Color::Always => true,
            args::Color::Never => false,
            args::Color::Auto => terminal && !environment.dumb() && environment.get(env::NO_COLOR).is_none(),
        };
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            out: Palette { color: wanted(out), unicode },
            err: Palette { color: wanted(err), unicode },
            quiet,
            out_is_terminal: out,
            live: err && !environment.dumb(),
            asks: err && io::stdin().is_terminal(),
            json: false,
            deaf: Cell::new(false),
            gone: Cell::new(false),
            broken: RefCell::new(None),
        }
    }

    /// The same for a program that reads what is said as entries of a log.
    pub(crate) fn saying(self, format: LogFormat) -> Self {
        if format == LogFormat::Text {
            return self;
        }
        let err = Palette { color: false, ..self.err };
        Self { json: true, live: false, asks: false, err, ..self }
    }

    /// One for another thread.
    pub(crate) fn another(&self) -> Self {
        Self { deaf: self.deaf.clone(), gone: self.gone.clone(), broken: RefCell::new(None), ..*self }
    }

    /// Whether a person watches stderr on a terminal that can redraw lines.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Whether a person reads what goes to stdout.
    pub(crate) fn out_is_terminal(&self) -> bool {
        self.out_is_terminal
    }

    /// Columns of the terminal behind stdout.
    pub(crate) fn out_columns(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|&columns| self.out_is_terminal && columns > 0)
    }

    /// Whether questions can be asked here.
    pub(crate) fn can_ask(&self) -> bool {
        self.asks
    }

    /// Whether nobody reads stdout any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.get()
    }

    /// Writes a line of data.
    pub(crate) fn data(&self, line: impl fmt::Display) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// Writes data as it is.
    pub(crate) fn write(&self, bytes: &[u8]) {
        if self.gone.get() {
            return;
        }
        let mut out = io::stdout().lock();
        if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
            self.gone.set(true);
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.broken.replace(Some(error));
            }
        }
    }

    /// Says something that helps; not when quiet.
    pub(crate) fn say(&self, line: impl fmt::Display) {
        if !self.quiet {
            self.tell(line);
        }
    }

    /// Says something that must be heard.
    pub(crate) fn tell(&self, line: impl fmt::Display) {
        self.entry("INFO", line);
    }

    fn entry(&self, level: &str, line: impl fmt::Display) {
        if self.json {
            let at = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
            let line = line.to_string();
            let entry = json!({"timestamp": at, "level": level, "message": line.trim_end(), "target": "aa"});
            return self.prompt(format_args!("{entry}\n"));
        }
        self.prompt(format_args!("{line}\n"));
    }

    /// Begins a line that the person at the terminal ends.
    pub(crate) fn prompt(&self, text: impl fmt::Display) {
        // When stderr is closed there is nobody left to tell.
        if !self.deaf.get() && io::stderr().write_all(text.to_string().as_bytes()).is_err() {
            self.deaf.set(true);
        }
    }

    /// Says what went wrong.
    pub(crate) fn error(&self, message: impl fmt::Display) {
        if self.json {
            return self.entry("ERROR", message);
        }
        self.tell(format_args!("{} {message}", self.err.paint(Tone::Bad, "error:")));
    }

    /// Says what looks wrong.
    pub(crate) fn warning(&self, message: impl fmt::Display) {
        if self.json {
            return self.entry("WARN", message);
        }
        self.say(format_args!("{} {message}", self.err.paint(Tone::Warn, "warning:")));
    }

    /// Says what to do about an error.
    pub(crate) fn hint(&self, message: impl fmt::Display) {
        self.tell(format_args!("{} {message}", self.err.paint(Tone::Busy, "hint:")));
    }

    /// The exit that is left when everything has been written.
    pub(crate) fn close(&self, exit: Exit) -> Exit {
        let Some(error) = self.broken.take() else { return exit };
        self.error(format_args!("cannot write to standard output: {}", cause(&error)));
        if exit == Exit::Ok { Exit::Failed } else { exit }
    }
}

//! Colours and marks, by what they mean.

use std::fmt;

use clap::builder::styling::{AnsiColor, Effects, Style, Styles};

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It worked.
    Good,
    /// It did not.
    Bad,
    /// Someone should look.
    Warn,
    /// It is going on.
    Busy,
    /// Less important than what stands around it.
    Dim,
    /// More important than what stands around it.
    Strong,
}

/// What a line is about, in one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It worked.
    Done,
    /// It failed.
    Failed,
    /// It did not run.
    Skipped,
    /// It is tried again.
    Again,
    /// A person is asked.
    Question,
    /// It goes on.
    Running,
    /// Nobody knows how it ended.
    Unknown,
    /// It was stopped.
    Stopped,
}

/// How text for one stream is dressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    /// Colours are wanted.
    pub(crate) color: bool,
    /// Anything but ASCII can be shown.
    pub(crate) unicode: bool,
}

/// Text with the colour of its tone, if colours are wanted.
#[derive(Debug)]
pub(crate) struct Painted<T> {
    text: T,
    style: Style,
}

impl Palette {
    /// Text in a tone.
    pub(crate) fn paint<T: fmt::Display>(self, tone: Tone, text: T) -> Painted<T> {
        Painted { text, style: if self.color { tone.style() } else { Style::new() } }
    }

    /// A mark in its colour.
    pub(crate) fn mark(self, mark: Mark) -> Painted<&'static str> {
        self.paint(mark.tone(), self.sign(mark))
    }

    /// A mark as plain text.
    pub(crate) fn sign(self, mark: Mark) -> &'static str {
        let (pretty, plain) = match mark {
            Mark::Done => ("✓", "+"),
            Mark::Failed => ("✗", "x"),
            Mark::Skipped => ("○", "-"),
            Mark::Again => ("↻", "~"),
            Mark::Question => ("?", "?"),
            Mark::Running => ("▸", ">"),
            Mark::Unknown => ("‽", "!"),
            Mark::Stopped => ("■", "#"),
        };
        if self.unicode { pretty } else { plain }
    }

    /// One frame of the spinner.
    pub(crate) fn spinner(self, frame: usize) -> Painted<&'static str> {
        const PRETTY: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
        const PLAIN: [&str; 4] = ["-", "\\", "|", "/"];
        let sign = if self.unicode { PRETTY[frame % PRETTY.len()] } else { PLAIN[frame % PLAIN.len()] };
        self.paint(Tone::Busy, sign)
    }

    /// What stands for text that was cut off.
    pub(crate) fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// What stands between things in one line.
    pub(crate) fn dot(self) -> &'static str {
        if self.unicode { "·" } else { "-" }
    }

    /// What stands between before and after.
    pub(crate) fn arrow(self) -> &'static str {
        if self.unicode { "→" } else { "->" }
    }

    /// What stands left of quoted output.
    pub(crate) fn bar(self) -> &'static str {
        if self.unicode { "│" } else { "|" }
    }
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Busy => AnsiColor::Cyan.on_default(),
            Self::Dim => Style::new().effects(Effects::DIMMED),
            Self::Strong => Style::new().effects(Effects::BOLD),
        }
    }
}

impl Mark {
    fn tone(self) -> Tone {
        match self {
            Self::Done => Tone::Good,
            Self::Failed => Tone::Bad,
            Self::Skipped => Tone::Dim,
            Self::Again | Self::Question | Self::Unknown | Self::Stopped => Tone::Warn,
            Self::Running => Tone::Busy,
        }
    }
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.style.render(), self.text, self.style.render_reset())
    }
}

/// Colours of the help pages.
pub(crate) const HELP: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

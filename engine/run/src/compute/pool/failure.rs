//! What people read when a block has no result.

use aa_spec::tool::ErrorKind;
use serde_json::{Value, json};

use crate::compute::Limits;
use crate::compute::frame::{Frame, Limit, Raised};
use crate::event::StepError;

/// Where a block stands, so that places in it can be named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The skill's file.
    pub(super) file: &'a str,
    /// Line of the file on which the source begins.
    pub(super) first: u32,
    /// Lines of prelude in front of it.
    pub(super) prelude: u32,
}

impl Place<'_> {
    /// The file's line; none for a place in the prelude.
    fn line(&self, frame: &Frame) -> Option<u32> {
        frame.line.checked_sub(self.prelude + 1).map(|line| self.first + line)
    }

    fn traceback(&self, frame: &Frame) -> String {
        let place = match self.line(frame) {
            Some(line) => format!("{}:{line}", self.file),
            None => "<aa>".to_owned(),
        };
        match &frame.function {
            Some(function) => format!("{place}, in {function}"),
            None => place,
        }
    }
}

/// An exception that nobody caught; `failed` is the last call that failed.
pub(super) fn raised(raised: &Raised, place: Place<'_>, failed: Option<(&str, &StepError)>) -> StepError {
    let of_call = failed.filter(|(text, _)| raised.kind == "RuntimeError" && raised.message == *text);
    let kind = if of_call.is_some() { "ToolError" } else { &raised.kind };
    let text =
        if raised.message.is_empty() { kind.to_owned() } else { format!("{kind}: {}", raised.message) };
    let own = raised.frames.iter().rev().find_map(|frame| Some((place.line(frame)?, frame.column)));
    let message = match own {
        Some((line, _)) => format!("{text} ({}:{line})", place.file),
        None => format!("{text} ({}:{})", place.file, place.first),
    };
    let mut details = json!({
        "file": place.file,
        "line": own.map_or(place.first, |(line, _)| line),
        "column": own.map(|(_, column)| column),
        "traceback": raised.frames.iter().map(|frame| place.traceback(frame)).collect::<Vec<_>>(),
    });
    let mut kind = ErrorKind::Permanent;
    if let Some((_, error)) = of_call {
        kind = error.kind;
        details["call"] = json!(error);
    }
    StepError { kind, message: one_line(&message), details }
}

/// A block used too much of something.
pub(super) fn limit(limit: Limit, limits: &Limits, place: Place<'_>) -> StepError {
    let (what, key, value) = match limit {
        Limit::Time => ("ran longer than", "compute.timeout", format!("{}ms", limits.timeout.as_millis())),
        Limit::Memory => ("took more memory than", "compute.memory", size(limits.memory)),
        Limit::Depth => ("called functions deeper than", "compute.depth", limits.depth.to_string()),
        Limit::Source => ("is longer than", "compute.source", size(limits.source)),
        Limit::Output => {
            ("gave a result, or arguments of a call, larger than", "compute.output", size(limits.output))
        }
        Limit::Printed => ("printed more than", "compute.printed", size(limits.printed)),
        Limit::Calls => ("made more calls than", "compute.calls", limits.calls.to_string()),
    };
    let kind = if limit == Limit::Time { ErrorKind::Timeout } else { ErrorKind::Permanent };
    StepError {
        kind,
        message: format!("the block {what} `{key}` allows, {value} ({}:{})", place.file, place.first),
        details: json!({ "limit": key, "value": value, "file": place.file, "line": place.first }),
    }
}

/// Something else is wrong with a block.
pub(super) fn refused(kind: ErrorKind, what: &str, place: Place<'_>) -> StepError {
    StepError {
        kind,
        message: format!("{what} ({}:{})", place.file, place.first),
        details: json!({ "file": place.file, "line": place.first }),
    }
}

/// A failed call as the block sees it: the kind, then the message.
pub(super) fn exception(error: &StepError) -> String {
    let kind = match serde_json::to_value(error.kind) {
        Ok(Value::String(kind)) => kind,
        _ => "permanent".to_owned(),
    };
    format!("{kind}: {}", error.message)
}

fn size(bytes: usize) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
        bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{}KiB", bytes >> 10),
        bytes => format!("{bytes} bytes"),
    }
}

/// Long texts of exceptions belong to whoever made them.
fn one_line(text: &str) -> String {
    let line = text.lines().map(str::trim_end).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(2000) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

//! Everything about one step of a run: attempts, arguments, result, error.

use aa_run::event::{Body, Event, StepError, StepPath};
use chrono::Local;
use serde_json::Value;

use crate::report::value;
use crate::style::{Mark, Palette, Tone};
use crate::words;

/// The step's events in words, oldest first.
pub(super) fn human(events: &[Event], step: &StepPath, palette: Palette) -> String {
    let mut text = String::new();
    for event in events.iter().filter(|event| event.body.step() == Some(step)) {
        let time = event.at.with_timezone(&Local).format("%H:%M:%S%.3f").to_string();
        if let Some(words) = describe(&event.body, palette) {
            text.push_str(&format!("{} {words}", palette.paint(Tone::Dim, time)));
        }
    }
    text
}

/// One event: a line, and blocks beneath it; ends with a line end.
fn describe(body: &Body, palette: Palette) -> Option<String> {
    let line = |mark: Mark, text: String| format!("{} {text}\n", palette.mark(mark));
    Some(match body {
        Body::StepStarted { attempt, kind, target, args, until, .. } => {
            let what = target.as_ref().map_or_else(|| kind.clone(), |target| format!("{kind} {target}"));
            let until =
                until.map(|until| format!(", until {}", until.with_timezone(&Local).format("%H:%M:%S")));
            let head = format!("attempt {attempt}: {what}{}", until.unwrap_or_default());
            line(Mark::Running, head) + &labelled("args", args.as_ref().unwrap_or(&Value::Null), palette)
        }
        Body::StepProgress { message, .. } => {
            format!("{}   {}\n", palette.paint(Tone::Dim, palette.bar()), words::harmless(message))
        }
        Body::StepRetrying { attempt, error, until, .. } => {
            let next = until.with_timezone(&Local).format("%H:%M:%S");
            line(Mark::Again, format!("attempt {attempt} failed; next one at {next}"))
                + &failure(error, palette)
        }
        Body::ConfirmRequested { message, options, .. } => {
            line(Mark::Question, format!("{} ({})", words::harmless(message), options.join(", ")))
        }
        Body::ConfirmAnswered { answer, by, .. } => line(Mark::Done, format!("answered `{answer}` by {by}")),
        Body::StepCompleted { output, duration_ms, .. } => {
            line(Mark::Done, format!("completed in {}", words::duration(*duration_ms)))
                + &labelled("output", output, palette)
        }
        Body::StepFailed { error, continued, duration_ms, .. } => {
            let end = if *continued { ", and the run went on" } else { "" };
            line(Mark::Failed, format!("failed after {}{end}", words::duration(*duration_ms)))
                + &failure(error, palette)
        }
        Body::StepSkipped { reason, .. } => line(Mark::Skipped, format!("skipped: {reason}")),
        Body::StepResolved { resolution, by, .. } => {
            line(Mark::Again, format!("resolved by {by}"))
                + &labelled("as", &serde_json::to_value(resolution).unwrap_or_default(), palette)
        }
        Body::HealStarted { rule, .. } => line(Mark::Again, format!("healing by `{rule}`")),
        Body::HealFinished { rule, healed, .. } => {
            line(Mark::Again, format!("`{rule}` says {}", if *healed { "healed" } else { "not healed" }))
        }
        _ => return None,
    })
}

fn failure(error: &StepError, palette: Palette) -> String {
    let message = format!("{}: {}", words::wire(&error.kind), words::harmless(&error.message));
    let head = format!("    {}\n", palette.paint(Tone::Bad, message));
    head + &labelled("details", &error.details, palette)
}

fn labelled(label: &str, value: &Value, palette: Palette) -> String {
    let is_empty = match value {
        Value::Null => true,
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    };
    if is_empty {
        return String::new();
    }
    let body = words::harmless(&value::block(value, 3));
    format!("    {}\n{body}", palette.paint(Tone::Dim, label))
}

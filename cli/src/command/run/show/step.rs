//! Everything about one step of a run: attempts, arguments, result, error.

use aa_run::event::{Body, Event, StepError, StepPath, Time};
use chrono::Local;
use serde_json::Value;

use crate::page::Page;
use crate::report::value;
use crate::style::{Mark, Tone};
use crate::words;

/// The step's events in words, oldest first.
pub(super) fn human(events: &[Event], step: &StepPath, page: &mut Page) {
    for event in events.iter().filter(|event| event.body.step() == Some(step)) {
        let time = event.at.with_timezone(&Local).format("%H:%M:%S%.3f").to_string();
        let time = page.palette.paint(Tone::Dim, time);
        if let Some((mark, words)) = headline(&event.body) {
            page.line(format_args!("{time} {} {words}", page.palette.mark(mark)));
            details(&event.body, page);
        }
    }
}

fn headline(body: &Body) -> Option<(Mark, String)> {
    let clock = |time: &Time| time.with_timezone(&Local).format("%H:%M:%S").to_string();
    Some(match body {
        Body::StepStarted { attempt, kind, target, until, .. } => {
            let what = target.as_ref().map_or_else(|| kind.clone(), |target| format!("{kind} {target}"));
            let until = until.as_ref().map(|until| format!(", until {}", clock(until)));
            (Mark::Running, format!("attempt {attempt}: {what}{}", until.unwrap_or_default()))
        }
        Body::StepProgress { message, mistake: Some(_), .. } => {
            (Mark::Question, format!("warning: {}", words::harmless(message)))
        }
        Body::StepProgress { message, .. } => (Mark::Running, words::harmless(message)),
        Body::StepRetrying { attempt, until, .. } => {
            (Mark::Again, format!("attempt {attempt} failed; next one at {}", clock(until)))
        }
        Body::ConfirmRequested { message, options, form, .. } => {
            let answers = aa_spec::form::answers(options, form.as_ref()).join(", ");
            (Mark::Question, format!("{} ({})", words::harmless(message), words::harmless(&answers)))
        }
        Body::ConfirmAnswered { answer, by, .. } => (Mark::Done, format!("answered `{answer}` by {by}")),
        Body::StepCompleted { duration_ms, .. } => {
            (Mark::Done, format!("completed in {}", words::duration(*duration_ms)))
        }
        Body::StepFailed { continued, duration_ms, .. } => {
            let end = if *continued { ", and the run went on" } else { "" };
            (Mark::Failed, format!("failed after {}{end}", words::duration(*duration_ms)))
        }
        Body::StepSkipped { reason, .. } => (Mark::Skipped, format!("skipped: {}", words::harmless(reason))),
        Body::StepResolved { by, .. } => (Mark::Again, format!("resolved by {by}")),
        Body::HealStarted { rule, target, .. } => {
            let call = target.as_ref().map(|target| format!(", which calls {target}")).unwrap_or_default();
            (Mark::Again, format!("failed; healing by `{rule}`{call}"))
        }
        Body::HealFinished { rule, healed, note, .. } => {
            let how = if *healed { "healed" } else { "not healed" };
            let note = if note.is_empty() { String::new() } else { format!(": {}", words::harmless(note)) };
            (Mark::Again, format!("{how} by `{rule}`{note}"))
        }
        _ => return None,
    })
}

/// The values of an event, beneath its line.
fn details(body: &Body, page: &mut Page) {
    match body {
        Body::StepStarted { args: Some(args), .. } => labelled("args", args, page),
        Body::StepCompleted { output, reads, .. } => {
            labelled("output", output, page);
            if !reads.is_empty() {
                labelled("read", &Value::from(reads.join(", ")), page);
            }
        }
        Body::HealStarted { args, error, .. } => {
            if let Some(args) = args {
                labelled("args", args, page);
            }
            if let Some(error) = error {
                failure(error, page);
            }
        }
        Body::StepRetrying { error, .. } | Body::StepFailed { error, .. } => failure(error, page),
        Body::StepResolved { resolution, .. } => {
            labelled("as", &serde_json::to_value(resolution).unwrap_or_default(), page);
        }
        _ => {}
    }
}

fn failure(error: &StepError, page: &mut Page) {
    let message = format!("{}: {}", words::wire(&error.kind), words::harmless(&error.message));
    page.line(format_args!("    {}", page.palette.paint(Tone::Bad, message)));
    labelled("details", &error.details, page);
}

fn labelled(label: &str, value: &Value, page: &mut Page) {
    let is_empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
    if !is_empty {
        page.line(format_args!("    {}", page.palette.paint(Tone::Dim, label)));
        page.block(&value::block(value, 3));
    }
}

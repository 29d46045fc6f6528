//! How values, times and states look.

use aa_run::course::StepState;
use aa_run::event::{Origin, StepError, Time};
use aa_run::store::RunSummary;
use aa_spec::template::seal;
use aa_spec::tool::Effect;
use chrono::Utc;
use maud::{Markup, PreEscaped, html};
use serde_json::Value;

/// Characters of a value that a page has; the API has all.
const LONGEST: usize = 20_000;

/// What something took.
pub(super) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{seconds}.{} s", ms % 1000 / 100),
        60_000..3_600_000 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3_600_000..86_400_000 => format!("{} h {:02} m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// How long it is from one time to another.
pub(super) fn between(from: Time, until: Time) -> u64 {
    u64::try_from((until - from).num_milliseconds()).unwrap_or(0)
}

/// What has taken so long up to now, and goes on.
pub(super) fn ticking(since: Time) -> Markup {
    html! { span.ticking data-since=(since.timestamp_millis()) { (duration(between(since, Utc::now()))) } }
}

/// How long ago something was, or how long it is until then.
pub(super) fn ago(time: Time) -> Markup {
    let exact = exact(time);
    html! { time datetime=(iso(time)) title=(exact) data-ago { (distance(time, Utc::now())) } }
}

/// A moment, to the second.
pub(super) fn exact(time: Time) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A moment as machines read it.
pub(super) fn iso(time: Time) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// A time by its distance from now.
fn distance(time: Time, now: Time) -> String {
    let seconds = (time - now).num_seconds();
    let far = match seconds.unsigned_abs() {
        0..5 => return "now".to_owned(),
        far @ 5..60 => format!("{far} s"),
        far @ 60..3600 => format!("{} min", far / 60),
        far @ 3600..172_800 => format!("{} h", far / 3600),
        far => format!("{} days", far / 86_400),
    };
    if seconds < 0 { format!("{far} ago") } else { format!("in {far}") }
}

/// A state in a word, by colour and by shape.
pub(super) fn badge(state: &str) -> Markup {
    html! { span class={ "badge is-" (state) } { (sign(state)) (words(state)) } }
}

/// The shape of a state.
pub(super) fn sign(state: &str) -> Markup {
    let path = match state {
        "completed" | "succeeded" | "ok" | "on" | "active" => "M3 8.5l3.200 3.200L13 5",
        "failed" | "broken" | "refused" => "M4 4l8 8M12 4l-8 8",
        "running" | "retrying" | "claimed" => "M8 2a6 6 0 1 0 6 6",
        "waiting" | "asking" | "unknown" => {
            "M5.500 6a2.500 2.500 0 1 1 3.500 2.300c-.7.3-1 .8-1 1.500M8 12.500v.5"
        }
        "skipped" | "cancelled" | "missed" | "off" => "M3.500 8h9",
        "interrupted" | "paused" => "M5.500 3.500v9M10.500 3.500v9",
        _ => "M8 5a3 3 0 1 0 .01 0",
    };
    html! { svg class={ "sign is-" (state) } viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" { path d=(path) {} } }
}

fn words(state: &str) -> String {
    match state {
        "waiting" => "waiting for you".to_owned(),
        other => other.replace('_', " "),
    }
}

/// How a run stands.
pub(super) fn standing(run: &RunSummary) -> Markup {
    badge(&run.standing())
}

/// How a step stands, in a word.
pub(super) fn step_word(state: StepState) -> &'static str {
    match state {
        StepState::Pending => "pending",
        StepState::Running => "running",
        StepState::Retrying => "retrying",
        StepState::Waiting => "sleeping",
        StepState::Asking => "asking",
        StepState::Unknown => "unknown",
        StepState::Completed => "completed",
        StepState::Failed => "failed",
        StepState::Skipped => "skipped",
    }
}

/// What something does to the world.
pub(super) fn effect(effect: Effect) -> Markup {
    let word = effect_word(effect);
    let says = match effect {
        Effect::Read => "changes nothing",
        Effect::Write => "changes something",
        Effect::Destructive => "may destroy something",
        Effect::Unknown => "nobody knows what it does",
    };
    html! { span class={ "effect does-" (word) } title=(says) { (word) } }
}

/// The same in a word.
pub(super) fn effect_word(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "read",
        Effect::Write => "write",
        Effect::Destructive => "destructive",
        Effect::Unknown => "unknown",
    }
}

/// Through which front end something came.
pub(super) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Cli => "terminal",
        Origin::Cron => "schedule",
        Origin::Mcp => "AI client",
        Origin::Http => "dashboard or API",
        Origin::Parent => "another run",
    }
}

/// A value as people read it; secrets are names.
pub(super) fn value(value: &Value) -> Markup {
    let mut value = value.clone();
    seal::show(&mut value);
    match &value {
        Value::String(text) if text.is_empty() => html! { span.quiet { "empty text" } },
        Value::String(text) if !text.contains('\n') && text.chars().count() <= 80 => {
            html! { code.value.text { (text) } }
        }
        Value::String(text) => block(text, false),
        Value::Null | Value::Bool(_) | Value::Number(_) => html! { code.value { (value.to_string()) } },
        Value::Array(items) if items.is_empty() => html! { code.value { "[]" } },
        Value::Object(items) if items.is_empty() => html! { code.value { "{}" } },
        _ => block(&serde_json::to_string_pretty(&value).unwrap_or_default(), true),
    }
}

/// Several lines, which may be longer and wider than the page.
pub(super) fn block(text: &str, is_json: bool) -> Markup {
    let (text, rest) = beginning(text);
    html! {
        pre.value tabindex="0" { code { @if is_json { (json(text)) } @else { (text) } } }
        @if rest > 0 { p.quiet.small { (rest) " more bytes; the API has them." } }
    }
}

/// A number with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut apart = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            // Narrow, and never the end of a line.
            apart.push('\u{202f}');
        }
        apart.push(digit);
    }
    apart
}

/// So many bytes as people say it.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let power = (bytes.ilog2() / 10).min(4);
    let tenths = (u128::from(bytes) * 10) >> (power * 10);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[power as usize - 1])
}

/// A text, or its beginning when it is longer than that.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn beginning(text: &str) -> (&str, usize) {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => (&text[..at], text.len() - at),
        None => (text, 0),
    }
}

/// JSON in colours. What is no JSON any more, as it was cut, has fewer of them.
fn json(text: &str) -> Markup {
    let mut coloured = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        push(&mut coloured, &rest[..at]);
        let end = string_end(&rest[at..]) + at;
        let is_key = rest[end..].trim_start().starts_with(':');
        coloured.push_str(if is_key { "<i class=\"k\">" } else { "<i class=\"s\">" });
        push(&mut coloured, &rest[at..end]);
        coloured.push_str("</i>");
        rest = &rest[end..];
    }
    push(&mut coloured, rest);
    PreEscaped(coloured)
}

/// Where a text in quotes ends.
fn string_end(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !is_escaped => return at + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

/// Adds a text with nothing in it that could be markup.
pub(super) fn push(markup: &mut String, text: &str) {
    let escaped = html! { (text) };
    markup.push_str(&escaped.into_string());
}

/// Why something failed.
pub(super) fn error(error: &StepError) -> Markup {
    let kind = serde_json::to_value(error.kind).ok();
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default();
    html! {
        div.error {
            p { span.kind { (kind) } " " (prose(&seal::show_text(&error.message))) }
            @if !error.details.is_null() {
                details { summary { "Details" } (value(&error.details)) }
            }
        }
    }
}

/// A text of ours, or of whoever writes like us: what stands between back-ticks is code.
pub(super) fn prose(text: &str) -> Markup {
    let is_paired = text.matches('`').count().is_multiple_of(2);
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if is_paired && at % 2 == 1 { code { (part) } } @else { @if at > 0 && !is_paired { "`" } (part) }
        }
    }
}

/// A line of what a text says.
pub(super) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Nothing is there.
pub(super) fn empty(title: &str, more: &Markup) -> Markup {
    html! { div.empty { p { strong { (title) } } p.quiet { (more) } } }
}

/// The line above a list that holds what is new until it is asked for, so that nobody misses what they are about to
/// click; the script fills it in.
pub(super) fn news(list: &str, (one, many): (&str, &str), says: &str) -> Markup {
    html! {
        div.news role="status" {
            span.quiet.small { (says) }
            button.small type="button" data-news=(list) data-one=(one) data-many=(many) {}
        }
    }
}

/// A part of an address.
pub(super) fn part(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_are_short() {
        let all = [0, 999, 1000, 59_949, 61_000, 3_660_000, 90_000_000].map(duration);
        assert_eq!(all, ["0 ms", "999 ms", "1.0 s", "59.9 s", "1 m 01 s", "1 h 01 m", "1 d 1 h"]);
    }

    #[test]
    fn times_are_told_by_their_distance() {
        let now = Utc::now();
        let at = |seconds: i64| distance(now + chrono::TimeDelta::seconds(seconds), now);
        assert_eq!(
            [0, -7, 90, -7200, 400_000].map(at),
            ["now", "7 s ago", "in 1 min", "2 h ago", "in 4 days"]
        );
    }

    #[test]
    fn numbers_and_sizes_are_easy_to_read() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]
        );
        let all = [0, 1023, 1024, 1536, 1 << 20, u64::MAX].map(bytes);
        assert_eq!(all, ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 KiB", "1.0 MiB", "16777215.9 TiB"]);
        assert_eq!((cut("abc", 3), cut("äbcd", 2)), ("abc".to_owned(), "äb…".to_owned()));
    }

    #[test]
    fn no_value_is_markup() {
        let hostile = "</code><script>alert(1)</script>\"'&\\";
        for value in [json!(hostile), json!({hostile: [hostile]}), json!(format!("{hostile}\n{hostile}"))] {
            let shown = super::value(&value).into_string();
            assert!(!shown.contains("<script"), "{shown}");
        }
        assert_eq!(json(r#"{"a": "b"}"#).into_string().matches("<i class=\"k\">").count(), 1);
    }
}

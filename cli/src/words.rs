//! Words that several messages share: counts, durations, ages, lists.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `1 step`, `2 steps`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let text = thousands(number);
    if number == 1 { format!("{text} {noun}") } else { format!("{text} {}", plural(noun)) }
}

/// `10 000` for 10000.
pub(crate) fn thousands(number: impl fmt::Display) -> String {
    let digits = number.to_string();
    if digits.len() < 4 {
        return digits;
    }
    let first = digits.len() % 3;
    let mut groups = Vec::new();
    if first > 0 {
        groups.push(digits[..first].to_owned());
    }
    let rest = digits.as_bytes()[first..].chunks(3);
    groups.extend(rest.map(|group| String::from_utf8_lossy(group).into_owned()));
    groups.join(" ")
}

fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    }
}

/// `340ms`, `2.1s`, `3m04s`, `2h05m`, `3d04h`.
pub(crate) fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds}ms"),
        1..60 => format!("{}.{}s", seconds, milliseconds % 1000 / 100),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// Milliseconds from one moment to another; 0 when they are the wrong way round.
pub(crate) fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
    u64::try_from((to - from).num_milliseconds()).unwrap_or(0)
}

/// `just now`, `5m ago`, `3d ago`: one unit is enough to find a run again.
pub(crate) fn ago(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = between(then, now) / 1000;
    match seconds {
        0..5 => "just now".to_owned(),
        5..60 => format!("{seconds}s ago"),
        60..3600 => format!("{}m ago", seconds / 60),
        3600..86400 => format!("{}h ago", seconds / 3600),
        _ => format!("{}d ago", seconds / 86400),
    }
}

/// `4.0 MB`, `120 B`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut whole = bytes;
    let mut tenth = 0;
    let mut unit = None;
    for name in UNITS {
        if whole < 1000 {
            break;
        }
        tenth = whole % 1000 / 100;
        whole /= 1000;
        unit = Some(name);
    }
    unit.map_or_else(|| format!("{bytes} B"), |unit| format!("{whole}.{tenth} {unit}"))
}

/// `` `a`, `b` and `c` ``.
pub(crate) fn list<T: AsRef<str>>(names: &[T]) -> String {
    joined(names, "and")
}

/// `` `a`, `b` or `c` ``.
pub(crate) fn choice<T: AsRef<str>>(names: &[T]) -> String {
    joined(names, "or")
}

fn joined<T: AsRef<str>>(names: &[T], last: &str) -> String {
    let ticked: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match ticked.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}

/// The word that a value has in JSON, e.g. `not_found`.
pub(crate) fn wire(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// Text that may come from anywhere, made safe for a terminal: escape sequences and
/// control characters are left out, tabs become spaces; line ends stay.
pub(crate) fn harmless(text: &str) -> String {
    // Only what is meant for people says so; within a run a secret is a reference.
    let text = &aa_spec::template::seal::show_text(text);
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => skip_escape(&mut chars),
            '\t' => clean.push_str("    "),
            '\n' => clean.push('\n'),
            // A carriage return redraws a line; what counts is the last version.
            '\r' if chars.peek() != Some(&'\n') => {
                clean.truncate(clean.rfind('\n').map_or(0, |newline| newline + 1));
            }
            other if other.is_control() || is_bidi(other) => {}
            other => clean.push(other),
        }
    }
    clean
}

/// The same for text in which places must stay where they are: each such character is replaced by one that is as
/// long and does nothing. Tabs stay.
pub(crate) fn still(text: &str) -> Cow<'_, str> {
    let acts = |char: char| (char.is_control() && !matches!(char, '\n' | '\t')) || is_bidi(char);
    if !text.replace("\r\n", "\n").contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut chars = text.chars().peekable();
    let mut clean = String::with_capacity(text.len());
    while let Some(char) = chars.next() {
        let ends_line = char == '\r' && chars.peek() == Some(&'\n');
        clean.push(match char.len_utf8() {
            _ if ends_line || !acts(char) => char,
            1 => '?',
            2 => '\u{b7}',
            _ => char::REPLACEMENT_CHARACTER,
        });
    }
    Cow::Owned(clean)
}

/// Characters that change the direction of what follows, and so can make text lie.
fn is_bidi(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => while chars.next().is_some_and(|char| !('@'..='~').contains(&char)) {},
        Some(']') => {
            while let Some(char) = chars.next() {
                if char == '\u{7}' {
                    break;
                }
                if char == '\u{1b}' {
                    chars.next();
                    break;
                }
            }
        }
        _ => {}
    }
}

/// The text cut to a number of columns, with `…` (or `...`) when something is missing.
pub(crate) fn shortened(text: &str, width: usize, ellipsis: &str) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(ellipsis.width());
    let mut short = String::new();
    let mut used = 0;
    for char in text.chars() {
        used += char.width().unwrap_or(0);
        if used > room {
            break;
        }
        short.push(char);
    }
    short + ellipsis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_worded() {
        assert_eq!(count(1, "step"), "1 step");
        assert_eq!(count(0, "step"), "0 steps");
        assert_eq!(count(2, "query"), "2 queries");
        assert_eq!(count(2, "key"), "2 keys");
        assert_eq!(count(999, "item"), "999 items");
        assert_eq!(count(2_000, "item"), "2 000 items");
        assert_eq!(count(10_000, "item"), "10 000 items");
        assert_eq!(thousands(1_234_567), "1 234 567");
    }

    #[test]
    fn durations_have_one_unit_of_detail() {
        let cases: [(u64, &str); 9] = [
            (0, "0ms"),
            (340, "340ms"),
            (999, "999ms"),
            (2_149, "2.1s"),
            (59_999, "59.9s"),
            (184_000, "3m04s"),
            (3_600_000, "1h00m"),
            (7_500_000, "2h05m"),
            (100 * 3_600_000, "4d04h"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(duration(milliseconds), text);
        }
    }

    #[test]
    fn sizes_and_lists() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(4_096), "4.0 kB");
        assert_eq!(bytes(1_250_000_000), "1.2 GB");
        assert_eq!(list(&["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(choice(&["a", "b"]), "`a` or `b`");
        assert_eq!(list::<&str>(&[]), "");
    }

    #[test]
    fn text_from_outside_cannot_drive_the_terminal() {
        assert_eq!(harmless("\u{1b}[31mred\u{1b}[0m"), "red");
        assert_eq!(harmless("a\u{1b}]0;title\u{7}b\u{1b}]8;;x\u{1b}\\c"), "abc");
        assert_eq!(harmless("10%\r20%\r\nnext\u{8}"), "20%\nnext");
        assert_eq!(harmless("evil\u{202e}txt"), "eviltxt");
        assert_eq!(harmless("cut\u{1b}["), "cut");
    }

    #[test]
    fn shortened_text_fits() {
        assert_eq!(shortened("abcdef", 6, "…"), "abcdef");
        assert_eq!(shortened("abcdefg", 6, "…"), "abcde…");
        assert_eq!(shortened("漢字漢字", 5, "…"), "漢字…");
        assert_eq!(shortened("abc", 0, ""), "");
    }
}

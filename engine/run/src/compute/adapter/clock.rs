//! Moments as the interpreter has them, and as text.

use chrono::{DateTime, Datelike, Timelike, Utc};
use monty_types::{MontyDate, MontyDateTime, MontyObject, MontyTime, MontyTimeZone};

fn utc(now_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(now_ms).unwrap_or_default()
}

/// `datetime.now(zone)`; without a zone it is UTC and naive, whatever the machine's own zone.
pub(super) fn moment(now_ms: i64, zone: Option<&MontyTimeZone>) -> MontyObject {
    let offset = zone.map_or(0, |zone| zone.offset_seconds);
    let there = utc(now_ms.saturating_add(i64::from(offset) * 1000));
    MontyObject::DateTime(MontyDateTime {
        year: there.year(),
        month: small(there.month()),
        day: small(there.day()),
        hour: small(there.hour()),
        minute: small(there.minute()),
        second: small(there.second()),
        microsecond: there.timestamp_subsec_micros(),
        offset_seconds: zone.map(|zone| zone.offset_seconds),
        timezone_name: zone.and_then(|zone| zone.name.clone()),
    })
}

/// `date.today()`, in UTC.
pub(super) fn day(now_ms: i64) -> MontyObject {
    let today = utc(now_ms);
    MontyObject::Date(MontyDate { year: today.year(), month: small(today.month()), day: small(today.day()) })
}

/// Parts of a date and a time are below 256.
fn small(part: u32) -> u8 {
    u8::try_from(part).unwrap_or(u8::MAX)
}

/// `date.isoformat()`.
pub(super) fn date_text(date: &MontyDate) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

/// `time.isoformat()`.
pub(super) fn time_text(time: &MontyTime) -> String {
    let MontyTime { hour, minute, second, microsecond, offset_seconds, .. } = *time;
    format!("{hour:02}:{minute:02}:{second:02}{}{}", fraction(microsecond), offset(offset_seconds))
}

/// `datetime.isoformat()`.
pub(super) fn moment_text(at: &MontyDateTime) -> String {
    let MontyDateTime { year, month, day, hour, minute, second, microsecond, offset_seconds, .. } = *at;
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{}{}",
        fraction(microsecond),
        offset(offset_seconds)
    )
}

fn fraction(micros: u32) -> String {
    if micros == 0 { String::new() } else { format!(".{micros:06}") }
}

fn offset(seconds: Option<i32>) -> String {
    let Some(seconds) = seconds else { return String::new() };
    let sign = if seconds < 0 { '-' } else { '+' };
    let all = seconds.unsigned_abs();
    let (hours, minutes, rest) = (all / 3600, all / 60 % 60, all % 60);
    if rest == 0 {
        format!("{sign}{hours:02}:{minutes:02}")
    } else {
        format!("{sign}{hours:02}:{minutes:02}:{rest:02}")
    }
}

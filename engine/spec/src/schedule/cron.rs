//! A cron pattern, and when it is due by a zone's clocks; alone knows the cron library.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, NaiveDateTime, Utc};
use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Zone;

/// A cron pattern; serialised as its text. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cron(Arc<Pattern>);

#[derive(Debug)]
struct Pattern {
    text: String,
    /// Read when it is first asked for. Only what was read without a problem is ever written anywhere.
    read: OnceLock<Option<Fields>>,
}

#[derive(Debug)]
struct Fields {
    pattern: croner::Cron,
    /// Whether it runs in every hour or every so many, and so by elapsed time.
    elapsed: bool,
}

/// Patterns by their texts. The library takes more than 5 kB for each, and of many schedules most share a few: each
/// is read and kept once.
#[derive(Debug, Default)]
pub struct Patterns(Mutex<HashMap<String, Cron>>);

/// Names of whole patterns.
const NAMED: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * sun"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// The least pattern that is due again and again: it is asked for a moment after which there is one.
const START: i64 = 946_684_800;

impl Patterns {
    /// The one of a text, when there is one.
    pub(super) fn get(&self, text: &str) -> Option<Cron> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(text).cloned()
    }

    /// The one that is kept for its text: itself, when there was none.
    #[must_use]
    pub fn same(&self, cron: Cron) -> Cron {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(cron.text().to_owned()).or_insert(cron).clone()
    }
}

impl Cron {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, and a hint.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        let text = text.trim();
        let fields = read(text)?;
        Ok(Self(Arc::new(Pattern { text: text.to_owned(), read: OnceLock::from(Some(fields)) })))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    fn fields(&self) -> Option<&Fields> {
        self.0.read.get_or_init(|| read(&self.0.text).ok()).as_ref()
    }

    /// Whether it is ever due.
    pub fn is_ever_due(&self) -> bool {
        let start = DateTime::from_timestamp(START, 0).unwrap_or_default().naive_utc();
        self.wall_from(start, true).is_some()
    }

    /// The first moment after one at which it is due.
    pub fn next(&self, after: DateTime<Utc>, zone: &Zone) -> Option<DateTime<Utc>> {
        if self.fields()?.elapsed { self.next_elapsed(after, zone) } else { self.next_on_wall(after, zone) }
    }

    /// Each time that a clock shows is one moment: the first at which it does, or, when clocks are put
    /// forward over it, the moment at which they are. So moments come in the order of the clock's times,
    /// and several times in one gap are one moment.
    fn next_on_wall(&self, after: DateTime<Utc>, zone: &Zone) -> Option<DateTime<Utc>> {
        let mut wall = zone.wall(after);
        loop {
            wall = self.wall_from(wall, false)?;
            let moment = zone.first(wall);
            if moment > after {
                return Some(moment);
            }
        }
    }

    /// Every moment at which a clock shows a fitting time, when clocks are put back the second time, too.
    fn next_elapsed(&self, after: DateTime<Utc>, zone: &Zone) -> Option<DateTime<Utc>> {
        let (mut from, mut inclusive) = (after, false);
        loop {
            // Within one offset, clocks go evenly.
            let wall = self.wall_from(zone.wall(from), inclusive)?;
            let moment = zone.by_offset_of(from, wall);
            match zone.change(from, moment) {
                None => return Some(moment),
                Some(change) => (from, inclusive) = (change, true),
            }
        }
    }

    fn wall_from(&self, wall: NaiveDateTime, inclusive: bool) -> Option<NaiveDateTime> {
        self.fields()?.pattern.find_next_occurrence(&wall, inclusive).ok()
    }
}

impl Serialize for Cron {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for Cron {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self(Arc::new(Pattern { text, read: OnceLock::new() })))
    }
}

fn read(text: &str) -> Result<Fields, (String, String)> {
    let fields = fields(text)?;
    let count = fields.split_whitespace().count();
    if !(5..=6).contains(&count) {
        let message = format!("`{text}` has {count} fields, and a cron pattern has five or six");
        return Err((message, FIELDS.to_owned()));
    }
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    let pattern = parser.parse(&fields).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.trim_end_matches('.').trim_start_matches("Component error: ");
        (format!("`{text}` is not a cron pattern: {}", lower(reason)), FIELDS.to_owned())
    })?;
    let hours = fields.split_whitespace().nth(count - 4).unwrap_or_default();
    Ok(Fields { pattern, elapsed: hours.starts_with('*') })
}

/// What the fields are.
const FIELDS: &str =
    "minute hour day month weekday, e.g. `30 2 * * mon-fri`; a sixth field before them is seconds";

fn fields(text: &str) -> Result<String, (String, String)> {
    if !text.starts_with('@') {
        return Ok(text.to_owned());
    }
    if let Some((_, fields)) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok((*fields).to_owned());
    }
    let message = format!("there is no cron pattern called `{text}`");
    if text.starts_with("@every") {
        return Err((message, "write `every: 15m` instead of `cron`".to_owned()));
    }
    let known: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
    Err((message, format!("known: {}", crate::name::list(&known))))
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

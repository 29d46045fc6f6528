//! Time zones: wall clock to moments and back, on the days on which clocks are changed, too.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time zone by its IANA name, as which it is serialised. Its rules are those that came with this version of the program, so
/// that a schedule is due at the same moments on every machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// No gap or repetition of any wall clock is longer, including a change of the date line.
const LONGEST_CHANGE: TimeDelta = TimeDelta::hours(30);
/// No two changes of a zone's offset are nearer to one another.
const STRIDE: TimeDelta = TimeDelta::days(1);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone of a name.
    ///
    /// # Errors
    /// There is none; what was likely meant, if anything.
    pub fn parse(name: &str) -> Result<Self, Option<String>> {
        let zones = TimeZoneDatabase::bundled();
        match zones.get(name).map(Self) {
            Ok(zone) if zone.name() == name => Ok(zone),
            // Found by the same letters in another case.
            Ok(zone) => Err(Some(zone.name().to_owned())),
            Err(_) => {
                let names: Vec<String> = zones.available().map(|name| name.to_string()).collect();
                Err(crate::name::suggest(name, names.iter().map(String::as_str)).map(str::to_owned))
            }
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// What the clock on the wall shows.
    pub fn wall(&self, moment: DateTime<Utc>) -> NaiveDateTime {
        let offset = TimeDelta::seconds(i64::from(self.offset(moment)));
        moment.naive_utc().checked_add_signed(offset).unwrap_or_else(|| moment.naive_utc())
    }

    /// A moment as people of the zone write it, with its offset.
    pub fn show(&self, moment: DateTime<Utc>) -> String {
        match chrono::FixedOffset::east_opt(self.offset(moment)) {
            Some(offset) => moment.with_timezone(&offset).format("%Y-%m-%d %H:%M:%S %:z").to_string(),
            None => moment.to_rfc3339(),
        }
    }

    /// The first moment at which the clock shows this time; if it never does, the first one at which
    /// it shows a later time.
    pub fn first(&self, wall: NaiveDateTime) -> DateTime<Utc> {
        let shown = TimeZone::UTC.to_datetime(timestamp(wall.and_utc()));
        match self.0.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                by_offset(offset, wall)
            }
            AmbiguousOffset::Gap { .. } => self.after_gap(wall),
        }
    }

    /// The moment of a clock's time by the offset that holds at another moment.
    pub(super) fn by_offset_of(&self, moment: DateTime<Utc>, wall: NaiveDateTime) -> DateTime<Utc> {
        by_offset(self.0.to_offset(timestamp(moment)), wall)
    }

    /// The first moment after one and until another with a different offset than the first has.
    pub(super) fn change(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let offset = self.offset(after);
        let mut low = after;
        while low < until {
            let high = low.checked_add_signed(STRIDE)?.min(until);
            if self.offset(high) != offset {
                return Some(bisect(low, high, |moment| self.offset(moment) != offset));
            }
            low = high;
        }
        None
    }

    /// Seconds east of UTC.
    fn offset(&self, moment: DateTime<Utc>) -> i32 {
        self.0.to_offset(timestamp(moment)).seconds()
    }

    fn after_gap(&self, wall: NaiveDateTime) -> DateTime<Utc> {
        let (low, high) = (wall.and_utc() - LONGEST_CHANGE, wall.and_utc() + LONGEST_CHANGE);
        bisect(low, high, |moment| self.wall(moment) >= wall)
    }
}

/// A moment for the library of zones, which knows fewer: a moment beyond is the last that it knows.
fn timestamp(moment: DateTime<Utc>) -> Timestamp {
    let last = if moment < DateTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(moment.timestamp()).unwrap_or(last)
}

fn by_offset(offset: Offset, wall: NaiveDateTime) -> DateTime<Utc> {
    (wall - TimeDelta::seconds(i64::from(offset.seconds()))).and_utc()
}

/// The first second at which a condition holds that does not hold at `low`, and does from then on.
fn bisect(low: DateTime<Utc>, high: DateTime<Utc>, holds: impl Fn(DateTime<Utc>) -> bool) -> DateTime<Utc> {
    // Offsets change at whole seconds.
    let (mut low, mut high) = (low.timestamp(), high.timestamp() + 1);
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(at(middle)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    at(high)
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&name).map_err(|_| serde::de::Error::custom(format!("there is no time zone `{name}`")))
    }
}

/// The moment that a text means: RFC 3339, or a date and perhaps a time as the zone's clocks show it.
///
/// # Errors
/// A message that shows the right form.
pub fn moment(text: &str, zone: &Zone) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.with_timezone(&Utc));
    }
    let forms = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let wall = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN));
    let wall = wall.or_else(day).ok_or_else(|| {
        format!("`{text}` is not a moment; write it like `2026-03-01T09:00:00Z` or `2026-03-01 09:00`")
    })?;
    if zone.wall(zone.first(wall)) == wall {
        Ok(zone.first(wall))
    } else {
        Err(format!("there is no `{text}` in {zone}: clocks are put forward then"))
    }
}

//! Time zones: wall clock to moments and back, on the days on which clocks are changed, too.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

/// A time zone by its IANA name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Tz);

/// No gap or repetition of any wall clock is longer, including a change of the date line.
const LONGEST_CHANGE: TimeDelta = TimeDelta::hours(30);
/// No two changes of a zone's offset are nearer to one another.
const STRIDE: TimeDelta = TimeDelta::days(1);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone of a name.
    ///
    /// # Errors
    /// There is none; what was likely meant, if anything.
    pub fn parse(name: &str) -> Result<Self, Option<&'static str>> {
        Tz::from_str(name).map(Self).map_err(|_| {
            let same = TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name));
            let near = || crate::name::suggest(name, TZ_VARIANTS.iter().map(|zone| zone.name()));
            same.map(|zone| zone.name()).or_else(near)
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What the clock on the wall shows.
    pub fn wall(self, moment: DateTime<Utc>) -> NaiveDateTime {
        moment.with_timezone(&self.0).naive_local()
    }

    /// A moment as people of the zone write it, with its offset.
    pub fn show(self, moment: DateTime<Utc>) -> String {
        moment.with_timezone(&self.0).format("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    /// The first moment at which the clock shows this time; if it never does, the first one at which
    /// it shows a later time.
    pub fn first(self, wall: NaiveDateTime) -> DateTime<Utc> {
        match self.0.from_local_datetime(&wall).earliest() {
            Some(moment) => moment.with_timezone(&Utc),
            None => self.after_gap(wall),
        }
    }

    /// The moment of a clock's time by the offset that holds at another moment.
    pub(super) fn by_offset_of(self, moment: DateTime<Utc>, wall: NaiveDateTime) -> DateTime<Utc> {
        (wall - TimeDelta::seconds(i64::from(self.offset(moment)))).and_utc()
    }

    /// The first moment after one and until another with a different offset than the first has.
    pub(super) fn change(self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
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

    fn offset(self, moment: DateTime<Utc>) -> i32 {
        self.0.offset_from_utc_datetime(&moment.naive_utc()).fix().local_minus_utc()
    }

    fn after_gap(self, wall: NaiveDateTime) -> DateTime<Utc> {
        let (low, high) = (wall.and_utc() - LONGEST_CHANGE, wall.and_utc() + LONGEST_CHANGE);
        bisect(low, high, |moment| self.wall(moment) >= wall)
    }
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

/// The moment that a text means: RFC 3339, or a date and perhaps a time as the zone's clocks show it.
///
/// # Errors
/// A message that shows the right form.
pub fn moment(text: &str, zone: Zone) -> Result<DateTime<Utc>, String> {
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

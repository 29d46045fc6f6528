//! When a trigger is due: pure functions of the trigger and a moment.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Trigger, Zone};

impl Trigger {
    /// The first moment after one at which it is due by itself. A webhook never is, and a poll at the
    /// moments at which its tool is asked.
    pub fn next(&self, after: DateTime<Utc>, zone: &Zone) -> Option<DateTime<Utc>> {
        match self {
            Self::Cron(cron) => cron.next(after, zone),
            Self::Every { every_ms, anchor } => interval(after, *every_ms, *anchor),
            Self::At(moment) => (*moment > after).then_some(*moment),
            Self::Poll(poll) => interval(after, poll.every_ms, DateTime::UNIX_EPOCH),
            Self::Webhook(_) => None,
        }
    }

    /// The moments after one and until another, the earliest first.
    pub fn between<'a>(
        &'a self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
        zone: &'a Zone,
    ) -> impl Iterator<Item = DateTime<Utc>> + 'a {
        let mut last = after;
        std::iter::from_fn(move || {
            last = self.next(last, zone).filter(|moment| *moment <= until)?;
            Some(last)
        })
    }

    /// Whether it is due at moments that can be told in advance.
    pub fn is_timed(&self) -> bool {
        matches!(self, Self::Cron(_) | Self::Every { .. } | Self::At(_))
    }
}

/// The first of the moments `anchor + n * every`, for any whole `n`, that is after a moment.
fn interval(after: DateTime<Utc>, every_ms: u64, anchor: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let every = i64::try_from(every_ms).ok().filter(|every| *every > 0)?;
    let passed = after.timestamp_millis().checked_sub(anchor.timestamp_millis())?;
    let next = passed.div_euclid(every).checked_add(1)?.checked_mul(every)?;
    anchor.checked_add_signed(TimeDelta::try_milliseconds(next)?)
}

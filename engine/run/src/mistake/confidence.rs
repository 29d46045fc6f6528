//! How well a mistake is known: by observations, by what came of warnings, by time.

use chrono::TimeDelta;

use super::Mistake;
use crate::event::Time;

/// From here on a call is warned of it.
pub(super) const WARN: f64 = 0.75;

/// From so many observations, this confidence; most first.
const LADDER: [(u32, f64); 7] =
    [(100, 0.95), (45, 0.92), (20, 0.85), (10, 0.75), (5, 0.70), (3, 0.60), (0, 0.50)];

/// The very same value that failed so often is enough for a warning. The ladder is for what
/// is only alike.
const EXACTLY: (u32, f64) = (3, 0.75);

/// Nothing is surer than this, and nothing fades below that.
const SUREST: f64 = 0.99;
const FADED: f64 = 0.50;
const LEAST: f64 = 0.30;

/// What a month without the mistake leaves, and what a wrong warning costs.
const MONTHLY: f64 = 0.95;
const FALSE_ALARM: f64 = 0.05;

/// How much the success of warnings weighs against the observations.
const OF_SUCCESS: f64 = 0.30;

const MONTH: i64 = 30;

impl Mistake {
    /// How well it is known at a time, from 0.3 to 0.99.
    pub fn confidence(&self, now: Time) -> f64 {
        let known = self.undecayed();
        let months = i32::try_from((now - self.last_at).num_days().max(0) / MONTH).unwrap_or(i32::MAX);
        let faded = known * MONTHLY.powi(months);
        // What was never that sure does not become so by waiting.
        faded.max(FADED.min(known))
    }

    fn undecayed(&self) -> f64 {
        let step = LADDER.iter().find(|(from, _)| self.seen >= *from).map_or(FADED, |(_, sure)| *sure);
        let sure = if self.mark.is_exact() && self.seen >= EXACTLY.0 { step.max(EXACTLY.1) } else { step };
        let judged = f64::from(self.prevented) + f64::from(self.false_alarms);
        if judged == 0.0 {
            return sure;
        }
        let success = f64::from(self.prevented) / judged;
        let blended = (1.0 - OF_SUCCESS) * sure + OF_SUCCESS * success;
        (blended - FALSE_ALARM * f64::from(self.false_alarms)).clamp(LEAST, SUREST)
    }

    /// Whether it is known well enough to warn of it.
    pub fn warns(&self, now: Time) -> bool {
        self.confidence(now) >= WARN
    }

    /// Whether it is not worth remembering: warnings of it were wrong, or it was not seen
    /// for long and was never sure.
    pub(crate) fn is_stale(&self, now: Time) -> bool {
        let (unseen, sure) = (now - self.last_at, self.undecayed());
        sure < FADED
            || (unseen > TimeDelta::days(3 * MONTH) && sure < 0.70)
            || (unseen > TimeDelta::days(MONTH) && self.seen < 3)
    }
}

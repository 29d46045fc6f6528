//! When the next attempt is made, and what makes attempts the same for the other side.

use aa_spec::plan::{RetryPlan, digest};
use aa_spec::skill::Backoff;

use super::place::Spot;
use super::{Machine, later};
use crate::event::{StepError, StepPath, Time};

impl Machine {
    /// The same for every attempt at a step of this run, and for nothing else anywhere.
    pub(super) fn idempotency_key(&self, path: &StepPath) -> String {
        let mut key = digest(format!("{}\0{path}", self.nonce));
        key.truncate(32);
        key
    }

    /// What a call's key is made of: its path, and which attempt at a block it belongs to.
    /// Another attempt makes its calls anew, perhaps with other arguments under the same path.
    pub(super) fn keyed(&self, spot: Spot, path: &StepPath) -> StepPath {
        let Spot::Unit(place) = spot else { return path.clone() };
        let frames = std::iter::once(place.frame).chain(self.ancestors(place.frame));
        let blocks = frames.filter_map(|frame| self.frame(frame)).filter(|frame| frame.script.is_some());
        let attempts = blocks.filter_map(|frame| Some(self.unit(frame.parent?)?.attempt));
        let later = attempts.filter(|attempt| *attempt > 1);
        StepPath(later.fold(path.0.clone(), |path, attempt| format!("{path}\0{attempt}")))
    }
}

/// Later than in this many milliseconds nobody waits for because the other side wishes it.
pub(super) const LONGEST_WISH_MS: u64 = 2 * 24 * 60 * 60 * 1000;

/// The earliest time at which the other side wants to be asked again, as far as an error has what it said.
pub(super) fn not_before(error: &StepError, now: Time) -> Option<Time> {
    let headers = error.details.get("headers")?.as_object()?;
    let (_, said) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    let said = said.as_str()?.trim();
    match said.parse::<u64>() {
        Ok(seconds) => Some(later(now, seconds.saturating_mul(1000))),
        Err(_) => chrono::DateTime::parse_from_rfc2822(said).ok().map(|time| time.to_utc()),
    }
}

/// Milliseconds between the failure of a try (from 1) and the next attempt.
///
/// Up to a fifth more or less than the plan says, so that many runs that failed
/// together do not come back together; but always the same for the same key and try.
pub(super) fn delay_ms(plan: &RetryPlan, try_number: u32, key: &str) -> u64 {
    let factor = match plan.backoff {
        Backoff::Constant => 1,
        Backoff::Linear => u64::from(try_number),
        Backoff::Exponential => 1_u64.checked_shl(try_number.saturating_sub(1)).unwrap_or(u64::MAX),
    };
    let regular = plan.delay_ms.saturating_mul(factor).min(plan.max_delay_ms);
    let jittered = u128::from(regular) * u128::from(800 + draw(key, try_number) % 401) / 1000;
    u64::try_from(jittered).unwrap_or(u64::MAX).min(plan.max_delay_ms)
}

/// A number that looks random and is not.
fn draw(key: &str, try_number: u32) -> u64 {
    let digits = digest(format!("{key}\0{try_number}"));
    digits.get(..15).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(backoff: Backoff) -> RetryPlan {
        RetryPlan {
            attempts: 9,
            backoff,
            delay_ms: 1000,
            max_delay_ms: 5000,
            on: Vec::new(),
            once: false,
            when: None,
        }
    }

    #[test]
    fn delays_grow_as_planned_within_a_fifth() {
        let cases = [
            (Backoff::Constant, [1000, 1000, 1000, 1000]),
            (Backoff::Linear, [1000, 2000, 3000, 4000]),
            (Backoff::Exponential, [1000, 2000, 4000, 5000]),
        ];
        for (backoff, expected) in cases {
            for (try_number, middle) in (1..).zip(expected) {
                for key in ["a", "b", "c", "d"] {
                    let delay = delay_ms(&plan(backoff), try_number, key);
                    assert!(
                        delay >= middle * 4 / 5 && delay <= middle * 6 / 5,
                        "{backoff:?} {middle}: {delay}"
                    );
                    assert!(delay <= 5000);
                    assert_eq!(delay, delay_ms(&plan(backoff), try_number, key));
                }
            }
        }
    }

    #[test]
    fn keys_spread_the_delays() {
        let keys: Vec<String> = (0..50).map(|key| key.to_string()).collect();
        let mut delays: Vec<u64> =
            keys.iter().map(|key| delay_ms(&plan(Backoff::Constant), 1, key)).collect();
        delays.sort_unstable();
        delays.dedup();
        assert!(delays.len() > 25, "{delays:?}");
    }

    #[test]
    fn the_other_side_says_when_to_come_again() {
        let now = "2026-03-02T10:00:00Z".parse::<Time>().unwrap();
        let when = |said: serde_json::Value| {
            let mut error = StepError::new(aa_spec::tool::ErrorKind::Transient, "busy");
            error.details = serde_json::json!({"headers": {"retry-after": said}});
            not_before(&error, now).map(|time| time.to_rfc3339())
        };
        assert_eq!(when("90".into()).as_deref(), Some("2026-03-02T10:01:30+00:00"));
        let date = when("Mon, 02 Mar 2026 11:00:00 GMT".into());
        assert_eq!(date.as_deref(), Some("2026-03-02T11:00:00+00:00"));
        for nothing in ["", "soon", "-1"] {
            assert_eq!(when(nothing.into()), None, "{nothing}");
        }
        assert_eq!(when(90.into()), None);
        assert!(when(u64::MAX.to_string().into()).is_some(), "it does not overflow");
    }

    #[test]
    fn absurd_plans_do_not_overflow() {
        let plan = RetryPlan { delay_ms: u64::MAX, max_delay_ms: u64::MAX, ..plan(Backoff::Exponential) };
        assert!(delay_ms(&plan, u32::MAX, "k") > 0);
    }
}

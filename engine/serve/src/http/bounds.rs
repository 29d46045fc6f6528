//! How much each principal may ask: so many requests at once, so many a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aa_run::caller::Whose;
use aa_run::settings::Serve;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bounds of all principals that have asked.
#[derive(Debug)]
pub(super) struct Bounds {
    requests: usize,
    rate: u32,
    of: Mutex<HashMap<Whose, Arc<Bound>>>,
}

#[derive(Debug)]
struct Bound {
    places: Arc<Semaphore>,
    pace: Mutex<Pace>,
}

/// Too much was asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TooMuch {
    /// Too many requests are under way.
    AtOnce,
    /// Too many came in too short a time; the next may come after this.
    TooFast(Duration),
}

impl Bounds {
    pub(super) fn new(settings: &Serve) -> Self {
        let requests = settings.requests.min(Semaphore::MAX_PERMITS);
        Self { requests, rate: settings.rate, of: Mutex::default() }
    }

    fn of(&self, whose: &Whose) -> Arc<Bound> {
        let mut known = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bound) = known.get(whose) {
            return Arc::clone(bound);
        }
        let places = Arc::new(Semaphore::new(self.requests));
        let bound = Arc::new(Bound { places, pace: Mutex::new(Pace::new(self.rate)) });
        known.insert(whose.clone(), Arc::clone(&bound));
        bound
    }

    /// A place for one request of somebody who has shown a key, for as long as it is held.
    pub(super) fn enter(&self, whose: &Whose) -> Result<OwnedSemaphorePermit, TooMuch> {
        let bound = self.of(whose);
        let now = Instant::now();
        bound.pace.lock().unwrap_or_else(PoisonError::into_inner).step(now).map_err(TooMuch::TooFast)?;
        Arc::clone(&bound.places).try_acquire_owned().map_err(|_| TooMuch::AtOnce)
    }
}

/// Evenly in the long run, more at once after a pause.
#[derive(Debug)]
pub(super) struct Pace {
    step: Duration,
    burst: Duration,
    /// When the next one would be due if they came evenly.
    due: Option<Instant>,
}

impl Pace {
    fn new(rate: u32) -> Self {
        Self::of(Duration::from_secs(1) / rate.max(1), Duration::from_secs(2))
    }

    /// One after each step, and what comes together in so long a time at once after a pause.
    pub(super) fn of(step: Duration, burst: Duration) -> Self {
        Self { step, burst: burst.max(step), due: None }
    }

    /// Whether as much may come at once as ever.
    pub(super) fn is_rested(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| due <= now)
    }

    pub(super) fn step(&mut self, now: Instant) -> Result<(), Duration> {
        let due = self.due.map_or(now, |due| due.max(now)) + self.step;
        let ahead = due - now;
        if ahead > self.burst {
            return Err(ahead.saturating_sub(self.burst));
        }
        self.due = Some(due);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_two_seconds_may_be_asked_at_once() {
        let (start, mut pace) = (Instant::now(), Pace::new(10));
        for _ in 0..20 {
            assert_eq!(pace.step(start), Ok(()));
        }
        assert_eq!(pace.step(start), Err(Duration::from_millis(100)));
        assert_eq!(pace.step(start + Duration::from_millis(100)), Ok(()));
        assert_eq!(pace.step(start + Duration::from_millis(100)), Err(Duration::from_millis(100)));
        assert_eq!((0..30).filter(|_| pace.step(start + Duration::from_secs(9)).is_ok()).count(), 20);
    }

    #[test]
    fn one_a_second_is_possible() {
        let (start, mut pace) = (Instant::now(), Pace::new(1));
        assert_eq!((0..9).filter(|_| pace.step(start).is_ok()).count(), 2);
    }

    #[test]
    fn principals_do_not_take_each_others_places() {
        let settings = Serve { requests: 2, ..Serve::default() };
        let bounds = Bounds::new(&settings);
        let of = |tenant: &str, principal: &str| Whose {
            tenant: tenant.to_owned(),
            principal: principal.to_owned(),
        };
        let (ann, ben, other) = (of("main", "ann"), of("main", "ben"), of("other", "ann"));
        let held = (bounds.enter(&ann).unwrap(), bounds.enter(&ann).unwrap());
        assert_eq!(bounds.enter(&ann).unwrap_err(), TooMuch::AtOnce);
        assert!(bounds.enter(&ben).is_ok() && bounds.enter(&other).is_ok());
        drop(held);
        assert!(bounds.enter(&ann).is_ok());
    }
}

//! Connections of each address: one address does not take the places of all the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::strangers::place;

/// After so long a pause, an address that has too many connections is told of again.
const QUIET: Duration = Duration::from_mins(1);

/// How many connections each address has.
#[derive(Debug)]
pub(super) struct Crowd {
    most: usize,
    /// There are as many entries as connections at most.
    of: Mutex<HashMap<IpAddr, usize>>,
    told: Mutex<Option<Instant>>,
}

/// A connection that counts, for as long as it is held.
#[derive(Debug)]
pub(super) struct Counted {
    crowd: Arc<Crowd>,
    from: IpAddr,
}

impl Crowd {
    /// So many connections may come from one address.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, of: Mutex::default(), told: Mutex::default() })
    }

    /// Counts a connection; none when its address has enough.
    pub(super) fn enter(self: &Arc<Self>, from: IpAddr) -> Option<Counted> {
        let from = place(from);
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let count = of.entry(from).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Counted { crowd: Arc::clone(self), from })
    }

    /// Whether to tell that an address has too many.
    pub(super) fn is_news(&self, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = told.is_none_or(|told| now >= told + QUIET);
        if is_news {
            *told = Some(now);
        }
        is_news
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut of = self.crowd.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = of.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                of.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_places_and_gives_them_back() {
        let crowd = Crowd::new(2);
        let enter = |from: &str| crowd.enter(from.parse().unwrap());
        let held = (enter("192.0.2.1").unwrap(), enter("192.0.2.1").unwrap());
        assert!(enter("192.0.2.1").is_none() && enter("::ffff:192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some());
        drop(held);
        assert!(enter("192.0.2.1").is_some());
        assert!(crowd.of.lock().unwrap().is_empty());
    }

    #[test]
    fn it_is_told_once_a_minute() {
        let (crowd, now) = (Crowd::new(1), Instant::now());
        assert!(crowd.is_news(now) && !crowd.is_news(now) && crowd.is_news(now + QUIET));
    }
}

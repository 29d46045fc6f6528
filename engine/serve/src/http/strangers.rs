//! Those who show keys that open nothing: each address may do so only so often, and each burst is told of once. A key
//! that opens is never kept out: it is looked at first, whatever came from its address before.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::bounds::Pace;

/// Addresses that are told apart. Those who come when so many are there share one.
const MOST: usize = 4096;

/// After so long a pause, a wrong key is told of again.
const QUIET: Duration = Duration::from_secs(10);

/// So often those are forgotten that have been quiet for long.
const SWEEP: Duration = Duration::from_secs(1);

/// Who has shown wrong keys lately.
#[derive(Debug)]
pub(super) struct Strangers {
    /// Wrong keys a minute.
    rate: u32,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    of: HashMap<IpAddr, Tries>,
    /// Of all the others.
    rest: Option<Tries>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Tries {
    pace: Pace,
    last: Instant,
    is_throttled: bool,
    /// How many were not told of.
    hushed: u64,
}

/// What follows from a wrong key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Noted {
    /// How long to wait before the next one, when there were too many.
    pub(super) wait: Option<Duration>,
    /// Whether to tell of it, and of how many before that were not told of.
    pub(super) tell: Option<u64>,
}

impl Strangers {
    /// So many wrong keys a minute may come from an address, and as many at once after a pause.
    pub(super) fn new(rate: u32) -> Self {
        Self { rate, known: Mutex::default() }
    }

    /// Whether what comes from an address now is not told of.
    pub(super) fn is_hushed(&self, from: IpAddr, now: Instant) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.of.get(&place(from)).or(known.rest.as_ref()).is_some_and(|tries| now < tries.last + QUIET)
    }

    /// Takes note of somebody whose key opens nothing, or who has shown none; the latter is only told of.
    pub(super) fn note(&self, from: IpAddr, has_shown: bool, now: Instant) -> Noted {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.tries(place(from), self.rate, now).note(has_shown, now)
    }
}

impl Known {
    fn tries(&mut self, from: IpAddr, rate: u32, now: Instant) -> &mut Tries {
        if self.of.len() >= MOST && self.swept.is_none_or(|swept| now >= swept + SWEEP) {
            self.swept = Some(now);
            self.of.retain(|_, tries| !tries.is_over(now));
        }
        if self.of.len() < MOST || self.of.contains_key(&from) {
            return self.of.entry(from).or_insert_with(|| Tries::new(rate, now));
        }
        self.rest.get_or_insert_with(|| Tries::new(rate, now))
    }
}

impl Tries {
    fn new(rate: u32, now: Instant) -> Self {
        let minute = Duration::from_mins(1);
        let pace = Pace::of(minute / rate.max(1), minute);
        // As if it had been quiet until now.
        Self { pace, last: now.checked_sub(QUIET).unwrap_or(now), is_throttled: false, hushed: 0 }
    }

    /// Whether nothing would be different if it were forgotten.
    fn is_over(&self, now: Instant) -> bool {
        self.pace.is_rested(now) && now >= self.last + QUIET
    }

    fn note(&mut self, has_shown: bool, now: Instant) -> Noted {
        let wait = if has_shown { self.pace.step(now).err() } else { None };
        let has_begun = wait.is_some() && !self.is_throttled;
        if has_shown {
            self.is_throttled = wait.is_some();
        }
        let is_told = has_begun || now >= self.last + QUIET;
        self.last = now;
        if !is_told {
            self.hushed += 1;
        }
        Noted { wait, tell: is_told.then(|| std::mem::take(&mut self.hushed)) }
    }
}

/// Who is held for one: of IPv6, whoever has a /64 has as many addresses as they like.
pub(super) fn place(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn too_many_wrong_keys_wait_and_each_burst_is_told_of_once() {
        let (strangers, start) = (Strangers::new(6), Instant::now());
        let at = |seconds: u64| strangers.note(ip("192.0.2.1"), true, start + Duration::from_secs(seconds));
        assert_eq!(at(0), Noted { wait: None, tell: Some(0) });
        for _ in 0..5 {
            assert_eq!(at(0), Noted { wait: None, tell: None });
        }
        assert_eq!(at(0), Noted { wait: Some(Duration::from_secs(10)), tell: Some(5) });
        assert_eq!(at(1), Noted { wait: Some(Duration::from_secs(9)), tell: None });
        // One more after each ten seconds, and it is told of as a new burst.
        assert_eq!(at(11), Noted { wait: None, tell: Some(1) });
        assert_eq!(at(12).wait, Some(Duration::from_secs(8)));
        assert_eq!(at(99), Noted { wait: None, tell: Some(0) });
    }

    #[test]
    fn who_shows_no_key_is_told_of_and_never_waits() {
        let (strangers, now) = (Strangers::new(1), Instant::now());
        let told = (0..100).filter(|_| {
            let noted = strangers.note(ip("192.0.2.1"), false, now);
            assert_eq!(noted.wait, None);
            noted.tell.is_some()
        });
        assert_eq!(told.count(), 1);
        assert_eq!(strangers.note(ip("192.0.2.1"), true, now).wait, None);
    }

    #[test]
    fn addresses_do_not_wait_for_each_other_but_those_of_one_network_do() {
        let (strangers, now) = (Strangers::new(1), Instant::now());
        let wait = |from: &str| strangers.note(ip(from), true, now).wait.is_some();
        assert!(!wait("192.0.2.1") && wait("192.0.2.1") && wait("::ffff:192.0.2.1"));
        assert!(!wait("192.0.2.2"));
        assert!(!wait("2001:db8::1") && wait("2001:db8::ffff:2") && !wait("2001:db8:0:1::1"));
    }

    #[test]
    fn there_is_an_end_of_what_is_remembered() {
        let (strangers, now) = (Strangers::new(1), Instant::now());
        let address = |number: u32| IpAddr::from((0x0a00_0000 + number).to_be_bytes());
        let note = |number, now| strangers.note(address(number), true, now);
        let many = u32::try_from(MOST).unwrap();
        for number in 0..many {
            assert_eq!(note(number, now).wait, None);
        }
        // Newcomers share one place; who was there keeps theirs.
        assert_eq!(note(many, now).wait, None);
        assert!(note(many + 1, now).wait.is_some() && note(0, now).wait.is_some());
        assert_eq!(strangers.known.lock().unwrap().of.len(), MOST);
        // Those who have rested are forgotten.
        let later = now + Duration::from_mins(3);
        assert_eq!(note(many + 2, later).wait, None);
        assert_eq!(strangers.known.lock().unwrap().of.len(), 1);
    }
}

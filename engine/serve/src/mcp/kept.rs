//! Results of reads that were too large for their answers, for those who were given the answers.
//!
//! A run's outputs are in the store. A tool that only reads needs no run, so the rest of what it gave is held here
//! for a while: what is no longer there can be read anew with another call.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use aa_run::caller::Whose;

/// Most that is kept of everybody, in bytes.
const MOST: usize = 32 << 20;
/// Most that is kept of one principal, in bytes.
const SHARE: usize = 8 << 20;

/// What is kept; the oldest goes first.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<VecDeque<Entry>>);

#[derive(Debug)]
struct Entry {
    id: String,
    owner: Whose,
    rest: Rest,
}

/// A result as it is read.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    pub(crate) text: String,
    pub(crate) mime_type: &'static str,
}

impl Kept {
    /// Keeps a result for a principal, under a name that nobody can guess. Tells whether it could be kept.
    pub(crate) fn keep(&self, id: &str, owner: &Whose, rest: Rest) -> bool {
        if rest.text.len() > SHARE {
            return false;
        }
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push_back(Entry { id: id.to_owned(), owner: owner.clone(), rest });
        while size(&entries, |entry| entry.owner == *owner) > SHARE {
            let oldest = entries.iter().position(|entry| entry.owner == *owner);
            oldest.map(|oldest| entries.remove(oldest));
        }
        while size(&entries, |_| true) > MOST {
            entries.pop_front();
        }
        true
    }

    /// What is kept under a name, if it is the principal's.
    pub(crate) fn find(&self, id: &str, owner: &Whose) -> Option<Rest> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = entries.iter().find(|entry| entry.id == id && entry.owner == *owner);
        own.map(|entry| entry.rest.clone())
    }
}

fn size(entries: &VecDeque<Entry>, counts: impl Fn(&Entry) -> bool) -> usize {
    entries.iter().filter(|entry| counts(entry)).map(|entry| entry.rest.text.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(principal: &str) -> Whose {
        Whose { tenant: "main".to_owned(), principal: principal.to_owned() }
    }

    fn rest(text: impl Into<String>) -> Rest {
        Rest { text: text.into(), mime_type: "text/plain" }
    }

    #[test]
    fn only_whoever_was_given_a_result_finds_it() {
        let kept = Kept::default();
        assert!(kept.keep("a", &whose("ann"), rest("hers")));
        let text = |id: &str, owner: &Whose| kept.find(id, owner).map(|rest| rest.text);
        assert_eq!(text("a", &whose("ann")).as_deref(), Some("hers"));
        assert_eq!(text("a", &whose("bob")), None);
        assert_eq!(text("a", &Whose { tenant: "other".to_owned(), ..whose("ann") }), None);
        assert_eq!(text("b", &whose("ann")), None);
    }

    #[test]
    fn the_oldest_makes_room_and_first_that_of_the_same_principal() {
        let kept = Kept::default();
        let large = || rest("x".repeat(SHARE / 2));
        assert!(!kept.keep("too large", &whose("ann"), rest("x".repeat(SHARE + 1))));
        assert!(kept.keep("bob", &whose("bob"), large()));
        for id in ["1", "2", "3"] {
            assert!(kept.keep(id, &whose("ann"), large()));
        }
        let there = |id: &str, principal: &str| kept.find(id, &whose(principal)).is_some();
        assert!(!there("1", "ann") && there("2", "ann") && there("3", "ann") && there("bob", "bob"));
        for n in 0..7 {
            assert!(kept.keep("more", &whose(&format!("p{n}")), large()));
        }
        assert!(!there("bob", "bob"), "there is an end to what is kept of all");
        assert!(there("more", "p6"));
    }
}

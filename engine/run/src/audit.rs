//! Who did what: entries of which each is bound to the one before it, so that none can be changed, removed,
//! moved or cut off without that being seen.
//!
//! Whatever starts or steers a run is an event of it already. Those events are taken in from the journal, by
//! whoever next writes to the audit: so they are in it whichever process and front end they came through, and
//! nothing is written twice when a run starts. Everything else that changes something says so by itself.
//!
//! Reading order: [`Entry`], [`Chain`] (how entries are bound), [`check`] (whether they still are).

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::event::Time;

/// Something that somebody did.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// Who.
    pub who: String,
    /// Through which front end: `cli`, `cron`, `mcp`, `http`, or `serve` for a server by itself.
    pub via: String,
    /// What was done, e.g. `run.start`.
    pub did: String,
    /// To what, e.g. `run 12`.
    pub what: String,
    /// `ok`, or why not.
    pub outcome: String,
    /// What else there is to say.
    pub detail: Value,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Kept {
    /// Its number, from 1.
    pub seq: u64,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
    /// What binds it to the one before it.
    pub hash: String,
}

/// The two ends of what is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Up to where the events of runs are in it.
    pub events: i64,
    /// The last entry that was removed for its age, and its hash.
    pub removed: (u64, String),
    /// The last entry, and its hash.
    pub last: (u64, String),
}

/// A place in the audit that was noted elsewhere: the number of an entry, and its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// The entry.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// What is wrong with an audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fault {
    /// The entry that is wrong, or the first that is missing.
    pub seq: u64,
    /// What is wrong with it.
    pub problem: String,
}

/// What an entry did that was written when what stands before it could not be trusted.
pub(crate) const UNTRUSTED: &str = "audit.untrusted";

/// Why an audit cannot be trusted that has no ends.
pub(crate) const NO_ENDS: &str = "the note of where the audit ends is gone";

/// How entries are bound. Whoever has no key cannot bind any.
#[derive(Clone)]
pub struct Chain {
    key: Option<Vec<u8>>,
    begun: bool,
}

impl Chain {
    /// With a key, if it is there, and whether entries are known to have been written.
    pub fn new(key: Option<Vec<u8>>, begun: bool) -> Self {
        Self { key, begun }
    }

    /// Whether there is a key: without one nothing can be checked.
    pub(crate) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Whether entries are known to have been written: then an audit without any was emptied.
    pub fn is_begun(&self) -> bool {
        self.begun
    }

    /// Why nothing can be believed of an audit with these ends; none where it can.
    pub(crate) fn distrust(&self, found: Option<&(Ends, String)>) -> Option<&'static str> {
        match found {
            _ if self.key.is_none() && (self.begun || found.is_some()) => {
                Some("the key that binds entries, `audit.key`, is not there")
            }
            None if self.begun => Some(NO_ENDS),
            Some((ends, seal)) if self.seal(ends) != *seal => {
                Some("the note of where the audit ends was changed")
            }
            _ => None,
        }
    }

    /// The hash of an entry that follows another.
    pub fn hash(&self, before: &str, seq: u64, entry: &Entry) -> String {
        let Entry { at, who, via, did, what, outcome, detail } = entry;
        let at = at.timestamp_millis();
        self.mac(&json!(["entry", before, seq, at, who, via, did, what, outcome, detail]))
    }

    /// What seals the two ends.
    pub fn seal(&self, ends: &Ends) -> String {
        self.mac(&json!(["ends", ends.events, ends.removed, ends.last]))
    }

    fn mac(&self, of: &Value) -> String {
        // A key may have any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.as_deref().unwrap_or_default()) else {
            return String::new();
        };
        mac.update(of.to_string().as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

/// The hash of the text of an event.
pub(crate) fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes as text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _never_fails = write!(text, "{byte:02x}");
        text
    })
}

/// Checks entries one by one, from the oldest that is left.
#[derive(Debug)]
pub struct Check {
    chain: Chain,
    seq: u64,
    before: String,
    /// Where one of the entries was noted elsewhere.
    mark: Option<Mark>,
    seen: bool,
}

impl Check {
    /// Begins behind what was removed.
    pub fn new(chain: Chain, ends: &Ends, mark: Option<Mark>) -> Self {
        let (seq, before) = ends.removed.clone();
        let seen = mark.as_ref().is_none_or(|mark| mark.seq == seq && mark.hash == before);
        Self { chain, seq, before, mark, seen }
    }

    /// Whether the next entry is what it should be.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn next(&mut self, kept: &Kept) -> Result<(), Fault> {
        let due = self.seq + 1;
        if kept.seq != due {
            return Err(Fault { seq: due, problem: format!("it is missing; entry {} follows", kept.seq) });
        }
        if self.chain.hash(&self.before, due, &kept.entry) != kept.hash {
            let problem = "it was changed, moved, or bound with another key".to_owned();
            return Err(Fault { seq: due, problem });
        }
        if self.mark.as_ref().is_some_and(|mark| mark.seq == due) {
            self.seen = self.mark.as_ref().is_some_and(|mark| mark.hash == kept.hash);
            if !self.seen {
                return Err(Fault { seq: due, problem: "it is not the entry that was noted".to_owned() });
            }
        }
        (self.seq, self.before) = (due, kept.hash.clone());
        if kept.entry.did == UNTRUSTED {
            let problem = kept.entry.detail["problem"].as_str().unwrap_or_default();
            return Err(Fault { seq: due, problem: format!("when it was written, {problem}") });
        }
        Ok(())
    }

    /// Whether nothing is missing at the end.
    ///
    /// # Errors
    /// What is missing.
    pub fn end(&self, ends: &Ends) -> Result<(), Fault> {
        let fault = |seq, problem: &str| Err(Fault { seq, problem: problem.to_owned() });
        if ends.last != (self.seq, self.before.clone()) {
            return fault(self.seq + 1, &format!("it is missing, and all up to entry {}", ends.last.0));
        }
        match &self.mark {
            Some(mark) if !self.seen && mark.seq > self.seq => fault(
                self.seq + 1,
                &format!("it is missing, and all up to entry {}, which was noted", mark.seq),
            ),
            Some(mark) if !self.seen => {
                fault(mark.seq, "it was removed for its age, or is not the entry that was noted")
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chain(…)")
    }
}

impl std::str::FromStr for Mark {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(':').and_then(|(seq, hash)| {
            let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            Some(Self { seq: seq.parse().ok()?, hash: is_hash.then(|| hash.to_ascii_lowercase())? })
        });
        parsed.ok_or_else(|| {
            format!("`{text}` is no mark: give the NUMBER:HASH that `aa audit verify` has printed")
        })
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

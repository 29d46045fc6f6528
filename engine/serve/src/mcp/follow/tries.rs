//! Answers that did not fit their questions, so that whoever is asked again knows why.

use std::collections::BTreeMap;

use aa_run::standing::Asked;
use serde::{Deserialize, Serialize};

/// How often a question is put in one call to somebody whose answers do not fit.
const MOST: u8 = 3;

/// By the key of the question: how many did not fit, and what was wrong with the last of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tries(BTreeMap<String, (u8, String)>);

impl Tries {
    /// Notes an answer that does not fit. Tells whether the question is to be put again.
    pub(super) fn wrong(&mut self, key: &str, why: String) -> bool {
        let tries = self.0.get(key).map_or(0, |(tries, _)| *tries) + 1;
        self.0.insert(key.to_owned(), (tries, why));
        tries < MOST
    }

    /// A question with what was wrong before it.
    pub(super) fn put(&self, asked: &Asked) -> Asked {
        let mut asked = asked.clone();
        if let Some((_, why)) = self.0.get(&asked.key) {
            asked.message = format!("{why}\n{}", asked.message);
        }
        asked
    }
}

//! Skills that were checked before: a server is asked for the same ones again and again.
//!
//! What is kept serves as long as nothing that was looked at has changed: the text of the skill, which is read
//! each time, and the tool modules. A skill that refers to other skills, or to tools whose server decides what
//! they are, is checked anew each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aa_spec::check::Strictness;
use aa_spec::source::{Source, Text};

use super::CheckedSkill;
use crate::toolbox::{Mark, Toolbox};

/// Most skills that are kept; then all are forgotten.
const MOST: usize = 256;

/// Skills as they were checked, by path and strictness.
#[derive(Default)]
pub(super) struct CheckedBefore(Mutex<HashMap<(Arc<str>, Strictness), Known>>);

struct Known {
    text: Text,
    /// Not kept alive: with it would go on what its modules have started.
    tools: Mark,
    skill: CheckedSkill,
}

impl CheckedBefore {
    /// What was found out of this text with these tools.
    pub(super) fn get(
        &self,
        source: &Source,
        strictness: Strictness,
        toolbox: &Toolbox,
    ) -> Option<CheckedSkill> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(&(source.path.clone(), strictness))?;
        (known.text == source.text && known.tools.is_of(toolbox)).then(|| known.skill.clone())
    }

    /// Keeps what was found out.
    pub(super) fn keep(&self, skill: &CheckedSkill, strictness: Strictness, toolbox: &Toolbox) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        let (path, text) = (skill.source.path.clone(), skill.source.text.clone());
        known.insert((path, strictness), Known { text, tools: toolbox.mark(), skill: skill.clone() });
    }
}

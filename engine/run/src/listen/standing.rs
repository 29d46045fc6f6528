//! How the listeners of a process stand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::Check;

/// Each listener that is configured, by module. Cheap to clone; clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing(Arc<Mutex<BTreeMap<String, Check>>>);

impl Standing {
    /// Says how one stands; what it was before.
    pub(super) fn set(&self, module: &str, check: Check) -> Option<Check> {
        self.held().insert(module.to_owned(), check)
    }

    /// Keeps those only that are still configured.
    pub(super) fn keep(&self, is_wanted: impl Fn(&str) -> bool) {
        self.held().retain(|module, _| is_wanted(module));
    }

    /// How all of them stand.
    pub(crate) fn all(&self) -> BTreeMap<String, Check> {
        self.held().clone()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Check>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The modules on a shelf, nearest first.

use std::iter;
use std::sync::{Arc, OnceLock};

use super::{Entry, ModuleText};

/// Modules that were found, and those of the binary, which come last and are looked at when no nearer one will do.
#[derive(Clone)]
pub(super) struct Modules {
    near: Vec<Arc<Entry>>,
    last: Arc<Last>,
}

struct Last {
    texts: fn() -> Vec<ModuleText>,
    entries: OnceLock<Vec<Arc<Entry>>>,
}

impl Modules {
    /// These, and none after them.
    pub(super) fn new(texts: Vec<ModuleText>) -> Self {
        Self { near: texts.into_iter().map(Entry::new).collect(), last: Last::new(Vec::new) }
    }

    /// The same, and those after them.
    pub(super) fn and(self, texts: fn() -> Vec<ModuleText>) -> Self {
        Self { last: Last::new(texts), ..self }
    }

    /// These instead of the near ones. Those that have not changed stay as they are.
    pub(super) fn exchanged(&self, texts: Vec<ModuleText>) -> Self {
        let kept = |text: ModuleText| {
            let old = self.near.iter().find(|entry| entry.text == text);
            old.cloned().unwrap_or_else(|| Entry::new(text))
        };
        Self { near: texts.into_iter().map(kept).collect(), last: Arc::clone(&self.last) }
    }

    /// All of them. The last ones are made when it comes to them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.near.iter().chain(iter::once(&self.last).flat_map(|last| last.entries()))
    }
}

impl Last {
    fn new(texts: fn() -> Vec<ModuleText>) -> Arc<Self> {
        Arc::new(Self { texts, entries: OnceLock::new() })
    }

    fn entries(&self) -> &[Arc<Entry>] {
        self.entries.get_or_init(|| (self.texts)().into_iter().map(Entry::new).collect())
    }
}

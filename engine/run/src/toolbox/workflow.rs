//! Tools about tools: they need the toolbox that they are in.

use std::sync::{Arc, Weak};

use super::{Shelf, Toolbox};
use crate::debug::{DebugTool, Definition};
use crate::tool::Tool;
use crate::tool::native::{Native as _, tool};

/// The names of these tools.
pub(super) const NAMES: [&str; 1] = [DebugTool::FACE.name];

/// Their module.
pub(super) const MODULE: (&str, &str) = ("workflow", "What is known of tools themselves");

/// A toolbox seen by a tool in it, which must not keep it alive.
#[derive(Clone)]
pub(crate) struct Remote(Weak<Shelf>);

impl Remote {
    /// The toolbox, while it is there.
    pub(crate) fn get(&self) -> Option<Toolbox> {
        Some(Toolbox { shelf: self.0.upgrade()? })
    }
}

impl Toolbox {
    /// One of these tools.
    pub(super) fn own(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let remote = Remote(Arc::downgrade(&self.shelf));
        let store = self.shelf.store.clone();
        let all = self.shelf.only.is_none();
        (all && name == DebugTool::FACE.name).then(|| tool(DebugTool { toolbox: remote, store }))
    }

    /// The text in which a tool is defined, if it is one of a YAML module.
    pub(crate) fn definition(&self, name: &str) -> Option<Definition> {
        let name = aa_spec::name::fold(name);
        let entries = self.shelf.modules.iter().filter(|entry| entry.mentions(&name));
        entries
            .filter(|entry| entry.parsed().module.is_some())
            .find_map(|entry| Definition::find(&entry.text.source, &name))
    }
}

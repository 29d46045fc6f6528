//! Tools with their examples, as a module's author wrote them.

use std::sync::Arc;

use aa_spec::source::Source;
use aa_spec::tool::ToolSpec;
use aa_spec::tool::module::example::Recorded;
use aa_spec::tool::module::{Example, Module, ModuleTool};
use aa_spec::tool::recipe::{self, Recipe, Way};

use super::{Entry, Shelf, Toolbox};
use crate::tool::api::Api;
use crate::tool::configuration::Configuration;
use crate::tool::declared::Declared;
use crate::tool::replay::{CommandReplay, HttpReplay, Witness};
use crate::tool::{Tool, command};

/// A tool of a module with its examples.
#[derive(Clone, Debug)]
pub struct Specimen {
    /// Its public face.
    pub spec: Arc<ToolSpec>,
    /// Where the module comes from: `project`, `user`, `shipped` or a configured folder.
    pub layer: String,
    /// The text of its module.
    pub source: Source,
    /// Its examples, in the order of the file.
    pub examples: Vec<Example>,
}

impl Toolbox {
    /// Every tool of every module that can be used, in the order of the files; none that a
    /// nearer one shadows.
    pub fn specimens(&self) -> Vec<Specimen> {
        let own = |entry: &Arc<Entry>| -> Vec<Specimen> {
            let Some(module) = &entry.parsed().module else { return Vec::new() };
            module.tools.iter().filter_map(|tool| self.specimen(entry, module, tool)).collect()
        };
        self.shelf.modules.iter().flat_map(own).collect()
    }

    fn specimen(&self, entry: &Entry, module: &Module, tool: &ModuleTool) -> Option<Specimen> {
        let spec = self.tool(&tool.name.value)?.spec().clone();
        // Else it is the tool of another module.
        (spec.source == tool.spec(module, &entry.text.source).source).then(|| Specimen {
            spec,
            layer: entry.text.layer.clone(),
            source: entry.text.source.clone(),
            examples: tool.examples.clone(),
        })
    }

    /// The tool of a specimen with what was recorded in the place of its service.
    pub(crate) fn replay(
        &self,
        of: &Specimen,
        recorded: &Recorded,
        witness: &Witness,
    ) -> Option<Arc<dyn Tool>> {
        let entry = self.shelf.modules.iter().find(|entry| entry.text.source == of.source)?;
        let module = entry.parsed().module.as_ref()?;
        self.shelf.replay(module, module.tool(&of.spec.name)?, of, recorded, witness)
    }
}

impl Shelf {
    fn replay(
        &self,
        module: &Module,
        tool: &ModuleTool,
        of: &Specimen,
        recorded: &Recorded,
        witness: &Witness,
    ) -> Option<Arc<dyn Tool>> {
        let Recipe { way, common } = recipe::compile(module, tool, &of.source).ok()?;
        let configuration = Arc::new(Configuration::recorded());
        let declared = Declared { spec: of.spec.clone(), common, configuration };
        match (way, recorded) {
            (Way::Run(run), Recorded::Command(recorded)) => {
                let replay = CommandReplay { recorded: recorded.clone(), witness: witness.clone() };
                let launcher = Arc::new(self.launcher.replaying(replay));
                Some(Arc::new(command::Command { declared, run: *run, launcher }))
            }
            (Way::Http(http), Recorded::Http(recorded)) => {
                let replay = HttpReplay { recorded: recorded.clone(), witness: witness.clone() };
                let services = Arc::new(self.services.replaying(replay));
                Some(Arc::new(Api { declared, http: *http, services }))
            }
            // The check refuses it.
            _ => None,
        }
    }
}

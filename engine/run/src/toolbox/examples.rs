//! Tools with their examples, as a module's author wrote them.

use std::sync::Arc;

use aa_spec::name::fold;
use aa_spec::source::Source;
use aa_spec::tool::ToolSpec;
use aa_spec::tool::module::example::Recorded;
use aa_spec::tool::module::{Example, Module, ModuleTool};
use aa_spec::tool::recipe::{self, Common, Recipe, Way};

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
    /// Every tool of the modules that mention one of these names, or else of every module, in the
    /// order of the files; none that a nearer one shadows.
    pub fn specimens(&self, names: &[String]) -> Vec<Specimen> {
        let wanted =
            |entry: &&Arc<Entry>| names.is_empty() || names.iter().any(|name| entry.mentions(&fold(name)));
        let own = |entry: &Arc<Entry>| -> Vec<Specimen> {
            let Some(module) = &entry.parsed().module else { return Vec::new() };
            let near = module.tools.iter().filter(|tool| self.is_nearest(entry, &tool.name.value));
            near.map(|tool| Specimen::new(entry, module, tool)).collect()
        };
        self.shelf.wanted().filter(wanted).flat_map(own).collect()
    }

    /// Whether no nearer module has a tool of this name.
    fn is_nearest(&self, entry: &Arc<Entry>, name: &str) -> bool {
        let name = fold(name);
        let has = |one: &&Arc<Entry>| {
            Arc::ptr_eq(one, entry)
                || one.mentions(&name)
                    && one.parsed().module.as_ref().is_none_or(|module| module.tool(&name).is_some())
        };
        self.shelf.modules.iter().find(has).is_some_and(|first| Arc::ptr_eq(first, entry))
    }

    /// The tool of a specimen with what was recorded in the place of its service.
    pub(crate) fn replay(
        &self,
        of: &Specimen,
        example: &Example,
        witness: &Witness,
    ) -> Option<Arc<dyn Tool>> {
        let entry = self.shelf.modules.iter().find(|entry| entry.text.source == of.source)?;
        let module = entry.parsed().module.as_ref()?;
        self.shelf.replay(module, module.tool(&of.spec.name)?, of, example, witness)
    }
}

impl Specimen {
    fn new(entry: &Entry, module: &Module, tool: &ModuleTool) -> Self {
        Self {
            spec: Arc::new(tool.spec(module, &entry.text.source)),
            layer: entry.text.layer.clone(),
            source: entry.text.source.clone(),
            examples: tool.examples.clone(),
        }
    }
}

impl Shelf {
    fn replay(
        &self,
        module: &Module,
        tool: &ModuleTool,
        of: &Specimen,
        example: &Example,
        witness: &Witness,
    ) -> Option<Arc<dyn Tool>> {
        let Recipe { way, mut common } = recipe::compile(module, tool, &of.source).ok()?;
        configure(&mut common, example);
        let declared =
            Declared { spec: of.spec.clone(), common, configuration: Arc::new(Configuration::recorded()) };
        match (way, example.recorded.as_ref()?) {
            (Way::Run(run), Recorded::Command(recorded)) => {
                let replay = CommandReplay { recorded: recorded.clone(), witness: witness.clone() };
                let launcher = Arc::new(self.launcher.replaying(replay));
                Some(Arc::new(command::Command { declared, run: *run, launcher, shows_files: false }))
            }
            (Way::Http(http), Recorded::Http(recorded)) => {
                let replay = HttpReplay { recorded: recorded.clone(), witness: witness.clone() };
                let services = Arc::new(self.services.replaying(replay));
                Some(Arc::new(Api { declared, http: *http, services }))
            }
            // The check refuses what was recorded of another kind of tool.
            _ => None,
        }
    }
}

/// An example sees the configuration that it gives, else the defaults: it is the same everywhere.
fn configure(common: &mut Common, example: &Example) {
    for (name, setting) in &mut common.config {
        if let Some(value) = example.config.get(name) {
            setting.default = Some(value.clone());
        }
    }
}

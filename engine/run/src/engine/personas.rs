//! Personas found and read, and what a client sees of tools and skills.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aa_spec::diagnostic::has_errors;
use aa_spec::name::{fold, suggest};
use aa_spec::persona::Persona;
use aa_spec::shape;
use aa_spec::tool::{Tier, ToolSpec};
use aa_spec::yaml::Spanned;

use super::{Engine, StartError};
use crate::home::{Entry, Kind};
use crate::persona::{Choice, PersonaEntry, View, ViewError};
use crate::toolbox::Toolbox;

impl Engine {
    /// Every persona, by name.
    ///
    /// # Errors
    /// A folder of personas cannot be read.
    pub fn personas(&self) -> Result<Vec<PersonaEntry>, StartError> {
        let home = &self.parts.home;
        let entries = home.list(Kind::Persona)?.into_iter();
        let persona = |entry: Entry| {
            let read = home.read(&entry).ok().and_then(|source| shape::read::<Persona>(&source).0);
            named(entry, read.map(|persona| persona.description.value).unwrap_or_default())
        };
        Ok(entries.map(persona).collect())
    }

    /// What a client sees.
    ///
    /// # Errors
    /// Something of the choice is not there or cannot be used: then there is no part of the view.
    pub fn view(&self, choice: &Choice) -> Result<View, ViewError> {
        let toolbox = self.parts.toolbox()?;
        let skills =
            || super::catalog::skills(&self.parts).map_err(|error| ViewError::Unusable(error.to_string()));
        match choice {
            Choice::Persona(name) => self.persona_view(name, &toolbox),
            Choice::Tools(names) => {
                let tools = names.iter().map(|name| tool(&toolbox, name)).collect::<Result<_, _>>()?;
                Ok(View { persona: None, text: String::new(), skills: skills()?, tools })
            }
            Choice::Module(module) => {
                let tools = of_module(&toolbox, module)?;
                Ok(View { persona: None, text: String::new(), skills: Vec::new(), tools })
            }
            Choice::All => {
                Ok(View { persona: None, text: String::new(), skills: skills()?, tools: toolbox.specs() })
            }
        }
    }

    fn persona_view(&self, name: &str, toolbox: &Toolbox) -> Result<View, ViewError> {
        let home = &self.parts.home;
        let Some(entry) = home.find(Kind::Persona, name)? else {
            let known = home.list(Kind::Persona)?;
            let near = suggest(name, known.iter().map(|entry| entry.name.as_str()));
            return Err(ViewError::UnknownPersona {
                name: name.to_owned(),
                suggestion: near.map(str::to_owned),
            });
        };
        let (persona, diagnostics) = shape::read::<Persona>(&home.read(&entry)?);
        let Some(persona) = persona.filter(|_| !has_errors(&diagnostics)) else {
            return Err(ViewError::Invalid { name: entry.name, diagnostics });
        };
        let mut tools = BTreeMap::new();
        for module in &persona.modules {
            let basic =
                of_module(toolbox, &module.value)?.into_iter().filter(|tool| tool.tier == Tier::Basic);
            tools.extend(basic.map(|tool| (tool.name.clone(), tool)));
        }
        for name in &persona.tools {
            let tool = tool(toolbox, &name.value)?;
            tools.insert(tool.name.clone(), tool);
        }
        let mut skills =
            super::catalog::skills(&self.parts).map_err(|error| ViewError::Unusable(error.to_string()))?;
        if let Some(wanted) = &persona.skills {
            let wanted: BTreeSet<String> = wanted.iter().map(|name| fold(&name.value)).collect();
            skills.retain(|skill| wanted.contains(&skill.name));
        }
        let text = persona.text.map(|text: Spanned<String>| text.value).unwrap_or_default();
        let entry = named(entry, persona.description.value);
        Ok(View { persona: Some(entry), text, skills, tools: tools.into_values().collect() })
    }
}

fn named(entry: Entry, description: String) -> PersonaEntry {
    PersonaEntry { name: entry.name, description, layer: entry.layer, path: entry.shown }
}

fn tool(toolbox: &Toolbox, name: &str) -> Result<Arc<ToolSpec>, ViewError> {
    toolbox.tool(name).map(|tool| tool.spec().clone()).ok_or_else(|| {
        let names = toolbox.names();
        let near = suggest(name, names.iter().map(String::as_str));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        ViewError::Unusable(format!("there is no tool `{name}`{hint}"))
    })
}

fn of_module(toolbox: &Toolbox, module: &str) -> Result<Vec<Arc<ToolSpec>>, ViewError> {
    let of: Vec<_> = toolbox.specs().into_iter().filter(|tool| fold(&tool.module) == fold(module)).collect();
    if !of.is_empty() {
        return Ok(of);
    }
    let modules = toolbox.modules();
    let near = suggest(module, modules.iter().map(|entry| entry.name.as_str()));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(ViewError::Unusable(format!("there is no module `{module}`, or none of its tools can be used{hint}")))
}

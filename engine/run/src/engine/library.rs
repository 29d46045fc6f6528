//! What skills may refer to, found in the places that the settings name.

use std::path::Path;
use std::sync::Arc;

use aa_spec::check::{Catalog, Strictness};
use aa_spec::name;
use aa_spec::source::Source;
use aa_spec::tool::ToolSpec;
use serde_json::Value;

use super::parts::Parts;
use super::{CheckedSkill, StartError};
use crate::home::{Entry, Kind};
use crate::toolbox::Toolbox;

/// Reads and checks a skill, by name or path.
pub(super) fn check(parts: &Parts, skill: &str, strictness: Strictness) -> Result<CheckedSkill, StartError> {
    let entry = find(parts, skill)?;
    let strictness = Strictness { lenient: strictness.lenient || entry.lenient, ..strictness };
    let source = parts.home.read(&entry)?;
    // A folder of modules that cannot be read would make every tool unknown.
    parts.toolbox()?;
    let (plan, diagnostics) = aa_spec::check::check(&source, parts, strictness);
    Ok(CheckedSkill { source, plan: plan.map(Arc::new), diagnostics })
}

fn find(parts: &Parts, skill: &str) -> Result<Entry, StartError> {
    let path = Path::new(skill);
    let is_path = skill.contains('/') || path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    if is_path {
        return Ok(parts.home.at(path));
    }
    parts.home.find(Kind::Skill, skill)?.ok_or_else(|| StartError::UnknownSkill {
        name: skill.to_owned(),
        suggestion: name::suggest(skill, parts.skill_names().iter().map(String::as_str)).map(str::to_owned),
    })
}

/// The first line of a skill's description, without reading all of it.
pub(super) fn description(source: &Source) -> String {
    let node = aa_spec::yaml::parse(source).ok();
    let text = node.as_ref().and_then(|node| node.get("description")).map(aa_spec::yaml::Node::to_json);
    let text = text.as_ref().and_then(Value::as_str).unwrap_or_default();
    text.trim().lines().next().unwrap_or_default().to_owned()
}

impl Catalog for Parts {
    fn tool(&self, name: &str) -> Option<Arc<ToolSpec>> {
        self.toolbox().ok()?.tool(name).map(|tool| Arc::clone(tool.spec()))
    }

    fn tool_names(&self) -> Vec<String> {
        self.toolbox().map(Toolbox::names).unwrap_or_default()
    }

    fn skill(&self, name: &str) -> Option<Source> {
        let entry = self.home.find(Kind::Skill, name).ok()??;
        self.home.read(&entry).ok()
    }

    fn skill_names(&self) -> Vec<String> {
        let list = self.home.list(Kind::Skill).unwrap_or_default();
        list.into_iter().map(|entry| entry.name).collect()
    }

    fn secret_names(&self) -> Vec<String> {
        self.secrets.names()
    }

    fn config(&self) -> Value {
        Value::Object(self.settings.values.clone())
    }
}

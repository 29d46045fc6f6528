//! What a persona offers besides tools and skills: found, read and filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::slice::from_ref;

use aa_spec::diagnostic::Diagnostic;
use aa_spec::persona::Persona;
use aa_spec::persona::exposed::{
    MessageSpec, PromptSpec, ResourceSpec, Role, Surroundings, ToolCall, check, fill,
};
use aa_spec::shape;
use aa_spec::source::Source;
use aa_spec::template::{Missing, Scope, Template};
use aa_spec::tool::{Effect, ErrorKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{Engine, StartError};
use crate::content::Block;
use crate::event::StepError;
use crate::home::{Entry, Kind};
use crate::persona::{Choice, ViewError};
use crate::policy::Verdict;
use crate::toolbox::Toolbox;

/// What a persona offers; nothing without one.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// What can be read.
    pub resources: Vec<ResourceSpec>,
    /// What can be said.
    pub prompts: Vec<PromptSpec>,
    entry: Option<Entry>,
}

/// A message of a prompt, filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What.
    pub content: Block,
}

impl Offer {
    /// The resource at an address, with what stands in its holes.
    pub fn find(&self, uri: &str) -> Option<(&ResourceSpec, BTreeMap<String, String>)> {
        let exact = self.resources.iter().find(|resource| resource.uri.value == uri);
        let exact = exact.map(|resource| (resource, BTreeMap::new()));
        exact.or_else(|| {
            self.resources.iter().find_map(|resource| Some((resource, fill(&resource.uri.value, uri)?)))
        })
    }
}

impl Engine {
    /// What a client's persona offers. What is wrong with it is no reason to show nothing: it is left out.
    ///
    /// # Errors
    /// There is no such persona, or it cannot be read.
    pub fn offer(&self, choice: &Choice) -> Result<Offer, ViewError> {
        let Choice::Persona(name) = choice else { return Ok(Offer::default()) };
        let home = &self.parts.home;
        let Some(entry) = home.find(Kind::Persona, name)? else { return Ok(Offer::default()) };
        let source = home.read(&entry)?;
        let Some(persona) = shape::read::<Persona>(&source).0 else { return Ok(Offer::default()) };
        let (mut resources, mut prompts) = (persona.resources, persona.prompts);
        {
            let shelves = Shelves { engine: self, entry: &entry, toolbox: self.parts.toolbox()? };
            resources.retain(|one| check(&source, (from_ref(one), &[]), &shelves).is_empty());
            prompts.retain(|one| check(&source, (&[], from_ref(one)), &shelves).is_empty());
        }
        let (mut uris, mut names) = (BTreeSet::new(), BTreeSet::new());
        resources.retain(|one| uris.insert(one.uri.value.clone()));
        prompts.retain(|one| names.insert(one.name.value.clone()));
        Ok(Offer { resources, prompts, entry: Some(entry) })
    }

    /// What is wrong with what a persona offers.
    pub(super) fn offer_problems(
        &self,
        entry: &Entry,
        source: &Source,
        persona: &Persona,
    ) -> Result<Vec<Diagnostic>, StartError> {
        let shelves = Shelves { engine: self, entry, toolbox: self.parts.toolbox()? };
        Ok(check(source, (&persona.resources, &persona.prompts), &shelves))
    }

    /// Reads a resource of an offer.
    ///
    /// # Errors
    /// Its template, file or tool fails.
    pub async fn read_offered(
        &self,
        offer: &Offer,
        (resource, holes): (&ResourceSpec, &BTreeMap<String, String>),
        uri: &str,
    ) -> Result<Block, StepError> {
        let scope =
            scope("params", holes.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))));
        let mime_type = resource.mime_type.clone();
        let uri = uri.to_owned();
        if let Some(file) = &resource.file {
            let bytes = self.beside(offer, &file.value)?;
            return Ok(match String::from_utf8(bytes) {
                Ok(text) => Block::Resource { uri, mime_type, text },
                Err(error) => Block::Bytes { uri, mime_type, data: STANDARD.encode(error.into_bytes()) },
            });
        }
        let text = match (&resource.text, &resource.tool) {
            (Some(text), _) => filled(&text.value, &scope)?,
            (None, Some(call)) => self.asked(call, &scope).await?,
            (None, None) => String::new(),
        };
        Ok(Block::Resource { uri, mime_type, text })
    }

    /// Fills in a prompt of an offer, whose skill has given these outputs.
    ///
    /// # Errors
    /// An argument is missing or unknown, or a template or file fails.
    pub fn say_offered(
        &self,
        offer: &Offer,
        prompt: &PromptSpec,
        (arguments, outputs): (&Map<String, Value>, Map<String, Value>),
    ) -> Result<Vec<Message>, StepError> {
        let known = |name: &str| prompt.arguments.iter().any(|argument| argument.name.value == name);
        if let Some(name) = arguments.keys().find(|name| !known(name)) {
            return Err(invalid(format!("the prompt `{}` has no argument `{name}`", prompt.name.value)));
        }
        let given = |name: &str| arguments.get(name).is_some_and(|value| !value.is_null());
        let missing =
            prompt.arguments.iter().find(|argument| argument.required && !given(&argument.name.value));
        if let Some(argument) = missing {
            return Err(invalid(format!(
                "the prompt `{}` needs `{}`",
                prompt.name.value, argument.name.value
            )));
        }
        let mut scope = scope("arguments", arguments.clone().into_iter());
        scope.set("outputs", &Value::Object(outputs));
        prompt.messages.iter().map(|message| self.message(offer, message, &scope)).collect()
    }

    fn message(&self, offer: &Offer, message: &MessageSpec, scope: &Scope) -> Result<Message, StepError> {
        let text = || message.text.as_ref().map_or(Ok(String::new()), |text| filled(&text.value, scope));
        let mime_type = message.mime_type.clone();
        let content = match (&message.image, &message.resource) {
            (Some(image), _) => Block::Image {
                data: STANDARD.encode(self.beside(offer, &image.value)?),
                mime_type: mime_type.unwrap_or_default(),
            },
            (None, Some(uri)) => {
                Block::Resource { uri: filled(&uri.value, scope)?, mime_type, text: text()? }
            }
            (None, None) => Block::Text(text()?),
        };
        Ok(Message { role: message.role, content })
    }

    fn beside(&self, offer: &Offer, file: &str) -> Result<Vec<u8>, StepError> {
        let entry = offer.entry.as_ref().ok_or_else(|| invalid("there is no persona".to_owned()))?;
        let read = self.parts.home.data_below(entry, file);
        read.map(|(bytes, _)| bytes).map_err(|error| StepError::new(ErrorKind::NotFound, error.to_string()))
    }

    /// What a tool says. It is called as if the caller did it: as the policy has it, and only to read.
    async fn asked(&self, call: &ToolCall, scope: &Scope) -> Result<String, StepError> {
        let name = &call.name.value;
        let unusable = |error: StartError| invalid(error.to_string());
        self.meet(name).await.map_err(unusable)?;
        let effect = self.tool(name).map_err(unusable)?.map(|spec| spec.effect);
        if effect != Some(Effect::Read) || self.verdict(Effect::Read, false) != Verdict::Go {
            return Err(invalid(format!("`{name}` is no tool that may be called for this")));
        }
        let mut args = Map::new();
        for (name, value) in &call.args {
            let template = Template::parse(&value.to_json()).map_err(|error| invalid(error.message))?;
            let value = template.render(scope, Missing::Fail).map_err(|error| invalid(error.message))?;
            args.extend(value.map(|value| (name.clone(), value)));
        }
        let silent = std::sync::Arc::new(|_: &str| {});
        Ok(match self.call_tool(name, args, silent).await? {
            Value::String(text) => text,
            value => format!("{value:#}"),
        })
    }
}

/// What a check looks up.
struct Shelves<'a> {
    engine: &'a Engine,
    entry: &'a Entry,
    toolbox: Toolbox,
}

impl Surroundings for Shelves<'_> {
    fn effect(&self, tool: &str) -> Option<Effect> {
        let known = self.toolbox.tool(tool).map(|tool| tool.spec().effect);
        // What a server has that nobody has asked yet is seen when it is read.
        known.or_else(|| self.toolbox.may_have(tool).then_some(Effect::Read))
    }

    fn has_file(&self, path: &str) -> bool {
        self.engine.parts.home.data_below(self.entry, path).is_ok()
    }

    fn has_skill(&self, name: &str) -> bool {
        self.engine.parts.home.find(Kind::Skill, name).is_ok_and(|skill| skill.is_some())
    }
}

fn scope(group: &str, values: impl Iterator<Item = (String, Value)>) -> Scope {
    let mut scope = Scope::default();
    scope.set(group, &Value::Object(values.collect()));
    scope
}

/// A text with its holes filled; what is missing is nothing.
fn filled(text: &str, scope: &Scope) -> Result<String, StepError> {
    let template = Template::parse(&Value::from(text)).map_err(|error| invalid(error.message))?;
    let value = template.render(scope, Missing::Null).map_err(|error| invalid(error.message))?;
    Ok(match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    })
}

fn invalid(message: String) -> StepError {
    StepError::new(ErrorKind::Invalid, message)
}

//! `/api/personas`: parts to play, and what each shows.

use aa_run::persona::{Choice, PersonaEntry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Tagged;
use super::page::List;
use super::problem::Problem;
use super::route::{Asked, Route, get};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/personas", "List personas", list),
        get("/personas/{persona}", "Show what a persona shows", show),
    ]
}

/// A persona in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PersonaListed")]
struct Listed {
    /// Its name.
    name: String,
    /// What it is for, in a sentence.
    description: String,
    /// Where it comes from: `project`, `user` or `shipped`.
    layer: String,
    /// Its file.
    path: String,
}

impl From<PersonaEntry> for Listed {
    fn from(entry: PersonaEntry) -> Self {
        let PersonaEntry { name, description, layer, path } = entry;
        Self { name, description, layer, path }
    }
}

async fn list(asked: Asked) -> Result<Tagged<List<Listed>>, Problem> {
    let personas = asked.visitor.engine.personas()?.into_iter();
    let items = personas.filter(|persona| asked.visitor.may_play(&persona.name)).map(Into::into).collect();
    Ok(Tagged(List { items }))
}

/// Which persona.
#[derive(Debug, Deserialize, JsonSchema)]
struct PersonaPath {
    /// Its name.
    persona: String,
}

/// What a persona shows.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PersonaShown")]
struct Shown {
    /// Its name.
    name: String,
    /// What it is for, in a sentence.
    description: String,
    /// What an assistant is told that plays the part.
    text: String,
    /// Its skills.
    skills: Vec<String>,
    /// Skills that would be among them, had they no errors.
    broken: Vec<String>,
    /// Its tools.
    tools: Vec<String>,
}

async fn show(asked: Asked<PersonaPath>) -> Result<Tagged<Shown>, Problem> {
    let engine = &asked.visitor.engine;
    let name = engine.persona_name(&asked.path.persona)?;
    if !asked.visitor.may_play(&name) {
        return Err(Problem::of("forbidden", format!("your key does not open the persona `{name}`")));
    }
    let view = asked.visitor.scope().view(&Choice::Persona(name.clone()))?;
    Ok(Tagged(Shown {
        description: view.persona.as_ref().map(|persona| persona.description.clone()).unwrap_or_default(),
        name,
        text: view.text.clone(),
        skills: view.skills.iter().map(|card| card.name.clone()).collect(),
        broken: view.broken.iter().map(|skill| skill.name.clone()).collect(),
        tools: view.tools.iter().map(|tool| tool.name.clone()).collect(),
    }))
}

//! `context_filter`: which skills and tools fit a message, by plain rules.

use std::sync::Arc;

use aa_run::card::Card;
use aa_run::persona::Choice;
use async_trait::async_trait;
use rmcp::model::{CallToolResult, Tool};
use serde_json::{Value, json};

use super::{CoreTool, Hint, define, text};
use crate::mcp::search;
use crate::mcp::server::{Answer, Call, failed, internal};

/// Skills that are given.
const SKILLS: usize = 5;

/// Tools that are given.
const TOOLS: usize = 12;

pub(crate) struct ContextFilter;

#[async_trait]
impl CoreTool for ContextFilter {
    fn definition(&self) -> Tool {
        let description = "Say which skills and tools fit a message: skills first, then tools that they use, then others of the persona.";
        let properties = json!({
            "message": {"type": "string", "description": "What somebody asks for."},
            "persona": {"type": "string", "description": "The persona whose skills and tools to look at; default: the current one."},
        });
        define("context_filter", "Find what fits", description, (properties, &["message"]), Hint::Read)
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        let view = match text(&args, "persona") {
            "" => call.server.view(&call.visit)?,
            name if !call.visit.guest.may_play(name) => {
                return Ok(failed(format!("your key does not open the persona `{name}`")));
            }
            name => match call.visit.view(&Choice::Persona(name.to_owned())) {
                Ok(view) => view,
                Err(error) => return Ok(failed(error.to_string())),
            },
        };
        let catalogue = call.visit.engine.catalogue().map_err(|error| internal(&error))?;
        let message = text(&args, "message");
        let wanted = search::words(message);
        // A skill that is called by its name is meant, whoever's it is.
        let named =
            message.split(|c: char| c.is_whitespace() || ",;:!?".contains(c)).filter(|word| word.len() > 2);
        let scope = call.visit.scope();
        let named = named.filter(|word| scope.shows(word));
        let mut skills: Vec<Arc<Card>> = named.filter_map(|word| catalogue.skill(word)?.ok()).collect();
        skills.extend(search::best(view.skills.iter().cloned(), SKILLS, |card| search::skill(&wanted, card)));
        let mut seen = std::collections::BTreeSet::new();
        skills.retain(|card| seen.insert(card.name.clone()));
        let mut tools: Vec<&str> = skills.iter().flat_map(|card| &card.calls).map(String::as_str).collect();
        let fitting = search::best(view.tools.iter(), TOOLS, |spec| search::tool(&wanted, spec));
        tools.extend(fitting.iter().map(|spec| spec.name.as_str()));
        let mut seen = std::collections::BTreeSet::new();
        tools.retain(|name| seen.insert(*name));
        let told: Vec<Value> =
            skills.iter().map(|card| json!({"name": card.name, "description": card.summary()})).collect();
        Ok(CallToolResult::structured(json!({"skills": told, "tools": tools})).into())
    }
}

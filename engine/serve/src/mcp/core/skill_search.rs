//! `skill_search`: skills found by words.

use async_trait::async_trait;
use rmcp::model::{CallToolResult, Tool};
use serde_json::{Value, json};

use super::{CoreTool, Hint, define, text};
use crate::mcp::search;
use crate::mcp::server::{Answer, Call, internal};

/// Skills that are given.
const MOST: usize = 15;

pub(crate) struct SkillSearch;

#[async_trait]
impl CoreTool for SkillSearch {
    fn definition(&self) -> Tool {
        let description = "Find skills by words: over names, descriptions and inputs of all skills there are, whatever the persona.";
        let properties = json!({
            "query": {"type": "string", "description": "What the skill should do, in a few words."},
        });
        define("skill_search", "Search skills", description, (properties, &["query"]), Hint::Read)
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        let wanted = search::words(text(&args, "query"));
        let catalogue = call.visit.engine.catalogue().map_err(|error| internal(&error))?;
        let scope = call.visit.scope();
        let names = catalogue.skill_names().filter(|name| scope.shows(name));
        let cards = names.filter_map(|name| catalogue.skill(name)?.ok());
        let found = search::best(cards, MOST, |card| search::skill(&wanted, card));
        let skill = |card: &std::sync::Arc<aa_run::card::Card>| {
            let inputs: Vec<&str> = card.inputs().collect();
            json!({"name": card.name, "description": card.summary(), "inputs": inputs, "effect": card.effect})
        };
        let skills: Vec<Value> = found.iter().map(skill).collect();
        Ok(CallToolResult::structured(json!({ "skills": skills })).into())
    }
}

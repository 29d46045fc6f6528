//! `persona_list`, and `agent_list` as others call it: the parts that can be played.

use async_trait::async_trait;
use rmcp::model::{CallToolResult, Tool};
use serde_json::{Value, json};

use aa_run::persona::Choice;

use super::{CoreTool, Hint, define};
use crate::mcp::server::{Answer, Call, internal};

pub(crate) struct PersonaList {
    pub(crate) name: &'static str,
}

#[async_trait]
impl CoreTool for PersonaList {
    fn definition(&self) -> Tool {
        let description = "List the personas: parts to play, each with the tools and skills for it; `trouble` says what is wrong with the active one.";
        define(self.name, "List personas", description, (json!({}), &[]), Hint::Read)
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let personas = call.visit.engine.personas().map_err(|error| internal(&error))?;
        let told = |persona: &aa_run::persona::PersonaEntry| json!({"name": persona.name, "description": persona.description, "layer": persona.layer});
        let personas = personas.iter().filter(|persona| call.visit.guest.may_play(&persona.name));
        let all: Vec<Value> = personas.map(told).collect();
        let mut told = json!({ "personas": all });
        if let Choice::Persona(name) = &call.visit.choice {
            told["active"] = json!(name);
        }
        if let Err(error) = call.visit.view(&call.visit.choice) {
            told["trouble"] = json!(error.to_string());
        }
        Ok(CallToolResult::structured(told).into())
    }
}

//! `skill_list`: which skills there are.

use async_trait::async_trait;
use rmcp::model::{CallToolResult, Tool};
use serde_json::{Value, json};

use super::{CoreTool, Hint, define};
use crate::mcp::server::{Answer, Call};

pub(crate) struct SkillList;

#[async_trait]
impl CoreTool for SkillList {
    fn definition(&self) -> Tool {
        let description = "List the skills of this persona with what they are for, and those that cannot be run with what is wrong in their files.";
        define("skill_list", "List skills", description, (json!({}), &[]), Hint::Read)
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let view = call.server.view(&call.visit)?;
        let skill = |card: &std::sync::Arc<aa_run::card::Card>| json!({"name": card.name, "description": card.summary(), "effect": card.effect, "asks": card.asks});
        let broken = |broken: &std::sync::Arc<aa_run::card::BrokenSkill>| json!({"name": broken.name, "path": broken.path, "problems": broken.problems});
        let skills: Vec<Value> = view.skills.iter().map(skill).collect();
        let mut told = json!({ "skills": skills });
        if !view.broken.is_empty() {
            told["broken"] = view.broken.iter().map(broken).collect();
        }
        Ok(CallToolResult::structured(told).into())
    }
}

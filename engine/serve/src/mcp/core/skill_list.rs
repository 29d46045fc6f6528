//! `skill_list`: which skills there are.

use async_trait::async_trait;
use rmcp::model::{CallToolResult, Tool};
use serde_json::json;

use super::{CoreTool, Hint, define};
use crate::mcp::server::{Answer, Call};

pub(crate) struct SkillList;

#[async_trait]
impl CoreTool for SkillList {
    fn definition(&self) -> Tool {
        let description = "List the skills that can be run, with what they are for.";
        define("skill_list", "List skills", description, (json!({}), &[]), Hint::Read)
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let view = call.server.view(&call.visit)?;
        let skills: Vec<_> = view
            .skills
            .iter()
            .map(|skill| json!({"name": skill.name, "description": skill.description}))
            .collect();
        Ok(CallToolResult::structured(json!({ "skills": skills })).into())
    }
}

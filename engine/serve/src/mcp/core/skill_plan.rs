//! `skill_plan`: what a run would do, and the hash by which that can be agreed to.

use aa_run::driver::Park;
use aa_run::engine::{Inputs, ResolvedPlan, RunRequest};
use aa_run::event::Origin;
use aa_spec::check::Strictness;
use async_trait::async_trait;
use rmcp::model::Tool;
use serde_json::{Value, json};

use super::skill_run::inputs;
use super::{CoreTool, Hint, define, text};
use crate::mcp::result::{self, Whole};
use crate::mcp::server::{Answer, Call, failed};
use crate::mcp::trouble;

pub(crate) struct SkillPlan;

#[async_trait]
impl CoreTool for SkillPlan {
    fn definition(&self) -> Tool {
        let description = "Say what a run of a skill would do with these inputs: every step with its arguments and effect. Nothing is run. \
                           The `hash` given as `plan` to skill_run makes sure that exactly this runs.";
        let properties = json!({
            "skill_name": {"type": "string", "description": "Name of the skill."},
            "inputs": super::skill_run::inputs_schema(),
        });
        define("skill_plan", "Plan a skill", description, (properties, &["skill_name"]), Hint::Read)
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        let skill = text(&args, "skill_name");
        let inputs = match inputs(&args) {
            Ok(inputs) => inputs,
            Err(message) => return Ok(failed(message)),
        };
        let request = RunRequest {
            skill: skill.to_owned(),
            inputs: Inputs::Json(inputs),
            origin: Origin::Mcp,
            dry_run: false,
            plan_hash: None,
            request_key: None,
            strictness: Strictness { lenient: false, strict: false },
            park: Park::Stay,
        };
        Ok(match call.visit.engine.plan(&request) {
            Ok(plan) => {
                result::of(told(&plan), false, Whole::Ask("skill_describe names the steps alone")).into()
            }
            Err(error) => failed(trouble::start(skill, &error)),
        })
    }
}

fn told(plan: &ResolvedPlan) -> Value {
    json!({
        "skill": plan.skill,
        "hash": plan.hash,
        "effect": plan.effect,
        "inputs": plan.inputs,
        "steps": plan.steps,
    })
}

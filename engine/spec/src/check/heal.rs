//! The heal rules that a plan pins: those that a step of it may need, with what they call.

use super::library::{Library, Lookup};
use crate::heal::HealPlan;
use crate::plan::{Action, SkillPlan};
use crate::tool::Effect;

impl Library<'_> {
    /// The rules that steps of a skill, or of the skills it runs, may need. A rule that calls
    /// what is not there is left out: it cannot help.
    pub(super) fn heal_rules(&mut self, skill: &SkillPlan) -> Vec<HealPlan> {
        let tools = self.tools_to_heal(skill);
        if tools.is_empty() {
            return Vec::new();
        }
        let mut rules = self.catalog.heal_rules();
        rules.retain(|rule| tools.iter().any(|tool| rule.is_for(tool)));
        rules.into_iter().filter_map(|rule| self.resolved(rule)).collect()
    }

    /// The tools of steps that want to be healed; an empty name for a step that calls no tool.
    fn tools_to_heal(&self, skill: &SkillPlan) -> Vec<String> {
        let mut tools: Vec<String> = Vec::new();
        for step in self.skills().chain([skill]).flat_map(|skill| &skill.steps) {
            let tool = step.tool();
            if step.on_error.heals() && !tools.iter().any(|known| known == tool) {
                tools.push(tool.to_owned());
            }
        }
        tools
    }

    /// A rule with what is known of what it calls.
    fn resolved(&mut self, mut rule: HealPlan) -> Option<HealPlan> {
        match &mut rule.action {
            Action::Tool { tool, reconcile, .. } => {
                let spec = self.catalog.tool(tool)?;
                tool.clone_from(&spec.name);
                reconcile.clone_from(&spec.reconcile);
                rule.effect = spec.effect;
                rule.idempotent = spec.idempotent || spec.effect == Effect::Read;
            }
            Action::Skill { skill, .. } => {
                let Lookup::Found(plan) = self.skill(skill) else { return None };
                rule.effect = plan.effect();
                rule.idempotent = plan.steps.iter().all(|step| step.idempotent);
            }
            _ => return None,
        }
        Some(rule)
    }
}

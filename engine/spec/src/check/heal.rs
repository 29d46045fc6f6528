//! The heal rules that a plan pins: those that a step of it may need, with what they call. And what
//! a rule calls, held against what that takes.

use std::collections::BTreeMap;

use super::argument::Signature;
use super::library::{Library, Lookup};
use super::{Checker, Nowhere, Strictness};
use crate::diagnostic::Diagnostic;
use crate::heal::{HealPlan, HealRule};
use crate::plan::{Action, SkillPlan};
use crate::source::{Source, Span};
use crate::template::Template;
use crate::tool::{Effect, ToolSpec};
use crate::yaml::{Kind, Node};

/// Holds the arguments of a rule against the tool that it calls, like those of a step.
pub fn tool_call(rule: &HealRule, spec: &ToolSpec, source: &Source) -> Vec<Diagnostic> {
    let span = rule.r#do.tool.as_ref().map_or(rule.name.span, |tool| tool.span);
    held(rule, &Signature::of_tool(spec, span), source)
}

/// Holds the arguments of a rule against the skill that it runs.
pub fn skill_call(rule: &HealRule, plan: &SkillPlan, source: &Source) -> Vec<Diagnostic> {
    let span = rule.r#do.skill.as_ref().map_or(rule.name.span, |skill| skill.span);
    held(rule, &Signature::of_skill(plan, span), source)
}

fn held(rule: &HealRule, signature: &Signature<'_>, source: &Source) -> Vec<Diagnostic> {
    let mut library = Library::new(&Nowhere, Strictness::default());
    let mut checker = Checker::new(source, &mut library);
    // What is no mapping has been told where the rule was read.
    if rule.r#do.args.as_ref().is_none_or(|args| matches!(args.kind, Kind::Map(_))) {
        checker.given(rule.r#do.args.as_ref().map(Node::entries).unwrap_or_default(), signature);
    }
    checker.diagnostics
}

impl Library<'_> {
    /// The rules that steps of a skill, or of the skills it runs, may need. A rule that calls
    /// what is not there is left out: it cannot help.
    pub(super) fn heal_rules(&mut self, skill: &SkillPlan) -> Vec<HealPlan> {
        let tools = self.tools_to_heal(skill);
        if tools.is_empty() {
            return Vec::new();
        }
        let rules = self.catalog.heal_rules(&tools);
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
            Action::Tool { tool, args, reconcile, .. } => {
                let spec = self.catalog.tool(tool)?;
                rename(args, &Signature::of_tool(&spec, Span::default()));
                tool.clone_from(&spec.name);
                reconcile.clone_from(&spec.reconcile);
                rule.effect = spec.effect;
                rule.idempotent = spec.idempotent || spec.effect == Effect::Read;
            }
            Action::Skill { skill, args } => {
                let Lookup::Found(plan) = self.skill(skill) else { return None };
                rename(args, &Signature::of_skill(&plan, Span::default()));
                rule.effect = plan.effect();
                rule.idempotent = plan.steps.iter().all(|step| step.idempotent);
            }
            _ => return None,
        }
        Some(rule)
    }
}

/// Gives arguments the names that they are declared with.
pub(super) fn rename(args: &mut BTreeMap<String, Template>, signature: &Signature<'_>) {
    let right = |name: String| signature.declared(&name).map_or(name, str::to_owned);
    *args = std::mem::take(args).into_iter().map(|(name, value)| (right(name), value)).collect();
}

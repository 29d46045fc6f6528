//! What calls of clients have in common with steps although they are no skill's: they are watched for mistakes
//! that repeat, and healed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aa_spec::config::ScopeKind;
use aa_spec::heal::{Failure, HealPlan};
use aa_spec::plan::SkillPlan;
use aa_spec::tool::{Effect, ToolSpec};
use serde_json::{Map, Value};

use super::courses::SINGLE;
use super::steering::now;
use super::{Engine, catalog};
use crate::caller::MAIN;
use crate::driver;
use crate::event::{Origin, RunId, StepError, StepPath};
use crate::machine::Call;
use crate::mistake::{Means, Watch};
use crate::policy::Verdict;
use crate::toolbox::Toolbox;

/// The step of a run that is one call, and of a call without a run.
pub(super) const STEP: &str = "call";

/// Watches one call that has no run.
pub(super) struct Eye {
    watch: Watch,
    call: Call,
    tools: driver::Toolbox,
}

impl Eye {
    /// What the call is warned of.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        self.watch.before(&self.call, now()).into_iter().map(|(_, words)| words).collect()
    }

    /// Learns from how it has ended. What a heal rule is for is made again as a run, which learns from that.
    pub(super) async fn end(mut self, engine: &Engine, error: Option<&StepError>) {
        let tool = (self.tools)(&self.call.tool);
        let again = |error| tool.is_some_and(|tool| engine.would_heal(tool.spec(), &self.call.args, error));
        let again = error.is_some_and(again);
        self.watch.after(&self.call, (error, again), now(), &self.tools);
        self.watch.finish().await;
    }
}

impl Engine {
    /// Watches a call of a client. As with runs, only the main tenant learns and is warned; without a store that
    /// can be read, nobody is.
    pub(super) fn eye(&self, toolbox: &Toolbox, tool: &str, args: &Map<String, Value>) -> Option<Eye> {
        let is_clients = matches!(self.caller.origin, Origin::Mcp | Origin::Http);
        if !is_clients || self.caller.tenant != MAIN {
            return None;
        }
        let store = self.parts.store().ok()?;
        let known = store.mistakes().ok()?;
        let call = Call {
            step: StepPath(STEP.to_owned()),
            attempt: 1,
            tool: tool.to_owned(),
            args: args.clone(),
            idempotency_key: String::new(),
            deadline: None,
        };
        // No run has this number, and what was called before is not known.
        let means = Means { store, run: RunId(0), skill: format!("{SINGLE}{tool}"), from_start: false };
        let toolbox = toolbox.clone();
        let tools: driver::Toolbox = Arc::new(move |name| toolbox.tool(name));
        Some(Eye { watch: Watch::of(means, known), call, tools })
    }

    /// Whether a failed read of a client is one that a heal rule is for, so that it is worth being made again as a
    /// run of one step, [`Engine::start_call`].
    pub fn would_heal(&self, spec: &ToolSpec, args: &Map<String, Value>, error: &StepError) -> bool {
        let Ok(toolbox) = self.parts.toolbox() else { return false };
        let Ok(plan) = super::calls::single(spec, args) else { return false };
        let failure = Failure {
            tool: &spec.name,
            args,
            kind: error.kind,
            message: &error.message,
            details: &error.details,
        };
        self.rules_for(&toolbox, &plan.skill).0.iter().any(|rule| rule.fits(&failure))
    }

    /// The heal rules that a run of one call may need, and the skills that they run.
    ///
    /// A rule is a standing decision of whoever has configured what it calls, so it counts as a plan that is known;
    /// but it must be no more than the caller's key lets them use, and where the policy wants a person to be asked, or
    /// what it calls destroys something or must not be repeated, it does not act by itself.
    pub(super) fn rules_for(
        &self,
        toolbox: &Toolbox,
        skill: &SkillPlan,
    ) -> (Vec<HealPlan>, BTreeMap<String, SkillPlan>) {
        let entry = self.parts.home.at(Path::new("call.yaml"));
        let (mut rules, skills) = catalog::heal_rules(&self.parts, &entry, toolbox, skill);
        let tool = skill.name.strip_prefix(SINGLE).unwrap_or_default();
        let idle = self.idle_logins(toolbox);
        rules.retain(|rule| {
            // A login that nobody has configured would only stand between the client and what has failed.
            if idle.contains(&rule.target()) {
                return false;
            }
            let lets = self.caller.grants.lets(ScopeKind::Tool, tool, rule.effect);
            let harmless = rule.effect <= Effect::Write && rule.idempotent;
            lets && self.verdict(rule.effect, harmless) == Verdict::Go
        });
        (rules, skills)
    }
}

//! What the caller's key lets them use: looked at where runs begin and where tools are called, so that no front end
//! can forget to.

use std::sync::Arc;

use aa_spec::config::ScopeKind;
use aa_spec::plan::Plan;
use aa_spec::tool::{Effect, ErrorKind, ToolSpec};

use super::approval::word;
use super::courses::SINGLE;
use super::personas::Word;
use super::{Engine, StartError};
use crate::event::{RunId, StepError, StepPath};
use crate::machine::{APPROVAL, APPROVE};
use crate::persona::{Choice, View, ViewError};
use crate::policy::{self, Verdict};
use crate::standing::Asked;

/// Number of the event that puts the question whether a run may begin: its second.
const GATE: u64 = 1;

impl Engine {
    /// Whether a skill is there for the caller.
    pub fn shows_skill(&self, name: &str) -> bool {
        self.caller.grants.shows(ScopeKind::Skill, name)
    }

    /// Whether a tool is there for the caller.
    pub fn shows_tool(&self, name: &str) -> bool {
        self.caller.grants.shows(ScopeKind::Tool, name) && !self.is_closed(name)
    }

    /// Whether there is a skill or a tool of this name for the caller, where a name may mean both.
    pub fn shows_some(&self, name: &str) -> bool {
        self.caller.grants.shows_some(name) && !self.is_closed(name)
    }

    /// Whether a name is that of a tool which tells of the machine. That is closed to other tenants than the main one;
    /// a skill may use it for them. Where nobody can look, nothing is open.
    fn is_closed(&self, tool: &str) -> bool {
        !self.caller.is_of_main()
            && self.tool(tool).map_or(true, |known| known.is_some_and(|spec| !self.lets_see_machine(&spec)))
    }

    fn lets_see_machine(&self, tool: &ToolSpec) -> bool {
        self.caller.is_of_main() || !tool.of_machine
    }

    /// What a client sees: of what was chosen, what is there for it.
    ///
    /// # Errors
    /// Something of the choice is not there or cannot be used: then there is no part of the view.
    pub fn view(&self, choice: &Choice) -> Result<Arc<View>, ViewError> {
        Ok(self.as_granted(self.whole_view(choice, Word::Nearest)?))
    }

    /// Of a view, what the caller's key lets them use.
    pub(super) fn as_granted(&self, whole: Arc<View>) -> Arc<View> {
        if self.caller.grants.is_usual() && self.caller.is_of_main() {
            return whole;
        }
        Arc::new(whole.only(|skill| self.shows_skill(skill), |tool| self.shows_tool(tool)))
    }

    /// What a persona shows here by the word of the user, or ours, whatever the project has made of its name: as
    /// much as a key opens by it. `None` when only projects have one of that name.
    ///
    /// # Errors
    /// It has mistakes, or names what is not there or cannot be used.
    pub fn owned_view(&self, persona: &str) -> Result<Option<Arc<View>>, ViewError> {
        match self.whole_view(&Choice::Persona(persona.to_owned()), Word::Owners) {
            Ok(view) => Ok(Some(view)),
            Err(ViewError::UnknownPersona { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// That a run of this plan may begin. A dry run changes nothing, whatever it would do.
    pub(super) fn may_run(&self, plan: &Plan, dry_run: bool) -> Result<(), StartError> {
        if self.caller.grants.is_usual() && self.caller.is_of_main() {
            return Ok(());
        }
        let effect = if dry_run { Effect::Read } else { plan.effect() };
        self.may_use(&plan.skill.name, effect)
    }

    /// That a skill, or a tool as a run of one step, may be used with this effect.
    pub(super) fn may_use(&self, run: &str, effect: Effect) -> Result<(), StartError> {
        let (of, name) = match run.strip_prefix(SINGLE) {
            Some(tool) => (ScopeKind::Tool, tool),
            None => (ScopeKind::Skill, run),
        };
        let is_open = of != ScopeKind::Tool || !self.is_closed(name);
        if is_open && self.caller.grants.lets(of, name, effect) {
            return Ok(());
        }
        Err(StartError::NotGranted(format!("`{name}` with the effect `{}`", word(effect))))
    }

    /// That something may be said to a run: it is the caller's, or they may use what it runs. Seeing the runs of others
    /// is not enough.
    pub(super) fn may_steer(&self, run: RunId) -> Result<(), StartError> {
        if self.caller.sees_all() {
            return Ok(());
        }
        let summary = self.run(run)?;
        if summary.principal == self.caller.principal {
            return Ok(());
        }
        self.may_use(&summary.skill, self.run_plan(run)?.effect())
    }

    /// That the caller's consent would count for a question: of any other than whether their own run may begin it does.
    ///
    /// # Errors
    /// They have started the run, and somebody else has to approve of it; or it cannot be read.
    pub fn may_consent(&self, run: RunId, asked: &Asked) -> Result<(), StartError> {
        self.may_approve(run, &asked.step, APPROVE)
    }

    /// That an answer may be given which lets a run begin that the policy wants a person for: by whoever has started it
    /// only where that is let, or else nobody would have to be asked. Where it is enough to have been shown the plan, so it
    /// is here; and what the steps of a skill ask is asked of anybody.
    pub(super) fn may_approve(&self, run: RunId, step: &StepPath, answer: &str) -> Result<(), StartError> {
        if step.0 != APPROVAL || answer != APPROVE {
            return Ok(());
        }
        let is_own = self.run(run)?.principal == self.caller.principal;
        if !is_own || self.approves_own() {
            return Ok(());
        }
        if self.verdict(self.run_plan(run)?.effect(), true) == Verdict::Go {
            return Ok(());
        }
        // A step may have that name, too; it asks later.
        let standing = self.standing(run)?;
        let is_gate = standing.questions.values().any(|asked| asked.step == *step && asked.seq == GATE);
        if is_gate { Err(StartError::OwnApproval(run)) } else { Ok(()) }
    }

    /// Whether the caller may approve of what they have started themselves.
    pub(super) fn approves_own(&self) -> bool {
        policy::may_approve_own(&self.caller, &self.settings().calling)
    }

    /// That a tool may be called outside a run.
    pub(super) fn may_call(&self, spec: &ToolSpec) -> Result<(), StepError> {
        let (tool, effect) = (&spec.name, spec.effect);
        if self.lets_see_machine(spec) && self.caller.grants.lets(ScopeKind::Tool, tool, effect) {
            return Ok(());
        }
        let message = format!("your key does not let you use `{tool}` with the effect `{}`", word(effect));
        Err(StepError::new(ErrorKind::Auth, message))
    }
}

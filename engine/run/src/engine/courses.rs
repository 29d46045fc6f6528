//! Runs looked at, compared, and done once more.

use std::collections::BTreeMap;

use aa_spec::check::Strictness;
use aa_spec::template::seal;
use aa_spec::tool::Effect;
use serde_json::{Map, Value, json};

use super::approval::word;
use super::{Direct, Engine, Inputs, RunHandle, RunRequest, StartError, steering};
use crate::course::{Comparison, Course, LogLine, StepDetail, log};
use crate::driver::Park;
use crate::event::{Body, RunId, StepPath};
use crate::policy::Verdict;
use crate::store::{Ask, History, RunFilter, RunStatus, RunSummary, StoreError};

/// What the name of a run of a single tool begins with.
pub(super) const SINGLE: &str = "call:";

/// Some of a list of runs.
#[derive(Clone, Debug)]
pub struct RunPage {
    /// The runs, newest first.
    pub runs: Vec<RunSummary>,
    /// Where the next page begins: before this run. None when there is no more.
    pub next: Option<RunId>,
}

impl Engine {
    /// A page of the runs that are there for the caller, newest first; [`RunFilter::before`] is where it
    /// begins. Runs that come meanwhile do not move what follows.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn run_page(&self, filter: &RunFilter, size: u32) -> Result<RunPage, StoreError> {
        let one_more = RunFilter { limit: Some(size.saturating_add(1)), ..filter.clone() };
        let mut runs = self.runs(&one_more)?;
        let more = runs.len() > size as usize;
        runs.truncate(size as usize);
        let next = runs.last().map(|run| run.id).filter(|_| more);
        Ok(RunPage { runs, next })
    }

    /// How many runs that are there for the caller stand how.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn run_counts(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        self.parts.store()?.run_counts((self.caller.tenant(), self.caller.owner()), self.caller.folder())
    }

    /// How a run goes, step by step.
    ///
    /// # Errors
    /// There is no such run for the caller, or it cannot be read.
    pub fn course(&self, run: RunId) -> Result<Course, StoreError> {
        let History { run, events, plan } = self.history(run)?;
        Ok(Course::of(run, &plan, &events))
    }

    /// All that is known of a step of a run; none when the run has no such step.
    ///
    /// # Errors
    /// There is no such run for the caller, or it cannot be read.
    pub fn step_detail(&self, run: RunId, step: &StepPath) -> Result<Option<StepDetail>, StoreError> {
        let History { run, events, plan } = self.history(run)?;
        let course = Course::of(run, &plan, &events);
        Ok(StepDetail::of(&course, &events, step))
    }

    /// What was said during a run, of all steps or of one with its parts.
    ///
    /// # Errors
    /// There is no such run for the caller, or it cannot be read.
    pub fn run_log(&self, run: RunId, step: Option<&StepPath>) -> Result<Vec<LogLine>, StoreError> {
        Ok(log::of(&self.events(run, 0)?, step))
    }

    /// What is different between two runs.
    ///
    /// # Errors
    /// One of them is not there for the caller, or cannot be read.
    pub fn compare(&self, a: RunId, b: RunId) -> Result<Comparison, StoreError> {
        Ok(Comparison::of(&self.course(a)?, &self.course(b)?))
    }

    /// Starts a run of the same skill, as it is now, with the inputs of another one, as the caller's policy
    /// has it.
    ///
    /// # Errors
    /// That run cannot be done once more: it used canned answers or secrets as inputs; or those of
    /// [`Engine::start_called`].
    pub async fn retry(
        &self,
        run: RunId,
        (plan_hash, request_key): (Option<String>, Option<String>),
        session: &str,
    ) -> Result<RunHandle, StartError> {
        let of = self.run(run)?;
        let engine = self.in_folder(&of.folder)?;
        let (inputs, dry_run) = engine.again(run)?;
        if let Some(tool) = of.skill.strip_prefix(SINGLE) {
            let args = inputs.get("arguments").and_then(Value::as_object).cloned().unwrap_or_default();
            return engine.start_call(Direct { tool: tool.to_owned(), args, request_key }, session).await;
        }
        let request = RunRequest {
            skill: of.skill,
            inputs: Inputs::Json(inputs),
            origin: self.caller.origin,
            dry_run,
            plan_hash,
            request_key,
            strictness: Strictness { lenient: false, strict: false },
            park: Park::Stay,
        };
        engine.start_called(request, session, true).await
    }

    /// Answers an open question of a step as a person; with the number of the event that put it, that very question
    /// and no later one.
    ///
    /// # Errors
    /// It approves of a run that the caller has started, or those of [`Engine::answer`].
    pub async fn answer_open(
        &self,
        run: RunId,
        (step, question): (&StepPath, Option<u64>),
        answer: &str,
        by: &str,
    ) -> Result<(), StartError> {
        self.may_steer(run)?;
        self.may_approve(run, step, answer)?;
        let ask = Ask::Answer { step: step.clone(), answer: answer.to_owned(), question };
        steering::ask(self, run, by, ask).await
    }

    /// Takes back the completed steps of a run that is over, in its own folder, as the caller's policy has it.
    ///
    /// # Errors
    /// Those of [`Engine::undo`], or the policy forbids it.
    pub async fn undo_called(&self, run: RunId, by: &str) -> Result<RunHandle, StartError> {
        let summary = self.run(run)?;
        let plan = self.run_plan(run)?;
        let effect = plan.undos().map(|(_, undo)| undo.effect).max().unwrap_or(Effect::Read);
        self.may_use(&summary.skill, effect)?;
        // Whoever names the run names what has happened, and so what is taken back.
        if self.verdict(effect, true) == Verdict::Refuse {
            return Err(StartError::Denied { what: summary.skill, effect: word(effect) });
        }
        self.undo(run, by).await
    }

    /// What a run was started with, when that can be given once more.
    fn again(&self, run: RunId) -> Result<(Map<String, Value>, bool), StartError> {
        match self.first_event(run)?.map(|event| event.body) {
            Some(Body::SkillStarted { stubs: Some(_), .. }) => {
                Err(StartError::Refused(format!("run {run} had canned answers, which cannot be given again")))
            }
            Some(Body::SkillStarted { inputs, dry_run, .. }) if seal::is_clean(&json!(inputs)) => {
                Ok((inputs, dry_run))
            }
            _ => Err(StartError::Refused(format!("an input of run {run} was a secret, which is not kept"))),
        }
    }
}

impl RunSummary {
    /// Where it stands, in a word: `interrupted` when nobody drives it that should.
    pub fn standing(&self) -> String {
        match self.status {
            RunStatus::Running | RunStatus::Waiting if self.interrupted => "interrupted".to_owned(),
            status => status.to_string(),
        }
    }

    /// Whether it is not over and no process drives it, be it that one has died or that it waits for a person.
    pub(crate) fn is_left(&self) -> bool {
        self.ended_at.is_none() && (self.interrupted || self.status == RunStatus::Waiting && !self.driven)
    }
}

//! Runs explained.

use super::{Engine, StartError};
use crate::debug;
use crate::event::{RunId, StepPath};
use crate::explain::{Explanation, Fared, StepReport, explain, fared, of_step, shorten_issues};
use crate::store::{History, RunFilter, RunStatus, StoreError};

/// Runs that are looked at to find one that went well.
const RUNS: u32 = 50;

impl Engine {
    /// Why a run is where it is: its failed step with where its arguments came from, what was
    /// different when the skill last succeeded, and what can be done.
    ///
    /// # Errors
    /// There is no such run for the caller, or it cannot be read.
    pub fn explain(&self, run: RunId) -> Result<Explanation, StartError> {
        let history = self.history(run)?;
        let good = self.last_good(&history)?;
        let mut explanation = explain(&history, good.as_ref());
        self.add_known_issues(&mut explanation, &history.run.tenant)?;
        Ok(explanation)
    }

    /// Where a step of a run is written, and where what it was called with came from.
    ///
    /// # Errors
    /// There is no such run for the caller, or it cannot be read.
    pub fn step_report(&self, run: RunId, step: &StepPath) -> Result<StepReport, StoreError> {
        Ok(of_step(&self.history(run)?, step))
    }

    /// The last run before this one that a failure of it is held against: of the same skill, in the same folder, and
    /// it went well.
    ///
    /// # Errors
    /// There is no such run for the caller, or it cannot be read.
    pub fn last_good_run(&self, run: RunId) -> Result<Option<RunId>, StoreError> {
        Ok(self.last_good(&self.history(run)?)?.map(|good| good.run.id))
    }

    /// The newest run that failed, of those that are there for the caller: of this folder, or else of any.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn last_failed(&self) -> Result<Option<RunId>, StoreError> {
        let anywhere = RunFilter { status: vec![RunStatus::Failed], limit: Some(1), ..RunFilter::default() };
        let here = RunFilter { folder: Some(self.settings().folder.clone()), ..anywhere.clone() };
        let last = match self.runs(&here)? {
            none if none.is_empty() => self.runs(&anywhere)?,
            found => found,
        };
        Ok(last.first().map(|run| run.id))
    }

    /// The last run of the same skill in the same folder before this one that really succeeded: the step
    /// that failed in this one did what it should, so nobody stopped the run before it. Where there is none, the
    /// last that went well without that step.
    fn last_good(&self, history: &History) -> Result<Option<History>, StoreError> {
        let filter = RunFilter {
            skill: Some(history.run.skill.clone()),
            status: vec![RunStatus::Completed],
            before: Some(history.run.id),
            folder: Some(history.run.folder.clone()),
            limit: Some(RUNS),
            ..RunFilter::default()
        };
        let mut without = None;
        for run in self.runs(&filter)?.into_iter().filter(|run| run.stubbed == history.run.stubbed) {
            // What cannot be read any more is no reason not to explain what can.
            let Ok(good) = self.history(run.id) else { continue };
            if good.is_dry() != history.is_dry() {
                continue;
            }
            match fared(&good, history) {
                Fared::Well => return Ok(Some(good)),
                Fared::NotAtAll => without = without.or(Some(good)),
                Fared::Badly => {}
            }
        }
        Ok(without)
    }

    /// Adds what the run's tenant knows of its failure, whoever asks: others may know other things of it.
    fn add_known_issues(&self, explanation: &mut Explanation, tenant: &str) -> Result<(), StoreError> {
        let Some(step) = &explanation.step else { return Ok(()) };
        let Some(error) = &step.error else { return Ok(()) };
        let store = self.parts.store()?;
        let (tool, said) = (step.target.as_deref().unwrap_or_default(), debug::text(error));
        explanation.known_issues = debug::issues(&store, tenant, (tool, &said))?;
        shorten_issues(&mut explanation.known_issues);
        Ok(())
    }
}

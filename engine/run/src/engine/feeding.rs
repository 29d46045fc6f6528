//! What happens, for whoever listens; and what listeners say to it.

use std::sync::Arc;

use super::{Engine, StartError};
use crate::event::{RunId, StepPath, Time};
use crate::feed::{Happening, Listener, Wanted, question_id};
use crate::standing::{Asked, Standing};
use crate::store::{Cursor, RunFilter, RunStatus, RunSummary, StoreError};

/// Runs that whoever begins to listen is told of.
const MOST: u32 = 100;

/// What is under way.
#[derive(Clone, Debug, Default)]
pub struct OpenWork {
    /// Runs that are not over, newest first.
    pub runs: Vec<OpenRun>,
    /// Questions that are open.
    pub questions: Vec<OpenQuestion>,
}

/// A run that is not over.
#[derive(Clone, Debug)]
pub struct OpenRun {
    /// The run.
    pub run: RunSummary,
    /// Steps of its skill.
    pub total_steps: usize,
    /// Steps of its skill that are over.
    pub done_steps: usize,
}

/// A question that is open.
#[derive(Clone, Debug)]
pub struct OpenQuestion {
    /// By which it is answered.
    pub id: String,
    /// Of which run.
    pub run: RunId,
    /// The question.
    pub asked: Asked,
    /// The position of its step in the skill.
    pub step_index: Option<usize>,
    /// Since when it is open.
    pub asked_at: Time,
}

impl Engine {
    /// Listens to what is there for the caller, from a cursor on or from now on. Needs a runtime.
    ///
    /// # Errors
    /// The cursor is of another store or from before this one was put back, or the store cannot be read.
    pub async fn hear(&self, wanted: Wanted, since: Option<Cursor>) -> Result<Listener, StartError> {
        if let Some(since) = since {
            let end = self.end()?;
            if since.life != end.life {
                let message = format!(
                    "the cursor `{since}` is from before this store was put back from a copy, or of another store; begin without one"
                );
                return Err(StartError::Refused(message));
            }
            if since.events > end.events || since.notices > end.notices {
                return Err(StartError::Refused(format!("the cursor `{since}` is of another store")));
            }
        }
        let feed = self.parts.shared.feed.clone();
        Ok(Listener::new(feed, self.caller.clone(), wanted, since).await?)
    }

    /// The end of all that has happened so far.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn end(&self) -> Result<Cursor, StoreError> {
        self.parts.store()?.end()
    }

    /// The runs of the caller that are not over, and what they ask.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open_work(&self) -> Result<OpenWork, StoreError> {
        let status = vec![RunStatus::Running, RunStatus::Waiting];
        let mut work = OpenWork::default();
        for run in self.runs(&RunFilter { status, limit: Some(MOST), ..RunFilter::default() })? {
            let events = self.events(run.id, 0)?;
            let standing = Standing::of(&events);
            let steps = self.run_plan(run.id).map(|plan| plan.skill.steps).unwrap_or_default();
            for asked in standing.questions.values() {
                let top = asked.step.0.split(['/', '[', '#']).next().unwrap_or_default();
                let step_index = steps.iter().position(|step| step.name == top);
                let at =
                    usize::try_from(asked.seq).ok().and_then(|seq| events.get(seq)).map(|event| event.at);
                let asked_at = at.unwrap_or(run.started_at);
                let (id, asked) = (question_id(run.id, asked.seq), asked.clone());
                work.questions.push(OpenQuestion { id, run: run.id, asked, step_index, asked_at });
            }
            work.runs.push(OpenRun { run, total_steps: steps.len(), done_steps: standing.done.len() });
        }
        Ok(work)
    }

    /// What has happened to a run so far, as listeners were told it: how it began, and the last of what came then.
    ///
    /// # Errors
    /// There is no such run for the caller, or it cannot be read.
    pub fn happenings(&self, run: RunId, most: u32) -> Result<Vec<Arc<Happening>>, StoreError> {
        self.run(run)?;
        self.parts.shared.feed.of_run(&self.parts.store()?, run, most)
    }

    /// Answers a question by its id, and goes on with its run when nobody drives it. The first answer counts.
    ///
    /// # Errors
    /// There is no such question for the caller, it is not open any more, or that is no answer to it.
    pub async fn respond(&self, id: &str, answer: &str, by: &str) -> Result<(), StartError> {
        let (run, step) = self.open_question(id)?;
        self.answer_open(run, (&step, id.rsplit(':').next().and_then(|seq| seq.parse().ok())), answer, by)
            .await?;
        let summary = self.run(run)?;
        if !summary.driven && summary.ended_at.is_none() {
            self.in_folder(&summary.folder)?.attend(run, "").await?;
        }
        Ok(())
    }

    /// The step that asks a question.
    fn open_question(&self, id: &str) -> Result<(RunId, StepPath), StartError> {
        let none = || StartError::Refused(format!("the question `{id}` is not open"));
        let (run, seq) = id.split_once(':').ok_or_else(none)?;
        let (run, seq): (i64, u64) = run.parse().ok().zip(seq.parse().ok()).ok_or_else(none)?;
        let standing = self.standing(RunId(run)).map_err(|error| match error {
            StartError::Store(StoreError::NoRun(_)) => none(),
            other => other,
        })?;
        let open = standing.questions.values().find(|asked| asked.seq == seq);
        Ok((RunId(run), open.ok_or_else(none)?.step.clone()))
    }
}

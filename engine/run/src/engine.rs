//! The façade that every front end uses: plain data in, plain data out.

use std::sync::Arc;

use aa_spec::check::Strictness;
use aa_spec::diagnostic::Diagnostic;
use aa_spec::plan::Plan;
pub use aa_spec::plan::resolve::{ResolvedHeal, ResolvedPlan, ResolvedStep};
use aa_spec::source::Source;
use aa_spec::stub::Script;
#[cfg(doc)]
use aa_spec::tool::ErrorKind;
use aa_spec::tool::ToolSpec;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

pub use self::debugging::{Before, Committed, ToolFix};
pub use self::heal::{FailedCall, HealStats, Layer, Proposal, Remedy};
use crate::caller::Caller;
use crate::driver::{AfterCommit, Park};
use crate::event::{Event, Link, Origin, Resolution, RunId, StepError, StepPath};
use crate::settings::Settings;
use crate::store::{Ask, Hand, History, RunFilter, RunSummary, StoreError};
use crate::stub::Stage;
use crate::tool::{Level, Nobody, Progress};
use crate::toolbox::ModuleEntry;
pub use archive::{Archive, Remark};
pub use attending::Presence;
pub use broken::BrokenFile;
pub use browsers::Browser;
pub use calls::Direct;
pub use cards::{Catalogue, Described};
pub use compat::{Compat, CompatFile, Missing, MissingKind, Verdict};
pub use courses::RunPage;
pub use exporting::{Export, ExportFile, ExportRequest, ExportState};
pub use feeding::{OpenQuestion, OpenRun, OpenWork};
pub use figures::Figures;
pub use health::{Check, Health};
pub use keys::Keyring;
pub(crate) use listening::Wanted;
pub use logins::MissingLogin;
pub use mend::MendedSkill;
pub use modules::CheckedModule;
pub use offering::{Message, Offer};
use parts::Parts;
pub(crate) use personas::lines;
pub use refusal::StartError;
pub use rehearse::{DiffLine, Fault, Judgement, Recording, StubFile, TestFile};
pub use schedules::{
    BackfillPlan, Cause, Delivery, HookRefusal, Hooks, ScheduleFault, ScheduleView, Triggered,
};
pub(crate) use schedules::{new_slot, told, waiting_run};
pub use servers::{Change, Guide, McpEntry, Review};
pub use showing::Glance;
pub use trials::Trial;
pub use workspaces::Remembered;

mod admission;
mod adopting;
mod approval;
mod archive;
mod attending;
mod auditing;
mod broken;
mod browsers;
mod calls;
mod cards;
mod catalog;
mod checked;
mod compat;
mod configured;
mod copying;
mod courses;
mod debugging;
mod draining;
mod explaining;
mod exporting;
mod feeding;
mod fencing;
mod figures;
mod folders;
mod granting;
mod heal;
mod health;
mod history;
mod kept;
mod keys;
mod launching;
mod listening;
mod logins;
mod lone;
mod mend;
mod mistakes;
mod modules;
mod offering;
mod parts;
mod personas;
pub(crate) mod reading;
mod reads;
mod reconfiguring;
mod refusal;
mod rehearse;
mod schedules;
mod sealing;
mod servers;
mod showing;
pub(crate) mod stamps;
mod steering;
mod tools;
mod tracing;
mod trials;
mod watching;
mod workspaces;

#[cfg(test)]
mod tests;

/// Everything a front end needs. Cheap to clone; clones share the store and the limits.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
    after_commit: Option<AfterCommit>,
    /// Who asks, and which runs are there for them.
    caller: Caller,
    /// Which request it is that they ask with.
    link: Option<Arc<Link>>,
}

/// A skill that can be run.
#[derive(Clone, Debug)]
pub struct SkillEntry {
    /// Canonical name.
    pub name: String,
    /// First line of its description; empty when the file cannot be read.
    pub description: String,
    /// Where it comes from: `project`, `user`, `shipped` or a configured folder.
    pub layer: String,
    /// Path as shown to people.
    pub path: String,
}

/// A skill read and checked.
#[derive(Clone, Debug)]
pub struct CheckedSkill {
    /// Its text.
    pub source: Source,
    /// The plan, when nothing stops it.
    pub plan: Option<Arc<Plan>>,
    /// Everything that is wrong or doubtful.
    pub diagnostics: Vec<Diagnostic>,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// Name of a skill, or a path to its file.
    pub skill: String,
    /// Given inputs.
    pub inputs: Inputs,
    /// Through which front end.
    pub origin: Origin,
    /// Reads run; writes, and what reads their results, are answered from the plan.
    pub dry_run: bool,
    /// Refuse to run when the resolved plan's hash is another one.
    pub plan_hash: Option<String>,
    /// A repeated request with the same key finds the first run.
    pub request_key: Option<String>,
    /// How strictly to read the skill.
    pub strictness: Strictness,
    /// What to do when only a person can move the run on: a front end that can ask stays.
    pub park: Park,
}

/// Inputs as they came.
#[derive(Clone, Debug)]
pub enum Inputs {
    /// `name=text` pairs, to be read by the declared types.
    Text(Vec<(String, String)>),
    /// JSON values.
    Json(Map<String, Value>),
    /// JSON values, e.g. of a file, and `name=text` pairs that win over them.
    Mixed {
        /// The values.
        json: Map<String, Value>,
        /// The pairs.
        text: Vec<(String, String)>,
    },
}

/// A run that this process drives, or a finished one.
#[derive(Debug)]
pub struct RunHandle {
    /// Its number.
    pub id: RunId,
    /// What happens, in order, from the first event; closed when the run stops moving.
    pub notices: mpsc::UnboundedReceiver<Notice>,
    /// Gives how it went, when the driver is done with it.
    pub outcome: tokio::task::JoinHandle<Result<Outcome, StoreError>>,
    /// What stands in for tools and people, when it is a stubbed run.
    pub stage: Option<Arc<Stage>>,
    /// Whether it was there before: somebody else may have started it, and wait for it.
    pub joined: bool,
}

/// Something to show of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A durable event.
    Event(Box<Event>),
    /// A line that a running step printed; not journaled.
    Line {
        /// Which step.
        step: StepPath,
        /// The line, secrets hidden.
        line: String,
        /// How much it matters, when its tool has said so.
        level: Option<Level>,
    },
}

/// How a run went, as far as this process drove it.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It succeeded, with these outputs.
    Completed(Map<String, Value>),
    /// It failed.
    Failed {
        /// Why.
        error: StepError,
        /// Which step brought it down.
        step: Option<StepPath>,
    },
    /// It was cancelled.
    Cancelled,
    /// Only a person can move it on; what is open.
    Waiting(Vec<StepPath>),
    /// It was left where it is, because its process ends; whoever comes next goes on with it.
    Left,
}

impl Engine {
    /// Puts an engine together. Opens nothing yet: each part is made when it is first needed.
    pub fn new(settings: Settings) -> Self {
        Self {
            parts: Arc::new(Parts::new(settings)),
            after_commit: None,
            caller: Caller::local(Origin::Cli),
            link: None,
        }
    }

    /// Calls this with every event after its commit; tests of crashes hang themselves in here.
    #[must_use]
    pub fn after_commit(self, hook: AfterCommit) -> Self {
        Self { after_commit: Some(hook), ..self }
    }

    /// The same engine for another caller, as it is configured by now: runs that are not theirs are not there
    /// for them.
    #[must_use]
    pub fn for_caller(&self, caller: Caller) -> Self {
        Self { caller, ..self.current() }
    }

    /// Who it is for.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Says that a run is about to start: what it needs is opened while its skill is read, by a hand that may have
    /// got ready for it.
    pub fn expect_run(&self, hand: Option<Hand>) {
        if let Some(hand) = hand {
            self.parts.lazy_store().lend(hand);
        }
        self.parts.open_store_early();
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.parts.settings
    }

    /// Every skill, by name; nearer layers shadow farther ones.
    ///
    /// # Errors
    /// A folder of skills cannot be read.
    pub fn skills(&self) -> Result<Vec<SkillEntry>, StartError> {
        catalog::skills(&self.parts)
    }

    /// Reads and checks a skill, by name or path.
    ///
    /// # Errors
    /// There is none, or it or something that it refers to cannot be read.
    pub fn check(&self, skill: &str, strictness: Strictness) -> Result<CheckedSkill, StartError> {
        self.by_name(skill)?;
        catalog::check(&self.parts, skill, strictness)
    }

    /// Fixes the problems of a skill's text where it is clear what was meant; nothing is written.
    ///
    /// # Errors
    /// There is none, it is shipped, or it cannot be read.
    pub fn mend(&self, skill: &str, strictness: Strictness) -> Result<MendedSkill, StartError> {
        mend::mend(&self.parts, skill, strictness)
    }

    /// Writes a mended skill to its file.
    ///
    /// # Errors
    /// The file has changed since it was read, or cannot be written.
    pub fn write_mended(&self, mended: &MendedSkill) -> Result<(), StartError> {
        mend::write(&self.parts, mended)
    }

    /// Whether the skills in some files run here, and what they lack.
    ///
    /// # Errors
    /// A file is not there, or something that it refers to cannot be read.
    pub fn compat(&self, files: &[String]) -> Result<Compat, StartError> {
        compat::compare(&self.parts, files)
    }

    /// Resolves what can be resolved of a run before it starts.
    ///
    /// # Errors
    /// Those of [`Self::start`] before it creates the run.
    pub fn plan(&self, request: &RunRequest) -> Result<ResolvedPlan, StartError> {
        self.by_name(&request.skill)?;
        let mut resolved = admission::admit(&self.parts, request)?.resolve();
        history::expect(&self.parts, &self.caller.tenant, &mut resolved);
        Ok(resolved)
    }

    /// Starts a run, or finds the one that the same request has started.
    ///
    /// # Errors
    /// The skill, its inputs or the plan's hash are wrong: then there is no run. Or the
    /// store cannot be written.
    pub async fn start(&self, request: RunRequest) -> Result<RunHandle, StartError> {
        launching::start(self, request, None).await
    }

    /// Reads canned answers for a skill.
    ///
    /// # Errors
    /// The file cannot be read, or there is no such skill. What is wrong in the file is among
    /// its diagnostics.
    pub fn stubs(
        &self,
        file: &std::path::Path,
        skill: &str,
        strictness: Strictness,
    ) -> Result<StubFile, StartError> {
        rehearse::stubs(&self.parts, file, skill, strictness)
    }

    /// Starts a run whose tools and people are stood for by canned answers. They are pinned
    /// with the run, so that it goes on with them wherever it is resumed.
    ///
    /// # Errors
    /// Those of [`Self::start`].
    pub async fn start_stubbed(&self, request: RunRequest, script: Script) -> Result<RunHandle, StartError> {
        launching::start(self, request, Some(script)).await
    }

    /// The tests of skills, by name of a skill, path of a skill or path of a file of tests;
    /// without any, all there are.
    ///
    /// # Errors
    /// There is no such skill, or a file or folder cannot be read.
    pub fn tests(&self, of: &[String]) -> Result<Vec<TestFile>, StartError> {
        rehearse::tests(&self.parts, of)
    }

    /// Runs those of the tests that are wanted, several at once, and gives the verdicts in the
    /// order of the tests; `done` sees each as it comes. Leaves nothing in the store.
    pub fn rehearse(
        &self,
        files: &[TestFile],
        wanted: &dyn Fn(&str) -> bool,
        done: &mut dyn FnMut(&Judgement),
    ) -> Vec<Judgement> {
        rehearse::all(files, wanted, done)
    }

    /// A run as a test: what it called becomes canned answers, what came of it is expected.
    ///
    /// # Errors
    /// The run cannot be read, is not over, or does not give a test that passes.
    pub async fn record(&self, run: RunId) -> Result<Recording, StartError> {
        self.own(run)?;
        rehearse::record(&self.parts, run).await
    }

    /// Goes on with a run that no living process drives.
    ///
    /// # Errors
    /// It is driven, over, or cannot be read; or its folder is gone.
    pub async fn resume(&self, run: RunId, park: Park) -> Result<RunHandle, StartError> {
        self.own(run)?;
        steering::resume(self, run, park).await
    }

    /// Takes back the completed steps of a run that is over.
    ///
    /// # Errors
    /// It is not over, is driven, or cannot be read; or its folder is gone.
    pub async fn undo(&self, run: RunId, by: &str) -> Result<RunHandle, StartError> {
        self.own(run)?;
        steering::undo(self, run, by).await
    }

    /// Asks for a run's end, whoever drives it. When nobody does, it ends here and now.
    ///
    /// # Errors
    /// It is over already.
    pub async fn cancel(&self, run: RunId, by: &str, reason: &str) -> Result<(), StartError> {
        self.may_steer(run)?;
        steering::cancel(self, run, by, reason).await
    }

    /// Answers an open question of a run, whoever drives it. When nobody does, the answer is
    /// written down, and [`Self::resume`] goes on with it.
    ///
    /// # Errors
    /// There is no such question, or that is no answer to it.
    pub async fn answer(
        &self,
        run: RunId,
        step: &StepPath,
        answer: &str,
        by: &str,
    ) -> Result<(), StartError> {
        self.may_steer(run)?;
        let ask = Ask::Answer { step: step.clone(), answer: answer.to_owned(), question: None };
        steering::ask(self, run, by, ask).await
    }

    /// Says how a step with unknown outcome ended, as [`Self::answer`] does.
    ///
    /// # Errors
    /// The step's outcome is not in doubt.
    pub async fn resolve(
        &self,
        run: RunId,
        step: &StepPath,
        resolution: Resolution,
        by: &str,
    ) -> Result<(), StartError> {
        self.may_steer(run)?;
        steering::ask(self, run, by, Ask::Resolve { step: step.clone(), resolution }).await
    }

    /// Runs that are there for the caller, newest first.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        let mut filter = filter.clone();
        if let Some(tenant) = self.caller.tenant() {
            filter.tenant = Some(tenant.to_owned());
        }
        if let Some(owner) = self.caller.owner() {
            // Those of anybody else are not there.
            if filter.principal.as_deref().is_some_and(|wanted| wanted != owner) {
                return Ok(Vec::new());
            }
            filter.principal = Some(owner.to_owned());
        }
        if let Some(folder) = self.caller.folder() {
            filter.folder = Some(folder.to_owned());
        }
        self.parts.store()?.runs(&filter)
    }

    /// One run.
    ///
    /// # Errors
    /// There is none of this number, or not for the caller: the two are not told apart.
    pub fn run(&self, run: RunId) -> Result<RunSummary, StoreError> {
        let found = self.parts.store()?.run(run)?;
        if self.caller.sees(&found) { Ok(found) } else { Err(StoreError::NoRun(run)) }
    }

    /// Whether a run is there for the caller.
    fn own(&self, run: RunId) -> Result<(), StoreError> {
        if self.caller.sees_all() { Ok(()) } else { self.run(run).map(drop) }
    }

    /// Events of a run from a `seq` on.
    pub fn events(&self, run: RunId, from: u64) -> Result<Vec<Event>, StoreError> {
        self.own(run)?;
        self.parts.store()?.events(run, from)
    }

    /// All that is recorded of a run, as of one moment.
    fn history(&self, run: RunId) -> Result<History, StoreError> {
        let found = self.parts.store()?.history(run)?;
        if self.caller.sees(&found.run) { Ok(found) } else { Err(StoreError::NoRun(run)) }
    }

    /// The plan that a run is pinned to.
    pub fn run_plan(&self, run: RunId) -> Result<Plan, StoreError> {
        self.own(run)?;
        self.parts.store()?.plan(run)
    }

    /// Events of a run as they come, from a `seq` on, whoever drives it; ends with the run.
    /// Needs a runtime.
    pub fn watch(&self, run: RunId, from: u64) -> Result<mpsc::UnboundedReceiver<Event>, StoreError> {
        self.own(run)?;
        watching::watch(self.parts.store()?, run, from)
    }

    /// Every tool, by name.
    ///
    /// # Errors
    /// A folder of tool modules, or one of them, cannot be read.
    pub fn tools(&self) -> Result<Vec<Arc<ToolSpec>>, StartError> {
        Ok(self.parts.toolbox()?.specs())
    }

    /// One tool.
    ///
    /// # Errors
    /// A folder of tool modules, or one of them, cannot be read.
    pub fn tool(&self, name: &str) -> Result<Option<Arc<ToolSpec>>, StartError> {
        Ok(self.parts.toolbox()?.tool(name).map(|tool| tool.spec().clone()))
    }

    /// Every tool module that can be used, by name.
    ///
    /// # Errors
    /// A folder or file of modules cannot be read.
    pub fn modules(&self) -> Result<Vec<ModuleEntry>, StartError> {
        Ok(self.parts.toolbox()?.modules())
    }

    /// What is wrong with the tool modules.
    ///
    /// # Errors
    /// A folder of tool modules, or one of them, cannot be read.
    pub fn tool_problems(&self) -> Result<Vec<Diagnostic>, StartError> {
        Ok(self.parts.toolbox()?.diagnostics())
    }

    /// What is wrong with where secrets come from, a line each.
    pub fn secret_problems(&self) -> Vec<String> {
        self.parts.secrets.doubts()
    }

    /// Names of secrets that this process cannot read.
    pub fn unreadable_secrets(&self) -> Vec<String> {
        self.parts.secrets.unreadable()
    }

    /// Calls one tool outside a run. From a terminal, an argument that is nothing but
    /// `{{ secrets.NAME }}` is that secret.
    ///
    /// # Errors
    /// The tool's, or [`ErrorKind::Invalid`] when the arguments do not fit it.
    pub async fn call_tool(
        &self,
        name: &str,
        args: Map<String, Value>,
        progress: Progress,
    ) -> Result<Value, StepError> {
        self.call_tool_asking(name, args, progress, Arc::new(Nobody)).await
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("settings", &self.parts.settings).finish_non_exhaustive()
    }
}

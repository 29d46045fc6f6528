//! One test made ready, and run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aa_spec::plan::Plan;
use aa_spec::source::{Source, Span};
use aa_spec::stub::{Script, Spot};
use aa_spec::test::Test;
use chrono::DateTime;
use serde_json::Map;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

use super::memory::Memory;
use crate::caller::MAIN;
use crate::driver::{self, Drive, Entry, Park, drive};
use crate::engine::admission::Admitted;
use crate::engine::parts::Parts;
use crate::engine::{Inputs, Outcome, RunRequest, launching};
use crate::event::{Body, Event, Origin, RunId, Time};
use crate::fence::Fence;
use crate::store::Lease;
use crate::stub::Stage;

/// The longest that a test may take by the clock on the wall.
const PATIENCE: Duration = Duration::from_mins(2);

/// When a test begins that does not say.
const START: i64 = 1_767_225_600_000;

/// What a real run draws at random.
const NONCE: &str = "rehearsal";

/// The folder that a run of a test sees.
const FOLDER: &str = "/project";

/// A test that can run.
pub(in crate::engine) struct Case {
    pub(super) test: Test,
    pub(super) parts: Arc<Parts>,
    pub(super) admitted: Admitted,
    pub(super) script: Script,
    /// Where the canned answers are written.
    pub(super) places: Vec<(Spot, Source, Span)>,
}

/// What came of a test's run.
pub(super) struct Played {
    /// How it ended; a line when it did not.
    pub(super) outcome: Result<Outcome, String>,
    pub(super) events: Vec<Event>,
    /// Canned answers that nothing has asked for.
    pub(super) unused: Vec<Spot>,
    /// Calls that had no answer.
    pub(super) missing: Vec<String>,
}

/// When a test begins.
pub(super) fn begins(test: &Test) -> Time {
    test.at().unwrap_or_else(|| DateTime::from_timestamp_millis(START).unwrap_or_default())
}

impl Case {
    /// The plan that runs.
    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.admitted.plan
    }

    /// Runs it to its end, on this thread.
    pub(super) fn play(&self) -> Played {
        let runtime = Builder::new_current_thread().enable_all().build();
        let broken = |message: String| Played {
            outcome: Err(message),
            events: Vec::new(),
            unused: Vec::new(),
            missing: Vec::new(),
        };
        match runtime {
            Ok(runtime) => runtime.block_on(self.perform()).unwrap_or_else(broken),
            Err(error) => broken(format!("cannot start the runtime: {error}")),
        }
    }

    async fn perform(&self) -> Result<Played, String> {
        let at = begins(&self.test);
        let means = self.parts.means(self.admitted.toolbox.clone(), None);
        let stage = Stage::new(self.script.clone(), at, &means);
        let means = stage.means(means);
        let first = self.first(at);
        let run = first.run_id;
        let (machine, events) =
            driver::begin(self.plan(), first, stage.clock()).map_err(|misfit| misfit.message)?;
        stage.catch_up(&events);
        let memory = Memory::new(events);
        let parts = Arc::clone(&self.parts);
        let (watchers, _) = mpsc::unbounded_channel();
        let outcome = drive(Drive {
            turn: None,
            born: None,
            machine,
            entry: Entry::Fresh,
            lease: Lease { run, epoch: 0 },
            origin: Origin::Cli,
            folder: self.parts.settings.folder.clone(),
            tenant: MAIN.into(),
            fence: Fence::default(),
            journal: stage.journal(Arc::new(memory.clone()), move || parts.nudge()),
            means,
            watchers,
            park: Park::Release,
            watch: None,
        });
        let outcome = match tokio::time::timeout(PATIENCE, outcome).await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err(format!("it did not end within {} seconds", PATIENCE.as_secs())),
        };
        Ok(Played { outcome, events: memory.events(), unused: stage.unused(), missing: stage.missing() })
    }

    fn first(&self, at: Time) -> Event {
        let request = RunRequest {
            skill: self.plan().skill.name.clone(),
            inputs: Inputs::Json(Map::new()),
            origin: Origin::Cli,
            dry_run: false,
            plan_hash: None,
            request_key: None,
            strictness: aa_spec::check::Strictness::default(),
            park: Park::Release,
        };
        let folder = self.test.folder.as_ref().map_or(FOLDER, |folder| &folder.value);
        let run = RunId(self.test.run.as_ref().map_or(1, |run| i64::from(run.value)));
        let mut body = launching::first_body(&self.admitted, &request, (folder, None, BTreeMap::new(), None));
        if let Body::SkillStarted { nonce, .. } = &mut body {
            // The delays between attempts are drawn from it, and a test must not be one of luck.
            NONCE.clone_into(nonce);
        }
        Event { run_id: run, seq: 0, at, source: Origin::Cli, body }
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.test.name.value).finish_non_exhaustive()
    }
}

//! A run with fake tools and a clock that stands still until a test moves it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aa_spec::compute::Interpreter;
use aa_spec::plan::Plan;
use aa_spec::tool::{Effect, ErrorKind, ToolSpec};
use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::journal::Memory;
use crate::compute::Computer;
use crate::drain::Drain;
use crate::driver::{AfterCommit, Clock, Drive, Entry, Means, Park, Secrets, begin, drive};
use crate::engine::{Notice, Outcome};
use crate::event::{Body, Event, Origin, RunId, StepPath, Time};
use crate::fence::Fence;
use crate::heal::Freely;
use crate::machine::Machine;
use crate::permits::Permits;
use crate::store::{Lease, StoreError};
use crate::tool::{CallContext, Tool, ToolError};

type Answer = Pin<Box<dyn Future<Output = Result<Value, ToolError>> + Send>>;
type Work = Arc<dyn Fn(CallContext, Map<String, Value>) -> Answer + Send + Sync>;

/// A tool that does what a test says.
struct Fake {
    spec: Arc<ToolSpec>,
    work: Work,
}

#[async_trait]
impl Tool for Fake {
    fn spec(&self) -> &Arc<ToolSpec> {
        &self.spec
    }

    async fn call(&self, context: &CallContext, args: Map<String, Value>) -> Result<Value, ToolError> {
        (self.work)(context.clone(), args).await
    }
}

/// A clock that only a test moves.
#[derive(Clone)]
pub(super) struct ManualClock(watch::Sender<Time>);

impl ManualClock {
    pub(super) fn advance(&self, ms: i64) {
        self.0.send_modify(|now| *now += chrono::TimeDelta::milliseconds(ms));
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Time {
        *self.0.borrow()
    }

    async fn sleep_until(&self, time: Time) {
        let mut now = self.0.subscribe();
        // The sender lives as long as the test.
        let _ = now.wait_for(|now| *now >= time).await;
    }
}

struct NoSecrets(BTreeMap<String, String>);

#[async_trait]
impl Secrets for NoSecrets {
    async fn reveal(&self, name: &str) -> Result<String, String> {
        self.0.get(name).cloned().ok_or_else(|| "it is not configured".to_owned())
    }
}

/// What a test can set before a run starts, and watch while it runs.
pub(super) struct Stage {
    pub(super) journal: Arc<Memory>,
    pub(super) clock: ManualClock,
    pub(super) nudge: watch::Sender<()>,
    tools: BTreeMap<String, Arc<dyn Tool>>,
    secrets: BTreeMap<String, String>,
    permits: usize,
    call_timeout: Option<Duration>,
    after_commit: Option<AfterCommit>,
    pub(super) drain: Drain,
    computer: Option<Arc<dyn Computer>>,
    interpreter: Option<Arc<dyn Interpreter>>,
    /// Tells the time instead of the one that stands still.
    other_clock: Option<Arc<dyn Clock>>,
    plan: Arc<Plan>,
    pub(super) park: Park,
}

/// A run that is being driven.
pub(super) struct Running {
    pub(super) notices: mpsc::UnboundedReceiver<Notice>,
    outcome: JoinHandle<Result<Outcome, StoreError>>,
}

impl Stage {
    /// A run of these steps, which tools `echo`, `fail` and `panic` may serve.
    pub(super) fn new(steps: &Value) -> Self {
        let now = Time::from_timestamp_millis(1_800_000_000_000).unwrap();
        let stage = Self {
            journal: Arc::new(Memory::new()),
            clock: ManualClock(watch::Sender::new(now)),
            nudge: watch::Sender::new(()),
            tools: BTreeMap::new(),
            secrets: BTreeMap::new(),
            permits: 16,
            call_timeout: None,
            after_commit: None,
            drain: Drain::default(),
            computer: None,
            interpreter: None,
            other_clock: None,
            plan: plan(steps),
            park: Park::Stay,
        };
        stage
            .tool("echo", |_, args| async move { Ok(Value::Object(args)) })
            .tool("fail", |_, _| async move { Err(ToolError::new(ErrorKind::Transient, "not now")) })
            .tool("panic", |_, _| async move { panic!("oh no") })
            .start()
    }

    pub(super) fn tool<F>(
        self,
        name: &str,
        work: impl Fn(CallContext, Map<String, Value>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Value, ToolError>> + Send + 'static,
    {
        self.tool_that(Effect::Write, name, work)
    }

    pub(super) fn tool_that<F>(
        mut self,
        effect: Effect,
        name: &str,
        work: impl Fn(CallContext, Map<String, Value>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Value, ToolError>> + Send + 'static,
    {
        let spec = ToolSpec {
            name: name.to_owned(),
            module: "test".to_owned(),
            description: String::new(),
            input: json!(true),
            written: None,
            output: json!(true),
            effect,
            idempotent: false,
            keyed: None,
            tier: aa_spec::tool::Tier::Basic,
            of_machine: false,
            cache_ms: None,
            reconcile: None,
            source: "test".to_owned(),
        };
        let work: Work = Arc::new(move |context, args| Box::pin(work(context, args)));
        self.tools.insert(name.to_owned(), Arc::new(Fake { spec: Arc::new(spec), work }));
        self
    }

    pub(super) fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn permits(self, permits: usize) -> Self {
        Self { permits, ..self }
    }

    pub(super) fn call_timeout(self, ms: u64) -> Self {
        Self { call_timeout: Some(Duration::from_millis(ms)), ..self }
    }

    pub(super) fn after_commit(self, hook: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self { after_commit: Some(Arc::new(hook)), ..self }
    }

    pub(super) fn computer(self, computer: impl Computer + 'static) -> Self {
        Self { computer: Some(Arc::new(computer)), ..self }
    }

    pub(super) fn interpreter(self, interpreter: impl Interpreter + 'static) -> Self {
        Self { interpreter: Some(Arc::new(interpreter)), ..self }
    }

    pub(super) fn on_clock(self, clock: impl Clock + 'static) -> Self {
        Self { other_clock: Some(Arc::new(clock)), ..self }
    }

    pub(super) fn park(self, park: Park) -> Self {
        Self { park, ..self }
    }

    fn start(self) -> Self {
        let body = json!({"event": "skill_started", "skill": "main", "plan": "", "nonce": "n", "inputs": {}});
        let body = serde_json::from_value(body).unwrap();
        let event = Event { run_id: RunId(1), seq: 0, at: self.clock.now(), source: Origin::Cli, body };
        self.journal.start(event);
        self
    }

    /// The run's first events, as they are written down together with it.
    pub(super) fn begun(&self) -> Vec<Event> {
        let first = self.journal.events().remove(0);
        begin(&self.plan, first, &self.clock).unwrap().1
    }

    /// Drives the run from where its journal ends.
    pub(super) fn drive(&self, entry: Entry) -> Running {
        self.drive_born(entry, None)
    }

    /// The same, for a run that may not be on disk yet.
    pub(super) fn drive_born(&self, entry: Entry, born: Option<oneshot::Receiver<()>>) -> Running {
        let (watchers, notices) = mpsc::unbounded_channel();
        let tools = self.tools.clone();
        let standing: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let run = Drive {
            turn: None,
            born,
            machine: Machine::replay(&self.plan, &self.journal.events()).unwrap(),
            entry,
            lease: Lease { run: RunId(1), epoch: 1 },
            origin: Origin::Cli,
            folder: "/work".into(),
            tenant: "main".into(),
            fence: Fence::default(),
            journal: self.journal.clone(),
            means: Means {
                tools: Arc::new(move |name| tools.get(name).cloned()),
                computer: self.computer.clone(),
                permits: Arc::new(Permits::new(self.permits, &BTreeMap::new())),
                secrets: Arc::new(NoSecrets(self.secrets.clone())),
                clock: self.other_clock.clone().unwrap_or(standing),
                healer: Some(Arc::new(Freely)),
                nudge: self.nudge.subscribe(),
                call_timeout: self.call_timeout,
                interpreter: self.interpreter.clone(),
                after_commit: self.after_commit.clone(),
                observers: crate::observe::Observers::default(),
                drain: self.drain.clone(),
                trace: None,
            },
            watchers,
            park: self.park,
            watch: None,
        };
        Running { notices, outcome: tokio::spawn(drive(run)) }
    }

    /// Kinds of events so far, with their steps.
    pub(super) fn story(&self) -> Vec<String> {
        self.journal.events().iter().map(|event| short(&event.body)).collect()
    }

    /// Waits until the journal holds an event of this kind and step.
    pub(super) async fn until(&self, wanted: &str) {
        eventually(|| self.story().iter().any(|line| line == wanted)).await;
    }
}

impl Running {
    pub(super) async fn outcome(self) -> Result<Outcome, StoreError> {
        let outcome = tokio::time::timeout(Duration::from_secs(20), self.outcome);
        outcome.await.expect("the run comes to an end").expect("the driver does not panic")
    }

    /// What the death of the process does.
    pub(super) fn abort(self) {
        self.outcome.abort();
    }

    /// Everything that watchers have been told so far.
    pub(super) fn told(&mut self) -> Vec<Notice> {
        std::iter::from_fn(|| self.notices.try_recv().ok()).collect()
    }
}

/// Waits until something is so, for a while.
pub(super) async fn eventually(mut is_so: impl FnMut() -> bool) {
    for _ in 0..4000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never came about");
}

/// Counts when it is dropped, that is when the call that holds it is gone.
pub(super) struct Dropped(pub(super) Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A place where calls leave notes.
#[derive(Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(super) fn put(&self, note: impl Into<String>) {
        self.0.lock().unwrap().push(note.into());
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

pub(super) fn step(path: &str) -> StepPath {
    StepPath(path.to_owned())
}

fn plan(steps: &Value) -> Arc<Plan> {
    let steps: Vec<Value> = steps
        .as_array()
        .unwrap()
        .iter()
        .map(|sparse| {
            let name = &sparse["name"];
            let mut full = json!({
                "name": name, "output": name, "needs": [], "effect": "write", "idempotent": false,
                "on_error": "fail", "line": 1,
            });
            full.as_object_mut().unwrap().extend(sparse.as_object().unwrap().clone());
            if let Some(tool) = full.as_object_mut().unwrap().remove("tool") {
                let args = full.as_object_mut().unwrap().remove("args").unwrap_or(json!({}));
                full["action"] = json!({"tool": {"tool": tool, "args": args}});
            }
            full
        })
        .collect();
    let skill = json!({
        "name": "main", "description": "", "inputs": [], "on_failure": "stop", "concurrency": 16,
        "outputs": [], "steps": steps,
    });
    Arc::new(serde_json::from_value(json!({"format": 1, "skill": skill})).unwrap())
}

pub(super) fn short(body: &Body) -> String {
    let json = serde_json::to_value(body).unwrap();
    let kind = json["event"].as_str().unwrap();
    json["step"].as_str().map_or_else(|| kind.to_owned(), |step| format!("{kind} {step}"))
}

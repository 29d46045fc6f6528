//! Calls as tasks: they hand back a value and touch nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aa_spec::tool::{Effect, ErrorKind, ToolSpec};
use chrono::TimeDelta;
use serde_json::{Map, Value, json};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::lines::LineSender;
use super::questions::{QuestionSender, Watcher};
use super::veil::Veil;
use super::{Drive, Means, Park};
use crate::compute::Computer;
use crate::event::{Origin, RunId, StepError, StepPath, Time};
use crate::fence::Fence;
use crate::machine::Call;
use crate::store::StoreError;
use crate::tool::{CallContext, Nobody, Person, Sent, Tool, ToolError};

/// How long a call that was asked to stop may take for it. Longer than any tool of ours
/// needs to end its processes.
const GRACE: Duration = Duration::from_secs(15);

/// How long after its deadline a call is stopped that does not keep it by itself. Tools
/// know best what was late, so theirs is the first word.
pub(super) const LEEWAY: TimeDelta = TimeDelta::milliseconds(200);

/// The calls that a run makes at the moment.
pub(super) struct Calls {
    shared: Arc<Shared>,
    tasks: JoinSet<Result<Value, StepError>>,
    step_of: HashMap<Id, StepPath>,
    running: BTreeMap<StepPath, Running>,
}

/// What every call and block of a run needs.
pub(super) struct Shared {
    means: Means,
    run: RunId,
    folder: PathBuf,
    tenant: Arc<str>,
    fence: Fence,
    origin: Origin,
    lines: LineSender,
    /// `None` when nobody is expected to watch the run.
    asker: Option<QuestionSender>,
    /// Whether somebody stays with the run who may answer.
    attended: bool,
    veil: Arc<Veil>,
}

struct Running {
    call: Arc<Call>,
    sent: Sent,
    cancel: CancellationToken,
    task: AbortHandle,
}

/// The end of a call.
pub(super) struct Ended {
    pub(super) step: StepPath,
    pub(super) call: Option<Arc<Call>>,
    pub(super) result: Result<Value, StepError>,
    /// Why the run cannot go on.
    pub(super) halted: Option<StoreError>,
}

impl Calls {
    pub(super) fn new(run: &Drive, lines: LineSender, asker: QuestionSender) -> Self {
        let shared = Shared {
            means: run.means.clone(),
            run: run.lease.run,
            folder: run.folder.clone(),
            tenant: Arc::clone(&run.tenant),
            fence: run.fence.clone(),
            origin: run.origin,
            lines,
            asker: (run.origin != Origin::Cron).then_some(asker),
            attended: run.park == Park::Stay,
            veil: Arc::new(Veil::naming(Arc::clone(&run.means.secrets), run.machine.secrets().to_vec())),
        };
        Self {
            shared: Arc::new(shared),
            tasks: JoinSet::new(),
            step_of: HashMap::new(),
            running: BTreeMap::new(),
        }
    }

    /// What blocks need as well.
    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Calls that have started and not been settled.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn is_running(&self, step: &StepPath) -> bool {
        self.running.contains_key(step)
    }

    /// Starts a call.
    pub(super) fn start(&mut self, call: Call) {
        let cancel = CancellationToken::new();
        let step = call.step.clone();
        let (call, sent) = (Arc::new(call), Sent::default());
        let stop = (cancel.clone(), sent.clone());
        let task = self.tasks.spawn(make_hidden(Arc::clone(&self.shared), Arc::clone(&call), stop));
        self.step_of.insert(task.id(), step.clone());
        self.running.insert(step, Running { call, sent, cancel, task });
    }

    /// Asks a call to stop.
    pub(super) fn stop(&self, step: &StepPath) {
        if let Some(running) = self.running.get(step) {
            running.cancel.cancel();
        }
    }

    /// Ends a call at once.
    pub(super) fn kill(&self, step: &StepPath) {
        if let Some(running) = self.running.get(step) {
            running.cancel.cancel();
            running.task.abort();
        }
    }

    /// Ends every call, and waits until they are gone.
    pub(super) async fn kill_all(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Every call that has ended, at least one; `None` when none is running. May be
    /// cancelled without losing any.
    pub(super) async fn next(&mut self) -> Option<Vec<Ended>> {
        let first = self.tasks.join_next_with_id().await?;
        let mut all = vec![self.ended(first)];
        while let Some(next) = self.tasks.try_join_next_with_id() {
            all.push(self.ended(next));
        }
        Some(all)
    }

    fn ended(&mut self, joined: Result<(Id, Result<Value, StepError>), JoinError>) -> Ended {
        let id = joined.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        // Every task is put down when it is started.
        let step = self.step_of.remove(&id).unwrap_or_else(|| StepPath(String::new()));
        let running = self.running.remove(&step);
        let result = joined.map_or_else(
            |error| {
                let mut error = broken(error, running.as_ref().map(|running| &running.sent));
                self.shared.veil.hide_error(&mut error);
                Err(error)
            },
            |(_, result)| result,
        );
        let halted = running.as_ref().and_then(|running| running.sent.halted());
        Ended { step, call: running.map(|running| running.call), result, halted }
    }
}

/// What a task amounts to that did not come to its end.
fn broken(error: JoinError, sent: Option<&Sent>) -> StepError {
    let error = if error.is_panic() {
        let panic = error.into_panic();
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        let details = said.map_or(Value::Null, |said| json!({ "panic": said }));
        ToolError::new(ErrorKind::Permanent, "the tool panicked").details(details)
    } else {
        ToolError::new(ErrorKind::Cancelled, "the call was killed")
    };
    let cut_off = sent.is_none_or(|sent| sent.may_have_acted_if(true));
    StepError::from(if cut_off { error.unsure() } else { error })
}

/// The error of a call that was made, which says whether that may have acted.
fn settled(tool: &ToolSpec, sent: &Sent, error: ToolError) -> StepError {
    let may_have_acted = tool.effect != Effect::Read && sent.may_have_acted(error.kind);
    StepError::from(if may_have_acted { error.unsure() } else { error })
}

/// One call, with nothing secret in what comes back.
async fn make_hidden(
    shared: Arc<Shared>,
    call: Arc<Call>,
    stop: (CancellationToken, Sent),
) -> Result<Value, StepError> {
    let mut result = make(&shared, &call, stop).await;
    match &mut result {
        Ok(value) => shared.veil.hide_value(value),
        Err(error) => {
            shared.veil.hide_error(error);
            if let Some(healer) = &shared.means.healer {
                healer.advise(&shared.tenant, &call.tool, error).await;
            }
        }
    }
    result
}

/// One call, from waiting for its turn to its result.
async fn make(
    shared: &Arc<Shared>,
    call: &Call,
    (cancel, sent): (CancellationToken, Sent),
) -> Result<Value, StepError> {
    let Some(tool) = (shared.means.tools)(&call.tool) else {
        return Err(StepError::new(ErrorKind::NotFound, format!("there is no tool `{}`", call.tool)));
    };
    let deadline = shared.deadline(call);
    let prepared = async {
        let came = Instant::now();
        let permit = shared.means.permits.take(&tool.spec().module).await;
        shared.means.observers.waited(came.elapsed());
        Ok::<_, StepError>((permit, shared.veil.open(call.args.clone()).await?))
    };
    let (_permit, (args, secrets)) = tokio::select! {
        prepared = prepared => prepared?,
        () = cancel.cancelled() => return Err(StepError::new(ErrorKind::Cancelled, "cancelled before the call")),
        () = shared.reached(deadline) => {
            return Err(StepError::new(ErrorKind::Timeout, "the time was over before the call could be made"));
        }
    };
    let context = CallContext { sent, ..shared.context(call, deadline, cancel, secrets) };
    context.sent.begin();
    limited(shared, tool, &context, (args, deadline)).await
}

/// A call that ends soon after it was stopped or its time is over.
async fn limited(
    shared: &Shared,
    tool: Arc<dyn Tool>,
    context: &CallContext,
    (args, deadline): (Map<String, Value>, Option<Time>),
) -> Result<Value, StepError> {
    let judged = |error| settled(tool.spec(), &context.sent, error);
    let mut call = tool.call(context, args);
    let late = tokio::select! {
        biased;
        result = &mut call => return result.map_err(judged),
        () = context.cancel.cancelled() => false,
        () = shared.reached(deadline.map(|time| time.checked_add_signed(LEEWAY).unwrap_or(time))) => true,
    };
    context.cancel.cancel();
    let kind = if late { ErrorKind::Timeout } else { ErrorKind::Cancelled };
    match timeout(GRACE, call).await {
        Ok(Err(error)) if late && error.kind == ErrorKind::Cancelled => {
            let late = ToolError::new(kind, "it did not end in time and was stopped");
            Err(judged(late.details(error.details)))
        }
        Ok(result) => result.map_err(judged),
        Err(_) => Err(judged(ToolError::new(kind, "the call did not stop in time and was abandoned"))),
    }
}

impl Shared {
    /// When a call must be over: by its own deadline, or by what the settings allow.
    fn deadline(&self, call: &Call) -> Option<Time> {
        call.deadline.or_else(|| {
            let longest = TimeDelta::from_std(self.means.call_timeout?).ok()?;
            self.means.clock.now().checked_add_signed(longest)
        })
    }

    /// Runs blocks, if this build can.
    pub(super) fn computer(&self) -> Option<Arc<dyn Computer>> {
        self.means.computer.clone()
    }

    pub(super) fn veil(&self) -> &Veil {
        &self.veil
    }

    /// Shows a line that a block has printed.
    pub(super) fn show(&self, step: &StepPath, line: &str) {
        self.lines.send(step, self.veil.hide(line));
    }

    /// A time of the run's clock as one of the process.
    pub(super) fn instant(&self, deadline: Option<Time>) -> Option<Instant> {
        let left = (deadline? - self.means.clock.now()).to_std().unwrap_or_default();
        Instant::now().checked_add(left)
    }

    pub(super) async fn reached(&self, deadline: Option<Time>) {
        match deadline {
            Some(time) => self.means.clock.sleep_until(time).await,
            None => std::future::pending().await,
        }
    }

    /// Whoever the call at a step may ask.
    fn person(&self, call: &Call) -> Arc<dyn Person> {
        match &self.asker {
            None => Arc::new(Nobody),
            Some(sender) => Arc::new(Watcher {
                step: call.step.clone(),
                sender: sender.clone(),
                veil: Arc::clone(&self.veil),
                client: self.origin == Origin::Mcp,
                // The call cannot be put down and taken up again, so nobody waits for ever for an answer from elsewhere.
                patient: self.attended || call.deadline.is_some(),
                lines: self.lines.clone(),
                turn: tokio::sync::Mutex::default(),
            }),
        }
    }

    fn context(
        self: &Arc<Self>,
        call: &Call,
        deadline: Option<Time>,
        cancel: CancellationToken,
        secrets: BTreeSet<String>,
    ) -> CallContext {
        let (shared, step) = (Arc::clone(self), call.step.clone());
        let hiding = Arc::clone(self);
        CallContext {
            run: Some(self.run),
            step: call.step.clone(),
            idempotency_key: call.idempotency_key.clone(),
            trace: self.means.trace.as_ref().map(|(trace, kept)| trace.told(&call.step, call.attempt, *kept)),
            sent: Sent::default(),
            deadline: self.instant(deadline),
            cancel,
            person: self.person(call),
            progress: Arc::new(move |line| shared.lines.send(&step, shared.veil.hide(line))),
            conceal: Arc::new(move |name, value| hiding.veil.conceal(name, value)),
            detect: self.veil.detector(secrets),
            folder: self.folder.clone(),
            tenant: Arc::clone(&self.tenant),
            fence: self.fence.clone(),
        }
    }
}

//! The loop that follows a run for a call: until the end, a question that goes out with the answer,
//! the client's patience, or a cancellation, whatever comes first.

use std::collections::BTreeSet;
use std::time::Duration;

use aa_run::engine::{Engine, Notice, Outcome, Presence, RunHandle, StartError};
use aa_run::event::{Body, Event, RunId, StepPath};
use aa_run::policy;
use aa_run::standing::{Asked, Standing};
use aa_run::store::StoreError;
use aa_run::tool::{DECLINE, Level};
use aa_spec::skill::AsTask;
use rmcp::RoleServer;
use rmcp::model::{
    CallToolResponse, CallToolResult, ClientCapabilities, ClientResult, ContentBlock, CreateTaskResult,
    ErrorData, InputResponses,
};
use rmcp::service::{PeerRequestOptions, RequestHandle, ServiceError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::log::{self, Said};
use super::progress::Teller;
use super::question::{self, Reply};
use super::sealed::{self, Given};
use super::tries::Tries;
use super::{Manner, Shape, answer, due};
use crate::mcp::server::{Answer, Call, failed, internal};
use crate::mcp::task;

/// One call that waits for its run.
pub(super) struct Attendance<'a> {
    call: &'a Call<'a>,
    run: RunId,
    /// Other calls may wait for the same run.
    presence: Presence,
    /// Whether this call has started it, also if it is the next request of that call.
    started: bool,
    notices: mpsc::UnboundedReceiver<Notice>,
    outcome: JoinHandle<Result<Outcome, StoreError>>,
    standing: Standing,
    shape: Shape,
    means: Means,
    teller: Option<Teller>,
    patience: Patience,
    /// The form that the client shows now.
    form: Option<Form>,
    /// Questions that nobody before this client wanted to answer.
    left: BTreeSet<String>,
    /// What did not fit its question.
    tries: Tries,
    /// What the client is to be told along with the answer.
    notes: Vec<String>,
    /// Whether the call may become a task.
    tasks: bool,
    /// Whether it becomes one at once.
    at_once: bool,
    /// What the client can do.
    can: Option<ClientCapabilities>,
    /// Lines for the client's log.
    said: Vec<Said>,
    /// Answers that came before their questions.
    given: InputResponses,
    /// When the client could have been asked first.
    askable: Option<Instant>,
}

/// How long questions are gathered while other steps move, so that a client is asked once.
const GATHER: Duration = Duration::from_millis(250);

/// How this client can be asked, and how long calls may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// It answers while the call waits.
    Form,
    /// It is answered with the question, and calls again with what came of it.
    Again,
    /// Not at all.
    None,
}

/// When the call is answered although the run goes on.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// However it goes.
    limit: Option<Instant>,
    /// While a question is open that this client cannot be asked.
    stuck: Instant,
}

/// A form on its way.
struct Form {
    asked: Asked,
    handle: RequestHandle<RoleServer>,
}

type FormResult = Result<Result<ClientResult, ServiceError>, tokio::sync::oneshot::error::RecvError>;

/// Why the loop goes on.
enum Wake {
    Cancelled,
    Notice(Option<Notice>),
    Over(Result<Result<Outcome, StoreError>, tokio::task::JoinError>),
    Form(FormResult),
    Impatient,
    Gathered,
    Tell,
}

impl<'a> Attendance<'a> {
    pub(super) fn new(call: &'a Call<'a>, handle: RunHandle, manner: Manner) -> Self {
        let Manner { shape, wait, to_the_end } = manner;
        let RunHandle { id: run, notices, outcome, joined, .. } = handle;
        let engine = &call.visit.engine;
        let can = call.context.client_capabilities();
        let means = Means::of(call, can.as_ref());
        let calling = &engine.settings().calling;
        let token = call.context.meta.get_progress_token();
        let knows_tasks = !to_the_end && super::knows_tasks(call);
        let plan = if knows_tasks || token.is_some() { engine.run_plan(run).ok() } else { None };
        let as_task = plan.as_ref().map_or(AsTask::Auto, |plan| plan.skill.as_task);
        let tasks = knows_tasks && as_task != AsTask::Never;
        let usual = if token.is_some() { None } else { Some(calling.wait) };
        // A client with tasks is not kept longer than it takes to make one.
        let limit = if tasks { Some(calling.task_after) } else { wait.or(usual) };
        let now = Instant::now();
        let patience =
            Patience { limit: limit.map(|limit| now + limit), stuck: now + wait.unwrap_or(calling.wait) };
        let teller = token.map(|token| {
            let total = plan.map(|plan| plan.skill.steps.len());
            Teller::new(call.context.peer.clone(), token, total)
        });
        Self {
            standing: Standing::default(),
            form: None,
            left: BTreeSet::new(),
            tries: Tries::default(),
            notes: Vec::new(),
            can,
            tasks,
            at_once: matches!(as_task, AsTask::Always | AsTask::Required),
            said: Vec::new(),
            given: InputResponses::new(),
            askable: None,
            presence: engine.be_present(run, !joined),
            started: !joined,
            call,
            run,
            notices,
            outcome,
            shape,
            means,
            teller,
            patience,
        }
    }

    /// Has answers to questions that are yet to come.
    pub(super) fn knowing(mut self, given: InputResponses) -> Self {
        self.given = given;
        self
    }

    /// Is the next request of a call that has started the run.
    pub(super) fn of_starter(mut self, started: bool) -> Self {
        if started {
            self.presence = self.call.visit.engine.be_present(self.run, true);
            self.started = true;
        }
        self
    }

    /// Knows what became of answers that came along.
    pub(super) fn after(mut self, Given { left, notes, tries }: Given) -> Self {
        (self.left, self.notes, self.tries) = (left, notes, tries);
        self
    }

    /// Waits until the call can be answered.
    pub(super) async fn attend(mut self) -> Answer {
        if self.tasks && self.at_once {
            return Ok(self.unfinished());
        }
        let mut told = false;
        loop {
            if let Some(answer) = self.look().await? {
                return Ok(answer);
            }
            match self.wake(told).await {
                // It is the server that ends: the run is left to be resumed.
                Wake::Cancelled if self.call.server.seat.closing.is_cancelled() => {
                    return Ok(self.unfinished());
                }
                Wake::Cancelled => return self.give_up().await,
                Wake::Notice(Some(notice)) => {
                    self.see(notice);
                    log::tell(self.call, std::mem::take(&mut self.said)).await;
                }
                // What remains is the outcome.
                Wake::Notice(None) => told = true,
                Wake::Over(outcome) => {
                    self.take_back_form("the run is over").await;
                    let outcome =
                        outcome.map_err(|error| internal(&error))?.map_err(|error| internal(&error))?;
                    return Ok(self.finished(answer::given(self.call, self.run, &outcome, self.shape)));
                }
                Wake::Form(result) => self.take_in(result).await,
                Wake::Impatient => {
                    self.leave_form();
                    return Ok(self.unfinished());
                }
                // Then it is asked.
                Wake::Gathered => {}
                Wake::Tell => {
                    if let Some(teller) = &mut self.teller {
                        teller.tell(&self.standing).await;
                    }
                }
            }
        }
    }

    async fn wake(&mut self, told: bool) -> Wake {
        let limit = self.limit();
        let gathered = self.askable.map(|since| since + GATHER).filter(|at| *at > Instant::now());
        tokio::select! {
            biased;
            () = self.call.context.ct.cancelled() => Wake::Cancelled,
            notice = self.notices.recv(), if !told => Wake::Notice(notice),
            outcome = &mut self.outcome => Wake::Over(outcome),
            result = filled(self.form.as_mut()) => Wake::Form(result),
            () = until(limit) => Wake::Impatient,
            () = until(gathered) => Wake::Gathered,
            () = due(self.teller.as_ref()) => Wake::Tell,
        }
    }

    fn see(&mut self, notice: Notice) {
        match notice {
            Notice::Event(event) => {
                // A run that was taken up again begins with its next event.
                if event.seq > self.standing.next {
                    self.catch_up();
                }
                self.take(&event);
            }
            Notice::Line { step, line, level } => self.hear(&step, line, level),
        }
        // Whatever else has happened at the same time is looked at first.
        while let Ok(notice) = self.notices.try_recv() {
            match notice {
                Notice::Event(event) => self.take(&event),
                Notice::Line { step, line, level } => self.hear(&step, line, level),
            }
        }
        if let Some(teller) = &mut self.teller {
            teller.see(&self.standing);
        }
    }

    fn hear(&mut self, step: &StepPath, line: String, level: Option<Level>) {
        self.standing.say(step, &line);
        if let Some(level) = level {
            self.said.push(Said { level, step: step.clone(), line });
        }
    }

    fn catch_up(&mut self) {
        for event in self.call.visit.engine.events(self.run, self.standing.next).unwrap_or_default() {
            self.take(&event);
        }
    }

    /// What a single call is warned of is part of its answer, as it is without a run.
    fn take(&mut self, event: &Event) {
        if let Body::StepProgress { message, mistake: Some(_), .. } = &event.body
            && self.shape != Shape::Outputs
        {
            self.notes.push(format!("warning: {message}"));
        }
        self.standing.apply(event);
    }

    /// Whether what is known now is reason enough to answer, or to show a form.
    async fn look(&mut self) -> Result<Option<CallToolResponse>, ErrorData> {
        if let Some(form) = &self.form
            && self.standing.questions.get(&form.asked.step).is_none_or(|asked| asked.key != form.asked.key)
        {
            let how = too_late(&self.call.visit.engine, self.run, &form.asked.step);
            self.take_back_form(&how).await;
        }
        self.leave_to_others();
        self.take_given().await;
        self.turn_down().await?;
        if self.standing.needs_resolving() {
            // No client can be asked that, and nothing happens until somebody has looked.
            return Ok(Some(self.unfinished()));
        }
        if self.standing.questions.is_empty() {
            return Ok(None);
        }
        let open: Vec<Asked> = self.open().map(|asked| self.tries.put(asked)).collect();
        if open.is_empty()
            && matches!(self.shape, Shape::Read { free: true, .. })
            && self.means != Means::None
        {
            return Ok(Some(self.unanswered().await));
        }
        match self.means {
            // What is asked before a call is a task is the answer to the call; later it is the task's.
            _ if self.tasks && (self.means != Means::Again || open.is_empty()) => Ok(Some(self.unfinished())),
            // The model may answer itself, so it need not wait.
            Means::None => Ok(self.may_answer().then(|| self.unfinished())),
            // Another step may still ask what this client can answer.
            Means::Form | Means::Again if open.is_empty() => Ok(self.may_ask().then(|| self.unfinished())),
            Means::Form => {
                if let (None, Some(asked)) = (&self.form, open.into_iter().next()) {
                    self.show(asked).await;
                }
                Ok(None)
            }
            Means::Again => {
                let asks = self.may_ask();
                asks.then(|| sealed::ask(self.call, (self.run, self.started), &open, &self.tries)).transpose()
            }
        }
    }

    /// The questions that this client can be asked.
    fn open(&self) -> impl Iterator<Item = &Asked> {
        let can = self.can.as_ref();
        let questions = self.standing.questions.values();
        questions.filter(move |asked| !self.left.contains(&asked.key) && question::can_be_asked(can, asked))
    }

    /// Whether there are no more questions to be waited for.
    fn may_ask(&mut self) -> bool {
        let asked = &self.standing.questions;
        let still = self.standing.busy.keys().all(|step| asked.contains_key(step));
        let since = *self.askable.get_or_insert_with(Instant::now);
        still || since.elapsed() >= GATHER
    }
    /// Gives the answers that came before their questions. Nobody consents to what they have not seen: no
    /// option is taken so, only what the client itself says, and what is filled in where there is somebody to fill it in.
    async fn take_given(&mut self) {
        let can = self.can.as_ref();
        let takes = |asked: &&Asked| {
            asked.want.is_some() || (asked.form.is_some() && question::can_be_asked(can, asked))
        };
        let questions: Vec<Asked> = self.standing.questions.values().filter(takes).cloned().collect();
        for asked in questions {
            let Some(response) = self.given.remove(&asked.key) else { continue };
            if let Reply::Answer(answer) = question::carried(&asked, &response) {
                self.answer(&asked, &answer).await;
                // What does not fit is asked for.
                self.left.remove(&asked.key);
            }
        }
    }

    /// Leaves to others what the caller may not consent to, and says why: whatever came back would not count.
    fn leave_to_others(&mut self) {
        let (engine, run) = (&self.call.visit.engine, self.run);
        let new = self.standing.questions.values().filter(|asked| !self.left.contains(&asked.key));
        let closed = new.filter_map(|asked| Some((asked.key.clone(), engine.may_consent(run, asked).err()?)));
        for (key, why) in closed.collect::<Vec<_>>() {
            self.notes.push(why.to_string());
            self.left.insert(key);
        }
    }

    /// Declines what only this client could answer, and cannot.
    async fn turn_down(&mut self) -> Result<(), ErrorData> {
        let can = self.can.as_ref();
        let hopeless = |asked: &&Asked| question::is_hopeless(can, asked);
        let hopeless: Vec<Asked> = self.standing.questions.values().filter(hopeless).cloned().collect();
        let needed = hopeless.first().map(question::needed);
        for asked in hopeless {
            self.answer(&asked, DECLINE).await;
        }
        match needed {
            Some(needed) if self.call.visit.sessionless && self.open().next().is_none() => {
                Err(ErrorData::missing_required_client_capability(needed))
            }
            _ => Ok(()),
        }
    }

    async fn show(&mut self, asked: Asked) {
        let request = question::sent(&asked);
        let sent = self.call.context.peer.send_cancellable_request(request, PeerRequestOptions::no_options());
        match sent.await {
            Ok(handle) => self.form = Some(Form { asked, handle }),
            Err(error) => {
                tracing::warn!(run = %self.run, "cannot ask the client: {error}");
                self.left.insert(asked.key);
            }
        }
    }

    /// What somebody has filled in, or that they did not want to.
    async fn take_in(&mut self, result: FormResult) {
        let Some(Form { asked, .. }) = self.form.take() else { return };
        let reply = match result {
            Ok(Ok(result)) => question::reply(&asked, &result),
            // A form may be filled in elsewhere; what only the client has will not come from anywhere.
            _ if asked.want.is_some() => Reply::Answer(DECLINE.to_owned()),
            _ => Reply::Nothing,
        };
        match reply {
            Reply::Answer(answer) => self.answer(&asked, &answer).await,
            Reply::Nothing | Reply::Nonsense => {
                self.left.insert(asked.key);
            }
        }
    }

    /// Answers a question of the run.
    async fn answer(&mut self, asked: &Asked, answer: &str) {
        let engine = &self.call.visit.engine;
        let by = question::by(&engine.caller().principal, "form");
        match engine.answer_question(self.run, asked, answer, &by).await {
            // Its event is on its way.
            Ok(()) => {
                self.standing.questions.remove(&asked.step);
            }
            Err(error) => {
                let note = refused(engine, self.run, &asked.step, &error);
                self.catch_up();
                let is_open = self.standing.questions.values().any(|open| open.key == asked.key);
                if !is_open || !self.tries.wrong(&asked.key, error.to_string()) {
                    self.notes.push(note);
                    self.left.insert(asked.key.clone());
                }
            }
        }
    }

    async fn take_back_form(&mut self, why: &str) {
        if let Some(form) = self.form.take() {
            let _ = form.handle.cancel(Some(why.to_owned())).await;
        }
    }

    /// The form stays before the person when the call has to be answered: what they fill in still counts, until
    /// the question is closed.
    fn leave_form(&mut self) {
        let Some(Form { asked, mut handle }) = self.form.take() else { return };
        let (engine, run) = (self.call.visit.engine.clone(), self.run);
        tokio::spawn(async move {
            let filled = tokio::select! {
                filled = &mut handle.rx => filled,
                () = closed(&engine, run, &asked) => {
                    let _ = handle.cancel(Some(too_late(&engine, run, &asked.step))).await;
                    return;
                }
            };
            let Ok(Ok(result)) = filled else { return };
            let Reply::Answer(answer) = question::reply(&asked, &result) else { return };
            let by = question::by(&engine.caller().principal, "form");
            if let Err(error) = engine.answer_question(run, &asked, &answer, &by).await {
                tracing::warn!(%run, "an answer was not taken: {error}");
            }
        });
    }

    /// The client does not want an answer any more, so nobody wants the run.
    async fn give_up(mut self) -> Answer {
        if self.call.server.seat.closing.is_cancelled() {
            // The server ends, or the connection: the run goes on, or is taken up by the next server.
            return Err(internal(&"the server is stopping"));
        }
        self.take_back_form("the call was cancelled").await;
        if !self.presence.leave() {
            // Another call waits for the same run, by the same key, or somebody else has started it.
            return Err(internal(&"the call was cancelled"));
        }
        let engine = &self.call.visit.engine;
        let by = question::by(&engine.caller().principal, "call");
        match engine.cancel(self.run, &by, "the client has cancelled its call").await {
            Ok(()) | Err(StartError::Over { .. }) => {}
            Err(error) => tracing::warn!(run = %self.run, "cannot cancel it: {error}"),
        }
        // It is thrown away.
        Err(internal(&"the call was cancelled"))
    }

    /// Nobody wants to answer what a tool asks that only reads.
    async fn unanswered(&self) -> CallToolResponse {
        let asked = self.standing.questions.values().next().map(|asked| asked.message.clone());
        let engine = &self.call.visit.engine;
        let by = question::by(&engine.caller().principal, "form");
        if self.started
            && let Err(error) = engine.cancel(self.run, &by, "nobody has answered").await
        {
            tracing::warn!(run = %self.run, "cannot cancel it: {error}");
        }
        failed(format!("nobody has answered: {}", asked.unwrap_or_default()))
    }

    fn limit(&self) -> Option<Instant> {
        let stuck = !self.tasks && self.means == Means::None && !self.standing.questions.is_empty();
        let limit = self.patience.limit;
        if stuck {
            Some(limit.map_or(self.patience.stuck, |limit| limit.min(self.patience.stuck)))
        } else {
            limit
        }
    }

    fn may_answer(&self) -> bool {
        let engine = &self.call.visit.engine;
        policy::may_answer(engine.caller(), &engine.settings().calling)
    }

    /// The answer while the run goes on.
    fn unfinished(&self) -> CallToolResponse {
        if self.tasks
            && let Ok(summary) = self.call.visit.engine.run(self.run)
        {
            let engine = &self.call.visit.engine;
            task::turn_down(engine, self.run, self.can.clone());
            let task = task::seed(engine, &summary, &self.standing, self.can.as_ref());
            return CreateTaskResult::new(task).into();
        }
        self.finished(answer::unfinished(self.run, &self.standing, (self.may_answer(), self.shape)))
    }

    fn finished(&self, mut result: CallToolResult) -> CallToolResponse {
        result.content.extend(self.notes.iter().map(ContentBlock::text));
        result.into()
    }
}

impl Means {
    fn of(call: &Call<'_>, can: Option<&ClientCapabilities>) -> Self {
        match (question::can_be_asked_something(can), call.visit.sessionless) {
            (false, _) => Self::None,
            (true, false) => Self::Form,
            (true, true) => Self::Again,
        }
    }
}

/// What becomes of an answer that was not taken.
pub(super) fn refused(engine: &Engine, run: RunId, step: &StepPath, error: &StartError) -> String {
    answered(engine, run, step).map_or_else(|| error.to_string(), |how| late(step, &how))
}

/// What is said to an answer whose question is not open any more.
pub(super) fn too_late(engine: &Engine, run: RunId, step: &StepPath) -> String {
    late(step, &answered(engine, run, step).unwrap_or_else(|| "the question is not open any more".to_owned()))
}

fn late(step: &StepPath, how: &str) -> String {
    format!("the answer to `{step}` came too late: {how}")
}

/// How the last question of a step was answered, unless it is open.
fn answered(engine: &Engine, run: RunId, step: &StepPath) -> Option<String> {
    let events = engine.events(run, 0).unwrap_or_default();
    let last = events.iter().rev().find_map(|event| match &event.body {
        Body::ConfirmAnswered { step: of, answer, by } if of == step => {
            Some(Some(format!("it was answered with `{answer}` by {by}")))
        }
        Body::ConfirmRequested { step: of, .. } if of == step => Some(None),
        _ => None,
    });
    last.flatten()
}

/// Returns when a question is not open any more.
async fn closed(engine: &Engine, run: RunId, asked: &Asked) {
    let Ok(mut events) = engine.watch(run, 0) else { return };
    let (mut standing, mut was_open) = (Standing::default(), false);
    while let Some(event) = events.recv().await {
        standing.apply(&event);
        let is_open = standing.questions.get(&asked.step).is_some_and(|open| open.key == asked.key);
        if standing.over || (was_open && !is_open) {
            return;
        }
        was_open |= is_open;
    }
}

async fn filled(form: Option<&mut Form>) -> FormResult {
    match form {
        Some(form) => (&mut form.handle.rx).await,
        None => std::future::pending().await,
    }
}

async fn until(limit: Option<Instant>) {
    match limit {
        Some(limit) => sleep_until(limit).await,
        None => std::future::pending().await,
    }
}

//! One call of a foreign tool, from its request to its value.

use std::sync::Arc;
use std::time::Duration;

use aa_spec::tool::ErrorKind;
use rmcp::RoleClient;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, CancelTaskParams, CancelTaskRequest,
    ClientRequest, CreateTaskResult, GetTaskParams, GetTaskRequest, InputRequest, InputRequests,
    InputResponses, RequestMetaObject, ServerResult, TaskPayload, UpdateTaskParams, UpdateTaskRequest,
};
use rmcp::service::{PeerRequestOptions, RequestHandle, ServiceError};
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::client::{Note, Underway};
use super::definition::harmless;
use super::elicit;
use super::link::Live;
use super::outcome;
use crate::tool::native::invalid;
use crate::tool::sent::Sending;
use crate::tool::{CallContext, ToolError};

/// How often a server may ask for more before it gives a result.
const ROUNDS: usize = 10;
/// Between two looks at a task: what the server wishes, within these bounds.
const POLL: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How long telling a server to stop may take; nobody waits longer for it.
const LAST_WORD: Duration = Duration::from_millis(500);

/// How long a person may take to answer where the call has no deadline of its own.
const PATIENCE: Duration = Duration::from_hours(1);

/// A call under way.
pub(super) struct Call<'a> {
    pub(super) live: &'a Live,
    pub(super) context: &'a CallContext,
    /// Time that it may still take, without what people need to answer.
    pub(super) left: Duration,
    /// The request for the result that went out last.
    pub(super) sending: Sending,
}

impl Call<'_> {
    /// Calls, answers what is asked meanwhile, and waits for the result.
    pub(super) async fn make(
        &mut self,
        tool: &str,
        args: Map<String, Value>,
    ) -> Result<CallToolResult, ToolError> {
        let mut params = CallToolRequestParams::new(tool.to_owned()).with_arguments(args);
        for _ in 0..ROUNDS {
            let request = ClientRequest::CallToolRequest(CallToolRequest::new(params.clone()));
            self.sending = self.context.sent.out();
            match self.request(request).await? {
                ServerResult::CallToolResult(result) => return Ok(result),
                ServerResult::CreateTaskResult(task) => return self.attend(&task).await,
                ServerResult::InputRequiredResult(more) => {
                    // It will do it when it has heard more: it is called again then.
                    self.sending.refused();
                    params.input_responses =
                        Some(self.respond(more.input_requests.unwrap_or_default()).await?);
                    params.request_state = more.request_state;
                }
                _ => return Err(self.odd()),
            }
        }
        let message = format!("the server of `{}` asks for more again and again", self.live.module());
        Err(ToolError::new(ErrorKind::Permanent, message))
    }

    /// Sends a request and waits for its answer; tells the server when nobody waits any more.
    async fn request(&mut self, request: ClientRequest) -> Result<ServerResult, ToolError> {
        // Of what was taken on, a server that does not answer a question has refused nothing.
        let refusable = matches!(request, ClientRequest::CallToolRequest(_));
        let peer = self.live.peer();
        let options = match &self.context.trace {
            Some(trace) => PeerRequestOptions::no_options().with_meta(traced(trace)),
            None => PeerRequestOptions::no_options(),
        };
        let sent = peer.send_request_with_option(request, options).await;
        let mut pending = match sent {
            Ok(handle) => Pending { handle: Some(handle), reason: "nobody waits for it any more".to_owned() },
            Err(error) => return Err(self.unanswered(&error, refusable).await),
        };
        let Some(handle) = &mut pending.handle else { return Err(self.odd()) };
        let (notes, mut noted): (UnboundedSender<Note>, _) = unbounded_channel();
        let call = Underway {
            token: handle.progress_token.clone(),
            progress: self.context.progress.clone(),
            person: self.context.person.clone(),
            notes: notes.downgrade(),
            asked: Arc::default(),
            open: Arc::default(),
            tenant: Arc::clone(&self.context.tenant),
        };
        let live = self.live;
        let registered = live.shared().register(call);
        let result = self.await_answer(handle, &mut noted).await;
        drop((registered, notes));
        match result {
            Ok(answer) => {
                live.shared().is_heard();
                pending.handle = None;
                match answer {
                    Ok(answer) => Ok(answer),
                    Err(error) => Err(self.unanswered(&error, refusable).await),
                }
            }
            Err(stopped) => {
                if stopped.kind == ErrorKind::Timeout {
                    live.was_silent();
                }
                pending.reason.clone_from(&stopped.message);
                Err(stopped)
            }
        }
    }

    /// Why there is no answer.
    async fn unanswered(&self, error: &ServiceError, refusable: bool) -> ToolError {
        if refusable && outcome::is_refusal(error) {
            self.sending.refused();
        }
        self.live.explain(error).await
    }

    /// The answer of the server, unless the call must stop before.
    async fn await_answer(
        &mut self,
        handle: &mut RequestHandle<RoleClient>,
        notes: &mut UnboundedReceiver<Note>,
    ) -> Result<Result<ServerResult, ServiceError>, ToolError> {
        let mut asking = None;
        loop {
            let began = Instant::now();
            let module = self.live.module();
            tokio::select! {
                biased;
                answer = &mut handle.rx => return Ok(answer.unwrap_or(Err(ServiceError::TransportClosed))),
                () = self.context.cancel.cancelled() => {
                    return Err(ToolError::new(ErrorKind::Cancelled, format!("the call of `{module}` was stopped")));
                }
                () = until(self.context.deadline) => return Err(self.late(asking.is_some())),
                () = until(asking) => return Err(self.late(true)),
                () = sleep(self.left), if asking.is_none() => return Err(self.late(false)),
                Some(note) = notes.recv() => {
                    if asking.is_none() {
                        self.left = self.left.saturating_sub(began.elapsed());
                    }
                    match note {
                        Note::Asking => asking = Some(Instant::now() + PATIENCE),
                        Note::Answered => asking = None,
                        Note::Refused(error) => return Err(error),
                    }
                }
            }
        }
    }

    /// The answers to what a server wants to know before it goes on.
    async fn respond(&self, requests: InputRequests) -> Result<InputResponses, ToolError> {
        let module = self.live.module();
        let mut responses = InputResponses::new();
        for (key, request) in requests {
            let InputRequest::Elicitation(request) = request else {
                return Err(invalid(format!(
                    "the server of `{module}` wants something that is not given to servers"
                )));
            };
            let answer = tokio::select! {
                biased;
                answer = elicit::answer(module, &request.params, &*self.context.person) => answer?,
                () = self.context.cancel.cancelled() => {
                    return Err(ToolError::new(ErrorKind::Cancelled, format!("the call of `{module}` was stopped")));
                }
                () = until(self.context.deadline) => return Err(self.late(true)),
                () = sleep(PATIENCE) => return Err(self.late(true)),
            };
            responses.insert(key, serde_json::to_value(answer).unwrap_or_default());
        }
        Ok(responses)
    }

    /// Waits for a task's end.
    async fn attend(&mut self, created: &CreateTaskResult) -> Result<CallToolResult, ToolError> {
        let id = created.task.task_id.clone();
        let result = self.follow(&id, created.task.poll_interval_ms).await;
        if result.as_ref().is_err_and(|error| matches!(error.kind, ErrorKind::Cancelled | ErrorKind::Timeout))
        {
            let peer = self.live.peer().clone();
            let request = CancelTaskRequest::new(CancelTaskParams::new(id));
            tokio::spawn(async move {
                let cancel = peer.send_request(ClientRequest::CancelTaskRequest(request));
                let _late = timeout(LAST_WORD, cancel).await;
            });
        }
        result
    }

    async fn follow(&mut self, id: &str, interval: Option<u64>) -> Result<CallToolResult, ToolError> {
        let mut interval = interval;
        let mut said = String::new();
        loop {
            self.pause(interval).await?;
            let request = GetTaskRequest::new(GetTaskParams::new(id.to_owned()));
            let ServerResult::GetTaskResult(state) =
                self.request(ClientRequest::GetTaskRequest(request)).await?
            else {
                return Err(self.odd());
            };
            let task = state.task;
            interval = task.task.poll_interval_ms;
            if let Some(message) = task.task.status_message.filter(|message| *message != said) {
                (self.context.progress)(&harmless(&message.replace('\n', " "), 500));
                said = message;
            }
            match task.payload {
                TaskPayload::Completed { result } => {
                    return serde_json::from_value(Value::Object(result)).map_err(|_| self.odd());
                }
                TaskPayload::Failed { error } => {
                    let module = self.live.module();
                    let error = serde_json::from_value(Value::Object(error));
                    return Err(error.map_or_else(|_| self.odd(), |error| outcome::refused(module, &error)));
                }
                TaskPayload::Cancelled => {
                    let message = format!("the server of `{}` has cancelled the task", self.live.module());
                    return Err(ToolError::new(ErrorKind::Permanent, message));
                }
                TaskPayload::InputRequired { input_requests } => {
                    let responses = self.respond(input_requests).await?;
                    let params = UpdateTaskParams::new(id.to_owned(), responses);
                    self.request(ClientRequest::UpdateTaskRequest(UpdateTaskRequest::new(params))).await?;
                }
                _ => {}
            }
        }
    }

    /// Waits until a task is worth a look.
    async fn pause(&mut self, interval: Option<u64>) -> Result<(), ToolError> {
        let wish = interval.map_or(Duration::from_secs(1), Duration::from_millis);
        let pause = wish.clamp(POLL.0, POLL.1);
        let module = self.live.module();
        if pause >= self.left {
            return Err(self.late(false));
        }
        tokio::select! {
            biased;
            () = self.context.cancel.cancelled() => {
                Err(ToolError::new(ErrorKind::Cancelled, format!("the call of `{module}` was stopped")))
            }
            () = until(self.context.deadline) => Err(self.late(false)),
            () = sleep(pause) => {
                self.left -= pause;
                Ok(())
            }
        }
    }

    fn late(&self, asking: bool) -> ToolError {
        let module = self.live.module();
        let message = if asking {
            format!("nobody answered in time what `{module}` asks")
        } else {
            format!("the server of `{module}` did not answer in time{}", self.live.suspicion())
        };
        ToolError::new(ErrorKind::Timeout, message)
    }

    fn odd(&self) -> ToolError {
        let message =
            format!("the server of `{}` answers something else than it was asked", self.live.module());
        ToolError::new(ErrorKind::Permanent, message)
    }
}

/// A request without an answer. Dropped, it tells the server that nobody waits any more.
struct Pending {
    handle: Option<RequestHandle<RoleClient>>,
    reason: String,
}

impl Drop for Pending {
    fn drop(&mut self) {
        let reason = std::mem::take(&mut self.reason);
        if let (Some(handle), Ok(runtime)) = (self.handle.take(), Handle::try_current()) {
            runtime.spawn(async move {
                // A server that does not read is not waited for.
                let _late = timeout(LAST_WORD, handle.cancel(Some(reason))).await;
            });
        }
    }
}

/// Returns at that time; never, without one.
pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// What a request says beside its parameters to stand in the trace of the call.
fn traced(trace: &str) -> RequestMetaObject {
    let mut meta = RequestMetaObject::new();
    meta.0.insert("traceparent".to_owned(), trace.into());
    meta
}

//! Our side of a connection: what a server may say and ask while calls are under way.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aa_spec::tool::ErrorKind;
use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationCapability, ErrorData, FormElicitationCapability, Implementation, JsonObject,
    ProgressNotificationParam, ProgressToken, ProtocolVersion, TASKS_EXTENSION_ID, UrlElicitationCapability,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ClientHandler, RoleClient};
use tokio::sync::mpsc::{UnboundedSender, WeakUnboundedSender};

use super::definition::harmless;
use super::elicit;
use crate::tool::{Person, Progress, ToolError};

/// Characters of a line of progress.
const LINE: usize = 500;

/// After how many requests without an answer a server is started anew.
const SILENT: u32 = 3;
/// Most questions that a server may ask during a call.
const QUESTIONS: u32 = 10;

/// What a connection and its calls share.
pub(super) struct Shared {
    pub(super) module: String,
    calls: Mutex<Vec<Underway>>,
    /// The server has said that it has other tools now.
    pub(super) changed: AtomicBool,
    /// It does say so when it has.
    pub(super) tells: AtomicBool,
    /// How many requests in a row it has let time out without a word.
    silent: AtomicU32,
}

/// A call that waits for its answer.
#[derive(Clone)]
pub(super) struct Underway {
    pub(super) token: ProgressToken,
    pub(super) progress: Progress,
    pub(super) person: Arc<dyn Person>,
    pub(super) notes: WeakUnboundedSender<Note>,
    /// How often the server has asked something.
    pub(super) asked: Arc<AtomicU32>,
    /// How many of its questions are open.
    pub(super) open: Arc<AtomicU32>,
    /// Of which tenant whoever calls is.
    pub(super) tenant: Arc<str>,
}

/// What happens to a call besides its answer.
pub(super) enum Note {
    /// A person is asked, which takes its time.
    Asking,
    /// The person has answered.
    Answered,
    /// Nobody can be asked, so the call makes no sense any more.
    Refused(ToolError),
}

/// Our side of a connection.
#[derive(Clone)]
pub(super) struct Client(pub(super) Arc<Shared>);

/// A call under way, until this is dropped.
pub(super) struct Registered<'a> {
    shared: &'a Shared,
    token: ProgressToken,
}

impl Shared {
    pub(super) fn new(module: &str) -> Self {
        Self {
            module: module.to_owned(),
            calls: Mutex::default(),
            changed: AtomicBool::default(),
            tells: AtomicBool::default(),
            silent: AtomicU32::default(),
        }
    }

    /// The server has said something that it was asked for.
    pub(super) fn is_heard(&self) {
        self.silent.store(0, Ordering::Relaxed);
    }

    /// A request has timed out. True when the server is silent for good, as far as can be seen,
    /// and no call still waits for it.
    pub(super) fn is_silent(&self) -> bool {
        self.silent.fetch_add(1, Ordering::Relaxed) + 1 >= SILENT && self.calls().is_empty()
    }

    pub(super) fn register(&self, call: Underway) -> Registered<'_> {
        let token = call.token.clone();
        self.calls().push(call);
        Registered { shared: self, token }
    }

    fn calls(&self) -> std::sync::MutexGuard<'_, Vec<Underway>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call that a question belongs to. The protocol does not say which, so there must be
    /// only one that can be meant: nobody is to answer for somebody else's run. One that waits for its answer asks
    /// nothing more meanwhile, so that a call which nobody attends to any more is in nobody's way.
    fn only_call(&self) -> Option<(Underway, UnboundedSender<Note>)> {
        let calls = self.calls();
        let [first, others @ ..] = &calls[..] else { return None };
        let mut silent = calls.iter().filter(|call| call.open.load(Ordering::Relaxed) == 0);
        let meant = match (silent.next(), silent.next()) {
            _ if others.is_empty() => first,
            (Some(call), None) if others.iter().all(|other| other.tenant == first.tenant) => call,
            _ => return None,
        };
        Some((meant.clone(), meant.notes.upgrade()?))
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.shared.calls().retain(|call| call.token != self.token);
    }
}

/// How we introduce ourselves.
fn introduction() -> ClientConfig {
    let forms = ElicitationCapability::new()
        .with_form(FormElicitationCapability::default())
        .with_url(UrlElicitationCapability::default());
    let mut capabilities = ClientCapabilities::default();
    capabilities.elicitation = Some(forms);
    capabilities.extensions = Some([(TASKS_EXTENSION_ID.to_owned(), JsonObject::new())].into());
    let mut config = ClientConfig::new(capabilities, Implementation::new("aa", env!("CARGO_PKG_VERSION")));
    // Only the older protocol begins with an introduction.
    config.protocol_version = ProtocolVersion::LATEST_WITH_INITIALIZE;
    config
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        introduction()
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let Some((call, notes)) = self.0.only_call() else {
            for call in self.0.calls().iter() {
                (call.progress)(&format!(
                    "`{}` asks something, and it cannot be told which call it means; declined",
                    self.0.module
                ));
            }
            return Ok(ElicitResult::new(ElicitationAction::Decline));
        };
        self.0.is_heard();
        if call.asked.fetch_add(1, Ordering::Relaxed) >= QUESTIONS {
            let message = format!("the server of `{}` asks for more again and again", self.0.module);
            let _ = notes.send(Note::Refused(ToolError::new(ErrorKind::Permanent, message)));
            return Ok(ElicitResult::new(ElicitationAction::Cancel));
        }
        // Nobody takes a note any more once the call is over.
        let _ = notes.send(Note::Asking);
        call.open.fetch_add(1, Ordering::Relaxed);
        let answer = tokio::select! {
            answer = elicit::answer(&self.0.module, &request, &*call.person) => answer,
            () = context.ct.cancelled() => Ok(ElicitResult::new(ElicitationAction::Cancel)),
            // The call is over.
            () = notes.closed() => Ok(ElicitResult::new(ElicitationAction::Cancel)),
        };
        call.open.fetch_sub(1, Ordering::Relaxed);
        let (note, result) = match answer {
            Ok(result) => (Note::Answered, result),
            Err(error) => (Note::Refused(error), ElicitResult::new(ElicitationAction::Cancel)),
        };
        let _ = notes.send(note);
        Ok(result)
    }

    async fn on_progress(&self, said: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let progress = {
            let calls = self.0.calls();
            calls.iter().find(|call| call.token == said.progress_token).map(|call| call.progress.clone())
        };
        if let Some(progress) = progress {
            self.0.is_heard();
            progress(&line(&said));
        }
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.0.changed.store(true, Ordering::Relaxed);
    }
}

/// `3 of 5: fetching`, as far as it is said.
fn line(said: &ProgressNotificationParam) -> String {
    let count = match said.total {
        Some(total) => format!("{} of {total}", said.progress),
        None => said.progress.to_string(),
    };
    match &said.message {
        Some(message) => format!("{count}: {}", harmless(&message.replace('\n', " "), LINE)),
        None => count,
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::NumberOrString;

    use super::*;

    #[test]
    fn progress_is_a_line() {
        let mut said = ProgressNotificationParam::new(ProgressToken(NumberOrString::Number(1)), 3.0);
        assert_eq!(line(&said), "3");
        said.total = Some(5.0);
        said.message = Some("fetching\nall".to_owned());
        assert_eq!(line(&said), "3 of 5: fetching all");
    }
}

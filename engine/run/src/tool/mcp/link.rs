//! A connection to a server: started when it is needed, and again after it has died.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aa_spec::tool::ErrorKind;
use aa_spec::tool::recipe::mcp::{Reach, Server};
use rmcp::model::{ClientRequest, ListToolsRequest, PaginatedRequestParams, ProtocolVersion, ServerResult};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt, PeerRequestOptions, RunningService,
    ServiceError,
};
use rmcp::transport::Transport;
use rmcp::{Peer, RoleClient};
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::client::{Client, Shared};
use super::definition::{self, harmless};
use super::host::Stay;
use super::pipe::{Era, Fault, Pipe};
use super::reach::{Entry, invocation, transport};
use super::{Surroundings, news, outcome};
use crate::driver::Veil;
use crate::tool::process::Service;
use crate::tool::{Progress, ToolError};

/// Most pages and tools of a list.
const PAGES: usize = 100;
const TOOLS: usize = 1000;
/// What a server says of its tools is believed for this long.
const FRESH: Duration = Duration::from_mins(5);
/// The same while a server does not say when they have changed.
const FRESH_UNTOLD: Duration = Duration::from_secs(30);
/// Between two starts of a server that dies: nothing, this, twice this, and so on up to the most.
const BACK_OFF: Duration = Duration::from_millis(500);
const BACK_OFF_MOST: Duration = Duration::from_mins(1);
/// A list of tools may take this long, however little time a call has.
const LIST: Duration = Duration::from_secs(5);
/// How long a server may be silent before it is taken for one of the older protocol.
const PROBE: Duration = Duration::from_secs(30);
/// How long to wait for the reason why a connection has ended.
const POST_MORTEM: Duration = Duration::from_secs(5);

/// The definitions of a server's tools, by its names for them.
pub(super) type Listing = Arc<Vec<(String, Value)>>;

/// The connection of a module, if there is one.
#[derive(Default)]
pub(super) struct Link {
    slot: tokio::sync::Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    live: Option<Arc<Live>>,
    /// How often in a row it has not started, or ended without an answer.
    failures: u32,
    not_before: Option<Instant>,
}

/// A connection that is, or was, up.
pub(super) struct Live {
    peer: Peer<RoleClient>,
    shared: Arc<Shared>,
    listing: tokio::sync::Mutex<Option<(Instant, Listing)>>,
    fault: Fault,
    /// Hides what it was started with.
    veil: Arc<Veil>,
    ended: watch::Receiver<Option<Map<String, Value>>>,
    closing: CancellationToken,
    list_timeout: Duration,
    useful: Mutex<bool>,
}

impl Link {
    /// The connection; made when there is none.
    ///
    /// # Errors
    /// The server cannot be started or reached, or does not answer.
    pub(super) async fn connect(
        &self,
        server: &Server,
        around: &Surroundings,
        entry: &Entry,
        progress: &Progress,
    ) -> Result<Arc<Live>, ToolError> {
        let mut slot = self.slot.lock().await;
        if let Some(live) = &slot.live {
            if !live.is_closed() {
                return Ok(Arc::clone(live));
            }
            if live.was_useful() {
                slot.failures = 0;
            }
            slot.live = None;
            slot.failed();
        }
        if let Some(time) = slot.not_before.filter(|time| *time > Instant::now()) {
            let left = humane(time - Instant::now());
            progress(&format!("the server of `{}` has failed; starting it again in {left}", server.module));
            sleep_until(time).await;
        }
        match start(server, around, entry).await {
            Ok(live) => {
                let live = Arc::new(live);
                slot.live = Some(Arc::clone(&live));
                Ok(live)
            }
            Err(error) => {
                slot.failed();
                Err(error)
            }
        }
    }
}

impl Slot {
    fn failed(&mut self) {
        self.failures += 1;
        let pause = match self.failures {
            1 => Duration::ZERO,
            more => BACK_OFF.saturating_mul(1 << (more - 2).min(10)).min(BACK_OFF_MOST),
        };
        self.not_before = Some(Instant::now() + pause);
    }
}

impl Live {
    pub(super) fn peer(&self) -> &Peer<RoleClient> {
        &self.peer
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn module(&self) -> &str {
        &self.shared.module
    }

    /// It has given a result, so its next death is no reason to wait.
    pub(super) fn is_useful(&self) {
        *self.useful.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// A request has timed out; a server that answers nothing at all is ended, so that the next
    /// call starts it anew.
    pub(super) fn was_silent(&self) {
        if self.shared.is_silent() {
            self.closing.cancel();
        }
    }

    /// Definitions as they may be kept and shown: without what the server was given that is secret.
    fn veiled(&self, mut tools: Vec<(String, Value)>) -> Vec<(String, Value)> {
        for (_, definition) in &mut tools {
            self.veil.hide_value(definition);
        }
        tools
    }

    /// Hides what the server was given that is secret.
    pub(super) fn veil(&self) -> &Veil {
        &self.veil
    }

    /// What it has said that may be why it does not answer, to be put behind that.
    pub(super) fn suspicion(&self) -> String {
        self.fault.suspicion()
    }

    fn was_useful(&self) -> bool {
        *self.useful.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closed(&self) -> bool {
        let closing = self.closing.is_cancelled() || self.peer.is_transport_closed();
        closing || self.ended.borrow().is_some()
    }

    /// What the server says of its tools: asked again when it says that they have changed,
    /// or after a while.
    pub(super) async fn listing(&self) -> Result<Listing, ToolError> {
        let (began, patience) = (Instant::now(), self.list_timeout);
        let Ok(mut known) = timeout(patience, self.listing.lock()).await else { return Err(self.unlisted()) };
        if self.shared.changed.swap(false, Ordering::Relaxed) {
            // Whatever becomes of the next one, this one counts no more.
            *known = None;
        }
        let fresh = if self.shared.tells.load(Ordering::Relaxed) { FRESH } else { FRESH_UNTOLD };
        if let Some((_, listing)) = known.as_ref().filter(|(at, _)| at.elapsed() < fresh) {
            return Ok(Arc::clone(listing));
        }
        // Whoever has waited for somebody else's question does not wait as long again.
        let asked = Instant::now();
        let Ok(listing) = timeout_at(began + patience, self.list()).await else {
            if asked.elapsed() >= patience / 2 {
                self.was_silent();
            }
            return Err(self.unlisted());
        };
        let listing = Arc::new(listing?);
        self.shared.is_heard();
        *known = Some((Instant::now(), Arc::clone(&listing)));
        Ok(listing)
    }

    fn unlisted(&self) -> ToolError {
        let message = format!(
            "the server of `{}` did not say within {} which tools it has{}",
            self.module(),
            humane(self.list_timeout),
            self.suspicion()
        );
        ToolError::new(ErrorKind::Timeout, message)
    }

    async fn list(&self) -> Result<Vec<(String, Value)>, ToolError> {
        let mut tools = Vec::new();
        let mut params = PaginatedRequestParams::default();
        for _ in 0..PAGES {
            let request = ClientRequest::ListToolsRequest(ListToolsRequest::with_param(params.clone()));
            let sent = self.peer.send_request_with_option(request, PeerRequestOptions::no_options()).await;
            let answer = match sent {
                Ok(handle) => handle.await_response().await,
                Err(error) => Err(error),
            };
            let next = match answer {
                Ok(ServerResult::ListToolsResult(page)) => {
                    tools.extend(page.tools.iter().map(|tool| (tool.name.to_string(), definition::of(tool))));
                    page.next_cursor
                }
                Ok(ServerResult::CustomResult(page)) => {
                    let Some(more) = definition::each(&page.0, tools.len()) else {
                        return Err(self.explain(&ServiceError::UnexpectedResponse).await);
                    };
                    tools.extend(more);
                    page.0["nextCursor"].as_str().map(str::to_owned)
                }
                Ok(_) => return Err(self.explain(&ServiceError::UnexpectedResponse).await),
                Err(error) => return Err(self.explain(&error).await),
            };
            if tools.len() > TOOLS {
                break;
            }
            match next {
                Some(cursor) => params.cursor = Some(cursor),
                None => return Ok(definition::once(self.veiled(tools))),
            }
        }
        let message =
            format!("the server of `{}` has more tools than {TOOLS}, or never ends its list", self.module());
        Err(ToolError::new(ErrorKind::Permanent, message))
    }

    /// Why a request has no answer; when the server has ended, how it did.
    pub(super) async fn explain(&self, error: &ServiceError) -> ToolError {
        if !matches!(error, ServiceError::TransportClosed) && !self.is_closed() {
            return outcome::unanswered(self.module(), error);
        }
        let mut ended = self.ended.clone();
        let details = match timeout(POST_MORTEM, ended.wait_for(Option::is_some)).await {
            Ok(Ok(details)) => details.clone().unwrap_or_default(),
            _ => Map::new(),
        };
        let gone = gone(self.module(), "ended during the call", &self.fault, details);
        // It is not a refusal: it may have done what it was asked for.
        let kind = if gone.kind == ErrorKind::Transient { ErrorKind::Network } else { gone.kind };
        ToolError { kind, ..gone }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

/// An error about a server that is no more.
fn gone(module: &str, what: &str, fault: &Fault, mut details: Map<String, Value>) -> ToolError {
    let last =
        details.get("stderr").and_then(Value::as_str).and_then(|text| text.trim_end().lines().next_back());
    let last = last.map(|line| harmless(line.trim(), 300)).filter(|line| !line.is_empty());
    let how = match (fault.get(), details.get("exit_code"), details.get("signal")) {
        (Some(fault), _, _) => format!(": {fault}"),
        (None, Some(code), _) => format!(" (exit code {code})"),
        (None, None, Some(signal)) => format!(" (signal {signal})"),
        (None, None, None) => String::new(),
    };
    let last = last.filter(|_| fault.get().is_none());
    let said = last.map(|line| format!(": {line}")).unwrap_or_default();
    let message = format!("the server of `{module}` {what}{how}{said}");
    let kind = if fault.get().is_some() { ErrorKind::Permanent } else { ErrorKind::Transient };
    details.retain(|_, value| *value != json!(""));
    ToolError::new(kind, message).details(Value::Object(details))
}

/// How to begin, given what is known of the server: in the newest protocol that it speaks.
fn mode(era: Option<Era>) -> ClientLifecycleMode {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28, ProtocolVersion::V_2025_11_25];
    match era {
        Some(Era::Older) => ClientLifecycleMode::Initialize,
        Some(Era::Newer) => ClientLifecycleMode::Discover { preferred_versions },
        None => {
            let legacy_version = Some(ProtocolVersion::V_2025_11_25);
            ClientLifecycleMode::Auto { preferred_versions, legacy_version }
        }
    }
}

/// A process that is being started. Dropped meanwhile, it is ended with all that it has started.
struct Starting {
    service: Option<Service>,
    stay: Option<Stay>,
}

impl Starting {
    fn new(service: Service, stay: Option<Stay>) -> Self {
        Self { service: Some(service), stay }
    }

    /// From here on somebody else sees to its end.
    fn take(&mut self) -> Option<Service> {
        self.service.take()
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let (Some(service), Ok(runtime)) = (self.service.take(), Handle::try_current()) {
            let stay = self.stay.take();
            runtime.spawn(async move {
                service.close().await;
                drop(stay);
            });
        }
    }
}

async fn start(server: &Server, around: &Surroundings, entry: &Entry) -> Result<Live, ToolError> {
    let shared = Arc::new(Shared::new(&server.module));
    let limit = Duration::from_millis(server.start_ms);
    let fault = Fault::default();
    match &server.reach {
        Reach::Command { .. } => {
            let invocation = invocation(&server.reach, entry)?;
            let (service, stdin, stdout) = around.launcher.serve(&around.folder, &invocation)?;
            let mut service = Starting::new(service, around.host.stay());
            let mut pipe = Pipe::new(stdin, stdout, fault.clone());
            let client = Client(Arc::clone(&shared));
            let connected = async {
                let mode = mode(Some(pipe.probe((limit / 2).min(PROBE)).await));
                client.serve_with_lifecycle(pipe, mode).await
            };
            let answer = timeout(limit, connected).await;
            match answer {
                Ok(Ok(running)) => {
                    Ok(live(server, around, (running, service.take()), (shared, fault), entry))
                }
                Ok(Err(error)) => Err(dead_at_start(server, service.take(), &fault, &error).await),
                Err(_) => Err(mute(server, service.take(), limit, &fault).await),
            }
        }
        Reach::Http { url, headers, .. } => {
            let client = || Client(Arc::clone(&shared));
            let connected = connect(server, || transport(server, around, (url, headers), entry), client);
            match timeout(limit, connected).await {
                Ok(running) => Ok(live(server, around, (running?, None), (shared, fault), entry)),
                Err(_) => Err(mute(server, None, limit, &Fault::default()).await),
            }
        }
    }
}

/// Connects to a server on the network. One that answers with nothing when it is asked what it speaks does not
/// know the question, so it is an older one.
async fn connect<T: Transport<RoleClient> + 'static>(
    server: &Server,
    transport: impl Fn() -> Result<T, ToolError>,
    client: impl Fn() -> Client,
) -> Result<RunningService<RoleClient, Client>, ToolError> {
    let first = client().serve_with_lifecycle(transport()?, mode(None)).await;
    let running = match first {
        Err(ClientInitializeError::ExpectedInitResult(Some(ServerResult::EmptyResult(_)))) => {
            client().serve_with_lifecycle(transport()?, mode(Some(Era::Older))).await
        }
        first => first,
    };
    running.map_err(|error| outcome::lost(&server.module, &error))
}

/// A connection that has just come up, and whatever sees to its end.
fn live(
    server: &Server,
    around: &Surroundings,
    (running, service): (RunningService<RoleClient, Client>, Option<Service>),
    (shared, fault): (Arc<Shared>, Fault),
    entry: &Entry,
) -> Live {
    let closing = around.host.closing();
    let (tell, ended) = watch::channel(None);
    let peer = running.peer().clone();
    let info = peer.peer_info();
    let tells = info.as_ref().is_some_and(|info| {
        info.capabilities.tools.as_ref().is_some_and(|tools| tools.list_changed == Some(true))
    });
    if tells && info.is_some_and(|info| info.protocol_version > ProtocolVersion::V_2025_11_25) {
        // Those of the newer protocol say so only to whoever listens for it.
        tokio::spawn(news::follow(peer.clone(), Arc::clone(&shared), closing.clone()));
    } else {
        shared.tells.store(tells, Ordering::Relaxed);
    }
    tokio::spawn(keep(running, service, closing.clone(), tell, around.host.stay()));
    Live {
        peer,
        shared,
        listing: tokio::sync::Mutex::default(),
        fault,
        veil: Arc::clone(&entry.veil),
        ended,
        closing,
        list_timeout: Duration::from_millis(server.start_ms)
            .min(Duration::from_millis(server.call_ms).max(LIST)),
        useful: Mutex::default(),
    }
}

/// Waits for the end of a connection, or ends it, and clears away the process.
async fn keep(
    running: RunningService<RoleClient, Client>,
    service: Option<Service>,
    closing: CancellationToken,
    tell: watch::Sender<Option<Map<String, Value>>>,
    stay: Option<Stay>,
) {
    let stop = running.cancellation_token();
    let waiting = running.waiting();
    tokio::pin!(waiting);
    let closed = tokio::select! {
        _ = &mut waiting => true,
        () = closing.cancelled() => false,
    };
    if !closed {
        stop.cancel();
        let _late = timeout(Duration::from_secs(1), waiting).await;
    }
    let details = match service {
        Some(service) => service.close().await,
        None => Map::new(),
    };
    tell.send_replace(Some(details));
    drop(stay);
}

/// Why a process did not come up.
async fn dead_at_start(
    server: &Server,
    service: Option<Service>,
    fault: &Fault,
    error: &ClientInitializeError,
) -> ToolError {
    let details = match service {
        Some(service) => service.close().await,
        None => Map::new(),
    };
    if matches!(
        error,
        ClientInitializeError::ConnectionClosed(_) | ClientInitializeError::TransportError { .. }
    ) {
        return gone(&server.module, "ended before it was ready", fault, details);
    }
    let message = format!(
        "the server of `{}` does not speak the protocol: {}",
        server.module,
        harmless(&error.to_string(), 300)
    );
    ToolError::new(ErrorKind::Permanent, message).details(Value::Object(details))
}

async fn mute(server: &Server, service: Option<Service>, limit: Duration, fault: &Fault) -> ToolError {
    let details = match service {
        Some(service) => service.close().await,
        None => Map::new(),
    };
    let message = format!(
        "the server of `{}` did not answer within {} of its start{}",
        server.module,
        humane(limit),
        fault.suspicion()
    );
    ToolError::new(ErrorKind::Timeout, message).details(Value::Object(details))
}

/// A time as people write it.
fn humane(time: Duration) -> String {
    let ms = time.as_millis();
    if ms < 1000 { format!("{ms}ms") } else { format!("{}s", ms.div_ceil(1000)) }
}

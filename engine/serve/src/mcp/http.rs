//! Messages over streamable HTTP.
//!
//! `/mcp` shows what the server was started with, `/mcp/PERSONA` shows that persona and no other.
//! The library's service is made anew for each request, around sessions that are shared: so a persona
//! that was added as a file has its address at once.

mod sessions;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use aa_run::engine::Engine;
use aa_run::key::Guest;
use aa_run::persona::{Choice, ViewError};
use aa_run::settings::Serve;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Options;
use super::change::Changes;
use super::kept::Kept;
use super::malformed::{self, Said};
use super::seat::Seat;
use super::server::Server;
use crate::audit;
use crate::http::{Closing, hold, problem};
use sessions::Sessions;

/// How long a body may take to come.
const BODY: Duration = Duration::from_secs(30);

/// What is behind `/mcp`.
#[derive(Debug)]
pub(crate) struct Endpoint {
    engine: Engine,
    choice: Choice,
    skills_extension: bool,
    sessions: Sessions,
    settings: Serve,
    closing: Closing,
    changes: Arc<Changes>,
    kept: Arc<Kept>,
}

/// `/mcp`.
pub(crate) async fn own(
    State(endpoint): State<Arc<Endpoint>>,
    Extension(guest): Extension<Arc<Guest>>,
    request: Request,
) -> Response {
    endpoint.answer(&guest, None, request).await
}

/// `/mcp/PERSONA`.
pub(crate) async fn of_persona(
    State(endpoint): State<Arc<Endpoint>>,
    Extension(guest): Extension<Arc<Guest>>,
    Path(persona): Path<String>,
    request: Request,
) -> Response {
    match endpoint.engine.persona_name(&persona) {
        Ok(name) if guest.may_play(&name) => endpoint.answer(&guest, Some(name), request).await,
        Ok(_) => problem("forbidden", format!("your key does not open the persona `{persona}`")),
        Err(error) => unknown(&endpoint, &guest, &error),
    }
}

fn unknown(endpoint: &Endpoint, guest: &Guest, error: &ViewError) -> Response {
    let ViewError::UnknownPersona { name, suggestion } = error else {
        return problem("internal", error.to_string());
    };
    let near = suggestion.as_ref().filter(|near| guest.may_play(near));
    let near = near.map(|near| format!("; did you mean `/mcp/{near}`?")).unwrap_or_default();
    let names = endpoint.engine.personas().unwrap_or_default().into_iter().map(|persona| persona.name);
    let names: Vec<String> = names.filter(|name| guest.may_play(name)).collect();
    problem("not-found", format!("there is no persona `{name}`{near} (there are: {})", names.join(", ")))
}

/// How often it is looked whether sessions of clients may be forgotten.
const LOOK: Duration = Duration::from_mins(1);

/// Forgets sessions that are not used, of connections and of clients, for as long as the server runs.
pub(crate) async fn sweep(endpoint: Arc<Endpoint>) {
    let forget = async {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Err(error) = endpoint.engine.forget_sessions().await {
                tracing::warn!("old sessions are not forgotten: {error}");
            }
        }
    };
    tokio::join!(endpoint.sessions.sweep(), forget);
}

impl Endpoint {
    pub(crate) fn new(engine: &Engine, options: &Options, closing: Closing) -> Arc<Self> {
        let settings = engine.settings().serve.clone();
        Arc::new(Self {
            sessions: Sessions::new(settings.sessions, settings.session_timeout),
            engine: engine.clone(),
            changes: Changes::new(engine.clone()),
            kept: Arc::default(),
            choice: options.choice.clone(),
            skills_extension: options.skills_extension,
            settings,
            closing,
        })
    }

    /// Answers a request of a guest, at the address of a persona.
    async fn answer(&self, guest: &Guest, persona: Option<String>, request: Request) -> Response {
        let whose = guest.whose().to_string();
        let owner = (whose.as_str(), persona.as_deref().unwrap_or_default());
        let session = session(request.headers()).map(str::to_owned);
        let mut visit = match &session {
            None => None,
            Some(id) => match self.sessions.enter(id, owner) {
                Some(visit) => Some(visit),
                // One of another principal is not told apart from none.
                None => return problem("not-found", "there is no such session"),
            },
        };
        let (request, body) = match self.read(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        if let (Some(visit), Some(id)) = (&mut visit, malformed::asked(&body))
            && !visit.ask(id.clone())
        {
            return (StatusCode::BAD_REQUEST, Json(malformed::taken(id))).into_response();
        }
        let is_json = says_json(request.headers());
        let request = match malformed::exact(&body) {
            Ok(Cow::Borrowed(_)) => request,
            Ok(Cow::Owned(kept)) => request.map(|_| Body::from(kept)),
            Err(refused) => return (StatusCode::BAD_REQUEST, Json(refused)).into_response(),
        };
        let ends_session = request.method() == Method::DELETE;
        let ending = self.closing.calls.child_token();
        let response = self.service(guest, persona.as_deref(), (&request, &ending)).handle(request).await;
        let refused = response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE && is_json;
        let response = match refused.then(|| malformed::read(&body)) {
            Some(Said::Refused(error)) => (StatusCode::BAD_REQUEST, Json(error)).into_response(),
            _ => response.map(Body::new),
        };
        match (&session, response.headers().get(SESSION).and_then(|id| id.to_str().ok())) {
            (Some(id), _) if ends_session && response.status().is_success() => {
                self.sessions.forget(id);
                audit::left(owner.0);
            }
            // Whether a request begins one, the library has found out from what it says.
            (None, Some(id)) if !self.sessions.begin(id, owner, ending).await => {
                return problem("full", "too many sessions are in use");
            }
            _ => {}
        }
        hold(response, visit)
    }

    /// The whole request and its body, if it comes in time and is not too long.
    async fn read(&self, request: Request) -> Result<(Request, Bytes), Response> {
        let (parts, body) = request.into_parts();
        match timeout(BODY, to_bytes(body, self.settings.message)).await {
            Ok(Ok(bytes)) => Ok((Request::from_parts(parts, Body::from(bytes.clone())), bytes)),
            Ok(Err(_)) => Err(problem(
                "too-large",
                format!("a message may have {} bytes (`serve.limits.message`)", self.settings.message),
            )),
            Err(_) => Err(problem("too-slow", "the message did not come in time")),
        }
    }

    /// What the library answers with. Its own look at hosts and origins is not needed behind the door.
    fn service(
        &self,
        guest: &Guest,
        persona: Option<&str>,
        (request, ending): (&Request, &CancellationToken),
    ) -> StreamableHttpService<Server, sessions::Manager> {
        let (choice, pinned) = match persona {
            Some(name) => (Choice::Persona(name.to_owned()), true),
            None => (self.first(guest), false),
        };
        let (engine, closing) = (self.engine.clone(), ending.clone());
        let skills_extension = self.skills_extension;
        let (changes, kept) = (Arc::clone(&self.changes), Arc::clone(&self.kept));
        let make = move || {
            let seat = Seat::new(engine.clone(), choice.clone())
                .closing_with(closing.clone())
                .with_skill_folders(skills_extension)
                .with_files(Arc::clone(&changes))
                .with_kept(Arc::clone(&kept));
            Ok(Server { seat: Arc::new(if pinned { seat.pinned() } else { seat }) })
        };
        let end = if never_ends(request) { &self.closing.streams } else { &self.closing.calls };
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .with_json_response(true)
            .with_max_request_body_bytes(self.settings.message)
            .with_cancellation_token(end.clone());
        StreamableHttpService::new(make, self.sessions.manager(), config)
    }

    /// What `/mcp` shows: what the server was started with, or the first that the key opens.
    fn first(&self, guest: &Guest) -> Choice {
        let opens = |choice: &Choice| matches!(choice, Choice::Persona(name) if guest.may_play(name));
        match &guest.personas {
            Some(names) if !opens(&self.choice) => {
                Choice::Persona(names.first().cloned().unwrap_or_default())
            }
            _ => self.choice.clone(),
        }
    }
}

const SESSION: &str = "mcp-session-id";

fn session(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION).map(|id| id.to_str().unwrap_or_default())
}

/// Whether a body is said to be JSON. The library has one status for a body that is no message and for one that is
/// said to be something else.
fn says_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether the answer is a stream of notifications without end.
fn never_ends(request: &Request) -> bool {
    let listens = request.headers().get("mcp-method").is_some_and(|method| method == "subscriptions/listen");
    listens || request.method() == Method::GET
}

//! One request: who makes it, from which workspace, in which session and era of the protocol.
//!
//! A workspace is what an argument of the call names, what the request names (`_meta["aa/workspace"]`),
//! what its session is about, what the client says that it works in, or the folder that the server was
//! started in. A session is what the request names (`_meta["aa/session"]`). Neither follows from an earlier
//! request: many clients have one connection for all of their conversations.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aa_run::caller::{Caller, Sees};
use aa_run::engine::Engine;
use aa_run::event::{Link, Origin, RunId};
use aa_run::key::Guest;
use aa_run::persona::{Choice, View, ViewError};
use aa_run::store::RunSummary;
use aa_run::trace::Parent;
use aa_run::workspace::{ChatSession, path_of};
use axum::http::request::Parts;
use rmcp::RoleServer;
use rmcp::model::{ErrorData, JsonObject, ProtocolVersion};
use rmcp::service::RequestContext;

use super::scope::Scope;
use super::seat::Seat;
use super::trouble;

/// The key of a request's metadata under which it names its session.
pub(crate) const SESSION: &str = "aa/session";

/// The key of a request's metadata under which it names its workspace.
pub(crate) const WORKSPACE: &str = "aa/workspace";

/// What a request may do and see.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    /// The engine, for this caller in this workspace: runs of others are not there.
    pub(crate) engine: Engine,
    /// Whether every request stands alone: since 2026-07-28 there are no sessions and no requests
    /// from the server to the client.
    pub(crate) sessionless: bool,
    /// Whether nothing but the request itself says what it sees: newer requests, unless their client is the only one
    /// of the server, as on stdio, and listens for changes of its list.
    pub(crate) alone: bool,
    /// Whether the metadata of the request says which folder it is about.
    pub(crate) says_where: bool,
    /// The session that the request names.
    pub(crate) session: Option<ChatSession>,
    /// What it sees.
    pub(crate) choice: Choice,
    /// Who asks, and which personas they may play.
    pub(crate) guest: Arc<Guest>,
    /// The engine of the folder that the server was started in, for this caller.
    own: Engine,
    /// Where calls of the client go that name nothing else in their arguments.
    home: PathBuf,
}

impl Visit {
    /// Works out who asks.
    pub(crate) async fn of(seat: &Seat, context: &RequestContext<RoleServer>) -> Result<Self, ErrorData> {
        let http = context.extensions.get::<Parts>();
        // Over HTTP the door has put it there; on stdio it is whoever has started us.
        let guest = http.and_then(|parts| parts.extensions.get::<Arc<Guest>>());
        let guest = guest.map_or_else(|| Arc::new(Guest::local()), Arc::clone);
        let version = context.protocol_version();
        let sessionless =
            version.is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
        let own = within(&seat.engine, &guest).linked(link(http, context));
        let session = match text(context, SESSION)? {
            Some(id) => Some(session(&own, id)?),
            None => None,
        };
        let alone = sessionless && (http.is_some() || !seat.is_heard());
        let choice = choice(seat, session.as_ref(), alone);
        let folder = folder(seat, &own, context, (session.as_ref(), sessionless)).await?;
        let engine = enter(&own, &folder).map_err(|message| ErrorData::invalid_params(message, None))?;
        let says_where = session.is_some() || context.meta.get(WORKSPACE).is_some();
        if !sessionless && !says_where {
            seat.work_in(&engine);
        }
        let home = engine.settings().folder.clone();
        Ok(Self { engine, sessionless, alone, says_where, session, choice, guest, own, home })
    }

    /// Whether they may see what was chosen: a key that opens some personas opens nothing else.
    pub(crate) fn may_see(&self, choice: &Choice) -> bool {
        match choice {
            Choice::Persona(name) => self.guest.may_play(name),
            _ => self.guest.personas.is_none(),
        }
    }

    /// Whether they may call a tool, or run a skill, of this name: one that a persona shows which they may play.
    pub(crate) fn may_use(&self, name: &str) -> bool {
        self.scope().shows(name)
    }

    /// Whether a resource may be read for them by this tool: what the user's own persona offers need not be among its tools,
    /// but a project opens nothing by offering it.
    pub(crate) fn may_offer(&self, tool: &str) -> bool {
        let scope = self.scope();
        !scope.is_bounded() || scope.shows(tool)
    }

    /// All that they may call and run.
    pub(crate) fn scope(&self) -> Scope {
        Scope::of(&self.engine, &self.own, &self.guest)
    }

    /// What is wrong with the files that may have meant to define a tool, on lines of their own; whoever may see only a
    /// part is told nothing of files.
    pub(crate) fn why_missing(&self, name: &str) -> Result<String, ErrorData> {
        if !self.guest.opens_all() {
            return Ok(String::new());
        }
        let why = self.engine.why_missing(name).map_err(|error| super::server::internal(&error))?;
        Ok(if why.is_empty() { why } else { format!("\n{why}") })
    }

    /// What they see now, as far as their key opens it.
    pub(crate) fn shown(&self) -> Arc<View> {
        self.scope().shown(&self.choice)
    }

    /// What was chosen, as far as their key opens it.
    pub(crate) fn view(&self, choice: &Choice) -> Result<Arc<View>, ViewError> {
        self.scope().view(choice)
    }

    /// Why their key does not let them call a tool of the server with these arguments.
    pub(crate) fn shut(&self, args: Option<&JsonObject>) -> Option<String> {
        if self.guest.personas.as_ref().is_some_and(Vec::is_empty) {
            return Some("your key opens no persona".to_owned());
        }
        let named = |key: &str| args.and_then(|args| args.get(key)?.as_str()).map(str::trim);
        let mut names = ["skill_name", "tool_name"].into_iter().filter_map(named);
        let name = names.find(|name| !self.may_use(name))?;
        Some(format!("your key opens nothing that is called `{name}`"))
    }

    /// Goes to the workspace that an argument names, if they may work there.
    pub(crate) fn work_in(&mut self, workspace: &str) -> Result<(), String> {
        let folder = path_of(workspace).ok_or_else(|| no_folder(workspace))?;
        self.engine = enter(&self.own, &folder)?;
        Ok(())
    }

    /// Whether it is about another folder than the one where other calls of the client go.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.engine.settings().folder != self.home
    }

    /// The engine of the folder that the server was started in, for this caller.
    pub(crate) fn own(&self) -> &Engine {
        &self.own
    }

    /// Goes to a folder that their request does not name, if they may work there.
    pub(crate) fn go_to(&mut self, folder: &Path) {
        if let Ok(engine) = enter(&self.own, folder) {
            self.engine = engine;
        }
    }

    /// The session that the request names. Where it names none, a persona is loaded into a new one: the one that was used
    /// last in this folder may be another client's.
    pub(crate) fn session_id(&self) -> Option<String> {
        self.session.as_ref().map(|session| session.session_id.clone())
    }

    /// The session that a call counts for: the one that it names, or else the one that the caller has used last in this
    /// workspace.
    pub(crate) fn counts_for(&self) -> Option<String> {
        self.session_id().or_else(|| self.engine.workspace().ok()?.active_session_id)
    }
}

/// The server's own engine for a guest.
fn within(engine: &Engine, guest: &Guest) -> Engine {
    let sees = Sees::OwnIn(engine.settings().folder.clone());
    engine.for_caller(guest.caller(Origin::Mcp, sees))
}

/// A run of a caller, wherever they have started it, and the engine for it: whoever polls says nothing but a number. None
/// where there is none, or where they may not work any more. `own` is the server's engine for them.
pub(crate) fn started(own: &Engine, run: RunId) -> Option<(Engine, RunSummary)> {
    let caller = Caller { sees: Sees::Own, ..own.caller().clone() };
    let own = own.for_caller(caller.clone());
    let run = own.run(run).ok().filter(|run| own.may_work_in(&run.folder))?;
    // Of a folder that is gone, what has happened can still be told.
    let engine = enter(&own, &run.folder).map_or(own, |engine| engine.for_caller(caller));
    Some((engine, run))
}

/// The engine of a folder, if the caller may work there.
pub(crate) fn enter(own: &Engine, folder: &Path) -> Result<Engine, String> {
    if folder == own.settings().folder {
        return Ok(own.clone());
    }
    // Whoever may not look there is not told what there is.
    let there = folder.ancestors().find_map(|part| part.canonicalize().ok()).unwrap_or_default();
    if !own.may_work_in(&there) {
        return Err(closed(own, folder));
    }
    let real = folder.canonicalize().ok().filter(|real| real.is_dir());
    let real = real.ok_or_else(|| format!("there is no folder `{}`", folder.display()))?;
    if own.settings().folder.canonicalize().is_ok_and(|started| started == real) {
        return Ok(own.clone());
    }
    let engine = own
        .in_folder(&real)
        .map_err(|error| format!("cannot work in `{}`: {}", real.display(), trouble::reasons(&error)))?;
    let caller = Caller { sees: Sees::OwnIn(real), ..own.caller().clone() };
    Ok(engine.for_caller(caller))
}

fn closed(own: &Engine, folder: &Path) -> String {
    let principal = &own.caller().principal;
    format!(
        "`{principal}` may not work in `{}`; `serve.folders` in the server's configuration says where others may",
        folder.display()
    )
}

/// What a request sees: what its address means, what its session has loaded, or what was chosen
/// on its connection.
fn choice(seat: &Seat, session: Option<&ChatSession>, alone: bool) -> Choice {
    let loaded = session.map(|session| &session.persona).filter(|persona| !persona.is_empty());
    match loaded {
        Some(persona) if !seat.is_pinned() => Choice::Persona(persona.clone()),
        _ if alone => seat.first_choice(),
        _ => seat.choice(),
    }
}

fn session(own: &Engine, id: &str) -> Result<ChatSession, ErrorData> {
    let found = own.session(id).map_err(|error| super::server::internal(&error))?;
    found.ok_or_else(|| {
        ErrorData::invalid_params(format!("there is no session `{id}`; session_start begins one"), None)
    })
}

async fn folder(
    seat: &Seat,
    own: &Engine,
    context: &RequestContext<RoleServer>,
    (session, sessionless): (Option<&ChatSession>, bool),
) -> Result<PathBuf, ErrorData> {
    if let Some(workspace) = text(context, WORKSPACE)? {
        let folder =
            path_of(workspace).ok_or_else(|| ErrorData::invalid_params(no_folder(workspace), None))?;
        if let Some(session) = session {
            agree(session, &folder).map_err(|message| ErrorData::invalid_params(message, None))?;
        }
        return Ok(folder);
    }
    if let Some(about) = session.and_then(|session| path_of(&session.workspace_uri)) {
        return Ok(about);
    }
    let root = if sessionless { None } else { seat.root.of(own, context).await };
    Ok(root.unwrap_or_else(|| own.settings().folder.clone()))
}

/// Which request it is, and to which trace it belongs: what the message says of that itself comes first.
fn link(http: Option<&Parts>, context: &RequestContext<RoleServer>) -> Link {
    let link = http.and_then(|parts| parts.extensions.get::<Link>()).cloned().unwrap_or_default();
    let said = context.meta.get("traceparent").and_then(serde_json::Value::as_str);
    let said = said.filter(|trace| Parent::read(trace).is_some()).map(str::to_owned);
    Link { trace: said.or(link.trace), ..link }
}

/// A session stays with its folder: what it has loaded is of there.
pub(super) fn agree(session: &ChatSession, folder: &Path) -> Result<(), String> {
    match path_of(&session.workspace_uri).filter(|about| !is_same(about, folder)) {
        Some(about) => Err(format!("the session is about `{}`, not `{}`", about.display(), folder.display())),
        None => Ok(()),
    }
}

/// Whether two paths lead to one folder.
fn is_same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// A text of the request's metadata.
fn text<'a>(context: &'a RequestContext<RoleServer>, key: &str) -> Result<Option<&'a str>, ErrorData> {
    match context.meta.get(key) {
        None => Ok(None),
        Some(serde_json::Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ErrorData::invalid_params(format!("`{key}` must be a text"), None)),
    }
}

fn no_folder(text: &str) -> String {
    format!("`{text}` is no folder: give an absolute path or a `file://` address")
}

//! Another persona: what is shown from now on, and who is told.
//!
//! Clients of the session era are told that their list has changed. Newer ones may not be shown
//! another list because of an earlier request: for them a persona belongs to a session of ours,
//! which requests name, and those who listen for that session are told. On stdio, where the process
//! has one client, one that listens is told as well and sees its list change.

use std::sync::Arc;

use aa_run::engine::Engine;
use aa_run::persona::{Choice, View};
use aa_run::workspace::{ChatSession, Opening, WorkspaceUpdated};
use rmcp::model::JsonObject;
use rmcp::service::SubscriptionContext;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::core::{WORKSPACE, text};
use super::listing::{Listing, MANY, Target};
use super::seat::Seat;
use super::server::Call;
use super::visit::{SESSION, Visit, agree};

/// A persona that was loaded.
pub(crate) struct Switched {
    /// What it shows.
    pub(crate) view: Arc<View>,
    /// The session that has loaded it.
    pub(crate) session: ChatSession,
    /// How the client comes to its tools.
    pub(crate) how: String,
}

/// Loads a persona, together with whatever else a session is to be; when that cannot be, nothing
/// has changed.
pub(crate) async fn switch(call: &Call<'_>, persona: &str, opening: Opening) -> Result<Switched, String> {
    let seat = &*call.server.seat;
    let visit = &call.visit;
    let view = visit.view(&Choice::Persona(persona.to_owned())).map_err(|error| error.to_string())?;
    let name = view.persona.as_ref().map_or(persona, |entry| &entry.name).to_owned();
    if !visit.guest.may_play(&name) {
        return Err(format!("nothing has changed: your key does not open the persona `{name}`"));
    }
    if seat.is_pinned() && seat.choice() != Choice::Persona(name.clone()) {
        return Err(pinned(&name, &seat.choice()));
    }
    let woken = visit.engine.wake(&view).await;
    woken.map_err(|error| format!("nothing has changed: a module of the persona `{name}` fails: {error}"))?;
    let count = view.skills.len() + view.tools.len();
    let opening = Opening { persona: Some((name.clone(), count)), ..opening };
    let session = begin(visit, opening).await?;
    let changed = match whose(visit) {
        Whose::Connection => seat.choose(Choice::Persona(name)),
        Whose::Session => true,
        Whose::Nobody => false,
    };
    if changed && !visit.sessionless {
        // Whoever does not hear of it can call everything by tool_call.
        let _ = call.context.peer.notify_tool_list_changed().await;
    }
    let how = how(visit, &session, changed);
    Ok(Switched { view, session, how })
}

/// Whose list a switch changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// That of all requests of the client that say nothing else.
    Connection,
    /// That of requests which name the session.
    Session,
    /// None: what a client sees is of the folder where it works, and this is about another one.
    Nobody,
}

fn whose(visit: &Visit) -> Whose {
    if visit.is_elsewhere() {
        Whose::Nobody
    } else if visit.alone || visit.session.is_some() {
        Whose::Session
    } else {
        Whose::Connection
    }
}

/// Begins a session or goes on with one.
pub(crate) async fn begin(visit: &Visit, opening: Opening) -> Result<ChatSession, String> {
    let wanted = opening.resume.clone().unwrap_or_default();
    let known = match &opening.resume {
        Some(id) => visit.engine.session(id).map_err(|error| error.to_string())?,
        None => None,
    };
    if let Some(session) = known {
        agree(&session, &visit.engine.settings().folder)?;
    }
    let opened = visit.engine.open_session(opening).await.map_err(|error| error.to_string())?;
    opened.ok_or_else(|| format!("there is no session `{wanted}`"))
}

/// Goes to the folder that a named session is about, unless an argument names one.
pub(crate) fn enter(visit: &mut Visit, args: &JsonObject) -> Result<(), String> {
    let known = match (text(args, "session"), text(args, WORKSPACE)) {
        ("", _) => None,
        (id, "") => visit.engine.session(id).map_err(|error| error.to_string())?,
        _ => None,
    };
    known.map_or(Ok(()), |session| visit.work_in(&session.workspace_uri))
}

/// How calls come to the folder of a session, where they do not go by themselves.
pub(crate) fn way(visit: &Visit) -> Option<String> {
    let folder = visit.engine.settings().folder.display();
    visit.is_elsewhere().then(|| {
        format!(
            "Other calls do not follow: with `{WORKSPACE}: {folder}` the tools of the server itself work there, tool_call and skill_run for all others, and so do requests that name this session in `_meta[\"{SESSION}\"]`. All else works, and is listed, as before."
        )
    })
}

/// The session that a persona is to be loaded into: the one that is named, or the request's.
pub(crate) fn target(visit: &Visit, named: &str) -> Option<String> {
    if named.is_empty() { visit.session_id() } else { Some(named.to_owned()) }
}

fn pinned(wanted: &str, shown: &Choice) -> String {
    let shown = match shown {
        Choice::Persona(name) => format!("the persona `{name}`"),
        _ => "one choice of tools".to_owned(),
    };
    format!(
        "nothing has changed: this address shows {shown} and nothing else. The address of `{wanted}` is /mcp/{wanted}, and on stdio `aa mcp --persona {wanted}`. Its tools can be called from here with tool_call, its skills with skill_run."
    )
}

fn how(visit: &Visit, session: &ChatSession, changed: bool) -> String {
    let persona = &session.persona;
    match whose(visit) {
        Whose::Session => format!(
            "Requests that name this session in `_meta[\"{SESSION}\"]` list these tools; the address /mcp/{persona} lists them for everybody. They can be called at once: tools with tool_call, skills with skill_run."
        ),
        Whose::Connection if changed => "The list of tools has changed. If you do not see the new ones, call tools with tool_call and skills with skill_run.".to_owned(),
        Whose::Connection => "The list of tools has them already.".to_owned(),
        Whose::Nobody => way(visit).unwrap_or_default(),
    }
}

/// The names under which a view's skills and tools are seen.
pub(crate) fn names(listing: &Listing) -> (Vec<&str>, Vec<&str>) {
    let (mut skills, mut tools) = (Vec::new(), Vec::new());
    for name in listing.names() {
        match listing.target(name) {
            Some(Target::Skill(_)) => skills.push(name),
            Some(Target::Module(_)) => tools.push(name),
            Some(Target::Core(_)) | None => {}
        }
    }
    skills.sort_unstable();
    tools.sort_unstable();
    (skills, tools)
}

/// What is doubtful about what is shown.
pub(crate) fn warnings(engine: &Engine, view: &View, listing: &Listing) -> Vec<String> {
    let trouble = Some(&view.trouble).filter(|trouble| !trouble.is_empty());
    let mut warnings: Vec<String> = trouble.cloned().into_iter().collect();
    if listing.count() > MANY {
        warnings.push(format!(
            "this persona shows {} tools; more than {MANY} crowd out what a model has to think about",
            listing.count()
        ));
    }
    if !listing.left_out.is_empty() {
        warnings.push(format!(
            "{} of them are not in the list: find them with tool_search or skill_search, call them with tool_call or skill_run",
            listing.left_out.len()
        ));
    }
    for broken in &view.broken {
        let first = broken.problems.first().map(String::as_str).unwrap_or_default();
        warnings.push(format!("the skill `{}` has errors and cannot be run: {first}", broken.name));
    }
    let lacking = engine.lacking(view).unwrap_or_default();
    warnings.extend(lacking.into_iter().map(|(module, command)| {
        format!("the tools of `{module}` need the command `{command}`, which is not on this machine")
    }));
    warnings
}

/// A loaded persona as an answer.
pub(crate) fn told(engine: &Engine, switched: &Switched, listing: &Listing) -> Value {
    let (skills, tools) = names(listing);
    json!({
        "persona": switched.session.persona,
        "text": switched.view.text,
        "session": switched.session.session_id,
        "skills": skills,
        "tools": tools,
        "how": switched.how,
        "warnings": warnings(engine, &switched.view, listing),
    })
}

/// Tells one who listens whenever the list changes that requests like this one get.
pub(crate) async fn tell(seat: &Seat, visit: &Visit, context: &SubscriptionContext) {
    let mut notices = visit.engine.workspace_notices();
    // Whoever is not told when the list becomes another one is shown the same one always.
    let follows = visit.session.is_none() && context.accepted().tools_list_changed == Some(true);
    let mut seated = follows.then(|| seat.changes());
    loop {
        let changed = tokio::select! {
            () = context.cancelled() => return,
            notice = notices.recv() => match notice {
                Ok(notice) => concerns(visit, &notice),
                // Something may have been missed.
                Err(RecvError::Lagged(_)) => true,
                Err(RecvError::Closed) => return,
            },
            Some(()) = next(seated.as_mut()) => true,
        };
        if changed && context.sink().notify_tool_list_changed().await.is_err() {
            return;
        }
    }
}

async fn next(changes: Option<&mut watch::Receiver<()>>) -> Option<()> {
    changes?.changed().await.ok()
}

/// Whether a request that names its session is shown something else now.
fn concerns(visit: &Visit, notice: &WorkspaceUpdated) -> bool {
    let session = visit.session.as_ref().map(|session| &session.session_id);
    notice.persona_changed && session.is_some() && session == notice.session_id.as_ref()
}

//! `session_start`: begins a conversation about a workspace, or goes on with one, and tells what
//! is known before anything is done.

use aa_run::engine::Remembered;
use aa_run::persona::View;
use aa_run::store::{RunSummary, StoreError};
use aa_run::workspace::{ChatSession, Opening};
use async_trait::async_trait;
use rmcp::model::{JsonObject, Tool};
use serde_json::{Value, json};

use super::{CoreTool, Hint, WORKSPACE, define, text};
use crate::mcp::listing::Listing;
use crate::mcp::resource::remembers;
use crate::mcp::result::{self, Whole};
use crate::mcp::server::{Answer, Call, failed, internal};
use crate::mcp::switch;
use crate::mcp::visit::Visit;

/// Known mistakes that are told at most.
const MISTAKES: usize = 5;

/// What gives the rest of what is too much for the answer.
const REST: &str = "memory_read, skill_list, tool_list and run_list give the rest";

pub(crate) struct SessionStart;

#[async_trait]
impl CoreTool for SessionStart {
    fn definition(&self) -> Tool {
        let description = "Begin a session, or go on with one: loads a persona if one is named, and tells the project, \
                           the work under way, the last entries of the log, the skills, mistakes in calls that were made before, and \
                           runs that wait for a person. Call it first.";
        let properties = json!({
            "agent": {"type": "string", "description": "Persona to load; default: none, what is shown stays.", "default": ""},
            "session": {"type": "string", "description": "Session to go on with; default: a new one.", "default": ""},
            "name": {"type": "string", "description": "What to call the session.", "default": ""},
            "project": {"type": "string", "description": "The project that it is about; default: what is seen in the folder.", "default": ""},
            "issue_key": {"type": "string", "description": "The issue that it is about.", "default": ""},
        });
        define("session_start", "Start a session", description, (properties, &[]), Hint::Write)
    }

    async fn call(&self, mut call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        if let Err(message) = switch::enter(&mut call.visit, &args) {
            return Ok(failed(message));
        }
        let (session, view, how) = match open(&call, &args).await {
            Ok(opened) => opened,
            Err(message) => return Ok(failed(message)),
        };
        let visit = &call.visit;
        let listing = Listing::of(&view, call.server.seat.engine.settings().clients.tool_budget);
        let mut told = told(visit, &session, &view).map_err(|error| internal(&error))?;
        told["tools"] = json!(switch::names(&listing).1);
        told["warnings"] = json!(switch::warnings(&visit.engine, &view, &listing));
        if !how.is_empty() {
            told["how"] = json!(how);
        }
        Ok(result::of_parts(told, &["current_work", "log", "known_mistakes"], Whole::Ask(REST)).into())
    }
}

/// The session, what it shows, and how the client comes to that.
async fn open(
    call: &Call<'_>,
    args: &JsonObject,
) -> Result<(ChatSession, std::sync::Arc<View>, String), String> {
    let given = |name: &str| Some(text(args, name).to_owned()).filter(|text| !text.is_empty());
    let opening = Opening {
        resume: given("session"),
        name: given("name"),
        persona: None,
        project: given("project"),
        issue_key: given("issue_key"),
    };
    let visit = &call.visit;
    let before = match &opening.resume {
        Some(id) => {
            visit.engine.session(id).map_err(|error| error.to_string())?.map(|session| session.persona)
        }
        None => None,
    };
    // What it had loaded is loaded again, and what the request shows stays.
    let shown =
        || visit.session.as_ref().filter(|_| !visit.is_elsewhere()).map(|session| session.persona.clone());
    let persona = given("agent").or_else(|| before.or_else(shown).filter(|persona| !persona.is_empty()));
    if let Some(persona) = persona {
        let switched = switch::switch(call, &persona, opening).await?;
        return Ok((switched.session, switched.view, switched.how));
    }
    let view = call.server.view(visit).map_err(|error| error.message.to_string())?;
    let session = switch::begin(visit, opening).await?;
    Ok((session, view, switch::way(visit).unwrap_or_default()))
}

/// What is known. What is remembered is told to whoever may read it, and of mistakes those in calls that they could
/// make themselves.
fn told(visit: &Visit, session: &ChatSession, view: &View) -> Result<Value, StoreError> {
    let engine = &visit.engine;
    let skills: Vec<Value> =
        view.skills.iter().map(|card| json!({"name": card.name, "description": card.summary()})).collect();
    let known = if remembers(visit) { engine.remembered()? } else { Remembered::default() };
    let scope = visit.scope();
    let mistakes = engine.warned_of(MISTAKES, |tool| scope.shows(tool));
    let there = if visit.is_elsewhere() {
        format!(", {WORKSPACE}: {}", json!(engine.settings().folder))
    } else {
        String::new()
    };
    let look = |run: &RunSummary| format!("run_status(run_id: {}{there})", run.id);
    let waiting = |run: &RunSummary| json!({"run": run.id, "skill": run.skill, "since": run.started_at, "look": look(run)});
    Ok(json!({
        "session": session.session_id,
        "name": session.name,
        "workspace": session.workspace_uri,
        "folder": engine.settings().folder,
        "project": session.project,
        "issue_key": session.issue_key,
        "branch": session.branch,
        "persona": view.persona.as_ref().map(|persona| &persona.name),
        "text": view.text,
        "current_work": known.current_work,
        "log": known.log,
        "skills": skills,
        "waiting": engine.waiting_runs()?.iter().map(waiting).collect::<Vec<_>>(),
        // Without a store that can be read there is nothing to tell.
        "known_mistakes": mistakes.unwrap_or_default(),
    }))
}

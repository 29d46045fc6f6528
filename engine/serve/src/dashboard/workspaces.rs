//! `/ui/workspaces`: folders that whoever looks works in with AI clients, and conversations about them.

use std::sync::Arc;

use aa_run::store::{RunFilter, RunSummary};
use aa_run::workspace::{ChatSession, WorkspaceState, path_of};
use axum::Router;
use axum::routing::get;
use maud::{Markup, html};

use super::page::{Live, live};
use super::seen::{Seen, Shown};
use super::{Dashboard, runs, show};
use crate::api::problem::Problem;

/// The address of the list.
const ROOT: &str = "/ui/workspaces";
/// Sessions of a page.
const SESSIONS: u32 = 100;
/// Runs of a page.
const RUNS: u32 = 10;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/ui/workspaces", get(list)).route("/ui/workspaces/folder", get(page))
}

fn address(workspace: &WorkspaceState) -> String {
    format!("{ROOT}/folder?uri={}", show::part(&workspace.workspace_uri))
}

/// The folder as people write it.
fn folder(workspace: &WorkspaceState) -> String {
    let path = path_of(&workspace.workspace_uri);
    path.map_or_else(|| workspace.workspace_uri.clone(), |path| path.display().to_string())
}

async fn list(seen: Seen) -> Shown {
    let engine = &seen.visitor.engine;
    let since = engine.end()?.to_string();
    let all = engine.workspaces()?;
    let shown = html! {
        @if all.is_empty() { (show::empty("You work in no folder yet.", &html! { "Folders in which an AI client works through this server are listed here, with what was said to be worked on." })) }
        ul.rows.card { @for workspace in &all { (row(workspace)) } }
    };
    let main = html! {
        div.head { h1 { "Workspaces" } span.quiet { "Folders that you work in with AI clients" } }
        (live(&shown, Live { since: &since, ..Live::default() }))
    };
    Ok(seen.page("Workspaces", &main))
}

fn row(workspace: &WorkspaceState) -> Markup {
    let folder = folder(workspace);
    let name = folder.rsplit('/').find(|part| !part.is_empty()).unwrap_or(&folder);
    html! {
        li { a.row href=(address(workspace)) data-row {
            span.what {
                strong { (name) } " " @if !workspace.project.is_empty() && workspace.project != name { span.quiet { (workspace.project) } }
                span.line.quiet { (folder) }
            }
            @if !workspace.persona.is_empty() { span.chip { (workspace.persona) } }
            @if workspace.active_session_id.is_some() { (show::badge("active")) }
            span.when { (show::ago(workspace.last_activity)) }
        } }
    }
}

async fn page(seen: Seen) -> Shown {
    let engine = &seen.visitor.engine;
    let since = engine.end()?.to_string();
    let uri = seen.query.text("uri");
    let found = engine.workspaces()?.into_iter().find(|workspace| workspace.workspace_uri == uri);
    let missing = || Problem::of("not-found", format!("you do not work in `{uri}`"));
    let workspace = found.ok_or_else(|| seen.trouble(missing()))?;
    let sessions = engine.sessions_about(&workspace, SESSIONS)?;
    let filter = RunFilter { folder: path_of(uri), limit: Some(RUNS), ..RunFilter::default() };
    let last = engine.runs(&filter)?;
    let folder = folder(&workspace);
    let main = html! {
        p.crumbs { a href=(ROOT) { "Workspaces" } " / " (folder) }
        (live(&shown(&workspace, &sessions, &last), Live { since: &since, ..Live::default() }))
    };
    Ok(seen.page(&folder, &main))
}

fn shown(workspace: &WorkspaceState, sessions: &[ChatSession], last: &[RunSummary]) -> Markup {
    let active = workspace.active_session_id.as_deref();
    html! {
        h1 { (folder(workspace)) }
        dl.facts {
            div { dt { "Project" } dd { @if workspace.project.is_empty() { "not known" } @else { (workspace.project) @if workspace.is_auto_detected { span.quiet { ", seen in the folder" } } } } }
            div { dt { "Persona" } dd { @if workspace.persona.is_empty() { "none" } @else { a href={ "/ui/personas/" (show::part(&workspace.persona)) } { (workspace.persona) } } } }
            div { dt { "Worked in since" } dd { (show::ago(workspace.created_at)) } }
            div { dt { "Last used" } dd { (show::ago(workspace.last_activity)) } }
        }
        section aria-labelledby="sessions" { h2 #sessions { "Conversations" } (table(sessions, active)) }
        section aria-labelledby="last" { h2 #last { "Last runs in this folder" } (show::news("runs", ("run", "runs"), "The newest first")) (runs::table(last)) }
    }
}

fn table(sessions: &[ChatSession], active: Option<&str>) -> Markup {
    if sessions.is_empty() {
        return show::empty(
            "There were no conversations.",
            &html! { "An assistant begins one with " code { "session_start" } "." },
        );
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="All conversations" { table.list {
            thead { tr {
                th scope="col" { "Conversation" } th scope="col" { "About" } th scope="col" { "Persona" } th scope="col" { "Calls" }
                th scope="col" { "Last tool" } th scope="col" { "Last used" } th scope="col" { "Began" }
            } }
            tbody { @for session in sessions { (session_row(session, active == Some(&session.session_id))) } }
        } }
    }
}

fn session_row(session: &ChatSession, is_active: bool) -> Markup {
    let name = if session.name.is_empty() { "without a name" } else { &session.name };
    let about = [&session.project, &session.issue_key, &session.branch];
    let about: Vec<&str> = about.into_iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    html! {
        tr #{ "session-" (session.session_id) } {
            td.main { span.cut title=(session.session_id) { (name) } @if is_active { " " (show::badge("active")) } }
            td { span.cut { (about.join(", ")) } }
            td { (session.persona) }
            td.number { (session.tool_call_count) " " span.quiet.only-narrow { "calls" } }
            td { @if !session.last_tool.is_empty() { code { (session.last_tool) } } }
            td { (show::ago(session.last_activity)) }
            td { (show::ago(session.created_at)) }
        }
    }
}

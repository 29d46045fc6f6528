//! `/ui/memory`: what skills of the visitor's tenant remember from one run to the next, and what is known of
//! projects.

use std::collections::BTreeMap;
use std::sync::Arc;

use aa_run::mistake::{Mark, Mistake};
use aa_run::store::MemoryEntry;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::seen::{Seen, Shown};
use super::{Dashboard, show};
use crate::api::memory::find;
use crate::api::problem::Problem;

/// The address of the list.
pub(super) const ROOT: &str = "/ui/memory";
/// What the key of knowledge of a project begins with; persona and project follow.
const KNOWLEDGE: &str = "knowledge/personas/";
/// Keys of a page.
const MOST: usize = 500;
/// Places that a search gives.
const PLACES: u32 = 50;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/ui/memory", get(list))
        .route("/ui/memory/search", get(search))
        .route("/ui/memory/documents/{*key}", get(document))
        .route("/ui/memory/knowledge", get(knowledge))
        .route("/ui/memory/mistakes", get(mistakes))
}

/// The page of a document.
fn address(key: &str) -> String {
    let parts: Vec<String> = key.split('/').map(show::part).collect();
    format!("{ROOT}/documents/{}", parts.join("/"))
}

/// A page about what is remembered, with the way to the others.
fn shown(seen: &Seen, here: &str, main: &Markup) -> Response {
    let mut views = vec![("", "Documents"), ("/knowledge", "Knowledge")];
    if seen.visitor.may_look().is_ok() {
        views.push(("/mistakes", "Mistakes"));
    }
    let page = html! {
        div.head { h1 { "Memory" } span.quiet { "What skills remember from one run to the next" } }
        form.filters method="get" action="/ui/memory/search" role="search" aria-label="Memory" {
            label.wide { span.hidden { "Search" } input type="search" name="q" value=(seen.query.text("q")) placeholder="Search in all that is remembered" data-search autocomplete="off" spellcheck="false"; }
            button type="submit" { "Search" }
        }
        nav.tabs aria-label="Views" {
            @for (address, title) in views {
                a href={ (ROOT) (address) } aria-current=[(address == here).then_some("true")] { (title) }
            }
            @if here == "/search" { a href=(seen.frame.address) aria-current="true" { "Found" } }
        }
        (main)
    };
    seen.page("Memory", &page)
}

/// Whoever may look at what their tenant remembers.
fn look(seen: &Seen) -> Shown<()> {
    seen.visitor.may_recall().map_err(|error| seen.trouble(error))
}

async fn list(seen: Seen) -> Shown {
    look(&seen)?;
    let all = seen.visitor.engine.memory_entries()?;
    let (count, more) = (all.len(), all.len().saturating_sub(MOST));
    let mut groups = BTreeMap::<&str, Vec<&MemoryEntry>>::new();
    for entry in all.iter().take(MOST) {
        groups.entry(entry.key.split_once('/').map_or("", |(group, _)| group)).or_default().push(entry);
    }
    let main = html! {
        @if count == 0 { (show::empty("Nothing is remembered.", &html! { "Skills remember something by tools such as " code { "memory_write" } "." })) }
        div.columns { @for (group, entries) in &groups {
            section.card aria-labelledby={ "group-" (group) } {
                h2 #{ "group-" (group) } { (group_title(group)) " " span.quiet.small { (entries.len()) } }
                ul.rows { @for entry in entries { (row(entry, group)) } }
            }
        } }
        @if more > 0 { p.quiet { (more) " more; search for them." } }
    };
    Ok(shown(&seen, "", &main))
}

/// What is in a group of keys, for those that the shipped tools write.
fn group_title(group: &str) -> Markup {
    let says = match group {
        "state" => "What goes on",
        "learned" => "What was learned",
        "sessions" => "What was done, by day",
        "knowledge" => "What is known of projects",
        "" => "At the top",
        other => return html! { code { (other) "/" } },
    };
    html! { (says) @if !group.is_empty() { " " code.quiet { (group) "/" } } }
}

fn row(entry: &MemoryEntry, group: &str) -> Markup {
    let name = entry.key.strip_prefix(group).unwrap_or(&entry.key).trim_start_matches('/');
    html! {
        li { a.row href=(address(&entry.key)) data-row {
            span.what { strong { (name) } span.line.quiet { (show::bytes(entry.bytes)) } }
            span.when { (show::ago(entry.updated_at)) }
        } }
    }
}

async fn document(seen: Seen, Path(key): Path<String>) -> Shown {
    look(&seen)?;
    let engine = &seen.visitor.engine;
    let found = engine.memory_document(&key)?;
    let missing = || Problem::of("not-found", format!("nothing is remembered under `{key}`"));
    let document = found.ok_or_else(|| seen.trouble(missing()))?;
    let entry = engine.memory_entries()?.into_iter().find(|entry| entry.key == key);
    let main = html! {
        p.crumbs { a href=(ROOT) { "Memory" } " / " (key) }
        h1 { (key) }
        dl.facts {
            @if let Some(entry) = &entry {
                div { dt { "Changed" } dd { (show::ago(entry.updated_at)) } }
                div { dt { "Size" } dd { (show::bytes(entry.bytes)) } }
            }
            div { dt { "Entries" } dd { (document.len()) } }
            @if let Some(sure) = confidence(&document).filter(|_| key.starts_with(KNOWLEDGE)) { div { dt { "How sure" } dd { (gauge(sure)) } } }
        }
        @if document.is_empty() { (show::empty("It is empty.", &html! { "Something was remembered here once." })) }
        @for (name, value) in &document {
            section.card { h2 { (name) } (show::value(value)) }
        }
    };
    Ok(seen.page(&key, &main))
}

async fn search(seen: Seen) -> Shown {
    look(&seen)?;
    let words = seen.query.text("q").trim();
    if words.is_empty() {
        return Ok(super::seen::then(ROOT));
    }
    let found = find(&seen.visitor, (words, ""), PLACES).await.map_err(|error| seen.trouble(error))?;
    let main = html! {
        @if found.is_empty() { (show::empty("It is nowhere in the memory.", &html! { "Places with all of the words come first, then those with some of them." })) }
        ul.rows.card #list { @for spot in &found { (spot_row(spot)) } }
    };
    Ok(shown(&seen, "/search", &main))
}

fn spot_row(spot: &Value) -> Markup {
    let [key, place, snippet] =
        ["key", "place", "snippet"].map(|name| spot[name].as_str().unwrap_or_default());
    html! {
        li { a.row href=(address(key)) data-row {
            span.what { strong { (key) } @if !place.is_empty() { " " code.quiet { (place) } } span.snippet.quiet { (snippet) } }
        } }
    }
}

/// How sure knowledge is.
fn confidence(document: &Map<String, Value>) -> Option<f64> {
    document.get("metadata")?["confidence"].as_f64().map(|sure| sure.clamp(0.0, 1.0))
}

fn gauge(sure: f64) -> Markup {
    html! { span.gauge { meter min="0" max="1" value=(sure) aria-label="How sure it is" {} " " (percent(sure)) } }
}

/// A part of one as whole hundredths.
fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

async fn knowledge(seen: Seen) -> Shown {
    look(&seen)?;
    let engine = &seen.visitor.engine;
    let mut known = Vec::new();
    for entry in engine.memory_entries()?.into_iter().take(MOST) {
        let Some((persona, project)) =
            entry.key.strip_prefix(KNOWLEDGE).and_then(|rest| rest.split_once('/'))
        else {
            continue;
        };
        let document = engine.memory_document(&entry.key)?.unwrap_or_default();
        known.push((
            persona.to_owned(),
            project.to_owned(),
            confidence(&document).unwrap_or(0.0),
            entry.clone(),
        ));
    }
    let main = html! {
        @if known.is_empty() { (show::empty("Nothing is known of any project.", &html! { "Have an assistant call " code { "knowledge_scan" } " in a project." })) }
        ul.rows.card #list { @for (persona, project, sure, entry) in &known {
            li { a.row href=(address(&entry.key)) data-row {
                span.what { strong { (project) } span.line.quiet { "as " (persona) " knows it" } }
                (gauge(*sure))
                span.when { (show::ago(entry.updated_at)) }
            } }
        } }
    };
    Ok(shown(&seen, "/knowledge", &main))
}

async fn mistakes(seen: Seen) -> Shown {
    seen.visitor.may_look().map_err(|error| seen.trouble(error))?;
    let all = seen.visitor.engine.mistakes()?;
    let main = html! {
        @if all.is_empty() { (show::empty("No mistake repeats.", &html! { "Calls that fail again in the same way are remembered here, and assistants are warned." })) }
        ul.rows.card #list { @for mistake in &all { (mistake_row(mistake)) } }
    };
    Ok(shown(&seen, "/mistakes", &main))
}

fn mistake_row(mistake: &Mistake) -> Markup {
    let times = |count: u32| if count == 1 { "once".to_owned() } else { format!("{count} times") };
    html! {
        li.mistake #{ "mistake-" (mistake.id) } {
            div.head {
                span.what { a href={ "/ui/tools/" (show::part(&mistake.tool)) } data-row { strong { (mistake.tool) } } " " span.quiet { (known_by(&mistake.mark)) } }
                span.when { (show::ago(mistake.last_at)) }
            }
            p.wrong { (show::cut(show::first_line(&mistake.error), 300)) }
            p { (show::prose(&mistake.advice)) }
            p.quiet.small {
                "Made " (times(mistake.seen)) "; a warning helped " (times(mistake.prevented)) ", and was wrong " (times(mistake.false_alarms)) "."
            }
        }
    }
}

/// By what a call that makes a mistake is known, in words.
fn known_by(mark: &Mark) -> String {
    match mark {
        Mark::Value { argument, value } => format!("with {argument} = {}", show::cut(&value.to_string(), 60)),
        Mark::Short { argument, than } => format!("with {argument} of fewer than {than} characters"),
        Mark::Before { tool } => format!("before {tool}"),
        Mark::Call { .. } => "with the same arguments".to_owned(),
    }
}

//! `/ui/skills`: what can be run, how it is written, and what is wrong with it.

use std::sync::Arc;

use aa_run::card::Card;
use aa_run::engine::{CheckedSkill, SkillEntry, StartError};
use aa_run::store::RunFilter;
use aa_spec::check::Strictness;
use aa_spec::form::{is_required, properties};
use aa_spec::graph;
use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use maud::{Markup, html};
use serde_json::Value;

use super::page::drawn;
use super::seen::{Seen, Shown};
use super::{Dashboard, runs, show, yaml};
use crate::api::problem::Finding;

/// Runs of a skill on its page.
const RUNS: u32 = 10;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/ui/skills", get(list)).route("/ui/skills/{skill}", get(page))
}

async fn list(seen: Seen) -> Shown {
    let scope = seen.visitor.scope();
    let all = seen.visitor.engine.skills().map_err(|error| seen.trouble(error))?;
    let wanted = seen.query.text("q").trim().to_lowercase();
    let fits = |entry: &SkillEntry| {
        [&entry.name, &entry.description].iter().any(|text| text.to_lowercase().contains(&wanted))
    };
    let found: Vec<SkillEntry> =
        all.into_iter().filter(|entry| scope.shows(&entry.name) && fits(entry)).collect();
    let main = html! {
        div.head { h1 { "Skills" } span.quiet { (found.len()) " skills" } }
        (search("/ui/skills", "Skills", seen.query.text("q")))
        @if found.is_empty() { (show::empty("There is no such skill.", &html! { "Skills are YAML files in " code { ".aa/skills" } "." })) }
        ul.rows.card #list { @for entry in &found { (entry_row(entry)) } }
    };
    Ok(seen.page("Skills", &main))
}

/// A search field; the script narrows the list while one types, without it the server does.
pub(super) fn search(address: &str, what: &str, text: &str) -> Markup {
    html! {
        form.filters method="get" action=(address) role="search" aria-label=(what) {
            label.wide { span.hidden { "Search" } input type="search" name="q" value=(text) placeholder="Search by name or purpose" data-search data-narrow="list" autocomplete="off" spellcheck="false"; }
            button type="submit" { "Search" }
        }
    }
}

fn entry_row(entry: &SkillEntry) -> Markup {
    html! {
        li { a.row href={ "/ui/skills/" (show::part(&entry.name)) } data-row {
            span.what { strong { (entry.name) } span.line.quiet { (show::prose(&entry.description)) } }
            span.chip { (entry.layer) }
        } }
    }
}

/// The card of a skill that can be run by whoever looks.
pub(super) fn card(seen: &Seen, name: &str) -> Shown<Arc<Card>> {
    seen.visitor.may_use(name).map_err(|error| seen.trouble(error))?;
    let engine = &seen.visitor.engine;
    let catalogue = engine.catalogue().map_err(|error| seen.trouble(error))?;
    match catalogue.skill(name) {
        Some(Ok(card)) => Ok(card),
        Some(Err(_)) => {
            let checked = engine.check(name, Strictness::default()).map_err(|error| seen.trouble(error))?;
            Err(seen.trouble(StartError::Invalid(checked.diagnostics)))
        }
        None => {
            let suggestion = catalogue.near_skill(name).map(str::to_owned);
            Err(seen.trouble(StartError::UnknownSkill { name: name.to_owned(), suggestion }))
        }
    }
}

async fn page(seen: Seen, Path(name): Path<String>) -> Shown {
    seen.visitor.may_use(&name).map_err(|error| seen.trouble(error))?;
    let engine = &seen.visitor.engine;
    let mut checked = engine.check(&name, Strictness::default()).map_err(|error| seen.trouble(error))?;
    checked.diagnostics.extend(engine.check_schedules_of(&checked).map_err(|error| seen.trouble(error))?);
    let card = engine.catalogue().ok().and_then(|catalogue| catalogue.skill(&name)?.ok());
    let filter =
        RunFilter { skill: Some(aa_spec::name::fold(&name)), limit: Some(RUNS), ..RunFilter::default() };
    let last = engine.runs(&filter)?;
    let main = html! {
        p.crumbs { a href="/ui/skills" { "Skills" } " / " (name) }
        div.head {
            h1 { (name) " " @if checked.plan.is_none() { (show::badge("broken")) } }
            @if checked.plan.is_some() { div.actions { a.button.primary href={ "/ui/skills/" (show::part(&name)) "/run" } { "Run…" } } }
        }
        @if let Some(card) = &card { (about(card)) }
        @if let Some(ms) = engine.usual_duration(&aa_spec::name::fold(&name)) { p.quiet { "It usually takes " (show::duration(ms)) "." } }
        (problems(&checked))
        @if let Some(plan) = &checked.plan {
            section aria-labelledby="graph-title" {
                h2 #graph-title { "Steps" }
                div.graph tabindex="0" role="region" aria-label="Graph" { (drawn(picture(&plan.skill))) }
            }
        }
        @if let Some(card) = &card { (takes_and_gives(card)) }
        section aria-labelledby="last" { h2 #last { "Last runs" } (runs::table(&last)) }
        section aria-labelledby="source" {
            h2 #source { "Source " span.quiet.small { (checked.source.path) } }
            (yaml::source(&checked.source.text, &Finding::all(&checked.diagnostics)))
        }
    };
    Ok(seen.page(&name, &main))
}

/// The graph; each step leads to its line of the source.
fn picture(skill: &aa_spec::plan::SkillPlan) -> String {
    let line = |name: &str| skill.steps.iter().find(|step| step.name == name).map_or(1, |step| step.line);
    let link = |name: &str| format!("#L{}", line(name));
    graph::svg_within(skill, &graph::Marks::new(), &graph::Within { link: &link, current: None, only: None })
}

fn about(card: &Card) -> Markup {
    html! {
        p.description { (show::prose(&card.description)) }
        p.chips {
            (show::effect(card.effect)) " "
            @if card.asks { span.chip { "asks a person" } " " }
            @if card.idempotent { span.chip title="Running it twice equals running it once" { "idempotent" } " " }
            span.chip { (card.layer) }
        }
    }
}

fn problems(checked: &CheckedSkill) -> Markup {
    let found = Finding::all(&checked.diagnostics);
    html! {
        @if !found.is_empty() {
            section.card.problems aria-labelledby="problems" {
                h2 #problems { (found.len()) @if found.len() == 1 { " problem" } @else { " problems" } }
                ul { @for problem in &found {
                    li { a href={ "#L" (problem.line) } { "line " (problem.line) } " " (show::prose(&problem.message)) " " code { (problem.code) } }
                } }
            }
        }
    }
}

fn takes_and_gives(card: &Card) -> Markup {
    html! {
        div.columns {
            section.card aria-labelledby="takes" { h2 #takes { "Takes" } (schema(&card.input, "It takes no inputs.")) }
            section.card aria-labelledby="gives" { h2 #gives { "Gives" } (schema(&card.output, "It gives nothing.")) }
        }
    }
}

/// The entries of an object schema.
pub(super) fn schema(schema: &Value, none: &str) -> Markup {
    let mut all = properties(schema).peekable();
    html! {
        @if all.peek().is_none() { p.quiet { (none) } }
        dl.schema { @for (name, field) in all {
            dt { code { (name) } @if is_required(schema, name) { span.must { " required" } } span.quiet.small { " " (kind(field)) } }
            dd {
                @if let Some(text) = field["description"].as_str() { p { (show::prose(text)) } }
                @if let Some(value) = field.get("default").filter(|value| !value.is_null()) { p.quiet.small { "default " code { (value.to_string()) } } }
                @if let Some(values) = field["enum"].as_array() { p.quiet.small { "one of " @for value in values { code { (value.to_string()) } " " } } }
            }
        } }
    }
}

fn kind(field: &Value) -> String {
    match &field["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => String::new(),
    }
}

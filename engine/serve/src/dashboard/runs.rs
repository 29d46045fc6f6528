//! `/ui/runs`: the list of runs, page by page, and what of it is wanted.

use aa_run::engine::RunPage;
use aa_run::event::{Origin, RunId, Time};
use aa_run::store::{RunFilter, RunStatus, RunSummary};
use aa_spec::name::fold;
use chrono::{TimeDelta, Utc};
use maud::{Markup, html};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::page::{Live, live};
use super::seen::{Fields, Seen, Shown};
use super::show;
use crate::api::problem::Problem;

/// Runs of a page.
const SIZE: u32 = 50;

/// How runs can stand.
const STATES: [&str; 5] = ["running", "waiting", "completed", "failed", "cancelled"];
/// Through which front ends they come.
const ORIGINS: [&str; 4] = ["cli", "cron", "mcp", "http"];
/// Since when.
pub(super) const AGES: [(&str, &str, i64); 3] =
    [("hour", "last hour", 1), ("day", "last 24 hours", 24), ("week", "last 7 days", 168)];

/// Since when something of an age is.
pub(super) fn age(word: &str) -> Option<Time> {
    let (.., hours) = AGES.iter().find(|(known, ..)| *known == word)?;
    Some(Utc::now() - TimeDelta::hours(*hours))
}

/// The ages to choose from.
pub(super) fn ages(chosen: &str) -> Markup {
    html! {
        select name="age" {
            option value="" { "any time" }
            @for (word, says, _) in AGES { option value=(word) selected[chosen == word] { (says) } }
        }
    }
}

/// The page of a run.
pub(super) fn address(run: RunId) -> String {
    format!("/ui/runs/{run}")
}

/// What of the list is wanted.
#[derive(Clone, Debug, Default)]
struct Wanted {
    skill: String,
    status: Vec<String>,
    origin: String,
    age: String,
    before: Option<RunId>,
}

pub(super) async fn page(seen: Seen) -> Shown {
    let engine = &seen.visitor.engine;
    let wanted = Wanted::read(&seen.query).map_err(|problem| seen.trouble(problem))?;
    let since = engine.end()?.to_string();
    let mut found = engine.run_page(&wanted.filter(), SIZE).map_err(|error| seen.trouble(error))?;
    // What is shown already stays, as it stands now.
    let held = seen.query.held("run-").filter(|held| found.runs.iter().all(|run| run.id != *held));
    let held: Vec<RunSummary> = held.filter_map(|run| engine.run(run).ok()).collect();
    found.runs.extend(held);
    let counts = engine.run_counts()?;
    let (catalogue, scope) = (engine.catalogue().map_err(|error| seen.trouble(error))?, seen.visitor.scope());
    let names: Vec<&str> = catalogue.skill_names().filter(|name| scope.shows(name)).collect();
    let all: u64 = counts.values().sum();
    let main = html! {
        div.head { h1 { "Runs" } a.button.primary href="/ui/skills" { "Start a run" } }
        (wanted.form(&names))
        (live(&html! { (wanted.tabs(&counts, all)) (show::news("runs", ("run", "runs"), "The newest first")) (table(&found.runs)) (wanted.pages(&found)) },
            Live { since: &since, ..Live::default() }))
    };
    Ok(seen.page("Runs", &main))
}

impl Wanted {
    fn read(query: &Fields) -> Result<Self, Problem> {
        let states: Vec<&str> = STATES.into_iter().chain(["interrupted"]).collect();
        Ok(Self {
            skill: query.text("skill").trim().to_owned(),
            status: query.words("status", &states)?,
            origin: query.word("origin", &ORIGINS)?,
            age: query.word("age", &AGES.map(|(word, ..)| word))?,
            before: query.run("before")?,
        })
    }

    fn filter(&self) -> RunFilter {
        RunFilter {
            skill: Some(fold(&self.skill)).filter(|skill| !skill.is_empty()),
            status: self.status.iter().filter_map(|word| named::<RunStatus>(word)).collect(),
            interrupted: self.status.iter().any(|word| word == "interrupted"),
            origin: named::<Origin>(&self.origin),
            since: age(&self.age),
            before: self.before,
            ..RunFilter::default()
        }
    }

    /// The address of the list with another status, or from another run on.
    fn address(&self, status: &[&str], before: Option<RunId>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("skill", &self.skill), ("origin", &self.origin), ("age", &self.age)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        for one in status {
            query.append_pair("status", one);
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        let query = query.finish();
        if query.is_empty() { "/ui/runs".to_owned() } else { format!("/ui/runs?{query}") }
    }

    fn form(&self, names: &[&str]) -> Markup {
        html! {
            form.filters method="get" action="/ui/runs" role="search" aria-label="Runs" {
                label { span { "Skill" }
                    input name="skill" value=(self.skill) list="skills" placeholder="any" data-search autocomplete="off" spellcheck="false";
                }
                datalist #skills { @for name in names { option value=(name) {} } }
                label { span { "Came from" } select name="origin" {
                    option value="" { "anywhere" }
                    @for word in ORIGINS {
                        option value=(word) selected[self.origin == word] { (named::<Origin>(word).map_or(word, show::origin)) }
                    }
                } }
                label { span { "Started" } (ages(&self.age)) }
                @for status in &self.status { input type="hidden" name="status" value=(status); }
                button type="submit" { "Filter" }
                @if !self.is_open() { a.button.plain href="/ui/runs" { "Clear" } }
            }
        }
    }

    fn is_open(&self) -> bool {
        [&self.skill, &self.origin, &self.age].iter().all(|text| text.is_empty())
    }

    fn tabs(&self, counts: &std::collections::BTreeMap<String, u64>, all: u64) -> Markup {
        let is = |word: &str| self.status.len() == 1 && self.status[0] == word;
        html! {
            nav.tabs aria-label="Status" {
                a href=(self.address(&[], None)) aria-current=[self.status.is_empty().then_some("true")] { "All " span.count { (all) } }
                @for word in STATES {
                    a href=(self.address(&[word], None)) aria-current=[is(word).then_some("true")] {
                        (word) " " span.count { (counts.get(word).copied().unwrap_or_default()) }
                    }
                }
                a href=(self.address(&["interrupted"], None)) aria-current=[is("interrupted").then_some("true")] { "interrupted" }
            }
        }
    }

    fn pages(&self, found: &RunPage) -> Markup {
        let status: Vec<&str> = self.status.iter().map(String::as_str).collect();
        html! {
            nav.pages aria-label="Pages of the list" {
                @if self.before.is_some() { a.button href=(self.address(&status, None)) rel="first" { "Newest" } }
                @if let Some(next) = found.next { a.button href=(self.address(&status, Some(next))) rel="next" { "Older" } }
            }
        }
    }
}

/// A word of ours as a value.
fn named<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::String(word.to_owned())).ok()
}

/// Runs, newest first.
pub(super) fn table(runs: &[RunSummary]) -> Markup {
    if runs.is_empty() {
        return show::empty(
            "There are no such runs.",
            &html! { "Runs of skills and single tools are listed here." },
        );
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Runs" {
            table.list.of-runs {
                thead { tr {
                    th.status scope="col" { "Status" } th.name scope="col" { "Run" } th.started scope="col" { "Started" }
                    th.took scope="col" { "Took" } th.origin scope="col" { "Came from" } th scope="col" { "What went wrong" }
                } }
                tbody #runs data-hold data-tell { @for run in runs { (row(run)) } }
            }
        }
    }
}

fn row(run: &RunSummary) -> Markup {
    html! {
        tr #{ "run-" (run.id) } {
            td.status { (show::standing(run)) }
            td.main { a.cut href=(address(run.id)) title=(run.skill) data-row { strong { (run.skill) } " " span.quiet { "#" (run.id) } } }
            td.started { (show::ago(run.started_at)) }
            td.number.took { (took(run)) }
            td.origin { (show::origin(run.origin)) @if run.principal != "local" { span.quiet { ", " (run.principal) } } }
            td.wrong { @if !run.error.is_empty() { span.cut { (show::prose(show::first_line(&run.error))) } } }
        }
    }
}

/// What a run took, or has taken so far.
pub(super) fn took(run: &RunSummary) -> Markup {
    match run.ended_at {
        Some(ended) => html! { (show::duration(show::between(run.started_at, ended))) },
        None => show::ticking(run.started_at),
    }
}

//! `/ui/audit`: who did what, and whether that is still as it was written.

use std::sync::{Arc, Mutex, PoisonError};

use aa_run::audit::{Kept, Mark};
use aa_run::engine::{Engine, StartError};
use aa_run::event::Time;
use aa_run::store::{AuditFilter, Audited};
use axum::Router;
use axum::routing::{get, post};
use chrono::{TimeDelta, Utc};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::page::{Live, live};
use super::seen::{Fields, Posted, Seen, Shown, then};
use super::{Dashboard, runs, show};
use crate::api::problem::Problem;

/// The address of the list.
pub(super) const ROOT: &str = "/ui/audit";
/// Entries of a page.
const SIZE: u32 = 50;
/// Up to so many entries are checked whenever somebody looks; more take their time, so somebody has to want it.
const AT_ONCE: u64 = 5000;
/// For so long nobody checks again by looking.
const MOMENT: TimeDelta = TimeDelta::seconds(30);

/// Kinds of what is done: what it begins with, and what people see.
const KINDS: [(&str, &str); 10] = [
    ("run.start", "runs started"),
    ("run.answer", "questions answered"),
    ("run.cancel", "runs cancelled"),
    ("run.", "everything about runs"),
    ("schedule.", "schedules"),
    ("service.", "switches"),
    ("heal.", "heal rules"),
    ("tool.", "trusted servers"),
    ("http.", "refused requests"),
    ("serve.", "starts and stops"),
];

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/ui/audit", get(page)).route("/ui/audit/verify", post(verify))
}

/// What the last check has found, and when that was.
#[derive(Debug, Default)]
pub(super) struct Checked(Mutex<Option<(Time, Arc<Audited>)>>);

impl Checked {
    fn last(&self) -> Option<(Time, Arc<Audited>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn check(&self, engine: &Engine, mark: Option<Mark>) -> Result<(), StartError> {
        let at = Utc::now();
        let found = Arc::new(engine.verify_audit(mark).await?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, found));
        Ok(())
    }

    /// Checks when that is soon done, and the last time is not a moment ago.
    async fn look(&self, engine: &Engine, newest: Option<u64>) -> Result<(), StartError> {
        let is_short = newest.is_none_or(|newest| newest <= AT_ONCE);
        let is_fresh = self.last().is_some_and(|(at, _)| Utc::now() - at < MOMENT);
        if is_short && !is_fresh { self.check(engine, None).await } else { Ok(()) }
    }
}

/// What of the list is wanted.
#[derive(Clone, Debug, Default)]
struct Wanted {
    who: String,
    did: String,
    run: String,
    age: String,
    before: Option<u64>,
}

async fn page(seen: Seen) -> Shown {
    let engine = &seen.visitor.engine;
    let since = engine.end()?.to_string();
    let wanted = Wanted::read(&seen.query).map_err(|problem| seen.trouble(problem))?;
    let mut entries = engine.recent_audit(&wanted.filter()).await.map_err(|error| seen.trouble(error))?;
    let newest = AuditFilter { limit: Some(1), ..AuditFilter::default() };
    let newest = engine.audit_entries(&newest).map_err(|error| seen.trouble(error))?;
    let checked = &seen.dashboard.checked;
    let newest = newest.first().map(|entry| entry.seq);
    checked.look(engine, newest).await.map_err(|error| seen.trouble(error))?;
    let checked = checked.last();
    let more = entries.len() > SIZE as usize;
    entries.truncate(SIZE as usize);
    let shown = html! {
        (seal(checked.as_ref()))
        (wanted.form())
        (show::news("entries", ("entry", "entries"), "The newest first"))
        (table(&entries, checked.as_ref().map(|(_, audited)| &**audited)))
        (wanted.pages(entries.last().filter(|_| more)))
    };
    let main = html! {
        div.head { h1 { "Audit" } span.quiet { "Who did what, each entry bound to the one before it" } }
        (live(&shown, Live { since: &since, ..Live::default() }))
    };
    Ok(seen.page("Audit", &main))
}

impl Wanted {
    fn read(query: &Fields) -> Result<Self, Problem> {
        let text = |name: &str| query.text(name).trim().to_owned();
        Ok(Self {
            who: text("who"),
            did: query.word("did", &KINDS.map(|(word, _)| word))?,
            run: query.run("run")?.map(|run| run.to_string()).unwrap_or_default(),
            age: query.word("age", &runs::AGES.map(|(word, ..)| word))?,
            // An entry has a number, as a run has.
            before: query.run("before")?.and_then(|entry| u64::try_from(entry.0).ok()),
        })
    }

    fn filter(&self) -> AuditFilter {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        AuditFilter {
            who: some(&self.who),
            did: some(&self.did),
            what: some(&self.run).map(|run| format!("run {run}")),
            since: runs::age(&self.age),
            before: self.before,
            limit: Some(SIZE + 1),
        }
    }

    fn address(&self, before: Option<u64>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let before = before.map(|before| before.to_string()).unwrap_or_default();
        let all = [
            ("who", &self.who),
            ("did", &self.did),
            ("run", &self.run),
            ("age", &self.age),
            ("before", &before),
        ];
        query.extend_pairs(all.into_iter().filter(|(_, text)| !text.is_empty()));
        format!("{ROOT}?{}", query.finish())
    }

    fn is_open(&self) -> bool {
        [&self.who, &self.did, &self.run, &self.age].iter().all(|text| text.is_empty())
    }

    fn form(&self) -> Markup {
        html! {
            form.filters #filters data-keep="filters" method="get" action=(ROOT) role="search" aria-label="Audit" {
                label { span { "Who" } input name="who" value=(self.who) placeholder="anybody" data-search autocomplete="off" spellcheck="false"; }
                label { span { "Did what" } select name="did" {
                    option value="" { "anything" }
                    @for (word, says) in KINDS { option value=(word) selected[self.did == word] { (says) } }
                } }
                label.short { span { "To run" } input name="run" value=(self.run) inputmode="numeric" placeholder="any" autocomplete="off"; }
                label { span { "When" } (runs::ages(&self.age)) }
                button type="submit" { "Filter" }
                @if !self.is_open() { a.button.plain href=(ROOT) { "Clear" } }
            }
        }
    }

    fn pages(&self, last: Option<&Kept>) -> Markup {
        html! {
            nav.pages aria-label="Pages of the list" {
                @if self.before.is_some() { a.button href=(self.address(None)) rel="first" { "Newest" } }
                @if let Some(last) = last { a.button href=(self.address(Some(last.seq))) rel="next" { "Older" } }
            }
        }
    }
}

/// What the last check has found, and how to check.
fn seal(checked: Option<&(Time, Arc<Audited>)>) -> Markup {
    let fault = checked.and_then(|(_, audited)| audited.fault.as_ref());
    let state = match checked {
        None => "note",
        Some(_) if fault.is_some() => "failed",
        Some(_) => "ok",
    };
    html! {
        section #seal class={ "card seal is-" (state) } aria-label="Check" {
            (show::sign(state))
            div.what {
                @match (checked, fault) {
                    (None, _) => {
                        strong { "Not checked yet" }
                        p.quiet { "All of it is read for that, which takes a while when there is much." }
                    },
                    (Some((at, audited)), Some(fault)) => {
                        strong.wrong { "Something is wrong with entry " (fault.seq) }
                        p { (show::prose(&fault.problem)) "." }
                        p.quiet { "The " (show::count(audited.entries)) " entries before it are as they were written. Looked at " (show::ago(*at)) "." }
                    },
                    (Some((at, audited)), None) => {
                        strong { (show::count(audited.entries)) " entries are as they were written, and none is missing" }
                        p.quiet {
                            "Checked " (show::ago(*at)) "."
                            @if audited.removed > 0 { " Entries up to " (show::count(audited.removed)) " were removed for their age." }
                            @if audited.pending > 0 { " " (show::count(audited.pending)) " events of runs are not in it yet." }
                        }
                        @if let Some(mark) = &audited.last { (noted(mark)) }
                    },
                }
            }
            (verify_form())
        }
    }
}

fn noted(mark: &Mark) -> Markup {
    html! {
        details #mark {
            summary { "Mark to keep elsewhere" }
            p.quiet.small { "Whoever has this machine can write another audit. With this line, kept somewhere else, a later check tells." }
            code.value.mark-text { (mark) }
        }
    }
}

fn verify_form() -> Markup {
    html! {
        details.menu #verify {
            summary.button { "Check…" }
            form.card method="post" action="/ui/audit/verify" {
                p { strong { "Read all entries and the events that they tell of?" } }
                label { span { "A mark that was kept elsewhere (optional)" } input name="mark" autocomplete="off" spellcheck="false" placeholder="NUMBER:HASH"; }
                button.primary type="submit" { "Check it" }
            }
        }
    }
}

fn table(entries: &[Kept], checked: Option<&Audited>) -> Markup {
    if entries.is_empty() {
        return show::empty(
            "There are no such entries.",
            &html! { "Whatever starts, steers or changes something is written down here." },
        );
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Entries" {
            table.list.entries {
                thead { tr {
                    th scope="col" { "Entry" } th scope="col" { "Did" } th scope="col" { "Who" } th scope="col" { "When" }
                    th scope="col" { "Came from" } th scope="col" { "More" }
                } }
                tbody #entries data-hold { @for entry in entries { (row(entry, checked)) } }
            }
        }
    }
}

/// Whether an entry is what was written, as far as that was looked at.
fn state(seq: u64, checked: Option<&Audited>) -> (&'static str, &'static str) {
    let Some(checked) = checked else { return ("note", "not checked yet") };
    let last = checked.last.as_ref().map_or(0, |mark| mark.seq);
    match &checked.fault {
        Some(fault) if fault.seq == seq => ("failed", "not what was written"),
        _ if seq <= last => ("ok", "as it was written"),
        Some(_) => ("note", "cannot be told, as an entry before it is wrong"),
        None => ("note", "written since the last check"),
    }
}

fn row(kept: &Kept, checked: Option<&Audited>) -> Markup {
    let (entry, (state, says)) = (&kept.entry, state(kept.seq, checked));
    html! {
        tr #{ "entry-" (kept.seq) } {
            td.number.seq title=(says) { (show::sign(state)) span.hidden { (says) } " " (kept.seq) }
            td.main { (entry.did) " " (what(&entry.what)) @if entry.outcome != "ok" { " " (show::badge(&entry.outcome)) } }
            td { (entry.who) }
            td { (show::ago(entry.at)) }
            td { (via(&entry.via)) }
            td.extra { (detail(&entry.detail)) }
        }
    }
}

/// To what something was done, with a way there.
fn what(text: &str) -> Markup {
    let address = match text.split_once(' ') {
        Some(("run", run)) => Some(format!("/ui/runs/{}", show::part(run))),
        Some(("schedule", name)) => Some(format!("/ui/schedules/{}", show::part(name))),
        Some(("service", _)) => Some("/ui/health".to_owned()),
        _ => None,
    };
    html! { @if let Some(address) = address { a href=(address) data-row { (text) } } @else { span.quiet { (text) } } }
}

fn via(text: &str) -> &str {
    match text {
        "cli" => "terminal",
        "cron" => "schedule",
        "mcp" => "AI client",
        "http" => "dashboard or API",
        "serve" => "the server itself",
        other => other,
    }
}

/// What else there is to say, without what only machines compare.
fn detail(of: &Value) -> Markup {
    let empty = Map::new();
    let of = of.as_object().unwrap_or(&empty);
    let shown =
        of.iter().filter(|(name, value)| !matches!(name.as_str(), "event" | "plan") && !value.is_null());
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    // The number of a request is only needed to find it again.
    let most = |name: &str| if name == "request" { 8 } else { 120 };
    html! {
        @for (name, value) in shown { span.pair title=(text(value)) { span.quiet { (name) } " " (show::cut(&text(value), most(name))) } " " }
    }
}

async fn verify(seen: Seen, posted: Posted) -> Shown {
    let mark = posted.get("mark").map(str::trim).map(str::parse::<Mark>).transpose();
    let mark = mark.map_err(|why| seen.trouble(Problem::of("bad-body", why)))?;
    let checked = seen.dashboard.checked.check(&seen.visitor.engine, mark).await;
    checked.map_err(|error| seen.trouble(error))?;
    Ok(then(ROOT))
}

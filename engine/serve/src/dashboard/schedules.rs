//! `/ui/schedules`: what runs although nobody is there, and why it did or did not.

use std::sync::Arc;

use aa_run::driver::Park;
use aa_run::engine::{Cause, ScheduleView};
use aa_run::event::Time;
use aa_run::schedule::Slot;
use aa_run::schedule::why::{Reason, summed};
use aa_run::store::SlotFilter;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use chrono::Utc;
use maud::{Markup, html};

use super::page::{Live, live};
use super::seen::{Posted, Seen, Shown, then};
use super::{Dashboard, runs, show, skills};
use crate::api::problem::Problem;

/// Moments to come that a page names.
const COMING: usize = 6;
/// Schedules of a page.
const MOST: usize = 500;
/// Past times of a page.
const PAST: u32 = 50;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/ui/schedules", get(list))
        .route("/ui/schedules/{name}", get(page))
        .route("/ui/schedules/{name}/pause", post(pause))
        .route("/ui/schedules/{name}/resume", post(resume))
        .route("/ui/schedules/{name}/run", post(run))
}

fn address(name: &str) -> String {
    format!("/ui/schedules/{}", show::part(name))
}

/// Where it is told what has become of the time that a run was started for.
pub(super) fn slot_address(cause: &Cause) -> String {
    format!("{}#slot-{}", address(&cause.schedule), cause.slot.due.timestamp_millis())
}

async fn list(seen: Seen) -> Shown {
    let engine = &seen.visitor.engine;
    let since = engine.end()?.to_string();
    let wanted = seen.query.text("q").to_lowercase();
    let mut all = engine.schedules(Utc::now()).map_err(|error| seen.trouble(error))?;
    all.retain(|view| {
        [&view.name, &view.skill, &view.description].iter().any(|text| text.to_lowercase().contains(&wanted))
    });
    let is_alive = engine.has_scheduler()?;
    let (count, more) = (all.len(), all.len().saturating_sub(MOST));
    all.truncate(MOST);
    let listed = html! {
        @if !is_alive { p.notice { "No living process runs what is due: this one was started without a scheduler." } }
        @if all.is_empty() { (show::empty("There are no schedules.", &html! { "They stand under " code { "schedules:" } " in the configuration or under " code { "schedule:" } " in a skill." })) }
        ul.rows.card #list { @for view in &all { (row(view)) } }
        @if more > 0 { p.quiet { (more) " more; search for them." } }
    };
    let main = html! {
        div.head { h1 { "Schedules" } span.quiet { (count) " schedules" } }
        (skills::search("/ui/schedules", "Schedules", seen.query.text("q")))
        (live(&listed, Live { since: &since, ..Live::default() }))
    };
    Ok(seen.page("Schedules", &main))
}

/// How a schedule stands, in a word.
fn state(view: &ScheduleView) -> &'static str {
    match view {
        view if !view.problems.is_empty() => "broken",
        view if !view.enabled => "off",
        view if view.paused.is_some() => "paused",
        view if view.waiting.is_some() => "waiting",
        view if view.failing.is_some() => "failed",
        _ => view.last.as_ref().map_or("ready", |slot| slot.state.word()),
    }
}

fn row(view: &ScheduleView) -> Markup {
    let goes = view.enabled && view.paused.is_none() && view.problems.is_empty();
    html! {
        li #{ "schedule-" (view.name) } { a.row href=(address(&view.name)) data-row {
            span.what {
                strong { (view.name) } " " span.quiet { (view.skill) }
                span.line.quiet { (show::prose(&view.trigger)) @if !view.trigger.contains(&view.timezone) { ", " (view.timezone) } }
            }
            span.when { @if let Some(next) = view.next.filter(|_| goes) { (show::ago(next)) } }
            (show::badge(state(view)))
        } }
    }
}

async fn page(seen: Seen, Path(name): Path<String>) -> Shown {
    let (engine, now) = (&seen.visitor.engine, Utc::now());
    let since = engine.end()?.to_string();
    let view = engine.schedule(&name, now).map_err(|error| seen.trouble(error))?;
    let filter = SlotFilter { limit: Some(PAST), ..SlotFilter::default() };
    // What has errors has no times either.
    let slots = engine.schedule_slots(&name, &filter).unwrap_or_default();
    let why = engine.schedule_why(&name, PAST, now).unwrap_or_default();
    let coming = engine.schedule_times(&name, now, COMING).map(|(_, times)| times).unwrap_or_default();
    let shown = html! {
        (head(&view, engine.steers_schedule(&name)))
        div.columns {
            section.card aria-labelledby="why" { h2 #why { "Why" } (show::news("reasons", ("reason", "reasons"), "What holds now, then the newest")) (reasons(&why, now)) }
            section.card aria-labelledby="coming" {
                h2 #coming { "Due next" }
                @if coming.is_empty() { p.quiet { "Nothing is due by the clock." } }
                ol.coming { @for time in &coming { li { (show::ago(*time)) " " span.quiet.small { (show::exact(*time)) } } } }
            }
        }
        section aria-labelledby="slots" { h2 #slots { "Past times" } (show::news("times", ("time", "times"), "The newest first")) (table(&summed(slots))) }
    };
    let main = html! {
        p.crumbs { a href="/ui/schedules" { "Schedules" } " / " (view.name) }
        (live(&shown, Live { since: &since, ..Live::default() }))
    };
    Ok(seen.page(&view.name, &main))
}

fn head(view: &ScheduleView, steers: bool) -> Markup {
    let at = |what: &str| format!("{}/{what}", address(&view.name));
    html! {
        div.head {
            h1 { (view.name) " " (show::badge(state(view))) }
            div.actions {
                @if steers && view.problems.is_empty() {
                    form method="post" action=(at("run")) { button type="submit" { "Run now" } }
                    @if view.paused.is_some() { form method="post" action=(at("resume")) { button.primary type="submit" { "Resume" } } }
                    @else { (pause_menu(&at("pause"))) }
                }
            }
        }
        @if !view.description.is_empty() { p { (show::prose(&view.description)) } }
        @for fault in &view.faults { p.notice.wrong { (show::prose(&fault.to_string())) } }
        @if let Some(held) = &view.paused {
            p.notice { "Held since " (show::ago(held.at)) @if !held.by.is_empty() { " by " (held.by) } @if !held.why.is_empty() { ": " (show::prose(&held.why)) } }
        }
        @if let Some(waiting) = &view.waiting {
            p.notice {
                @if let Some(run) = waiting.run { a href=(runs::address(run)) { "Run " (run) } } @else { "A run" }
                @if waiting.in_doubt { " waits for somebody to say how a step ended, since " } @else { " waits for a person since " }
                (show::ago(waiting.since)) "."
            }
        }
        @if let Some(failing) = &view.failing {
            p.notice.wrong {
                "Polling fails: " (failing.count) @if failing.count == 1 { " time" } @else { " times in a row" } ", since " (show::ago(failing.since))
                @if let Some((_, what)) = view.polled.as_ref().filter(|(_, what)| what != "asked") { ": " (what) }
            }
        }
        dl.facts {
            @if !view.skill.is_empty() { div { dt { "Skill" } dd { a href={ "/ui/skills/" (show::part(&view.skill)) } { (view.skill) } } } }
            div { dt { "Due" } dd { (show::prose(&view.trigger)) } }
            div { dt { "Zone" } dd { (view.timezone) } }
            div { dt { "Written in" } dd { code.cut title=(view.place) { (view.place) } } }
            @if let Some((at, what)) = &view.polled { div { dt { "Last asked" } dd { (show::ago(*at)) ": " (what) } } }
        }
    }
}

fn pause_menu(action: &str) -> Markup {
    html! {
        details.menu #pause {
            summary.button { "Pause…" }
            form.card method="post" action=(action) {
                p { strong { "Hold it until somebody resumes it?" } }
                label { span { "Why (for those who look later)" } input name="why" autocomplete="off"; }
                button.primary type="submit" { "Pause it" }
            }
        }
    }
}

fn reasons(reasons: &[Reason], now: Time) -> Markup {
    html! {
        @if reasons.is_empty() { p.quiet { "Nothing has happened yet." } }
        ol.reasons #reasons data-hold { @for (at, reason) in reasons.iter().take(20).enumerate() {
            li #{ "reason-" (reason_id(reason, at, now)) } .passing[reason.at == now] {
                @if let Some(state) = reason.state { (show::sign(state.word())) } @else { (show::sign("note")) }
                // What holds now is said of no other moment.
                span { (show::prose(&reason.text))
                    @if let Some(run) = reason.run { " " a href=(runs::address(run)) { "#" (run) } }
                    @if reason.at != now && reason.state.is_none() { " " span.quiet { (show::ago(reason.at)) } } }
            }
        } }
    }
}

/// What tells a reason from the others: its moment, or its place when it holds now.
fn reason_id(reason: &Reason, at: usize, now: Time) -> String {
    let kind = if reason.state.is_some() { "time" } else { "note" };
    if reason.at == now { format!("now-{at}") } else { format!("{kind}-{}", reason.at.timestamp_millis()) }
}

fn table(slots: &[Slot]) -> Markup {
    if slots.is_empty() {
        return show::empty(
            "No time has come yet.",
            &html! { "Every time that is due is kept here with what became of it." },
        );
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="What became of past times" { table.list.of-times {
            thead { tr { th scope="col" { "What became of it" } th scope="col" { "Due" } th scope="col" { "Run" } th scope="col" { "Took" } th scope="col" { "From" } th scope="col" { "Why" } } }
            tbody #times data-hold { @for slot in slots { (slot_row(slot)) } }
        } }
    }
}

fn slot_row(slot: &Slot) -> Markup {
    let took = slot.started.zip(slot.ended).map(|(from, until)| show::duration(show::between(from, until)));
    html! {
        tr #{ "slot-" (slot.due.timestamp_millis()) } {
            td { (show::badge(slot.state.word())) }
            td.main { (show::ago(slot.due)) @if slot.count > 1 { span.quiet { " and " (slot.count - 1) " before" } } }
            td { @if let Some(run) = slot.run { a href=(runs::address(run)) data-row { "#" (run) } @if slot.attempt > 1 { span.quiet { " attempt " (slot.attempt) } } } @else { "–" } }
            td.number { (took.unwrap_or_default()) }
            td { (slot.kind.word()) }
            td { @if !slot.why.is_empty() { span.cut { (show::prose(&slot.why)) } } }
        }
    }
}

async fn pause(seen: Seen, Path(name): Path<String>, posted: Posted) -> Shown {
    let held =
        seen.visitor.engine.pause_schedule(&name, &seen.visitor.by(), posted.text("why"), Utc::now()).await;
    done(&seen, &name, held)
}

async fn resume(seen: Seen, Path(name): Path<String>) -> Shown {
    let going = seen.visitor.engine.resume_schedule(&name, &seen.visitor.by(), Utc::now()).await;
    done(&seen, &name, going)
}

fn done(seen: &Seen, name: &str, result: Result<(), impl Into<Problem>>) -> Shown<Response> {
    result.map_err(|error| seen.trouble(error))?;
    Ok(then(&address(name)))
}

/// Whoever wants it now is shown the run; how it went is noted when it is over, whether they look or not.
async fn run(seen: Seen, Path(name): Path<String>) -> Shown {
    let engine = &seen.visitor.engine;
    let triggered = engine.run_schedule(&name, None, (&seen.visitor.by(), Utc::now()), Park::Stay).await;
    let triggered = triggered.map_err(|error| seen.trouble(error))?;
    let id = triggered.handle.id;
    engine.settle_later(triggered);
    // The run is the owner's, and may not be there for whoever has it run.
    Ok(then(&engine.run(id).map_or_else(|_| address(&name), |run| runs::address(run.id))))
}

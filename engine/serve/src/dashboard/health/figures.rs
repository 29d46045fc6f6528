//! What an operator wants to know at a glance: whether work can be given to this server, and what waits.

use aa_run::engine::{Check, Engine, Figures, HealStats, Health};
use aa_run::event::Time;
use maud::{Markup, html};

use super::super::seen::Shown;
use super::super::show;
use crate::metrics;

/// The figures, and whether the parts work.
pub(super) fn shown(engine: &Engine, health: &Health, began: Time, stats: &[HealStats]) -> Shown<Markup> {
    let figures = engine.figures()?;
    Ok(html! {
        (readiness(health, began))
        (tiles(engine, &figures, stats))
        ul.checks.card {
            (part("The store can be written and read", &health.store, &html! { (show::bytes(figures.store_bytes)) }))
            (part("Files of skills, tools and personas can be read", &health.catalog, &html! { a href="/ui/skills" { "skills" } @if !health.broken.is_empty() { ", " a.wrong href="#broken" { (health.broken.len()) " refused" } } }))
            (part("What is due is run", &health.scheduler, &html! { a href="/ui/schedules" { "schedules" } }))
            @for (module, check) in &health.listeners { (part(&format!("What is new in {module} is heard"), check, &html! { "listening" })) }
            (driven(engine)?)
            (place("State", &engine.settings().state_folder))
            (place("Folder", &engine.settings().folder))
        }
    })
}

/// What `/readyz` says, and why.
fn readiness(health: &Health, began: Time) -> Markup {
    let (state, word) = match (health.draining, health.is_ready()) {
        (true, _) => ("paused", "About to end"),
        (false, true) => ("ok", "Ready"),
        (false, false) => ("failed", "Not ready"),
    };
    let why = health.failing();
    html! {
        section #ready class={ "card seal is-" (state) } aria-label="Readiness" {
            (show::sign(state))
            div.what {
                strong { (word) }
                @if health.draining { p { "Running steps come to an end; new work is refused." } }
                @for reason in &why { p.wrong { (show::prose(reason)) } }
                @if why.is_empty() && !health.draining { p.quiet { "Work can be given to this server." } }
            }
            dl.facts {
                div { dt { "Version" } dd { (env!("CARGO_PKG_VERSION")) } }
                div { dt { "Up for" } dd.number { (show::ticking(began)) } }
                @if let Some(bytes) = metrics::memory() { div { dt { "Memory" } dd.number { (show::bytes(bytes)) } } }
            }
        }
    }
}

fn tiles(engine: &Engine, figures: &Figures, stats: &[HealStats]) -> Markup {
    let open = |status: &str| figures.open_runs.get(status).copied().unwrap_or_default();
    let calls = engine.settings().calls;
    let taken = calls.saturating_sub(figures.free_calls);
    let (acted, helped) =
        stats.iter().fold((0, 0), |(acted, helped), rule| (acted + rule.acted, helped + rule.helped));
    let backlog = &figures.backlog;
    html! {
        ul.tiles.figures {
            (tile("calls", "Tool calls under way", &html! { (taken) span.of { " of " (calls) } meter min="0" max=(calls) value=(taken) aria-label="Places for tool calls that are taken" {} }, if taken == calls { "waiting" } else { "plain" }))
            (tile("running", "Runs under way", &number(open("running")), "plain"))
            (tile("asking", "Runs that wait for a person", &number(open("waiting")), if open("waiting") > 0 { "waiting" } else { "plain" }))
            (tile("queue", "Runs that wait for a place", &number(figures.waiting_runs as u64), warns(figures.waiting_runs as u64)))
            (tile("late", "Schedules that are late", &number(backlog.late_slots), warns(backlog.late_slots)))
            (tile("breakers", "Hosts that do not answer", &number(figures.open_breakers as u64), warns(figures.open_breakers as u64)))
            (tile("requests", "Answers not taken in", &number(backlog.requests), "plain"))
            (tile("notices", "News not sent", &number(backlog.notices), "plain"))
            (tile("healed", "Steps healed", &html! { (show::count(helped)) span.of { " of " (show::count(acted)) } }, "plain"))
        }
    }
}

fn number(count: u64) -> Markup {
    html! { (show::count(count)) }
}

/// What should be none.
fn warns(count: u64) -> &'static str {
    if count > 0 { "warning" } else { "plain" }
}

fn tile(id: &str, what: &str, number: &Markup, kind: &str) -> Markup {
    html! {
        li #{ "figure-" (id) } class={ "tile of-" (kind) } { div.box { span.number { (number) } span.what { (what) } } }
    }
}

fn part(what: &str, check: &Check, more: &Markup) -> Markup {
    let state = match check {
        Check::Ok => "ok",
        Check::Off | Check::Elsewhere => "off",
        Check::Failing(_) => "failed",
    };
    html! {
        li {
            (show::sign(state))
            span.what { strong { (what) } }
            span.quiet { @match check {
                Check::Ok => (more),
                Check::Off => "it is not wanted",
                Check::Elsewhere => "another process does it",
                Check::Failing(why) => span.wrong { (show::prose(why)) },
            } }
        }
    }
}

/// Whether there are runs that nobody drives.
fn driven(engine: &Engine) -> Shown<Markup> {
    let interrupted = aa_run::store::RunFilter { interrupted: true, limit: Some(100), ..Default::default() };
    let lost = engine.runs(&interrupted)?.len();
    Ok(html! {
        li {
            (show::sign(if lost == 0 { "ok" } else { "interrupted" }))
            span.what { strong { @if lost == 0 { "Every run is driven" } @else { "Runs were interrupted" } } }
            span.quiet { @if lost > 0 { a href="/ui/runs?status=interrupted" { (lost) " interrupted" } } @else { "none was interrupted" } }
        }
    })
}

fn place(what: &str, folder: &std::path::Path) -> Markup {
    html! { li { (show::sign("note")) span.what { strong { (what) } } code.cut title=(folder.display()) { (folder.display()) } } }
}

//! `/ui/health`: whether everything works that should, and what can be switched.

mod figures;

use std::sync::Arc;

use aa_run::engine::{BrokenFile, Engine, HealStats};
use aa_run::schedule::service::Service;
use aa_run::store::Notice;
use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use chrono::Utc;
use maud::{Markup, html};

use super::page::{Live, live};
use super::seen::{Posted, Seen, Shown, then};
use super::{Dashboard, show};

/// Seconds after which it is looked at again: not all that counts here is an event.
const EVERY: u32 = 5;
/// Notices of the page.
const NOTICES: u32 = 20;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/ui/health", get(page))
        .route("/ui/health/services/{service}", post(switch))
        .route("/ui/health/heal/{rule}/reset", post(reset))
}

async fn page(seen: Seen) -> Shown {
    let engine = &seen.visitor.engine;
    let since = engine.end()?.to_string();
    let owner = seen.visitor.is_owner().is_ok();
    let looks = seen.visitor.may_look().is_ok();
    let stats =
        if looks { engine.heal_stats().await.map_err(|error| seen.trouble(error))? } else { Vec::new() };
    let counts = engine.run_counts()?;
    let health = if owner { Some(engine.health().await) } else { None };
    let shown = html! {
        h1 { "Health" }
        @if let Some(health) = &health { (figures::shown(engine, health, seen.dashboard.began, &stats)?) } @else {
            ul.checks.card {
                (check("This server answers", &html! { "aa " (env!("CARGO_PKG_VERSION")) }))
                (check("The store can be read", &html! { (counts.values().sum::<u64>()) " runs of yours" }))
            }
        }
        @if looks { (problems(engine)) }
        @if owner { (services(&engine.services()?)) }
        @if looks { (heals(&stats, owner)) }
        @if owner { (notices(&engine.notices(NOTICES)?)) }
        @if let Some(health) = &health { (refused(&health.broken)) }
    };
    Ok(seen.page("Health", &live(&shown, Live { since: &since, every: Some(EVERY), ..Live::default() })))
}

fn check(what: &str, more: &Markup) -> Markup {
    html! {
        li { (show::sign("ok")) span.what { strong { (what) } } span.quiet { (more) } }
    }
}

/// What is wrong with modules and secrets.
fn problems(engine: &Engine) -> Markup {
    let modules = engine.tool_problems().unwrap_or_default();
    let secrets = engine.secret_problems();
    html! {
        @if !modules.is_empty() || !secrets.is_empty() {
            section.card.problems aria-labelledby="problems" {
                h2 #problems { "Problems" }
                ul {
                    @for found in crate::api::problem::Finding::all(&modules) { li { code { (found.file) ":" (found.line) } " " (show::prose(&found.message)) @if !found.hint.is_empty() { " " span.quiet { (show::prose(&found.hint)) } } } }
                    @for text in &secrets { li { (show::prose(text)) } }
                }
            }
        }
    }
}

fn services(all: &[Service]) -> Markup {
    html! {
        section.card aria-labelledby="services" {
            h2 #services { "Switches" }
            ul.rows { @for service in all {
                li.switch #{ "service-" (service.name) } {
                    span.what { strong { (service.name) } span.line.quiet { (show::prose(service.about)) @if let Some((by, at)) = &service.switched { ", switched by " (by) " " (show::ago(*at)) } } }
                    (show::badge(if service.enabled { "on" } else { "off" }))
                    form method="post" action={ "/ui/health/services/" (service.name) } {
                        button name="enabled" value=(!service.enabled) aria-label={ "Switch " @if service.enabled { "off " } @else { "on " } (service.name) } { @if service.enabled { "Switch off" } @else { "Switch on" } }
                    }
                }
            } }
        }
    }
}

fn heals(stats: &[HealStats], owner: bool) -> Markup {
    let has_acted = |rule: &&HealStats| rule.acted + rule.reused > 0 || rule.stopped.is_some();
    let stats: Vec<&HealStats> = stats.iter().filter(has_acted).collect();
    html! {
        section.card aria-labelledby="heals" {
            h2 #heals { "Healing" }
            @if stats.is_empty() { p.quiet { "No heal rule has acted yet." } } @else {
                div.scroll tabindex="0" role="region" aria-label="Heal rules" { table.list {
                    thead { tr { th scope="col" { "Rule" } th scope="col" { "Acted" } th scope="col" { "Helped" } th scope="col" { "In vain" } th scope="col" { "State" } } }
                    tbody { @for rule in &stats { tr #{ "rule-" (rule.rule) } {
                        td.main { (rule.rule) } td.number { (rule.acted) } td.number { (rule.helped) } td.number { (rule.in_vain) }
                        td { @match &rule.stopped {
                            Some(why) => { (show::badge("off")) " " (show::prose(why)) @if owner { form method="post" action={ "/ui/health/heal/" (show::part(&rule.rule)) "/reset" } { button type="submit" { "Let it act again" } } } },
                            None => (show::badge("ok")),
                        } }
                    } } }
                } }
            }
        }
    }
}

fn notices(all: &[Notice]) -> Markup {
    html! {
        section.card aria-labelledby="notices" {
            h2 #notices { "What people were told" }
            (show::news("told", ("notice", "notices"), "The newest first"))
            @if all.is_empty() { p.quiet { "Nobody had to be told of anything." } }
            ul.rows #told data-hold { @for notice in all {
                li.row #{ "notice-" (notice.id) } {
                    span.what { strong { (show::prose(&notice.title)) } span.line.quiet { "by " (notice.channel) @if !notice.error.is_empty() { ": " span.wrong { (show::prose(&notice.error)) } } } }
                    span.when { (show::ago(notice.at)) }
                }
            } }
        }
    }
}

/// Files that have errors; at the end, where their coming moves nothing.
fn refused(all: &[BrokenFile]) -> Markup {
    html! {
        section.card aria-labelledby="broken" {
            h2 #broken { "Files that are refused" }
            @if all.is_empty() { p.quiet { "No skill, tool module or persona of yours has errors." } }
            ul.rows { @for broken in all {
                li.row { span.what { strong { (broken.file) } span.line.wrong { (show::prose(&broken.problem)) } } }
            } }
        }
    }
}

async fn switch(seen: Seen, Path(service): Path<String>, posted: Posted) -> Shown {
    let is_on = posted.text("enabled") == "true";
    let switched = seen.visitor.engine.set_service(&service, is_on, &seen.visitor.by(), Utc::now()).await;
    switched.map_err(|error| seen.trouble(error))?;
    Ok(then("/ui/health"))
}

async fn reset(seen: Seen, Path(rule): Path<String>) -> Shown {
    seen.visitor.is_owner().map_err(|error| seen.trouble(error))?;
    seen.visitor.engine.reset_heal(&rule).await.map_err(|error| seen.trouble(error))?;
    Ok(then("/ui/health"))
}

//! `/ui/personas`: parts that assistants play, and what each shows them.

use std::sync::Arc;

use aa_run::persona::{Choice, PersonaEntry, View};
use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use maud::{Markup, html};

use super::seen::{Seen, Shown};
use super::{Dashboard, show};
use crate::api::problem::Problem;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/ui/personas", get(list)).route("/ui/personas/{persona}", get(page))
}

async fn list(seen: Seen) -> Shown {
    let all = seen.visitor.engine.personas().map_err(|error| seen.trouble(error))?;
    let all: Vec<PersonaEntry> = all.into_iter().filter(|entry| seen.visitor.may_play(&entry.name)).collect();
    let main = html! {
        div.head { h1 { "Personas" } span.quiet { "Parts that AI clients play: each shows the skills and tools that it needs" } }
        @if all.is_empty() { (show::empty("There are no personas.", &html! { "They are YAML files in " code { ".aa/personas" } "." })) }
        ul.rows.card { @for entry in &all {
            li { a.row href={ "/ui/personas/" (show::part(&entry.name)) } data-row {
                span.what { strong { (entry.name) } span.line.quiet { (show::prose(&entry.description)) } }
                span.chip { (entry.layer) }
            } }
        } }
    };
    Ok(seen.page("Personas", &main))
}

async fn page(seen: Seen, Path(persona): Path<String>) -> Shown {
    let engine = &seen.visitor.engine;
    let name = engine.persona_name(&persona).map_err(|error| seen.trouble(error))?;
    if !seen.visitor.may_play(&name) {
        return Err(
            seen.trouble(Problem::of("forbidden", format!("your key does not open the persona `{name}`")))
        );
    }
    let view =
        seen.visitor.scope().view(&Choice::Persona(name.clone())).map_err(|error| seen.trouble(error))?;
    Ok(seen.page(&name, &shown(&name, &view)))
}

fn shown(name: &str, view: &View) -> Markup {
    html! {
        p.crumbs { a href="/ui/personas" { "Personas" } " / " (name) }
        h1 { (name) }
        @if let Some(persona) = &view.persona { p.description { (show::prose(&persona.description)) } }
        div.columns {
            section.card aria-labelledby="skills" {
                h2 #skills { "Skills " span.quiet.small { (view.skills.len()) } }
                ul.rows { @for card in &view.skills {
                    li { a.row href={ "/ui/skills/" (show::part(&card.name)) } { span.what { strong { (card.name) } span.line.quiet { (card.summary()) } } (show::effect(card.effect)) } }
                } @for skill in &view.broken {
                    li { a.row href={ "/ui/skills/" (show::part(&skill.name)) } { span.what { strong { (skill.name) } } (show::badge("broken")) } }
                } }
            }
            section.card aria-labelledby="tools" {
                h2 #tools { "Tools " span.quiet.small { (view.tools.len()) } }
                ul.rows { @for tool in &view.tools {
                    li { a.row href={ "/ui/tools/" (show::part(&tool.name)) } { span.what { strong { (tool.name) } span.line.quiet { (show::prose(show::first_line(&tool.description))) } } (show::effect(tool.effect)) } }
                } }
            }
        }
        @if !view.text.is_empty() { section.card aria-labelledby="told" { h2 #told { "What an assistant is told" } (show::block(&view.text, false)) } }
    }
}

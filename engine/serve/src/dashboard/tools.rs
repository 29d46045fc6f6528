//! `/ui/tools`: what steps can call.

use std::collections::BTreeMap;
use std::sync::Arc;

use aa_spec::tool::{Effect, ToolSpec};
use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use maud::{Markup, html};

use super::seen::{Seen, Shown};
use super::{Dashboard, show, skills};
use crate::api::problem::Problem;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/ui/tools", get(list)).route("/ui/tools/{tool}", get(page))
}

async fn list(seen: Seen) -> Shown {
    let scope = seen.visitor.scope();
    let wanted = seen.query.text("q").trim().to_lowercase();
    let all = seen.visitor.engine.tools().map_err(|error| seen.trouble(error))?;
    let fits = |spec: &&Arc<ToolSpec>| {
        [&spec.name, &spec.module, &spec.description].iter().any(|text| text.to_lowercase().contains(&wanted))
    };
    let mut modules = BTreeMap::<&str, Vec<&ToolSpec>>::new();
    for spec in all.iter().filter(|spec| scope.shows(&spec.name)).filter(fits) {
        modules.entry(&spec.module).or_default().push(spec);
    }
    let count: usize = modules.values().map(Vec::len).sum();
    // Of what was searched for, everything is shown; of all that there is, only what one chooses.
    let is_open = !wanted.is_empty() || modules.len() == 1;
    let main = html! {
        div.head { h1 { "Tools" } span.quiet { (counted(count)) " in " (modules.len()) @if modules.len() == 1 { " module" } @else { " modules" } } }
        (skills::search("/ui/tools", "Tools", seen.query.text("q")))
        @if count == 0 { (show::empty("There is no such tool.", &html! { "Modules are YAML files in " code { ".aa/tools" } "." })) }
        div #list {
            @for (module, tools) in &modules {
                details.card.module #{ "module-" (module) } open[is_open] {
                    summary { h2 { (module) } " " span.quiet.small { (counted(tools.len())) } (worst(tools)) }
                    ul.rows { @for tool in tools { (row(tool)) } }
                }
            }
        }
    };
    Ok(seen.page("Tools", &main))
}

fn counted(tools: usize) -> String {
    if tools == 1 { "1 tool".to_owned() } else { format!("{tools} tools") }
}

/// How many tools of a module do more than read.
fn worst(tools: &[&ToolSpec]) -> Markup {
    let count = |effect: Effect| tools.iter().filter(|tool| tool.effect == effect).count();
    html! {
        span.chips {
            @for effect in [Effect::Read, Effect::Write, Effect::Destructive, Effect::Unknown] {
                @let many = count(effect);
                @if many > 0 { span class={ "effect does-" (show::effect_word(effect)) } { (many) " " (show::effect_word(effect)) } }
            }
        }
    }
}

fn row(tool: &ToolSpec) -> Markup {
    html! {
        li { a.row href={ "/ui/tools/" (show::part(&tool.name)) } data-row {
            span.what { strong { (tool.name) } span.line.quiet { (show::prose(show::first_line(&tool.description))) } }
            (show::effect(tool.effect))
        } }
    }
}

async fn page(seen: Seen, Path(name): Path<String>) -> Shown {
    let spec = find(&seen, &name).await.map_err(|error| seen.trouble(error))?;
    let main = html! {
        p.crumbs { a href="/ui/tools" { "Tools" } " / " (spec.module) " / " (spec.name) }
        div.head { h1 { (spec.name) } div.actions { a.button.primary href={ "/ui/tools/" (show::part(&spec.name)) "/call" } { "Call…" } } }
        p.description { (show::prose(&spec.description)) }
        p.chips { (show::effect(spec.effect)) " " @if spec.idempotent { span.chip title="Calling it twice equals calling it once" { "idempotent" } } }
        dl.facts { div { dt { "Module" } dd { (spec.module) } } div { dt { "Defined in" } dd { code { (spec.source) } } } }
        section.card aria-labelledby="takes" { h2 #takes { "Takes" } (skills::schema(&spec.input, "It takes no arguments.")) }
        @if spec.output.is_object() { section.card aria-labelledby="gives" { h2 #gives { "Gives" } (show::value(&spec.output)) } }
        @if let Some(reconcile) = &spec.reconcile {
            section.card aria-labelledby="crash" {
                h2 #crash { "After a crash" }
                p { "Whether a call took place is found out by " a href={ "/ui/tools/" (show::part(&reconcile.tool)) } { (reconcile.tool) } "." }
            }
        }
    };
    Ok(seen.page(&spec.name, &main))
}

pub(super) async fn find(seen: &Seen, name: &str) -> Result<Arc<ToolSpec>, Problem> {
    let engine = &seen.visitor.engine;
    seen.visitor.may_use(name)?;
    engine.meet(name).await?;
    if let Some(spec) = engine.tool(name)? {
        return Ok(spec);
    }
    let near = seen.visitor.scope().near_tool(name)?;
    let hint = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
    Err(Problem::of("not-found", format!("there is no tool `{name}`")).hint(hint))
}

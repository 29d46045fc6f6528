//! The API: what can be asked and said over plain HTTP.
//!
//! Reading order: [`route`] (how a handler becomes a route, its check and its description), [`reading`] (what was
//! sent, and what is told of what does not fit), [`visitor`]
//! (who asks), [`answer`] and [`problem`] (what comes back), [`document`] (the description of it all),
//! then one file for each noun. Handlers decide nothing: each calls the engine for whoever asks.

mod answer;
mod audit;
mod document;
mod heal;
pub(crate) mod memory;
mod page;
mod personas;
pub(crate) mod problem;
mod reading;
mod route;
mod runs;
mod schedules;
pub(crate) mod skills;
mod tools;
pub(crate) mod visitor;
mod workspaces;

use std::sync::Arc;

use aa_run::engine::Engine;
use aa_run::settings::Serve;
use axum::Router;
use serde_json::Value;

use answer::Tagged;
use problem::Problem;
pub(crate) use reading::query;
use route::{Asked, Nothing, Route};

/// What is behind `/api`.
#[derive(Debug)]
pub(crate) struct Api {
    engine: Engine,
    settings: Serve,
}

/// Every noun, with its routes.
fn nouns() -> Vec<(&'static str, Vec<Route>)> {
    vec![
        ("skills", skills::routes()),
        ("runs", runs::routes()),
        ("schedules", schedules::routes()),
        ("personas", personas::routes()),
        ("tools", tools::routes()),
        ("workspaces", workspaces::routes()),
        ("memory", memory::routes()),
        ("heal", heal::routes()),
        ("audit", audit::routes()),
        ("about", about()),
    ]
}

/// Everything below `/api`.
pub(crate) fn router(engine: &Engine) -> Router {
    let api = Arc::new(Api { engine: engine.clone(), settings: engine.settings().serve.clone() });
    let mut router = Router::new();
    for route in nouns().into_iter().flat_map(|(_, routes)| routes) {
        router = router.route(route.path, route.answers);
    }
    router
        .method_not_allowed_fallback(|| async {
            Problem::of("method-not-allowed", "there is no such method here")
        })
        .fallback(|| async {
            Problem::of("not-found", "there is nothing here; `/api/openapi.json` lists what there is")
        })
        .with_state(api)
}

/// The description of everything below `/api`, as `OpenAPI` 3.1.
pub fn document() -> Value {
    document::of(&nouns())
}

/// What is said of the API itself.
fn about() -> Vec<Route> {
    vec![
        route::get("/openapi.json", "This description", described),
        route::get("/problems", "List the kinds of problems that answers may tell of", problems),
        route::get("/problems/{kind}", "Explain a kind of problem", problem_kind),
    ]
}

async fn described(_: Asked) -> Result<Tagged<Value>, Problem> {
    Ok(Tagged(document()))
}

async fn problems(_: Asked) -> Result<Tagged<Vec<problem::Kind>>, Problem> {
    Ok(Tagged(problem::KINDS.to_vec()))
}

/// A kind of problem.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct KindPath {
    /// The last part of a problem's `type`.
    kind: String,
}

async fn problem_kind(asked: Asked<KindPath>) -> Result<Tagged<problem::Kind>, Problem> {
    let kind = problem::KINDS.iter().find(|kind| kind.name == asked.path.kind);
    kind.copied().map(Tagged).ok_or_else(|| Problem::of("not-found", "there is no such kind of problem"))
}

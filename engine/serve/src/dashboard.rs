//! The dashboard: what people look at, drawn here and sent as finished pages.
//!
//! Reading order: [`session`] (how a browser comes in), [`seen`] (who looks at which address), [`page`]
//! (what all pages have in common), [`show`] (how values, times and states look), then one file for each
//! page. Pages decide nothing: they call the engine for whoever looks, as the API does. They work without
//! the script; [`assets`] has it: it keeps a page as it would be if it were loaded again.

mod assets;
mod audit;
mod call;
mod compare;
mod form;
mod health;
mod memory;
mod overview;
mod page;
mod personas;
mod run;
mod runs;
mod schedules;
mod seen;
mod session;
mod show;
mod skills;
mod start;
mod tools;
mod workspaces;
mod yaml;

use std::sync::Arc;

use aa_run::engine::Engine;
use aa_run::event::Time;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::{get, post};
use chrono::Utc;

use crate::events::{self, Events};
use crate::http::Door;
use assets::Assets;
use audit::Checked;
use overview::Due;
use session::Sessions;
pub(crate) use session::is_own_page;

/// Below this, everything is.
const ROOT: &str = "/ui";

/// What the pages are made of.
#[derive(Debug)]
pub(crate) struct Dashboard {
    engine: Engine,
    door: Arc<Door>,
    sessions: Sessions,
    assets: Assets,
    due: Due,
    checked: Checked,
    began: Time,
}

impl Dashboard {
    pub(crate) fn new(engine: &Engine, door: &Arc<Door>) -> Arc<Self> {
        Arc::new(Self {
            engine: engine.clone(),
            door: Arc::clone(door),
            sessions: Sessions::default(),
            assets: Assets::new(),
            due: Due::default(),
            checked: Checked::default(),
            began: Utc::now(),
        })
    }
}

/// The pages, for whoever has shown a key.
pub(crate) fn pages(dashboard: &Arc<Dashboard>, events: &Arc<Events>) -> Router {
    let pages = Router::new()
        .route("/ui", get(overview::page))
        .route("/ui/runs", get(runs::page))
        .merge(run::routes())
        .merge(skills::routes())
        .merge(start::routes())
        .merge(schedules::routes())
        .merge(tools::routes())
        .merge(call::routes())
        .merge(personas::routes())
        .merge(memory::routes())
        .merge(workspaces::routes())
        .merge(audit::routes())
        .merge(health::routes())
        .route("/ui/{*nothing}", get(page::nothing))
        .with_state(Arc::clone(dashboard));
    pages.merge(events::below(ROOT, events)).layer(from_fn(session::note))
}

/// What is there for everybody: the way in, and what pages look like.
pub(crate) fn open(dashboard: &Arc<Dashboard>) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::to(ROOT) }))
        .route("/ui/login", get(session::form).post(session::enter))
        .route("/ui/logout", post(session::leave))
        .route("/ui/theme", post(session::theme))
        .route("/ui/assets/{version}/{name}", get(assets::file))
        .with_state(Arc::clone(dashboard))
}

/// Lets browsers show the key of their session.
pub(crate) fn with_sessions(router: Router, dashboard: &Arc<Dashboard>) -> Router {
    router.layer(from_fn_with_state(Arc::clone(dashboard), session::carry))
}

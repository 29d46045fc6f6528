//! What all pages have in common: the head, the way around, and how it is said that something went wrong.

use std::sync::Arc;

use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::uri::PathAndQuery;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::assets::Assets;
use super::seen::{Seen, Shown};
use super::{Dashboard, ROOT, audit, memory, session, show};
use crate::api::problem::Problem;
use crate::api::visitor::Visitor;

/// What pages may load: our own style, script and events, nothing that stands in the page itself.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// An address, a word, a key, a picture.
type Place = (&'static str, &'static str, &'static str, &'static str);

/// The way around.
const PLACES: [Place; 10] = [
    ("/ui", "Overview", "o", "M3 3h7v9H3zM14 3h7v5h-7zM14 12h7v9h-7zM3 16h7v5H3z"),
    ("/ui/runs", "Runs", "r", "M4 6h16M4 12h16M4 18h10"),
    (
        "/ui/skills",
        "Skills",
        "s",
        "M6 3v6a3 3 0 0 0 3 3h6a3 3 0 0 1 3 3v6M6 3a2 2 0 1 0 .01 0M18 21a2 2 0 1 0 .01 0M6 9v12",
    ),
    ("/ui/schedules", "Schedules", "c", "M12 3a9 9 0 1 0 .01 0M12 7v5l3 3"),
    ("/ui/tools", "Tools", "t", "M14.5 5.5a4 4 0 0 0-5 5L4 16l4 4 5.500-5.500a4 4 0 0 0 5-5L16 12l-4-4z"),
    ("/ui/personas", "Personas", "p", "M12 4a4 4 0 1 0 .01 0M4 21c0-4 4-6 8-6s8 2 8 6"),
    (
        "/ui/memory",
        "Memory",
        "m",
        "M4 5.500c0-3.300 16-3.300 16 0v13c0 3.300-16 3.300-16 0zM4 5.500c0 3.300 16 3.300 16 0M4 12c0 3.300 16 3.300 16 0",
    ),
    (
        "/ui/workspaces",
        "Workspaces",
        "w",
        "M3 6a1.500 1.500 0 0 1 1.500-1.500H9l2.500 3h8A1.500 1.500 0 0 1 21 9v9a1.500 1.500 0 0 1-1.500 1.500h-15A1.500 1.500 0 0 1 3 18z",
    ),
    (
        "/ui/audit",
        "Audit",
        "a",
        "M12 3l8 3v5.500c0 4.500-3.400 8-8 9.500-4.600-1.500-8-5-8-9.500V6zM8.500 12l2.500 2.500 4.500-5",
    ),
    ("/ui/health", "Health", "h", "M3 12h4l3-8 4 16 3-8h4"),
];

/// What a page looks like for whoever looks.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    theme: Theme,
    principal: String,
    /// Where they may look around.
    places: Vec<Place>,
    /// The address of the page.
    pub(super) path: String,
    /// The same with what stands behind the question mark.
    pub(super) address: String,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Theme {
    /// As the machine has it.
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    pub(super) fn of(headers: &HeaderMap) -> Self {
        session::cookie(headers, Frame::THEME).map(Self::named).unwrap_or_default()
    }

    pub(super) fn named(word: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.word() == word).unwrap_or_default()
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Frame {
    /// The cookie that remembers light or dark.
    pub(super) const THEME: &'static str = "aa_theme";

    pub(super) fn of(headers: &HeaderMap, uri: &Uri, visitor: &Visitor) -> Self {
        let is_open = |(address, ..): &Place| match *address {
            audit::ROOT => visitor.engine.sees_audit(),
            memory::ROOT => visitor.may_recall().is_ok(),
            _ => true,
        };
        Self {
            theme: Theme::of(headers),
            principal: visitor.engine.caller().principal.clone(),
            places: PLACES.into_iter().filter(is_open).collect(),
            path: uri.path().to_owned(),
            address: uri.path_and_query().map_or(ROOT, PathAndQuery::as_str).to_owned(),
        }
    }
}

/// The sign of this program.
pub(super) fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" {
            rect x="1" y="1" width="22" height="22" rx="6" class="mark-ground" {}
            path class="mark-line" d="M7 7v4a3 3 0 0 0 3 3h4a3 3 0 0 1 3 3M7 11v6" {}
            circle class="mark-dot" cx="7" cy="7" r="2" {}
            circle class="mark-dot" cx="7" cy="17" r="2" {}
            circle class="mark-dot" cx="17" cy="17" r="2" {}
        }
    }
}

/// A small picture.
pub(super) fn icon(line: &str) -> Markup {
    html! { svg.icon viewBox="0 0 24 24" width="18" height="18" aria-hidden="true" { path d=(line) {} } }
}

/// A page with the way around.
pub(super) fn whole(assets: &Assets, frame: &Frame, title: &str, main: &Markup) -> Response {
    let body = html! {
        a.skip href="#main" { "Skip to content" }
        div.shell {
            header.side {
                a.brand href="/ui" aria-label="aa, overview" { (mark()) span { "aa" } }
                // On a narrow window all of it is behind one button; on a wide one it is always open.
                input.hidden #open-menu type="checkbox" aria-label="Menu of all pages" aria-controls="menu";
                label.menu-button for="open-menu" aria-hidden="true" { (icon("M4 6h16M4 12h16M4 18h16")) span { (here(frame)) } }
                div.menu-pages #menu {
                    nav aria-label="Pages" { ul { @for place in &frame.places { (link(*place, &frame.path)) } } }
                    div.foot { (who(frame)) }
                }
            }
            main #main tabindex="-1" { (main) }
        }
        (keys(&frame.places))
    };
    bare(assets, frame.theme, title, &body)
}

fn is_here(address: &str, path: &str) -> bool {
    path == address || (address != ROOT && path.starts_with(&format!("{address}/")))
}

/// Where somebody is, in a word.
fn here(frame: &Frame) -> &'static str {
    let here = frame.places.iter().find(|(address, ..)| is_here(address, &frame.path));
    here.map_or("Menu", |(_, word, ..)| *word)
}

fn link((address, word, key, line): Place, path: &str) -> Markup {
    let is_here = is_here(address, path);
    html! {
        li { a href=(address) aria-current=[is_here.then_some("page")] data-go=(key) { (icon(line)) span { (word) } } }
    }
}

/// Who looks, light or dark, and the way out.
fn who(frame: &Frame) -> Markup {
    html! {
        form.themes method="post" action="/ui/theme" aria-label="Colours" {
            input type="hidden" name="next" value=(frame.address);
            @for theme in Theme::ALL {
                button name="theme" value=(theme.word()) aria-pressed=(frame.theme == theme) { (theme.word()) }
            }
        }
        form.leave method="post" action="/ui/logout" {
            span.who title="You are signed in as" { (frame.principal) }
            button type="submit" { "Sign out" }
        }
    }
}

/// What the keyboard does.
fn keys(places: &[Place]) -> Markup {
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { "Keyboard" }
            dl.keys {
                @for (_, word, key, _) in places { dt { kbd { "g" } " " kbd { (key) } } dd { (word) } }
                dt { kbd { "/" } } dd { "Search or filter" }
                dt { kbd { "j" } " " kbd { "k" } } dd { "Next, previous row" }
                dt { kbd { "?" } } dd { "This list" }
            }
            form method="dialog" { button { "Close" } }
        }
    }
}

/// A page without the way around.
pub(super) fn bare(assets: &Assets, theme: Theme, title: &str, body: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" data-theme=(theme.word()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · aa" }
                link rel="icon" href=(assets.address("icon.svg"));
                link rel="stylesheet" href=(assets.address("style.css"));
                script src=(assets.address("live.js")) defer {}
            }
            body { (body) }
        }
    };
    let mut response = page.into_string().into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        // Our own forms have to say where they come from.
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Says why there is no page.
pub(super) fn trouble(problem: &Problem, frame: Option<&(Frame, Arc<Dashboard>)>) -> Response {
    let told = problem.told();
    let main = html! {
        section.trouble {
            p.code { (told.status) }
            h1 { (told.title) }
            p { (show::prose(&told.detail)) }
            @if !told.hint.is_empty() { p.quiet { (show::prose(&told.hint)) } }
            @if !told.inputs.is_empty() {
                ul { @for misfit in &told.inputs { li { code { (misfit.name) } " " (show::prose(&misfit.message)) @if !misfit.hint.is_empty() { " " span.quiet { (show::prose(&misfit.hint)) } } } } }
            }
            @if !told.diagnostics.is_empty() {
                ul { @for found in &told.diagnostics { li { code { (found.file) ":" (found.line) } " " (show::prose(&found.message)) } } }
            }
            p.options {
                @if let Some((frame, _)) = frame.filter(|_| told.status == 400) { a.button.primary href=(frame.path) { "Show the page without it" } }
                a.button href=(ROOT) { "Overview" }
            }
        }
    };
    let mut response = match frame {
        Some((frame, dashboard)) => whole(&dashboard.assets, frame, told.title, &main),
        None => bare(&Assets::new(), Theme::Auto, told.title, &html! { main #main { (main) } }),
    };
    *response.status_mut() = StatusCode::from_u16(told.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// There is no such page.
pub(super) async fn nothing(seen: Seen) -> Shown {
    Err(seen.trouble(Problem::of("not-found", format!("there is no page `{}`", seen.frame.path))))
}

/// A part of a page that is kept as it is now.
pub(super) fn live(inner: &Markup, of: Live<'_>) -> Markup {
    html! {
        div.live #live data-live data-of=[of.run] data-since=(of.since) data-from=[of.from] data-every=[of.every] { (inner) }
    }
}

/// What a page listens to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Live<'a> {
    /// Only to this run.
    pub(super) run: Option<i64>,
    /// From here on.
    pub(super) since: &'a str,
    /// Where the parts that have changed are; default: the page itself.
    pub(super) from: Option<&'a str>,
    /// Looked at again after so many seconds, whatever happens.
    pub(super) every: Option<u32>,
}

/// A picture that was drawn elsewhere as SVG, with everything escaped.
pub(super) fn drawn(svg: String) -> Markup {
    PreEscaped(svg)
}

//! How a browser comes in: a key is typed once into a form, and stands for a session from then on.
//!
//! The session's cookie opens nothing outside of the dashboard. Behind it the request goes through the
//! same door as every other one, with the key that was typed: what the door refuses, it refuses here, too.
//! Sessions outlive the process: the store has them, sealed with what only the browser knows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aa_run::engine::Browser;
use aa_run::event::Time;
use aa_run::key::Guest;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{SubsecRound, TimeDelta, Utc};
use maud::html;
use sha2::{Digest, Sha256};

use super::page::{Frame, Theme};
use super::seen::Posted;
use super::{Dashboard, ROOT, page};
use crate::audit;
use crate::http::{Peer, Wait, is_here, problem};

/// Where a key is asked for.
const LOGIN: &str = "/ui/login";
/// For so long nobody need look at a page.
const IDLE: TimeDelta = TimeDelta::hours(12);
/// For so long a session lasts at most.
const WHOLE: TimeDelta = TimeDelta::days(7);
/// Sessions at once; the one that was used the longest ago goes first.
const MOST: u32 = 1000;
/// So seldom it is noted that a session is still used.
const NOTED: TimeDelta = TimeDelta::minutes(10);
/// Letters of a mark.
const MARK: usize = 64;

/// The browsers that have come in, as this process knows them.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

struct Session {
    browser: Browser,
    /// When the store was told of it last.
    noted: Time,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

impl Sessions {
    /// Begins one, or goes on with one.
    fn begin(&self, mark: &str, browser: Browser, now: Time) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, session| lasts(&session.browser, now));
        if all.len() >= MOST as usize
            && let Some(oldest) =
                all.iter().min_by_key(|(_, session)| session.browser.used).map(|(mark, _)| *mark)
        {
            all.remove(&oldest);
        }
        let noted = browser.used;
        all.insert(hash(mark), Session { browser, noted });
    }

    /// One that lasts, and whether the store should be told that it is still used.
    fn used(&self, mark: &str, now: Time) -> Option<(Browser, bool)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = all.get_mut(&hash(mark)).filter(|session| lasts(&session.browser, now))?;
        session.browser.used = now;
        let is_due = now - session.noted > NOTED;
        if is_due {
            session.noted = now;
        }
        Some((session.browser.clone(), is_due))
    }

    fn end(&self, mark: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(mark));
    }
}

impl Dashboard {
    /// The key of a browser's session, whichever process it was begun in.
    async fn session_key(&self, mark: &str) -> Option<String> {
        let now = Utc::now();
        if let Some((browser, is_due)) = self.sessions.used(mark, now) {
            if is_due && let Err(error) = self.engine.browser_used(mark, now).await {
                tracing::warn!("it is not noted that a session is used: {error}");
            }
            return Some(browser.key);
        }
        if mark.len() != MARK {
            return None;
        }
        let known = self.engine.browser(mark);
        let known = known.inspect_err(|error| tracing::warn!("a session cannot be read: {error}")).ok()??;
        if !lasts(&known, now) {
            return None;
        }
        self.sessions.begin(mark, Browser { used: now, ..known.clone() }, now);
        Some(known.key)
    }

    /// Keeps a session for the next process. One that cannot be kept is good in this one.
    async fn keep(&self, mark: &str, browser: &Browser) {
        let kept = self.engine.keep_browser(mark, browser, (IDLE, MOST)).await;
        if let Err(error) = kept {
            tracing::warn!("a session is not kept: {error}");
        }
    }
}

fn lasts(browser: &Browser, now: Time) -> bool {
    now - browser.used < IDLE && now - browser.began < WHOLE
}

/// What is kept of a cookie: neither the map nor how long it takes to look tells anything of it.
fn hash(mark: &str) -> [u8; 32] {
    Sha256::digest(mark.as_bytes()).into()
}

/// Shows the session's key at the door, where a browser cannot.
pub(super) async fn carry(
    State(dashboard): State<Arc<Dashboard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if path != ROOT && !path.starts_with("/ui/") {
        return next.run(request).await;
    }
    if let Some(refused) = foreign(&request) {
        return refused;
    }
    let headers = request.headers();
    let key = match cookie(headers, &session_cookie(headers)) {
        Some(mark) => dashboard.session_key(mark).await,
        None => None,
    };
    let is_page = wants_page(headers) && path != LOGIN;
    // A form that was sent too late is gone; whoever comes in again sees where things stand.
    let is_look = *request.method() == Method::GET;
    let wanted = request.uri().path_and_query().filter(|_| is_look).map(|path| path.as_str().to_owned());
    if let Some(shown) = key.filter(|_| !headers.contains_key(header::AUTHORIZATION))
        && let Ok(mut shown) = HeaderValue::from_str(&format!("Bearer {shown}"))
    {
        shown.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, shown);
    }
    let response = next.run(request).await;
    match response.status() {
        StatusCode::UNAUTHORIZED if is_page => to_form(wanted.as_deref().unwrap_or(ROOT)),
        _ => response,
    }
}

/// Sends whoever has no session to the form, and back afterwards.
fn to_form(wanted: &str) -> Response {
    let back: String = form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    Redirect::to(&format!("{LOGIN}?next={back}")).into_response()
}

/// Whether a person looks, and no script.
fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.contains("text/html"))
        && !headers.contains_key("aa-live")
}

/// Refuses what no page of ours has asked for. Cookies go to every port of a machine, and pages of other ports
/// count as of the same site: the browser's word on where a request comes from does not.
fn foreign(request: &Request) -> Option<Response> {
    let headers = request.headers();
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_link = is_safe && headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate");
    let is_ours = match site {
        Some(b"same-origin" | b"none") => true,
        // Somebody has followed a link to us.
        Some(_) => is_link,
        None => is_safe || is_own_page(headers) || headers.contains_key(header::AUTHORIZATION),
    };
    let refused = || problem("unknown-origin", "only pages of this server may ask here");
    (!is_ours).then(refused)
}

/// Whether a page of this server asks: of the host and port that the request itself is for.
pub(crate) fn is_own_page(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let asking = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let (Some(host), Some(("http" | "https", asking))) = (host, asking) else { return false };
    !host.is_empty() && host.eq_ignore_ascii_case(asking)
}

/// A cookie is for all ports of a host, so its name tells servers of one machine apart.
fn session_cookie(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    match host.and_then(|host| host.port_u16()) {
        Some(port) => format!("aa_session_{port}"),
        None => "aa_session".to_owned(),
    }
}

/// A cookie by its name.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Only an address of the dashboard is gone back to.
fn back(wanted: Option<&str>) -> &str {
    wanted
        .filter(|wanted| *wanted == ROOT || wanted.starts_with("/ui/") || wanted.starts_with("/ui?"))
        .unwrap_or(ROOT)
}

/// Notes what is changed, as the API does.
pub(super) async fn note(Extension(guest): Extension<Arc<Guest>>, request: Request, next: Next) -> Response {
    let note = audit::Asked::page(&guest.principal, request.method(), request.uri().path());
    let response = next.run(request).await;
    note.answered(response.status());
    response
}

/// `GET /ui/login`.
pub(super) async fn form(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let next = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "next");
    let next = next.map(|(_, next)| next.into_owned());
    asking(&dashboard, (request.headers(), peer), next.as_deref(), None)
}

fn asking(
    dashboard: &Dashboard,
    (headers, peer): (&HeaderMap, Peer),
    next: Option<&str>,
    wrong: Option<&str>,
) -> Response {
    let is_here = is_here(headers, peer);
    let token = aa_run::key::token_file(&dashboard.engine.settings().state_folder);
    let main = html! {
        main.login #main data-back=(back(next)) {
            form.card method="post" action=(LOGIN) {
                div.brand { (page::mark()) span { "aa" } }
                h1 { "Sign in" }
                p.quiet { "Show the key of this server once; this browser then stays signed in for a while." }
                input type="hidden" name="next" value=(back(next));
                label for="shown" { "Key" }
                // Browsers that remember keys want to know whose.
                input.hidden name="username" value="aa" autocomplete="username" readonly tabindex="-1" aria-hidden="true";
                input #shown name="shown" type="password" required autofocus autocomplete="current-password"
                    spellcheck="false" aria-describedby=[wrong.map(|_| "wrong")];
                @if let Some(wrong) = wrong { p.wrong #wrong role="alert" { (wrong) } }
                button.primary type="submit" { "Sign in" }
                p.quiet.small {
                    // Strangers need not know where anything is.
                    @if is_here { "The key of this machine is in " code { (token.display()) } ". " }
                    "Others have a key of their own, from " code { "serve.keys" } " in the configuration."
                }
            }
        }
    };
    let status = if wrong.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    let theme = Theme::of(headers);
    (status, page::bare(&dashboard.assets, theme, "Sign in", &main)).into_response()
}

/// `POST /ui/login`.
pub(super) async fn enter(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    posted: Posted,
) -> Response {
    let (key, next) = (posted.text("shown").trim(), posted.get("next"));
    if dashboard.door.holder(key, &headers, peer).await.is_none() {
        let wait = dashboard.door.stranger(peer, LOGIN, true);
        return refused(&dashboard, (&headers, peer), next, wait);
    }
    // Two marks: as hard to guess as a key.
    let (Ok(one), Ok(other)) = (dashboard.engine.mark(), dashboard.engine.mark()) else {
        return problem("internal", "this machine gives no random numbers");
    };
    let mark = one + &other;
    // As exactly as the store keeps it: the time is part of what is sealed.
    let now = Utc::now().trunc_subsecs(3);
    let browser = Browser { key: key.to_owned(), began: now, used: now };
    dashboard.keep(&mark, &browser).await;
    dashboard.sessions.begin(&mark, browser, now);
    with_cookie(Redirect::to(back(next)).into_response(), &headers, &session_cookie(&headers), &mark, None)
}

fn refused(
    dashboard: &Dashboard,
    from: (&HeaderMap, Peer),
    next: Option<&str>,
    wait: Option<Wait>,
) -> Response {
    let Some(wait) = wait else {
        return asking(dashboard, from, next, Some("This key opens nothing here."));
    };
    let seconds = wait.seconds();
    let why = format!("Too many wrong keys came from this address. Try again in {seconds} s.");
    let mut page = asking(dashboard, from, next, Some(&why));
    *page.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    page
}

/// `POST /ui/logout`.
pub(super) async fn leave(State(dashboard): State<Arc<Dashboard>>, headers: HeaderMap) -> Response {
    let name = session_cookie(&headers);
    if let Some(mark) = cookie(&headers, &name) {
        let forgotten = dashboard.engine.forget_browser(mark).await;
        dashboard.sessions.end(mark);
        if let Err(error) = forgotten {
            tracing::error!("a session that was ended is still kept: {error}");
        }
    }
    with_cookie(Redirect::to(LOGIN).into_response(), &headers, &name, "", Some(0))
}

/// `POST /ui/theme`.
pub(super) async fn theme(headers: HeaderMap, posted: Posted) -> Response {
    let theme = Theme::named(posted.text("theme"));
    let year = 365 * 24 * 3600;
    let response = Redirect::to(back(posted.get("next"))).into_response();
    with_cookie(response, &headers, Frame::THEME, theme.word(), Some(year))
}

/// An answer that a browser keeps something of; for so many seconds, or until it is closed.
fn with_cookie(
    mut response: Response<Body>,
    headers: &HeaderMap,
    name: &str,
    value: &str,
    age: Option<u32>,
) -> Response {
    let is_safe = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let age = age.map(|age| format!("; Max-Age={age}")).unwrap_or_default();
    let secure = if is_safe { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path={ROOT}; HttpOnly; SameSite=Strict{age}{secure}");
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, text);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in of {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn browser(at: Time) -> Browser {
        Browser { key: "key".to_owned(), began: at, used: at }
    }

    #[test]
    fn a_session_ends_when_nobody_looks_and_after_a_week() {
        let (sessions, start) = (Sessions::default(), Utc::now());
        sessions.begin("mark", browser(start), start);
        let hours = |hours: i64| start + TimeDelta::hours(hours);
        let key = |mark: &str, at| sessions.used(mark, at).map(|(browser, _)| browser.key);
        assert_eq!(key("other", start), None);
        for hour in (0..160).step_by(8) {
            assert_eq!(key("mark", hours(hour)).as_deref(), Some("key"), "{hour}");
        }
        assert_eq!(key("mark", hours(168)), None);
        sessions.begin("idle", browser(start), start);
        assert_eq!(key("idle", hours(13)), None);
        sessions.begin("left", browser(start), start);
        sessions.end("left");
        assert_eq!(key("left", start), None);
    }

    #[test]
    fn it_is_seldom_noted_that_a_session_is_used() {
        let (sessions, start) = (Sessions::default(), Utc::now());
        sessions.begin("mark", browser(start), start);
        let due = |minutes| sessions.used("mark", start + TimeDelta::minutes(minutes)).unwrap().1;
        assert_eq!([1, 9, 11, 12, 20, 22].map(due), [false, false, true, false, false, true]);
    }

    #[test]
    fn there_are_only_so_many_sessions() {
        let (sessions, start) = (Sessions::default(), Utc::now());
        for number in 0..=MOST {
            let at = start + TimeDelta::milliseconds(i64::from(number));
            sessions.begin(&number.to_string(), browser(at), at);
        }
        let later = start + TimeDelta::seconds(2);
        assert!(sessions.used("0", later).is_none() && sessions.used("1", later).is_some());
    }

    #[test]
    fn only_pages_of_this_host_and_port_are_our_own() {
        let host = ("host", "127.0.0.1:8610");
        for good in ["http://127.0.0.1:8610", "https://127.0.0.1:8610"] {
            assert!(is_own_page(&headers(&[host, ("origin", good)])), "{good}");
        }
        for bad in [
            "null",
            "http://127.0.0.1",
            "http://127.0.0.1:3000",
            "http://localhost:8610",
            "file://127.0.0.1:8610",
            "",
        ] {
            assert!(!is_own_page(&headers(&[host, ("origin", bad)])), "{bad}");
        }
        assert!(!is_own_page(&headers(&[host])));
        let twice = [host, ("origin", "http://127.0.0.1:8610"), ("origin", "http://evil.example.org")];
        assert!(!is_own_page(&headers(&twice)));
    }

    #[test]
    fn what_other_pages_send_is_refused() {
        let asked = |method: Method, of: &[(&'static str, &'static str)]| {
            let mut request = Request::new(Body::empty());
            (*request.method_mut(), *request.headers_mut()) = (method, headers(of));
            foreign(&request).is_some()
        };
        let own =
            [("host", "localhost:1"), ("origin", "http://localhost:1"), ("sec-fetch-site", "same-origin")];
        assert!(!asked(Method::POST, &own) && !asked(Method::POST, &own[..2]) && !asked(Method::GET, &[]));
        // Another port of this machine is the same site, and yet another page.
        for site in ["same-site", "cross-site"] {
            assert!(asked(Method::POST, &[("sec-fetch-site", site), ("sec-fetch-mode", "navigate")]));
            assert!(asked(Method::GET, &[("sec-fetch-site", site), ("sec-fetch-mode", "cors")]));
            assert!(!asked(Method::GET, &[("sec-fetch-site", site), ("sec-fetch-mode", "navigate")]));
        }
        assert!(
            asked(Method::POST, &[]) && asked(Method::POST, &[("host", "localhost:1"), ("origin", "null")])
        );
    }

    #[test]
    fn only_pages_of_the_dashboard_are_gone_back_to() {
        for good in ["/ui", "/ui/runs?status=failed", "/ui?x"] {
            assert_eq!(back(Some(good)), good);
        }
        for bad in
            ["https://evil.example.org", "//evil.example.org", "/api/runs", "/uix", "", "javascript:alert(1)"]
        {
            assert_eq!(back(Some(bad)), ROOT, "{bad}");
        }
    }
}

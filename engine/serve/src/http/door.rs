//! What every request has to pass: asked under a name of ours, by no foreign web page, with a key, and
//! not too often.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aa_run::key::{Guest, Keys, Mark};
use aa_run::settings::Serve;
use aa_run::token::{TokenError, looks_like_one};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName};
use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::sync::watch;

use super::accept::{LONGEST_HEAD, MOST_HEADERS, Peer};
use super::bounds::{Bounds, TooMuch};
use super::problem;
use super::strangers::{Noted, Strangers};
use crate::api::problem::Problem;
use crate::audit;
use crate::dashboard;

/// Who is let in.
#[derive(Debug)]
pub(crate) struct Door {
    keys: watch::Receiver<Arc<Keys>>,
    bounds: Bounds,
    strangers: Strangers,
    /// Names of this server; with a port only with that port.
    hosts: Vec<Authority>,
    origins: Vec<String>,
}

/// Somebody who has come in.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    pub(crate) guest: Arc<Guest>,
    /// What they have shown.
    shown: Mark,
}

/// So often it is looked whether the clock has passed a key by: it may be set, and machines sleep.
const CLOCK: Duration = Duration::from_secs(10);

/// What answers are sent with, so that no browser makes anything of them.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// What proxies say of those whom they pass on.
const PASSED_ON: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/// What pages that may ask can read of an answer's head.
const EXPOSED: &str = "etag, location, mcp-session-id, retry-after, www-authenticate, x-request-id";

/// Where programs show a key that have no say in `Authorization`.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Names under which people put keys into addresses.
const KEY_WORDS: [&str; 8] =
    ["token", "access_token", "key", "api_key", "x_api_key", "apikey", "bearer", "authorization"];

impl Door {
    /// With the keys that open, which may become others.
    pub(crate) fn new(keys: watch::Receiver<Arc<Keys>>, settings: &Serve, address: SocketAddr) -> Self {
        let own = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let listening = (!address.ip().is_unspecified()).then(|| match address {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        });
        let hosts = own.into_iter().chain(listening).chain(settings.hosts.iter().cloned());
        Self {
            bounds: Bounds::new(settings),
            strangers: Strangers::new(settings.wrong_keys),
            hosts: hosts.filter_map(|host| host.to_ascii_lowercase().parse().ok()).collect(),
            origins: settings.origins.iter().map(|origin| origin.to_ascii_lowercase()).collect(),
            keys,
        }
    }

    /// Whether a request names this server: a web page whose own name leads here (DNS rebinding)
    /// does not.
    fn is_ours(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (host, more) = (hosts.next(), hosts.next());
        if more.is_some() {
            // Who reads the first one and who reads the last one would see two servers.
            return false;
        }
        // Where the line of the request names a server as well, that is the one that is meant. Both have to be this one.
        let (line, host) = (uri.authority().map(Authority::as_str), host.map(HeaderValue::to_str));
        let is_own = |host: Option<&str>| host.is_some_and(|host| self.is_own(host));
        match (line, host) {
            (Some(line), Some(host)) => is_own(Some(line)) && is_own(host.ok()),
            (Some(line), None) => is_own(Some(line)),
            (None, host) => is_own(host.and_then(Result::ok)),
        }
    }

    /// Whether a name is one of this server's.
    fn is_own(&self, host: &str) -> bool {
        let Ok(asked) = host.to_ascii_lowercase().parse::<Authority>() else { return false };
        let fits = |known: &Authority| {
            known.host() == asked.host() && known.port_u16().is_none_or(|port| asked.port_u16() == Some(port))
        };
        self.hosts.iter().any(fits)
    }

    /// Whether no web page asks, or one that may. Pages of the dashboard may ask for what is theirs.
    fn may_come(&self, request: &Request) -> bool {
        let is_dashboard = request.uri().path().starts_with("/ui/");
        self.may_ask(request.headers()) || is_dashboard && dashboard::is_own_page(request.headers())
    }

    /// Whether no web page asks, or one that may.
    fn may_ask(&self, headers: &HeaderMap) -> bool {
        headers.get_all(header::ORIGIN).iter().all(|origin| {
            origin.to_str().is_ok_and(|origin| self.origins.contains(&origin.to_ascii_lowercase()))
        })
    }

    /// The page that asks, if it may.
    fn page(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        headers.get(header::ORIGIN).filter(|_| self.may_ask(headers)).cloned()
    }

    /// Who asks. The token of this machine opens for those on this machine only.
    pub(crate) async fn guest(&self, headers: &HeaderMap, peer: Peer) -> Option<Pass> {
        self.holder(shown(headers)?, headers, peer).await
    }

    /// Who has shown a key or a token, in whatever way.
    pub(crate) async fn holder(&self, key: &str, headers: &HeaderMap, peer: Peer) -> Option<Pass> {
        let keys = Arc::clone(&self.keys.borrow());
        let guest = match keys.guest(key) {
            Some(guest) => guest,
            None if !looks_like_one(key) => return None,
            None => keys.guest_of_token(key).await.inspect_err(|why| self.bad_token(peer, why)).ok()?,
        };
        let shown = Mark::of(key);
        (!guest.is_local() || is_here(headers, peer)).then_some(Pass { guest, shown })
    }

    fn bad_token(&self, peer: Peer, why: &TokenError) {
        if !self.strangers.is_hushed(peer.0.ip(), Instant::now()) {
            audit::token(peer.0, why);
        }
    }

    /// Takes note of somebody who has shown no key that opens, and says what they are told: to wait, when too many wrong
    /// keys have come from where they are.
    pub(crate) fn stranger(&self, peer: Peer, path: &str, has_shown: bool) -> Option<Wait> {
        let Noted { wait, tell } = self.strangers.note(peer.0.ip(), has_shown, Instant::now());
        if let Some(hushed) = tell {
            audit::stranger(peer.0, path, (hushed, wait.is_some()));
        }
        wait.map(Wait)
    }

    /// Returns when what somebody has shown does not open any more for them as it did.
    pub(crate) fn gone(&self, pass: &Pass) -> impl Future<Output = ()> + Send + use<> {
        let (mut keys, Pass { guest, shown }) = (self.keys.clone(), pass.clone());
        async move {
            while keys.borrow_and_update().still_open(&shown, &guest) {
                let changed = async {
                    if keys.changed().await.is_err() {
                        // Nobody changes them any more.
                        std::future::pending::<()>().await;
                    }
                };
                match guest.expires {
                    None => changed.await,
                    Some(_) => drop(tokio::time::timeout(CLOCK, changed).await),
                }
            }
        }
    }
}

/// The key that is shown, if it is one.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(shown), None) = (shown.next(), shown.next()) else { return None };
    bearer(shown)
}

fn bearer(shown: &HeaderValue) -> Option<&str> {
    let (scheme, key) = shown.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Puts a key that is shown as `X-API-Key` where all others are looked for, so that it counts as one of them everywhere.
/// What a proxy may have asked for (`Authorization: Basic`) gives way to it; another key does not.
fn take_api_key(headers: &mut HeaderMap) -> Option<Response> {
    let keys: Vec<_> = headers.get_all(API_KEY).iter().cloned().collect();
    let key = keys.first()?;
    headers.remove(API_KEY);
    let others = headers.get_all(header::AUTHORIZATION).iter().filter_map(bearer);
    if keys.iter().any(|other| other != key) || others.into_iter().any(|other| other != key) {
        let message = "`Authorization` and `X-API-Key` show different keys, and nobody can say which is meant: send one of them";
        return Some(problem("two-keys", message));
    }
    let mut shown = HeaderValue::from_bytes(&[b"Bearer ", key.as_bytes()].concat()).ok()?;
    shown.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, shown);
    None
}

/// Whether somebody on this machine asks for themselves. Behind a proxy everybody comes from this machine, so
/// whoever was passed on, or asks under a name that others reach us by, is not believed to sit here.
pub(crate) fn is_here(headers: &HeaderMap, peer: Peer) -> bool {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let is_own = named.is_none_or(|named| {
        let host = named.host().trim_matches(['[', ']']);
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    });
    peer.0.ip().is_loopback() && is_own && !PASSED_ON.iter().any(|name| headers.contains_key(*name))
}

/// Looks at what needs no key.
pub(super) async fn look(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let page = door.page(request.headers());
    let wanted = page.as_ref().and_then(|_| preflight(&request));
    let refused = refuse(&door, &request).or_else(|| take_api_key(request.headers_mut()));
    let mut response = match (refused, &wanted) {
        (Some(refused), _) => refused,
        // A browser asks first whether a page may ask, and shows no key for that.
        (None, Some(_)) => StatusCode::NO_CONTENT.into_response(),
        (None, None) => next.run(request).await,
    };
    if let Some(page) = page {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page);
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        if let Some(wanted) = wanted {
            headers
                .insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
        }
    }
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The headers that a page wants to send, when its browser asks whether it may.
fn preflight(request: &Request) -> Option<HeaderValue> {
    let headers = request.headers();
    (request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)).then(
        || {
            let wanted = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
            wanted.unwrap_or(HeaderValue::from_static("authorization"))
        },
    )
}

fn refuse(door: &Door, request: &Request) -> Option<Response> {
    if head(request) > LONGEST_HEAD {
        let message = format!("the head of a request has {LONGEST_HEAD} bytes at most");
        return Some(problem("head-too-large", message));
    }
    if request.headers().len() > MOST_HEADERS {
        let message = format!("the head of a request has {MOST_HEADERS} fields at most");
        return Some(problem("head-too-large", message));
    }
    if !door.is_ours(request.headers(), request.uri()) {
        let message =
            "this server is not known under that name; `serve.hosts` in the configuration names others";
        return Some(problem("unknown-host", message));
    }
    if !door.may_come(request) {
        let message =
            "web pages of that origin may not ask; `serve.origins` in the configuration names those that may";
        return Some(problem("unknown-origin", message));
    }
    if names_key(request.uri()) {
        let message = "a key does not belong into an address, where logs keep it: send `Authorization: Bearer KEY`, and exchange that key for a new one";
        return Some(problem("key-in-address", message));
    }
    None
}

/// Bytes of a request's head, as it is usually written.
fn head(request: &Request) -> usize {
    let uri = request.uri();
    let address = uri.path_and_query().map_or(0, |path| path.as_str().len())
        + uri.authority().map_or(0, |authority| authority.as_str().len());
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    request.method().as_str().len() + address + fields.sum::<usize>() + "  HTTP/1.1\r\n\r\n".len()
}

fn names_key(uri: &Uri) -> bool {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs
        .map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
        .any(|name| KEY_WORDS.contains(&name.to_ascii_lowercase().replace('-', "_").as_str()))
}

/// Lets in whoever has shown a key.
pub(super) async fn admit(
    State(door): State<Arc<Door>>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(pass) = door.guest(request.headers(), peer).await else {
        let has_shown = shown(request.headers()).is_some();
        if let Some(wait) = door.stranger(peer, request.uri().path(), has_shown) {
            return wait.into_response();
        }
        let mut refused =
            problem("unauthorised", "a key is needed: send `Authorization: Bearer KEY` or `X-API-Key: KEY`");
        refused
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"aa\""));
        return refused;
    };
    let place = match door.bounds.enter(&pass.guest.whose()) {
        Ok(place) => place,
        Err(TooMuch::AtOnce) => return later("too many requests are under way", Duration::from_secs(1)),
        Err(TooMuch::TooFast(wait)) => return later("too many requests in too short a time", wait),
    };
    let gone = door.gone(&pass);
    request.extensions_mut().insert(pass.guest);
    hold(end_with(next.run(request).await, gone), place)
}

/// Ends an answer that takes a while to be, such as what a client listens to, when its key opens no more.
fn end_with(response: Response, gone: impl Future<Output = ()> + Send + 'static) -> Response {
    if is_stream(&response) {
        response.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(gone))))
    } else {
        response
    }
}

fn is_stream(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream")
}

fn later(message: &str, wait: Duration) -> Response {
    let mut refused = problem("too-many", message);
    refused.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(Wait(wait).seconds()));
    refused
}

/// How long to wait before the next wrong key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait(Duration);

impl Wait {
    /// In whole seconds.
    pub(crate) fn seconds(self) -> u64 {
        u64::try_from(self.0.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
    }

    /// In words.
    pub(crate) fn told(self) -> String {
        format!("too many wrong keys came from this address; the next one may come in {} s", self.seconds())
    }
}

impl IntoResponse for Wait {
    fn into_response(self) -> Response {
        later(&self.told(), self.0)
    }
}

impl From<Wait> for Problem {
    fn from(wait: Wait) -> Self {
        Self::of("too-many", wait.told())
    }
}

/// Marks an answer that is counted elsewhere for as long as it goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unheld;

/// Keeps something until the answer has been sent, for answers that take a while to be.
pub(crate) fn hold(response: Response, held: impl Send + 'static) -> Response {
    if response.extensions().get::<Unheld>().is_some() || !is_stream(&response) {
        return response;
    }
    response.map(|body| {
        Body::from_stream(body.into_data_stream().map(move |part| {
            let _held = &held;
            part
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(hosts: &[&str], origins: &[&str], address: &str) -> Door {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let settings = Serve { hosts: own(hosts), origins: own(origins), ..Serve::default() };
        let mut keys = Keys::default();
        keys.add(&"l".repeat(32), Guest::local()).unwrap();
        keys.add(&"c".repeat(32), Guest::named("ci")).unwrap();
        Door::new(watch::channel(Arc::new(keys)).1, &settings, address.parse().unwrap())
    }

    fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        let mut headers = HeaderMap::new();
        for (name, value) in of.iter().map(pair) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn only_our_own_names_are_answered_to() {
        let door = door(&["aa.example.org", "other.example.org:8443"], &[], "192.0.2.1:80");
        let asked = |host: &str| door.is_ours(&headers(&[("host", host)]), &Uri::from_static("/mcp"));
        for good in [
            "localhost",
            "LOCALHOST:8610",
            "127.0.0.1:1",
            "[::1]:8610",
            "192.0.2.1",
            "AA.example.org:99",
            "other.example.org:8443",
        ] {
            assert!(asked(good), "{good}");
        }
        for bad in [
            "",
            "evil.example.org",
            "localhost.evil.org",
            "other.example.org",
            "other.example.org:1",
            "a b",
            "ü",
        ] {
            assert!(!asked(bad), "{bad}");
        }
        assert!(!door.is_ours(&HeaderMap::new(), &Uri::from_static("/mcp")));
    }

    #[test]
    fn who_names_two_servers_is_answered_by_none() {
        let door = door(&[], &[], "127.0.0.1:1");
        let asked = |hosts: &[&str], line: &'static str| {
            let hosts: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            door.is_ours(&headers(&hosts), &Uri::from_static(line))
        };
        assert!(asked(&["localhost"], "http://localhost/healthz") && asked(&[], "http://localhost/healthz"));
        for (hosts, line) in [
            (&["localhost", "evil.example.org"][..], "/healthz"),
            (&["localhost", "localhost"], "/healthz"),
            (&["localhost"], "http://evil.example.org/healthz"),
            (&["evil.example.org"], "http://localhost/healthz"),
            (&["ü"], "http://localhost/healthz"),
        ] {
            assert!(!asked(hosts, line), "{hosts:?} {line}");
        }
    }

    #[test]
    fn no_web_page_may_ask_unless_it_is_named() {
        let door = door(&[], &["https://App.example.org"], "127.0.0.1:1");
        let may = |origins: &[(&'static str, &str)]| door.may_ask(&headers(origins));
        assert!(may(&[]) && may(&[("origin", "https://app.example.org")]));
        for bad in ["null", "http://localhost", "https://app.example.org:444", "http://app.example.org", "ü"]
        {
            assert!(!may(&[("origin", bad)]), "{bad}");
        }
        assert!(!may(&[("origin", "https://app.example.org"), ("origin", "https://evil.example.org")]));
    }

    #[tokio::test]
    async fn keys_open_and_the_local_one_only_from_here() {
        let door = door(&[], &[], "0.0.0.0:1");
        let (here, there) = (Peer("127.0.0.1:9".parse().unwrap()), Peer("192.0.2.7:9".parse().unwrap()));
        let who = async |value: &str, peer| {
            let pass = door.guest(&headers(&[("authorization", value)]), peer).await;
            pass.map(|pass| pass.guest.principal.clone())
        };
        let (local, ci) = (format!("Bearer {}", "l".repeat(32)), format!("bearer {}", "c".repeat(32)));
        assert_eq!(who(&local, here).await.as_deref(), Some("local"));
        assert_eq!(who(&local, there).await, None);
        assert_eq!(who(&ci, there).await.as_deref(), Some("ci"));
        // Behind a proxy everybody is here.
        for (name, value, is_here) in [
            ("x-forwarded-for", "192.0.2.7", false),
            ("forwarded", "for=192.0.2.7", false),
            ("host", "aa.example.org", false),
            ("host", "localhost:8610", true),
            ("host", "[::1]:8610", true),
        ] {
            let let_in = async |key: &str| {
                door.guest(&headers(&[("authorization", key), (name, value)]), here).await.is_some()
            };
            assert_eq!(let_in(&local).await, is_here, "{name}: {value}");
            assert!(let_in(&ci).await);
        }
        for bad in ["", "Bearer", "Bearer ", &"c".repeat(32), &format!("Basic {}", "c".repeat(32))] {
            assert_eq!(who(bad, here).await, None, "{bad}");
        }
        let twice = headers(&[("authorization", &ci), ("authorization", &local)]);
        assert!(door.guest(&twice, here).await.is_none());
    }

    #[test]
    fn a_key_under_another_name_is_the_same_key() {
        let taken = |of: &[(&'static str, &str)]| {
            let mut headers = headers(of);
            let refused = take_api_key(&mut headers).map(|response| response.status().as_u16());
            assert!(!headers.contains_key(API_KEY), "nobody else sees it");
            (refused, shown(&headers).map(str::to_owned))
        };
        let is = |key: &str| (None, Some(key.to_owned()));
        assert_eq!(taken(&[("x-api-key", "k")]), is("k"));
        assert_eq!(taken(&[("x-api-key", "k"), ("authorization", "Bearer k")]), is("k"));
        assert_eq!(taken(&[("x-api-key", "k"), ("authorization", "Basic eDp4")]), is("k"));
        assert_eq!(taken(&[("authorization", "Bearer k")]), is("k"));
        assert_eq!(taken(&[("x-api-key", "")]), is(""));
        assert_eq!(taken(&[("x-api-key", "k"), ("authorization", "Bearer l")]).0, Some(400));
        assert_eq!(taken(&[("x-api-key", "k"), ("x-api-key", "l")]).0, Some(400));
        assert_eq!(taken(&[]), (None, None));
    }

    #[test]
    fn keys_in_addresses_are_seen() {
        for bad in ["/mcp?token=x", "/mcp?a=b&Access-Token=x", "/mcp?api_key", "/mcp/x?KEY=1"] {
            assert!(names_key(&bad.parse().unwrap()), "{bad}");
        }
        for good in ["/mcp", "/mcp?persona=token", "/mcp?tokens=3"] {
            assert!(!names_key(&good.parse().unwrap()), "{good}");
        }
    }
}

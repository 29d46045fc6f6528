//! The way out: one client, made when it is first needed, with bounded answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aa_spec::tool::ErrorKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, RequestBuilder, Url};
use serde_json::Value;

use super::redirect::{self, Hop};
use super::{failure, outward};
use crate::cause::cause;
use crate::tool::configuration::hide;
use crate::tool::native::invalid;
use crate::tool::process::bytes;
use crate::tool::sent::{Sending, Sent};
use crate::tool::{CallContext, ToolError};

/// Connecting must not take longer.
const CONNECT: Duration = Duration::from_secs(10);

/// What all HTTP tools share.
#[derive(Debug)]
pub(crate) struct Web {
    /// How a request goes that does not say.
    usual: Route,
    /// Most bytes of a body.
    limit: usize,
    /// By the way they go, and whether they go outward only.
    clients: Mutex<BTreeMap<(Route, bool), Client>>,
}

/// How a request goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::tool) struct Route {
    /// Proxy to go through. That of the environment is not used: it would be one more
    /// thing that differs between a terminal and a scheduler.
    pub(in crate::tool) proxy: Option<String>,
    /// File of certificates to trust besides the usual ones.
    pub(in crate::tool) ca: Option<PathBuf>,
}

/// A request, ready to be sent more than once.
#[derive(Clone)]
pub(in crate::tool) struct Request {
    pub(in crate::tool) method: Method,
    pub(in crate::tool) url: Url,
    pub(in crate::tool) headers: HeaderMap,
    pub(in crate::tool) body: Option<String>,
    pub(in crate::tool) timeout: Duration,
    pub(in crate::tool) follow_redirects: bool,
    /// Whether it may not go to this machine or near it.
    pub(in crate::tool) outward: bool,
}

/// Whatever came back.
pub(in crate::tool) struct Answer {
    pub(in crate::tool) status: u16,
    pub(in crate::tool) headers: BTreeMap<String, String>,
    pub(in crate::tool) content: Vec<u8>,
    pub(in crate::tool) method: Method,
    /// Without the query, which may hold secrets.
    pub(in crate::tool) url: String,
    /// Whether another answer has sent the request there.
    pub(in crate::tool) redirected: bool,
    /// For whoever finds a refusal in what was said.
    pub(in crate::tool) sending: Sending,
}

impl Web {
    pub(crate) fn new(proxy: Option<String>, ca: Option<PathBuf>, limit: usize) -> Self {
        Self { usual: Route { proxy, ca }, limit, clients: Mutex::default() }
    }

    /// Sends a request once, follows where it is sent on to, and reads the whole answer. With `sent`, it is known from then
    /// on that a request is out that may change something.
    pub(in crate::tool) async fn send(
        &self,
        request: &Request,
        sent: Option<&Sent>,
    ) -> Result<Answer, ToolError> {
        let began = Instant::now();
        let mut part = request.clone();
        for redirects in 0..=redirect::MOST {
            // What comes to nobody behind a redirect, or is refused there, came to somebody before.
            let answer = self.once(&part, sent.filter(|_| redirects == 0)).await?;
            let hop = Hop { method: part.method.clone(), url: part.url.clone() };
            let next = if request.follow_redirects { hop.next(&answer)? } else { None };
            let Some(next) = next else { return Ok(answer) };
            part = Request {
                headers: redirect::carried(&part.headers, &hop, &next),
                body: part.body.filter(|_| next.method == hop.method && !next.method.is_safe()),
                method: next.method,
                url: next.url,
                timeout: request.timeout.saturating_sub(began.elapsed()),
                ..*request
            };
        }
        Err(redirect::too_many(&request.method, &request.url))
    }

    /// Lets nobody see what opens the proxy of a route: whoever is asked behind it may say it back.
    pub(in crate::tool) fn hide_proxy(&self, route: &Route, context: &CallContext) -> Result<(), ToolError> {
        let proxy = route.proxy.as_deref().or(self.usual.proxy.as_deref());
        let Some(url) = proxy.and_then(|proxy| Url::parse(proxy).ok()) else { return Ok(()) };
        let Some(password) = url.password().map(unescaped) else { return Ok(()) };
        let both = STANDARD.encode(format!("{}:{password}", unescaped(url.username())));
        hide(context, "http.proxy", &Value::from(password))?;
        hide(context, "http.proxy", &Value::from(both))
    }

    async fn once(&self, request: &Request, sent: Option<&Sent>) -> Result<Answer, ToolError> {
        if request.outward {
            outward::lets(&request.url).map_err(|why| ToolError::new(ErrorKind::Auth, why))?;
        }
        let client = self.cached(self.usual.clone(), request.outward)?;
        let mut sending = client
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone())
            .timeout(request.timeout);
        if let Some(body) = &request.body {
            sending = sending.body(body.clone());
        }
        let out = sent.map(Sent::out).unwrap_or_default();
        self.receive(&request.method, &request.url, sending, (&Route::default(), out)).await
    }

    /// Sends what was built, and reads the whole answer.
    pub(in crate::tool) async fn receive(
        &self,
        method: &Method,
        url: &Url,
        request: RequestBuilder,
        (route, sending): (&Route, Sending),
    ) -> Result<Answer, ToolError> {
        let proxy = route.proxy.as_deref().or(self.usual.proxy.as_deref());
        let lost = |error| {
            if failure::was_not_reached(&error) {
                sending.refused();
            }
            failure::lost(method, url, &error, proxy)
        };
        let mut response = request.send().await.map_err(lost)?;
        if failure::is_refusal(response.status(), response.headers().contains_key(RETRY_AFTER)) {
            sending.refused();
        }
        let mut content = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if content.len() + chunk.len() > self.limit {
                let message = format!(
                    "the answer of `{}` has more than {}, which is what `limits.output_bytes` allows",
                    shown(url),
                    bytes(self.limit)
                );
                return Err(ToolError::new(ErrorKind::Permanent, message));
            }
            content.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status().as_u16(),
            headers: header_map(response.headers()),
            content,
            method: method.clone(),
            url: shown(response.url()),
            redirected: false,
            sending,
        })
    }

    /// A client that goes straight, whatever is usual.
    pub(in crate::tool) fn straight(&self) -> Result<Client, ToolError> {
        self.cached(Route::default(), false)
    }

    /// The client for a route; what the route does not say is as usual.
    pub(in crate::tool) fn client(&self, route: &Route) -> Result<Client, ToolError> {
        let route = Route {
            proxy: route.proxy.clone().or_else(|| self.usual.proxy.clone()),
            ca: route.ca.clone().or_else(|| self.usual.ca.clone()),
        };
        self.cached(route, false)
    }

    /// The client for requests that do not say how they go, redirects not followed. It speaks HTTP/1.1,
    /// so a connection can become a WebSocket.
    pub(crate) fn usual(&self) -> Result<Client, ToolError> {
        self.cached(self.usual.clone(), false)
    }

    fn cached(&self, route: Route, outward: bool) -> Result<Client, ToolError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(route.clone(), outward)) {
            return Ok(client.clone());
        }
        let client =
            build(&route, outward).map_err(|message| ToolError::new(ErrorKind::Permanent, message))?;
        clients.insert((route, outward), client.clone());
        Ok(client)
    }
}

fn build(route: &Route, outward: bool) -> Result<Client, String> {
    // Fails when one is installed already, which is as good.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(CONNECT)
        .user_agent(concat!("aa/", env!("CARGO_PKG_VERSION")));
    if outward {
        builder = outward::bound(builder, route.proxy.is_some());
    }
    if let Some(proxy) = &route.proxy {
        let proxy = reqwest::Proxy::all(proxy).map_err(|_| "the configured proxy is no URL".to_owned())?;
        builder = builder.proxy(proxy);
    }
    if let Some(ca) = &route.ca {
        builder = builder.tls_certs_merge(certificates(ca)?);
    }
    builder.build().map_err(|error| format!("cannot set up HTTP: {}", failure::root_cause(&error)))
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, String> {
    let shown = path.display();
    let pem = std::fs::read(path).map_err(|error| format!("cannot read `{shown}`: {}", cause(&error)))?;
    let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if certificates.is_empty() {
        return Err(format!("`{shown}` holds no certificates (PEM)"));
    }
    Ok(certificates)
}

impl Answer {
    /// The body as a value: parsed when it is JSON, else text; null when there is none.
    pub(in crate::tool) fn body(&self) -> Result<Value, ToolError> {
        if self.content.is_empty() {
            return Ok(Value::Null);
        }
        if self.is_json() {
            return aa_spec::json::read(without_mark(&self.content)).map_err(|error| {
                let message =
                    format!("the answer of `{}` says that it is JSON and is not: {error}", self.url);
                ToolError::new(ErrorKind::Permanent, message)
            });
        }
        std::str::from_utf8(&self.content).map(Value::from).map_err(|_| {
            let message = format!("the answer of `{}` is not UTF-8 text", self.url);
            ToolError::new(ErrorKind::Permanent, message)
        })
    }

    pub(in crate::tool) fn is_json(&self) -> bool {
        let kind = self.headers.get("content-type").map_or("", String::as_str);
        let kind = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        kind == "application/json" || kind.ends_with("+json")
    }
}

/// A part of a URL as it is meant.
fn unescaped(part: &str) -> String {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// A text without the mark of UTF-8 that some put before it, and that is no JSON.
pub(in crate::tool) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

/// A URL from its text and query.
pub(in crate::tool) fn url(text: &str, query: &[(String, String)]) -> Result<Url, ToolError> {
    let mut url = Url::parse(text).map_err(|error| invalid(format!("`url` is no URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid(format!("`url` begins with `{}:`, not with `http:` or `https:`", url.scheme())));
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

/// Headers from their texts. Messages name a header and never its value.
pub(in crate::tool) fn headers(
    given: &BTreeMap<String, String>,
    kind: Option<&'static str>,
) -> Result<HeaderMap, ToolError> {
    let mut headers = HeaderMap::new();
    if let Some(kind) = kind {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    for (name, value) in given {
        let wrong = |what: &str| invalid(format!("header `{name}`: its {what} is not possible"));
        let key = HeaderName::try_from(name).map_err(|_| wrong("name"))?;
        let value = HeaderValue::try_from(value).map_err(|_| wrong("value"))?;
        headers.insert(key, value);
    }
    Ok(headers)
}

/// A URL as it may be shown: neither user, password nor query.
pub(in crate::tool) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _has_none = url.set_username("");
    let _has_none = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

fn header_map(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut map = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        map.entry(name.to_string())
            .and_modify(|known| {
                known.push_str(", ");
                known.push_str(&value);
            })
            .or_insert_with(|| value.to_string());
    }
    map
}

//! The way out: one client, made when it is first needed, with bounded answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aa_spec::tool::ErrorKind;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION,
};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, RequestBuilder, Url};
use serde_json::Value;

use super::{failure, outward};
use crate::cause::cause;
use crate::tool::ToolError;
use crate::tool::native::invalid;
use crate::tool::process::bytes;
use crate::tool::sent::Sending;

/// Connecting must not take longer.
const CONNECT: Duration = Duration::from_secs(10);

/// Redirects that are followed.
const MOST_REDIRECTS: usize = 10;

/// What all HTTP tools share.
#[derive(Debug)]
pub(crate) struct Web {
    /// How a request goes that does not say.
    usual: Route,
    /// Most bytes of a body.
    limit: usize,
    clients: Mutex<BTreeMap<(Route, Manner), Client>>,
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

/// What else tells clients apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Manner {
    /// Whether redirects are followed.
    follow: bool,
    /// Whether nothing is asked on this machine and near it.
    outward: bool,
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

impl Request {
    /// The request to where an answer sends it, if that is followed: as clients do it, without what is meant for another
    /// host, and without a body where it becomes a question.
    fn next(&self, answer: &Answer) -> Option<Self> {
        let location = answer.headers.get("location").filter(|_| self.follow_redirects)?;
        let asks = match answer.status {
            303 => true,
            301 | 302 => self.method == Method::POST,
            307 | 308 => false,
            _ => return None,
        };
        let mut next = Self { url: self.url.join(location).ok()?, ..self.clone() };
        if next.url.origin() != self.url.origin() {
            for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                next.headers.remove(name);
            }
        }
        if asks {
            (next.method, next.body) = (Method::GET, None);
            for name in [CONTENT_TYPE, CONTENT_LENGTH] {
                next.headers.remove(name);
            }
        }
        Some(next)
    }
}

impl Web {
    pub(crate) fn new(proxy: Option<String>, ca: Option<PathBuf>, limit: usize) -> Self {
        Self { usual: Route { proxy, ca }, limit, clients: Mutex::default() }
    }

    /// Sends a request once and reads the whole answer.
    pub(in crate::tool) async fn send(&self, request: &Request, out: Sending) -> Result<Answer, ToolError> {
        if request.method.is_safe() {
            return self.once(request, request.follow_redirects, out).await;
        }
        // Whether a change came to somebody before another place was not reached can only be told hop by hop.
        let began = Instant::now();
        let mut answer = self.once(request, false, out).await?;
        let mut hop = request.clone();
        for _ in 0..MOST_REDIRECTS {
            let Some(next) = hop.next(&answer) else { return Ok(answer) };
            hop = Request { timeout: request.timeout.saturating_sub(began.elapsed()), ..next };
            answer = self.once(&hop, false, Sending::default()).await?;
            answer.redirected = true;
        }
        let message = format!("{} `{}`: too many redirects", request.method, shown(&request.url));
        Err(ToolError::new(ErrorKind::Permanent, message))
    }

    async fn once(&self, request: &Request, follow: bool, out: Sending) -> Result<Answer, ToolError> {
        if request.outward {
            outward::lets(&request.url).map_err(|why| ToolError::new(ErrorKind::Auth, why))?;
        }
        let client = self.cached(self.usual.clone(), Manner { follow, outward: request.outward })?;
        let mut sending = client
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone())
            .timeout(request.timeout);
        if let Some(body) = &request.body {
            sending = sending.body(body.clone());
        }
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
            if failure::was_not_reached(&error, url) {
                sending.refused();
            }
            failure::lost(method, url, &error, proxy)
        };
        let mut response = request.send().await.map_err(lost)?;
        if failure::is_refusal(response.status()) && response.url() == url {
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
        self.cached(Route::default(), Manner::default())
    }

    /// The client for a route; what the route does not say is as usual.
    pub(in crate::tool) fn client(&self, route: &Route, follow: bool) -> Result<Client, ToolError> {
        let route = Route {
            proxy: route.proxy.clone().or_else(|| self.usual.proxy.clone()),
            ca: route.ca.clone().or_else(|| self.usual.ca.clone()),
        };
        self.cached(route, Manner { follow, outward: false })
    }

    /// The client for requests that do not say how they go, redirects not followed. It speaks HTTP/1.1,
    /// so a connection can become a WebSocket.
    pub(crate) fn usual(&self) -> Result<Client, ToolError> {
        self.cached(self.usual.clone(), Manner::default())
    }

    fn cached(&self, route: Route, manner: Manner) -> Result<Client, ToolError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(route.clone(), manner)) {
            return Ok(client.clone());
        }
        let client =
            build(&route, manner).map_err(|message| ToolError::new(ErrorKind::Permanent, message))?;
        clients.insert((route, manner), client.clone());
        Ok(client)
    }
}

fn build(route: &Route, Manner { follow, outward }: Manner) -> Result<Client, String> {
    // Fails when one is installed already, which is as good.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(if follow { Policy::limited(MOST_REDIRECTS) } else { Policy::none() })
        .connect_timeout(CONNECT)
        .user_agent(concat!("aa/", env!("CARGO_PKG_VERSION")));
    if outward {
        builder = outward::bound(builder, follow, route.proxy.is_some());
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

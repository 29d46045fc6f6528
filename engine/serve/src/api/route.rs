//! How a handler becomes a route: what it is asked is read, checked and described by its types, so the
//! description cannot say anything else than what happens.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aa_run::event::Link;
use aa_run::key::Guest;
use axum::Extension;
use axum::body::{Bytes, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::answer::Answer;
use super::document::{Description, Schemas};
use super::problem::Problem;
use super::visitor::Visitor;
use super::{Api, document, reading};
use crate::audit;

/// How long a body may take to come.
const BODY: Duration = Duration::from_secs(30);

/// A path and a method with what answers them, and what is told of it.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) method: Method,
    pub(crate) says: &'static str,
    /// Whether a request that comes again with the same key is done once.
    pub(crate) is_known_by_key: bool,
    pub(crate) answers: MethodRouter<Arc<Api>>,
    pub(crate) describe: fn(&mut Schemas) -> Description,
}

/// A request that has been read: who asks, for what.
#[derive(Debug)]
pub(crate) struct Asked<P = Nothing, Q = Nothing, B = Nothing> {
    /// Who asks.
    pub(crate) visitor: Visitor,
    /// What the path names.
    pub(crate) path: P,
    /// What stands behind the question mark.
    pub(crate) query: Q,
    /// What was sent.
    pub(crate) body: B,
    /// The key by which a repeated request is known.
    pub(crate) key: Option<String>,
}

/// Nothing is named, asked or sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// What can be read of a request, and described.
pub(crate) trait Part: DeserializeOwned + JsonSchema + Send + 'static {}
impl<T: DeserializeOwned + JsonSchema + Send + 'static> Part for T {}

/// Looks at something.
pub(crate) fn get<P, Q, A, F, Fut>(path: &'static str, says: &'static str, handler: F) -> Route
where
    P: Part,
    Q: Part,
    A: Answer,
    F: Fn(Asked<P, Q>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<A, Problem>> + Send,
{
    route::<P, Q, Nothing, A, F, Fut>((Method::GET, MethodFilter::GET), path, says, handler)
}

/// Does something.
pub(crate) fn post<P, B, A, F, Fut>(path: &'static str, says: &'static str, handler: F) -> Route
where
    P: Part,
    B: Part,
    A: Answer,
    F: Fn(Asked<P, Nothing, B>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<A, Problem>> + Send,
{
    route::<P, Nothing, B, A, F, Fut>((Method::POST, MethodFilter::POST), path, says, handler)
}

fn route<P, Q, B, A, F, Fut>(
    (method, filter): (Method, MethodFilter),
    path: &'static str,
    says: &'static str,
    handler: F,
) -> Route
where
    P: Part,
    Q: Part,
    B: Part,
    A: Answer,
    F: Fn(Asked<P, Q, B>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<A, Problem>> + Send,
{
    let asked = move |State(api): State<Arc<Api>>,
                      Extension(guest): Extension<Arc<Guest>>,
                      named: Result<Path<P>, PathRejection>,
                      request: Request| {
        let handler = handler.clone();
        async move {
            let note = audit::Asked::new(&guest.principal, request.method(), path);
            let (headers, method) = (request.headers().clone(), request.method().clone());
            let asker = Visitor::new(&api.engine, Arc::clone(&guest));
            let answer = match read::<P, Q, B>(&api, guest, named, request).await {
                Ok(asked) => handler(asked).await,
                Err(problem) => Err(problem),
            };
            let response = match answer {
                Ok(answer) => answer.reply(&headers),
                Err(problem) => problem.into_response(),
            };
            if response.status() == StatusCode::FORBIDDEN && method != Method::GET {
                audit::denied(&asker.engine, &format!("{method} /api{path}"), "forbidden").await;
            }
            note.answered(response.status());
            Ok::<Response, Infallible>(response)
        }
    };
    Route {
        path,
        method,
        says,
        is_known_by_key: false,
        answers: on(filter, asked),
        describe: document::describe::<P, Q, B, A>,
    }
}

impl Route {
    /// The handler does what comes again with the same key once. (Elsewhere a request that comes again changes nothing
    /// more, or its second answer says so.)
    pub(crate) fn known_by_key(self) -> Self {
        Self { is_known_by_key: true, ..self }
    }
}

async fn read<P: Part, Q: Part, B: Part>(
    api: &Api,
    guest: Arc<Guest>,
    named: Result<Path<P>, PathRejection>,
    request: Request,
) -> Result<Asked<P, Q, B>, Problem> {
    let link = request.extensions().get::<Link>().cloned().unwrap_or_default();
    let visitor = Visitor::new(&api.engine.linked(link), guest);
    let Path(path) = named.map_err(|rejection| reading::path(&rejection))?;
    let query = reading::query::<Q>(request.uri().query().unwrap_or_default())?;
    let key = key(request.headers())?;
    let body = match *request.method() {
        Method::GET => Value::Object(Map::new()),
        _ => body(request, api.settings.message).await?,
    };
    let body = reading::body::<B>(&body)?;
    Ok(Asked { visitor, path, query, body, key })
}

/// The key of a request that may come twice.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next() else { return Ok(None) };
    if keys.next().is_some() {
        return Err(Problem::of("bad-header", "there must be one `Idempotency-Key`, and there are several"));
    }
    let key = key.to_str().unwrap_or_default().trim().trim_matches('"');
    let fits = (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        return Ok(Some(key.to_owned()));
    }
    let detail = "the `Idempotency-Key` must be 1 to 255 characters without spaces";
    Err(Problem::of("bad-header", detail))
}

async fn body(request: Request, most: usize) -> Result<Value, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_json = kind.is_some_and(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    });
    let bytes: Bytes = match timeout(BODY, to_bytes(request.into_body(), most)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let detail = format!("a message may have {most} bytes (`serve.limits.message`)");
            return Err(Problem::of("too-large", detail));
        }
        Err(_) => return Err(Problem::of("too-slow", "the message did not come in time")),
    };
    if bytes.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    if !is_json {
        return Err(Problem::of("not-json", "what is sent must be `application/json`"));
    }
    let value = reading::json(&bytes)?;
    if value.is_object() { Ok(value) } else { Err(Problem::of("bad-body", "what is sent must be an object")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_key_is_a_word() {
        let of = |text: &str| {
            key(&HeaderMap::from_iter([("idempotency-key".parse().unwrap(), text.parse().unwrap())]))
        };
        assert_eq!(of("\"a-1\"").unwrap().as_deref(), Some("a-1"));
        for bad in ["", "a b", &"x".repeat(256)] {
            assert!(of(bad).is_err(), "{bad}");
        }
        let mut two = HeaderMap::new();
        for value in ["a-1", "a-1"] {
            two.append("idempotency-key", value.parse().unwrap());
        }
        assert!(key(&two).is_err(), "of two, nobody knows which was meant");
    }
}

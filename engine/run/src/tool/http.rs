//! HTTP: one request with its answer as a value, and waiting for a service to be healthy.

pub(super) mod client;
pub(super) mod failure;
pub(super) mod outward;
pub(super) mod redirect;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::client::Answer;
use super::native::{Face, Native, bounded, invalid};
use super::{CallContext, ToolError};

pub(super) use self::client::Request;
pub(in crate::tool) use self::client::Route;
pub(crate) use self::client::Web;

/// `http_request`.
pub(super) struct HttpRequest(pub(super) Arc<Web>);

/// `http_get`.
pub(super) struct HttpGet(pub(super) Arc<Web>);

/// `http_wait`.
pub(super) struct HttpWait(pub(super) Arc<Web>);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetArgs {
    /// Where to, e.g. `https://example.org/api`.
    url: String,
    /// What to put behind the `?`; a list repeats its name.
    #[serde(default)]
    query: BTreeMap<String, QueryValue>,
    /// Headers to send.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// One attempt must end within this time.
    #[serde(default = "half_a_minute")]
    timeout: String,
    /// Which status codes are a success; without it, 200 to 299.
    #[serde(default)]
    expect: Vec<u16>,
    /// How often to try again after 429, 502, 503, 504 or a lost connection, as `Retry-After` says.
    #[serde(default = "two")]
    retries: u32,
    /// Whether to follow redirects.
    #[serde(default = "yes")]
    follow_redirects: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestArgs {
    /// What to do.
    #[serde(default)]
    method: Verb,
    /// Where to, e.g. `https://example.org/api`.
    url: String,
    /// What to put behind the `?`; a list repeats its name.
    #[serde(default)]
    query: BTreeMap<String, QueryValue>,
    /// Headers to send.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A value to send as JSON.
    #[serde(default)]
    json: Option<Value>,
    /// Text to send; not together with `json`.
    #[serde(default)]
    body: Option<String>,
    /// One attempt must end within this time.
    #[serde(default = "half_a_minute")]
    timeout: String,
    /// Which status codes are a success; without it, 200 to 299.
    #[serde(default)]
    expect: Vec<u16>,
    /// How often to try again after 429, 502, 503, 504 or a lost connection, as `Retry-After` says.
    /// Only where repeating is harmless: not for `POST` and `PATCH` without `idempotency_header`.
    #[serde(default = "two")]
    retries: u32,
    /// Header in which the service takes the key that makes a repeated request harmless.
    #[serde(default)]
    idempotency_header: Option<String>,
    /// Whether to follow redirects.
    #[serde(default = "yes")]
    follow_redirects: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Verb {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum QueryValue {
    One(Scalar),
    More(Vec<Scalar>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(serde_json::Number),
    Boolean(bool),
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Response {
    /// Status code.
    status: u16,
    /// Headers, with small letters; several of one name are joined by a comma.
    headers: BTreeMap<String, String>,
    /// The body: parsed when it is JSON, else text; null when there is none.
    body: Value,
    /// Where the answer came from, after redirects, without the query.
    url: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitArgs {
    /// What to ask, e.g. `http://127.0.0.1:8080/health`.
    url: String,
    /// How long to wait in all.
    #[serde(default = "a_minute")]
    timeout: String,
    /// How long to wait between two attempts.
    #[serde(default = "quarter_of_a_second")]
    interval: String,
    /// Which status codes mean healthy; without it, 200 to 299.
    #[serde(default)]
    expect: Vec<u16>,
    /// Text that the body must hold, too.
    #[serde(default)]
    contains: Option<String>,
    /// Headers to send.
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Healthy {
    /// Status code of the last answer.
    status: u16,
    /// Its body: parsed when it is JSON, else text; null when there is none.
    body: Value,
    /// How often it was asked.
    attempts: u32,
    /// How long it took, in milliseconds.
    elapsed_ms: u64,
}

fn half_a_minute() -> String {
    "30s".to_owned()
}

fn a_minute() -> String {
    "1m".to_owned()
}

fn quarter_of_a_second() -> String {
    "250ms".to_owned()
}

const fn two() -> u32 {
    2
}

const fn yes() -> bool {
    true
}

#[async_trait]
impl Native for HttpRequest {
    type Args = RequestArgs;
    type Output = Response;

    const FACE: Face = Face {
        name: "http_request",
        module: "http",
        description: "Sends an HTTP request; use `http_get` for what only reads",
        effect: Effect::Unknown,
        idempotent: false,
    };

    async fn call(&self, context: &CallContext, args: RequestArgs) -> Result<Response, ToolError> {
        context.sent.not_yet();
        let body = match (args.json, args.body) {
            (Some(_), Some(_)) => return Err(invalid("`json` and `body` cannot both be given")),
            (Some(json), None) => Some((Some("application/json"), json.to_string())),
            (None, text) => text.map(|text| (None, text)),
        };
        let repeatable =
            !matches!(args.method, Verb::Post | Verb::Patch) || args.idempotency_header.is_some();
        let mut headers = args.headers;
        if let Some(name) = args.idempotency_header {
            headers.entry(name).or_insert_with(|| context.idempotency_key.clone());
        }
        let request = Request {
            method: args.method.into(),
            url: client::url(&args.url, &pairs(&args.query))?,
            headers: client::headers(&headers, body.as_ref().and_then(|(kind, _)| *kind))?,
            body: body.map(|(_, text)| text),
            timeout: duration(&args.timeout)?,
            follow_redirects: args.follow_redirects,
            outward: context.fence.keeps_outward(),
        };
        let retries = if repeatable { args.retries } else { 0 };
        fetch(&self.0, context, request, retries, &args.expect).await
    }
}

#[async_trait]
impl Native for HttpGet {
    type Args = GetArgs;
    type Output = Response;

    const FACE: Face = Face {
        name: "http_get",
        module: "http",
        description: "Gets a page or a JSON value over HTTP",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: GetArgs) -> Result<Response, ToolError> {
        let request = Request {
            method: Method::GET,
            url: client::url(&args.url, &pairs(&args.query))?,
            headers: client::headers(&args.headers, None)?,
            body: None,
            timeout: duration(&args.timeout)?,
            follow_redirects: args.follow_redirects,
            outward: context.fence.keeps_outward(),
        };
        fetch(&self.0, context, request, args.retries, &args.expect).await
    }
}

#[async_trait]
impl Native for HttpWait {
    type Args = WaitArgs;
    type Output = Healthy;

    const FACE: Face = Face {
        name: "http_wait",
        module: "http",
        description: "Waits until a service answers over HTTP",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: WaitArgs) -> Result<Healthy, ToolError> {
        let (patience, interval) = (duration(&args.timeout)?, duration(&args.interval)?);
        let request = Request {
            method: Method::GET,
            url: client::url(&args.url, &[])?,
            headers: client::headers(&args.headers, None)?,
            body: None,
            timeout: Duration::from_secs(5).min(patience),
            follow_redirects: true,
            outward: context.fence.keeps_outward(),
        };
        let start = Instant::now();
        let until = start + patience;
        for attempts in 1.. {
            let answer = bounded(context, self.0.send(&request, None)).await?;
            let unhealthy = match answer.and_then(|answer| judge(answer, &args.expect)) {
                Ok(response) if holds(&response.body, args.contains.as_deref()) => {
                    let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
                    return Ok(Healthy {
                        status: response.status,
                        body: response.body,
                        attempts,
                        elapsed_ms,
                    });
                }
                Ok(response) => not_held(&response, args.contains.as_deref()),
                Err(error) if error.kind == ErrorKind::Invalid => return Err(error),
                Err(error) => error,
            };
            if Instant::now() + interval >= until {
                let message = format!("not healthy within {}: {}", args.timeout, unhealthy.message);
                return Err(ToolError::new(ErrorKind::Timeout, message).details(unhealthy.details));
            }
            (context.progress)(&format!("not healthy yet: {}", unhealthy.message));
            bounded(context, sleep(interval)).await?;
        }
        Err(ToolError::new(ErrorKind::Timeout, "not healthy"))
    }
}

/// Sends a request, again where that is wanted and harmless, and judges the answer.
async fn fetch(
    web: &Web,
    context: &CallContext,
    request: Request,
    retries: u32,
    expect: &[u16],
) -> Result<Response, ToolError> {
    let mut left = retries;
    web.hide_proxy(&Route::default(), context)?;
    loop {
        // Whoever is only asked for something changes nothing.
        let sent = Some(&context.sent).filter(|_| !request.method.is_safe());
        let answer = bounded(context, web.send(&request, sent)).await?;
        let wanted = |status: u16| expect.contains(&status);
        let wait = match &answer {
            Ok(answer) if !wanted(answer.status) => failure::retry_after(answer, retries - left),
            Err(error) if error.kind == ErrorKind::Network => Some(failure::back_off(retries - left)),
            _ => None,
        };
        match wait {
            Some(wait)
                if left > 0 && context.deadline.is_none_or(|deadline| Instant::now() + wait < deadline) =>
            {
                let why =
                    answer.map_or_else(|error| error.message, |answer| format!("status {}", answer.status));
                (context.progress)(&format!("{why}; trying again in {} ms", wait.as_millis()));
                left -= 1;
                bounded(context, sleep(wait)).await?;
            }
            _ => return judge(answer?, expect),
        }
    }
}

/// An answer with the right status as a value, any other as an error.
fn judge(answer: Answer, expect: &[u16]) -> Result<Response, ToolError> {
    let status = answer.status;
    let success = if expect.is_empty() { (200..300).contains(&status) } else { expect.contains(&status) };
    if !success {
        return Err(failure::unwanted(&answer));
    }
    let body = answer.body()?;
    Ok(Response { status, body, headers: answer.headers, url: answer.url })
}

fn holds(body: &Value, wanted: Option<&str>) -> bool {
    match (wanted, body) {
        (None, _) => true,
        (Some(wanted), Value::String(text)) => text.contains(wanted),
        (Some(wanted), value) => value.to_string().contains(wanted),
    }
}

fn not_held(response: &Response, wanted: Option<&str>) -> ToolError {
    let wanted = wanted.unwrap_or_default();
    ToolError::new(ErrorKind::Transient, format!("the body does not hold `{wanted}`"))
        .details(json!({"status": response.status, "body": response.body}))
}

fn pairs(query: &BTreeMap<String, QueryValue>) -> Vec<(String, String)> {
    let text = |scalar: &Scalar| match scalar {
        Scalar::Text(text) => text.clone(),
        Scalar::Number(number) => number.to_string(),
        Scalar::Boolean(boolean) => boolean.to_string(),
    };
    let values = |value: &QueryValue| match value {
        QueryValue::One(one) => vec![text(one)],
        QueryValue::More(more) => more.iter().map(text).collect(),
    };
    query
        .iter()
        .flat_map(|(name, value)| values(value).into_iter().map(|value| (name.clone(), value)))
        .collect()
}

fn duration(text: &str) -> Result<Duration, ToolError> {
    aa_spec::duration::parse_ms(text).map(Duration::from_millis).map_err(invalid)
}

impl From<Verb> for Method {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Get => Self::GET,
            Verb::Head => Self::HEAD,
            Verb::Post => Self::POST,
            Verb::Put => Self::PUT,
            Verb::Patch => Self::PATCH,
            Verb::Delete => Self::DELETE,
            Verb::Options => Self::OPTIONS,
        }
    }
}

#[cfg(test)]
mod tests;

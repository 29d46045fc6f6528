//! What went wrong with a request, and whether another attempt is worth it.

use std::error::Error;
use std::time::Duration;

use aa_spec::tool::ErrorKind;
use reqwest::{Method, StatusCode, Url};
use serde_json::json;

use super::client::{Answer, shown};
use crate::tool::ToolError;

/// More of a body than this does not go into the details of an error, in bytes.
pub(in crate::tool) const SHOWN_BODY: usize = 16 * 1024;

/// Nobody is kept waiting longer between two attempts.
pub(in crate::tool) const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// The error of an answer with an unwanted status.
pub(super) fn unwanted(answer: &Answer) -> ToolError {
    let shown = &answer.content[..answer.content.len().min(SHOWN_BODY)];
    let mut details = json!({
        "status": answer.status,
        "method": answer.method.as_str(),
        "url": answer.url,
        "headers": answer.headers,
        "body": String::from_utf8_lossy(shown),
    });
    if shown.len() < answer.content.len() {
        details["body_bytes"] = answer.content.len().into();
    }
    let message = format!("{} `{}` gave status {}", answer.method, answer.url, answer.status);
    ToolError::new(kind(answer.status), message).details(details)
}

/// Whether a status says that what was asked for was not done. With others something may have broken while the request
/// was worked on, or beyond what has answered. `says_when` tells whether it says when to ask again.
pub(in crate::tool) fn is_refusal(status: StatusCode, says_when: bool) -> bool {
    match status.as_u16() {
        408 | 499 => false,
        501 | 505 => true,
        // Said by services that want to be asked later, and by what stands before one that broke meanwhile.
        503 => says_when,
        _ => status.is_client_error(),
    }
}

/// Whether a request has come to nobody.
pub(super) fn was_not_reached(error: &reqwest::Error) -> bool {
    error.is_builder() || error.is_connect()
}

/// The error of a request without an answer.
pub(in crate::tool) fn lost(
    method: &Method,
    url: &Url,
    error: &reqwest::Error,
    proxy: Option<&str>,
) -> ToolError {
    let url = shown(url);
    let why = root_cause(error);
    let (kind, message) = if error.is_timeout() && !error.is_connect() {
        (ErrorKind::Timeout, format!("{method} `{url}` took too long"))
    } else if error.is_builder() {
        (ErrorKind::Invalid, format!("{method} `{url}`: {why}"))
    } else if why.contains("certificate") {
        // Who has named the certificate of the server itself has named no authority.
        let hint = if why.contains("CaUsedAsEndEntity") || why.contains("caUsedAsEndEntity") {
            "the file under `http: {ca: …}` holds the server's own certificate, and that of its authority is wanted"
        } else {
            "name the certificates of its authority under `http: {ca: …}`"
        };
        (ErrorKind::Permanent, format!("cannot trust `{url}`: {why}; {hint}"))
    } else if let Some(proxy) = proxy.filter(|_| error.is_connect()) {
        // Whoever asks a proxy connects to nothing else.
        let proxy = Url::parse(proxy).map_or_else(|_| "the configured one".to_owned(), |proxy| shown(&proxy));
        (ErrorKind::Network, format!("cannot reach `{url}` through the proxy `{proxy}`: {why}"))
    } else {
        (ErrorKind::Network, format!("cannot reach `{url}`: {why}"))
    };
    ToolError::new(kind, message).details(json!({"method": method.as_str(), "url": url}))
}

/// How long to wait before another attempt; `None` when none is worth it.
pub(in crate::tool) fn retry_after(answer: &Answer, attempts_made: u32) -> Option<Duration> {
    if !matches!(answer.status, 429 | 502 | 503 | 504) {
        return None;
    }
    match asked_wait(answer) {
        // Asking sooner than wished would only make it worse.
        Some(wait) if wait > LONGEST_WAIT => None,
        Some(wait) => Some(wait),
        None => Some(back_off(attempts_made)),
    }
}

/// How long an answer asks to be left alone.
pub(in crate::tool) fn asked_wait(answer: &Answer) -> Option<Duration> {
    let value = answer.headers.get("retry-after")?.trim();
    let seconds = value.parse().map(Duration::from_secs);
    seconds.ok().or_else(|| {
        let time = chrono::DateTime::parse_from_rfc2822(value).ok()?;
        Some((time.to_utc() - chrono::Utc::now()).to_std().unwrap_or_default())
    })
}

/// The wait before another attempt when nobody says how long it should be.
pub(in crate::tool) fn back_off(attempts_made: u32) -> Duration {
    Duration::from_millis(250 << attempts_made.min(6))
}

/// The innermost reason, in small letters where it begins.
pub(super) fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

pub(in crate::tool) fn kind(status: u16) -> ErrorKind {
    match status {
        401 | 403 | 407 => ErrorKind::Auth,
        404 | 410 => ErrorKind::NotFound,
        408 => ErrorKind::Timeout,
        425 | 429 | 500 | 502..=504 => ErrorKind::Transient,
        400 | 405 | 406 | 411..=417 | 422 => ErrorKind::Invalid,
        _ => ErrorKind::Permanent,
    }
}

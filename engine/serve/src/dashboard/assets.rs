//! Style, script and icon: part of the binary, kept by browsers for as long as they are the same.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Dashboard;

const FILES: [(&str, &str, &str); 3] = [
    ("style.css", "text/css; charset=utf-8", include_str!("style.css")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("live.js")),
    ("icon.svg", "image/svg+xml", include_str!("icon.svg")),
];

/// Where they are.
#[derive(Debug)]
pub(super) struct Assets {
    version: String,
}

impl Assets {
    pub(super) fn new() -> Self {
        let all = FILES.iter().fold(Sha256::new(), |hash, (_, _, text)| hash.chain_update(text));
        let version = all.finalize().iter().take(6).fold(String::new(), |mut text, byte| {
            let _never_fails = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
            text
        });
        Self { version }
    }

    /// The address of a file; another one when any has changed.
    pub(super) fn address(&self, name: &str) -> String {
        format!("/ui/assets/{}/{name}", self.version)
    }
}

/// `GET /ui/assets/VERSION/NAME`.
pub(super) async fn file(
    State(dashboard): State<Arc<Dashboard>>,
    Path((version, name)): Path<(String, String)>,
) -> Response {
    let Some((_, kind, text)) = FILES.iter().find(|(known, ..)| *known == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let is_current = version == dashboard.assets.version;
    let keep = if is_current { "public, max-age=31536000, immutable" } else { "no-store" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    response
}

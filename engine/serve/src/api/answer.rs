//! What comes back when all is well: sent and described by the same types.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::document::{Schemas, Success};

/// What an answer is made of.
pub(crate) trait Answer: Send + 'static {
    /// The answer; the request's headers say what the other side knows already.
    fn reply(self, asked: &HeaderMap) -> Response;
    /// What is told of it.
    fn described(schemas: &mut Schemas) -> Success;
}

/// A value.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

/// A value that changes seldom: it has a tag, and is not sent again to whoever has it.
#[derive(Debug)]
pub(crate) struct Tagged<T>(pub(crate) T);

/// Something that was made, or goes on, at an address.
#[derive(Debug)]
pub(crate) struct Made<T> {
    pub(crate) at: String,
    pub(crate) body: T,
}

/// A picture.
#[derive(Debug)]
pub(crate) struct Svg(pub(crate) String);

/// A text of the author.
#[derive(Debug)]
pub(crate) struct Yaml(pub(crate) String);

impl<T: Serialize + JsonSchema + Send + 'static> Answer for Json<T> {
    fn reply(self, _: &HeaderMap) -> Response {
        axum::Json(self.0).into_response()
    }

    fn described(schemas: &mut Schemas) -> Success {
        Success {
            status: 200,
            media: "application/json",
            schema: schemas.sent::<T>(),
            is_tagged: false,
            is_made: false,
        }
    }
}

impl<T: Serialize + JsonSchema + Send + 'static> Answer for Tagged<T> {
    fn reply(self, asked: &HeaderMap) -> Response {
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        tagged(asked, "application/json", body)
    }

    fn described(schemas: &mut Schemas) -> Success {
        Success { is_tagged: true, ..Json::<T>::described(schemas) }
    }
}

impl<T: Serialize + JsonSchema + Send + 'static> Answer for Made<T> {
    fn reply(self, _: &HeaderMap) -> Response {
        let mut response = (StatusCode::CREATED, axum::Json(self.body)).into_response();
        if let Ok(at) = HeaderValue::from_str(&self.at) {
            response.headers_mut().insert(header::LOCATION, at);
        }
        response
    }

    fn described(schemas: &mut Schemas) -> Success {
        Success { status: 201, is_made: true, ..Json::<T>::described(schemas) }
    }
}

impl Answer for Svg {
    fn reply(self, asked: &HeaderMap) -> Response {
        tagged(asked, "image/svg+xml", self.0.into_bytes())
    }

    fn described(_: &mut Schemas) -> Success {
        Success::text("image/svg+xml")
    }
}

impl Answer for Yaml {
    fn reply(self, asked: &HeaderMap) -> Response {
        tagged(asked, "application/yaml", self.0.into_bytes())
    }

    fn described(_: &mut Schemas) -> Success {
        Success::text("application/yaml")
    }
}

/// An answer with a tag, or that it is still what the other side has.
fn tagged(asked: &HeaderMap, media: &'static str, body: Vec<u8>) -> Response {
    let hash = Sha256::digest(&body).iter().take(12).fold(String::new(), |mut text, byte| {
        let _never_fails = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    });
    let tag = format!("\"{hash}\"");
    let known = asked.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    let is_known = known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag);
    let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { body.into_response() };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    if !is_known {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    }
    response
}

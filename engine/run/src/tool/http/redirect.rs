//! Where an answer sends a request on to, for everything here that speaks HTTP.
//!
//! Redirects are followed hop by hop and by nobody else: only so can be told what came to whom, and whether it may go
//! on. What changes something goes on only to whom it was sent in the first place; where it was worked on and the
//! answer lies elsewhere (303), that is asked for. Nothing goes from an encrypted place to one that is not.

use aa_spec::tool::ErrorKind;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Url};

use super::client::{Answer, shown};
use crate::tool::ToolError;

/// A service that sends people round more often than this is broken.
pub(in crate::tool) const MOST: usize = 10;

/// Where to, and how.
pub(in crate::tool) struct Hop {
    pub(in crate::tool) method: Method,
    pub(in crate::tool) url: Url,
}

impl Hop {
    /// The next one, if the answer to this one is a redirect that is followed.
    ///
    /// # Errors
    /// It leads to where this must not go.
    pub(in crate::tool) fn next(&self, answer: &Answer) -> Result<Option<Self>, ToolError> {
        let Some(location) = answer.headers.get("location") else { return Ok(None) };
        let safe = self.method.is_safe();
        let method = match answer.status {
            303 if !safe => Method::GET,
            301..=303 if safe => self.method.clone(),
            307 | 308 => self.method.clone(),
            _ => return Ok(None),
        };
        let refused = |why: &str| {
            let message = format!("{} `{}` was redirected {why}", self.method, answer.url);
            ToolError::new(ErrorKind::Permanent, message)
        };
        let url = self.url.join(location).map_err(|_| refused("to what is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("to what is no web address"));
        }
        if self.url.scheme() == "https" && url.scheme() == "http" {
            return Err(refused(&format!("to `{}`, which is not encrypted", shown(&url))));
        }
        if !method.is_safe() && url.origin() != self.url.origin() {
            return Err(refused(&format!("to another host, `{}`, with what it sends", shown(&url))));
        }
        Ok(Some(Self { method, url }))
    }
}

/// The error of a service that sends people round.
pub(in crate::tool) fn too_many(method: &Method, url: &Url) -> ToolError {
    let message = format!("{method} `{}`: too many redirects", shown(url));
    ToolError::new(ErrorKind::Permanent, message)
}

/// What of a request's headers may be seen where it was sent on to.
pub(in crate::tool) fn carried(headers: &HeaderMap, from: &Hop, to: &Hop) -> HeaderMap {
    if from.url.origin() != to.url.origin() {
        // Any of them may say who asks. What kind of answer is wanted does not.
        return headers.get_all(ACCEPT).iter().map(|value| (ACCEPT, value.clone())).collect();
    }
    let mut carried = headers.clone();
    if from.method != to.method {
        carried.remove(CONTENT_TYPE);
        carried.remove(CONTENT_LENGTH);
    }
    carried
}

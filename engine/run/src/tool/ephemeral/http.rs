//! Asking a service over HTTP on the loopback address: no proxy, no redirects.

use std::time::Duration;

use aa_spec::tool::ErrorKind;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};

use crate::tool::ToolError;
use crate::tool::http::{Request, Web};

/// Largest answer that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Asks services.
#[derive(Debug)]
pub(super) struct Asker {
    web: Web,
}

/// What a service answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// The body as text.
    pub(super) body: String,
}

impl Asker {
    /// An asker that opens nothing yet.
    pub(super) fn new() -> Self {
        Self { web: Web::new(None, None, LARGEST) }
    }

    /// Asks for an address, once.
    ///
    /// # Errors
    /// There was no answer within `patience`, or a larger one than is read.
    pub(super) async fn get(&self, url: &str, patience: Duration) -> Result<Answer, ToolError> {
        let url = Url::parse(url)
            .map_err(|error| ToolError::new(ErrorKind::Invalid, format!("`{url}` is no URL: {error}")))?;
        let request = Request {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: None,
            timeout: patience,
            follow_redirects: false,
            outward: false,
        };
        let answer = self.web.send(&request, None).await?;
        Ok(Answer { status: answer.status, body: String::from_utf8_lossy(&answer.content).into_owned() })
    }
}

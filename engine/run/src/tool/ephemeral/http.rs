//! Asking a service over HTTP on the loopback address: no TLS, no proxy, no redirects.

use std::sync::Arc;
use std::time::Duration;

use aa_spec::tool::ErrorKind;

use crate::tool::ToolError;

/// Largest body that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Asks one service.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    client: reqwest::Client,
}

/// What a service answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// The body, up to a mebibyte of it.
    pub(super) body: String,
}

impl Asker {
    /// An asker whose questions may take so long.
    pub(super) fn new(patience: Duration) -> Result<Self, ToolError> {
        let broken = |error: &dyn std::fmt::Display| {
            ToolError::new(ErrorKind::Permanent, format!("cannot make an HTTP client: {error}"))
        };
        // The client insists on a TLS configuration; this one trusts nobody.
        let tls =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| broken(&error))?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(patience)
            .build()
            .map_err(|error| broken(&error))?;
        Ok(Self { client })
    }

    /// Asks for a path.
    ///
    /// # Errors
    /// In words, when there is no answer.
    pub(super) async fn get(&self, url: &str) -> Result<Answer, String> {
        let mut response = self.client.get(url).send().await.map_err(|error| in_words(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| in_words(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                body.truncate(LARGEST);
                break;
            }
        }
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

fn in_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        "nobody listens".to_owned()
    } else {
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        cause.to_string()
    }
}

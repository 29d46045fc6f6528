//! How a server is reached: the command that is it, or its address and what proves who asks.

use std::collections::HashMap;
use std::sync::Arc;

use aa_spec::template::{Missing, Scope, Template};
use aa_spec::tool::recipe::Auth;
use aa_spec::tool::recipe::mcp::{Reach, Server};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use rmcp::transport::common::client_side_sse::ExponentialBackoff;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
};
use serde_json::Value;

use super::Surroundings;
use crate::driver::Veil;
use crate::tool::configuration::hide;
use crate::tool::http::Route;
use crate::tool::native::invalid;
use crate::tool::process::Invocation;
use crate::tool::{CallContext, ToolError};

/// What its module is configured with, and what proves to a server who asks.
pub(super) struct Entry {
    config: Value,
    proof: Option<Proof>,
    /// Hides what of it is secret.
    pub(super) veil: Arc<Veil>,
}

/// What proves who asks.
enum Proof {
    Header(String, String),
    Query(String, String),
}

impl Entry {
    /// Hides what proves who asks in all that comes back from the call, whether or not it is the
    /// call that makes the connection.
    ///
    /// # Errors
    /// A value cannot be made, or not be hidden.
    pub(super) fn new(
        server: &Server,
        config: Value,
        context: &CallContext,
        veil: Arc<Veil>,
    ) -> Result<Self, ToolError> {
        let ways = match &server.reach {
            Reach::Http { auth, .. } => &auth[..],
            Reach::Command { .. } => &[],
        };
        for way in ways {
            if let Some(proof) = proof(way, &config)? {
                let (Proof::Header(_, value) | Proof::Query(_, value)) = &proof;
                let scheme = matches!(way, Auth::Bearer(_) | Auth::Basic(..));
                let behind = value.split_once(' ').filter(|_| scheme);
                let secret = behind.map_or(value.as_str(), |(_, secret)| secret);
                hide(context, &format!("{}.auth", server.module), &Value::from(secret))?;
                return Ok(Self { config, proof: Some(proof), veil });
            }
        }
        Ok(Self { config, proof: None, veil })
    }
}

/// What one way comes to; `None` when a value of it is null.
fn proof(way: &Auth, config: &Value) -> Result<Option<Proof>, ToolError> {
    let authorization = |value: String| Proof::Header("authorization".to_owned(), value);
    Ok(match way {
        Auth::Bearer(token) => optional(token, config)?.map(|token| authorization(format!("Bearer {token}"))),
        Auth::Basic(user, password) => {
            let both = optional(user, config)?.zip(optional(password, config)?);
            let encoded = both.map(|(user, password)| STANDARD.encode(format!("{user}:{password}")));
            encoded.map(|encoded| authorization(format!("Basic {encoded}")))
        }
        Auth::Header(name, value) => optional(value, config)?.map(|value| Proof::Header(name.clone(), value)),
        Auth::Query(name, value) => optional(value, config)?.map(|value| Proof::Query(name.clone(), value)),
    })
}

/// The command that is a server.
pub(super) fn invocation(reach: &Reach, entry: &Entry) -> Result<Invocation, ToolError> {
    let Reach::Command { argv, env, env_pass, folder } = reach else { return Ok(Invocation::default()) };
    let argv = argv.iter().map(|part| text(part, &entry.config)).collect::<Result<_, _>>()?;
    let env = env.iter().map(|(name, value)| Ok((name.clone(), text(value, &entry.config)?)));
    Ok(Invocation {
        argv,
        folder: folder.into(),
        env: env.collect::<Result<_, ToolError>>()?,
        pass: env_pass.clone(),
        ..Invocation::default()
    })
}

/// How often the rest of a stream that was cut off is asked for: after a second, two and so on.
const AGAIN: usize = 3;

/// The way to a server on the web.
pub(super) fn transport(
    server: &Server,
    around: &Surroundings,
    (url, headers): (&Template, &[(String, Template)]),
    entry: &Entry,
) -> Result<StreamableHttpClientTransport<reqwest::Client>, ToolError> {
    let address = Url::parse(&text(url, &entry.config)?).ok();
    let Some(mut address) = address.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return Err(invalid(format!("`url` of the module `{}` is no address of the web", server.module)));
    };
    let mut map = HashMap::new();
    for (name, value) in headers {
        let (key, value) = header(name, &text(value, &entry.config)?)?;
        map.insert(key, value);
    }
    match &entry.proof {
        Some(Proof::Header(name, value)) => {
            let (key, value) = header(name, value)?;
            map.insert(key, value);
        }
        Some(Proof::Query(name, value)) => {
            address.query_pairs_mut().append_pair(name, value);
        }
        None => {}
    }
    let client = around.web.client(&Route::default())?;
    let mut settings =
        StreamableHttpClientTransportConfig::with_uri(String::from(address)).custom_headers(map);
    // A server that has died in the middle of a stream is not asked for the rest of it for ever.
    let mut again = ExponentialBackoff::default();
    again.max_times = Some(AGAIN);
    settings.retry_config = Arc::new(again);
    Ok(StreamableHttpClientTransport::with_client(client, settings))
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), ToolError> {
    let wrong = |what: &str| invalid(format!("header `{name}`: its {what} is not possible"));
    let key = HeaderName::try_from(name).map_err(|_| wrong("name"))?;
    let mut value = HeaderValue::try_from(value).map_err(|_| wrong("value"))?;
    // Libraries that log headers leave it out.
    value.set_sensitive(true);
    Ok((key, value))
}

fn text(template: &Template, config: &Value) -> Result<String, ToolError> {
    let missing = || invalid("a value that the server needs is missing");
    optional(template, config)?.ok_or_else(missing)
}

/// A template as text; `None` for null.
fn optional(template: &Template, config: &Value) -> Result<Option<String>, ToolError> {
    let mut scope = Scope::default();
    scope.set("config", config);
    Ok(match template.render(&scope, Missing::Fail).map_err(|error| invalid(error.message))? {
        Some(Value::String(text)) => Some(text),
        Some(value) if !value.is_null() => Some(value.to_string()),
        _ => None,
    })
}

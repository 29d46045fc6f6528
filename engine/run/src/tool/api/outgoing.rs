//! A request made of its recipe and the values of one call.

use std::path::Path;
use std::time::Duration;

use aa_spec::template::{Expression, Missing, Scope, Template};
use aa_spec::tool::module::KeyPlace;
use aa_spec::tool::recipe::{Auth, Body, PathPart, Piece, Target};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, Url};
use serde_json::Value;

use super::Api;
use crate::cause::cause;
use crate::tool::configuration::hide;
use crate::tool::declared::{eval, render, text, unfit};
use crate::tool::http::client::{Route, shown, url as url_of};
use crate::tool::native::invalid;
use crate::tool::{CallContext, ToolError};

/// One attempt may take this long when nobody says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request, ready to be sent more than once.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: Url,
    /// The only origin that sees `credentials` and `query_key`.
    pub(super) home: String,
    /// Its own headers.
    pub(super) headers: HeaderMap,
    /// Headers of the service, and those that prove who asks.
    pub(super) credentials: HeaderMap,
    /// What proves who asks and stands in the query.
    pub(super) query_key: Option<(String, String)>,
    pub(super) payload: Payload,
    pub(super) timeout: Duration,
    pub(super) route: Route,
    /// How often to try again.
    pub(super) retries: u32,
    /// Whether trying again does no harm, whatever has become of an attempt.
    pub(super) repeatable: bool,
    pub(super) redirects: bool,
}

/// What is sent.
pub(super) enum Payload {
    None,
    Json(Value),
    Bytes { kind: &'static str, content: Vec<u8> },
    Parts(Vec<(String, Content)>),
}

/// One part of a form with files.
pub(super) enum Content {
    Text(String),
    File { path: std::path::PathBuf, name: String, kind: Option<String> },
}

impl Outgoing {
    pub(super) fn new(api: &Api, context: &CallContext, scope: &Scope) -> Result<Self, ToolError> {
        let http = &api.http;
        let base = http.service.base.as_ref().map(|base| place(api, base, scope)).transpose()?;
        let mut url = target(&http.target, base.as_deref(), scope)?;
        append(&mut url, &pairs(&http.query, scope)?);
        let mut outgoing = Self {
            home: match &base {
                Some(base) => origin(&parsed(base)?),
                None => origin(&url),
            },
            headers: HeaderMap::new(),
            credentials: HeaderMap::new(),
            query_key: None,
            payload: payload(&http.body, context, scope)?,
            timeout: api.declared.common.timeout_ms.map_or(PATIENCE, Duration::from_millis),
            route: route(api, context, scope)?,
            retries: http.retries,
            repeatable: api.is_repeatable(context, scope),
            redirects: http.redirects,
            method: Method::from_bytes(http.method.name().as_bytes()).unwrap_or_default(),
            url,
        };
        outgoing.add_headers(api, context, scope)?;
        outgoing.prove(api, context, scope)?;
        Ok(outgoing)
    }

    fn add_headers(&mut self, api: &Api, context: &CallContext, scope: &Scope) -> Result<(), ToolError> {
        for (name, template) in &api.http.service.headers {
            if let Some(value) = text(template, scope)? {
                set(&mut self.credentials, name, &value)?;
            }
        }
        for (name, template) in &api.http.headers {
            if let Some(value) = text(template, scope)? {
                set(&mut self.headers, name, &value)?;
                // The tool's own word counts, not that of the whole service.
                self.credentials.remove(name.as_str());
            }
        }
        if let Some(KeyPlace::Header(name)) = &api.declared.common.idempotency_key
            && !context.idempotency_key.is_empty()
        {
            set(&mut self.headers, &name.value, &context.idempotency_key)?;
        }
        let is_traced = |headers: &HeaderMap| headers.contains_key("traceparent");
        if let Some(trace) = &context.trace
            && !is_traced(&self.headers)
            && !is_traced(&self.credentials)
        {
            set(&mut self.headers, "traceparent", trace)?;
        }
        Ok(())
    }

    /// Adds the first proof whose values are there.
    fn prove(&mut self, api: &Api, context: &CallContext, scope: &Scope) -> Result<(), ToolError> {
        let module = &api.declared.spec.module;
        let secret = |what: &str, value: &str| {
            hide(context, &format!("{module}.{what}"), &Value::from(value)).map(|()| value.to_owned())
        };
        for auth in &api.http.service.auth {
            match auth {
                Auth::Bearer(token) => {
                    let Some(token) = text(token, scope)? else { continue };
                    let value = format!("Bearer {}", secret("token", &token)?);
                    set(&mut self.credentials, "authorization", &value)?;
                }
                Auth::Basic(user, password) => {
                    let (Some(user), Some(password)) = (text(user, scope)?, text(password, scope)?) else {
                        continue;
                    };
                    secret("password", &password)?;
                    let both = secret("password", &STANDARD.encode(format!("{user}:{password}")))?;
                    set(&mut self.credentials, "authorization", &format!("Basic {both}"))?;
                }
                Auth::Header(name, value) => {
                    let Some(value) = text(value, scope)? else { continue };
                    set(&mut self.credentials, name, &secret("key", &value)?)?;
                }
                Auth::Query(name, value) => {
                    let Some(value) = text(value, scope)? else { continue };
                    self.query_key = Some((name.clone(), secret("key", &value)?));
                }
            }
            return Ok(());
        }
        Ok(())
    }

    /// The URL with what proves who asks, if the host may see that.
    pub(super) fn full_url(&self, url: &Url) -> Url {
        let mut url = url.clone();
        if let Some((name, value)) = self.query_key.as_ref().filter(|_| self.is_home(&url)) {
            replace(&mut url, name, value);
        }
        url
    }

    /// Whether a URL leads to where credentials may go.
    pub(super) fn is_home(&self, url: &Url) -> bool {
        origin(url) == self.home
    }

    /// The same request for another page.
    pub(super) fn set_query(&mut self, name: &str, value: &str) {
        replace(&mut self.url, name, value);
    }

    /// Puts what is sent into a request that is being built.
    pub(super) async fn load(&self, sending: RequestBuilder) -> Result<RequestBuilder, ToolError> {
        Ok(match &self.payload {
            Payload::None => sending,
            Payload::Json(value) => self.typed(sending, "application/json").body(value.to_string()),
            Payload::Bytes { kind, content } => self.typed(sending, kind).body(content.clone()),
            Payload::Parts(parts) => sending.multipart(form(parts).await?),
        })
    }

    fn typed(&self, sending: RequestBuilder, kind: &'static str) -> RequestBuilder {
        let own = self.headers.contains_key(CONTENT_TYPE) || self.credentials.contains_key(CONTENT_TYPE);
        if own { sending } else { sending.header(CONTENT_TYPE, kind) }
    }
}

/// Scheme, host and port: who is spoken to.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn parsed(text: &str) -> Result<Url, ToolError> {
    let url = url_of(text, &[])?;
    if !url.username().is_empty() || url.password().is_some() {
        let message = format!("`{}` holds a user or a password; use `auth`", shown(&url));
        return Err(invalid(message));
    }
    Ok(url)
}

fn target(target: &Target, base: Option<&str>, scope: &Scope) -> Result<Url, ToolError> {
    match target {
        Target::Url(template) => parsed(&needed(template, scope, "`url`")?),
        Target::Path(parts) => {
            let base = parsed(base.unwrap_or_default())?;
            let mut path = base.path().trim_end_matches('/').to_owned();
            for part in parts {
                add(&mut path, part, scope)?;
            }
            let mut url = base;
            url.set_path(&path);
            url.set_fragment(None);
            Ok(url)
        }
    }
}

fn add(path: &mut String, part: &PathPart, scope: &Scope) -> Result<(), ToolError> {
    match part {
        PathPart::Text(text) => path.push_str(text),
        PathPart::Segment(expression) => {
            path.push_str(&segment(&path_value(expression, scope)?, expression)?);
        }
        PathPart::Segments(expression) => {
            let value = path_value(expression, scope)?;
            let segments: Result<Vec<_>, _> =
                value.split('/').map(|part| segment(part, expression)).collect();
            path.push_str(&segments?.join("/"));
        }
    }
    Ok(())
}

fn path_value(expression: &Expression, scope: &Scope) -> Result<String, ToolError> {
    match eval(expression, scope)? {
        Value::String(text) if !text.is_empty() => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(boolean) => Ok(boolean.to_string()),
        _ => {
            Err(invalid(format!("`{}` is part of a path and must be text or a number", expression.source())))
        }
    }
}

/// A value as one segment of a path. One that means "this folder" or "the one above" is refused.
fn segment(value: &str, of: &Expression) -> Result<String, ToolError> {
    if matches!(value, "." | "..") {
        return Err(invalid(format!("`{}` would leave its place in the path", of.source())));
    }
    Ok(crate::driver::in_url(value))
}

/// Gives a parameter its value, in the place of those that it may have: what a service links to often repeats what it was
/// asked with.
fn replace(url: &mut Url, name: &str, value: &str) {
    let mut pairs: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(known, _)| known != name).collect();
    pairs.push((name.to_owned(), value.to_owned()));
    url.set_query(None);
    append(url, &pairs);
}

fn append(url: &mut Url, pairs: &[(String, String)]) {
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
}

/// Names with their values as texts; a list repeats its name, and what is null is left out.
fn pairs(fields: &[(String, Template)], scope: &Scope) -> Result<Vec<(String, String)>, ToolError> {
    let mut pairs = Vec::new();
    for (name, template) in fields {
        let values = match render(template, scope, Missing::Fail)? {
            Some(Value::Array(values)) => values,
            value => vec![value.unwrap_or_default()],
        };
        for value in values {
            pairs.extend(scalar(name, value)?.map(|text| (name.clone(), text)));
        }
    }
    Ok(pairs)
}

fn scalar(name: &str, value: Value) -> Result<Option<String>, ToolError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Bool(_) | Value::Number(_) => Ok(Some(value.to_string())),
        _ => Err(invalid(format!("`{name}` is a list or mapping where one text must be"))),
    }
}

fn payload(body: &Body, context: &CallContext, scope: &Scope) -> Result<Payload, ToolError> {
    Ok(match body {
        Body::None => Payload::None,
        Body::Json(template) => {
            template.render_lean(scope).map_err(unfit)?.map_or(Payload::None, Payload::Json)
        }
        Body::Form(fields) => {
            // A form is encoded like a query, and the library has that one.
            let mut carrier = parsed("http://localhost/")?;
            append(&mut carrier, &pairs(fields, scope)?);
            let content = carrier.query().unwrap_or_default().as_bytes().to_vec();
            Payload::Bytes { kind: "application/x-www-form-urlencoded", content }
        }
        Body::Multipart(parts) => {
            let mut contents = Vec::new();
            for (name, piece) in parts {
                contents.extend(content(name, piece, context, scope)?.map(|content| (name.clone(), content)));
            }
            // A form without parts is no body that anybody can read.
            if contents.is_empty() { Payload::None } else { Payload::Parts(contents) }
        }
        Body::Text(template) => text(template, scope)?.map_or(Payload::None, |text| Payload::Bytes {
            kind: "text/plain; charset=utf-8",
            content: text.into_bytes(),
        }),
    })
}

fn content(
    name: &str,
    piece: &Piece,
    context: &CallContext,
    scope: &Scope,
) -> Result<Option<Content>, ToolError> {
    let (path, own_name, kind) = match piece {
        Piece::Value(template) => {
            let value = render(template, scope, Missing::Fail)?.unwrap_or_default();
            return Ok(scalar(name, value)?.map(Content::Text));
        }
        Piece::File(file) => (&file.path, &file.name, &file.kind),
    };
    let Some(path) = text(path, scope)? else { return Ok(None) };
    let path = context.reach(Path::new(&path))?;
    let own_name = own_name.as_ref().map(|name| text(name, scope)).transpose()?.flatten();
    let kind = kind.as_ref().map(|kind| text(kind, scope)).transpose()?.flatten();
    let usual = || path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Some(Content::File { name: own_name.unwrap_or_else(usual), kind, path }))
}

/// A form whose files are read while they are sent.
async fn form(parts: &[(String, Content)]) -> Result<Form, ToolError> {
    let mut form = Form::new();
    for (field, content) in parts {
        form = match content {
            Content::Text(text) => form.text(field.clone(), text.clone()),
            Content::File { path, name, kind } => {
                let part = Part::file(path).await.map_err(|error| {
                    invalid(format!("cannot read `{}`: {}", path.display(), cause(&error)))
                })?;
                let part = part.file_name(name.clone());
                let part = match kind {
                    Some(kind) => {
                        part.mime_str(kind).map_err(|_| invalid(format!("`{kind}` is no media type")))?
                    }
                    None => part,
                };
                form.part(field.clone(), part)
            }
        };
    }
    Ok(form)
}

fn route(api: &Api, context: &CallContext, scope: &Scope) -> Result<Route, ToolError> {
    let service = &api.http.service;
    let proxy = service.proxy.as_ref().map(|proxy| text(proxy, scope)).transpose()?.flatten();
    let ca = service.ca.as_ref().map(|ca| text(ca, scope)).transpose()?.flatten();
    Ok(Route { proxy, ca: ca.map(|ca| context.resolve(Path::new(&ca))) })
}

/// Where the service is.
fn place(api: &Api, base: &Template, scope: &Scope) -> Result<String, ToolError> {
    if let Some(place) = text(base, scope)?.filter(|place| !place.is_empty()) {
        return Ok(place);
    }
    let read = base.references();
    let settings = api.declared.common.config.iter();
    let settings = settings.filter(|(name, _)| read.contains(&format!("config.{name}")));
    let variables: Vec<_> = settings.filter_map(|(_, setting)| setting.env.as_ref()).collect();
    let variables = variables.iter().fold(String::new(), |all, env| all + "`" + &env.value + "`, ");
    let module = &api.declared.spec.module;
    let message = format!(
        "nobody has said where `{module}` is: set {variables}or `modules.{module}` in the configuration"
    );
    Err(invalid(message))
}

fn needed(template: &Template, scope: &Scope, what: &str) -> Result<String, ToolError> {
    text(template, scope)?
        .filter(|text| !text.is_empty())
        .ok_or_else(|| invalid(format!("{what} has no value")))
}

/// Sets a header. Messages name it and never its value.
fn set(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), ToolError> {
    let wrong = |what: &str| invalid(format!("header `{name}`: its {what} is not possible"));
    let key = HeaderName::try_from(name).map_err(|_| wrong("name"))?;
    let mut value = HeaderValue::try_from(value).map_err(|_| wrong("value"))?;
    // Keeps it out of what libraries print while they are debugged.
    value.set_sensitive(true);
    headers.insert(key, value);
    Ok(())
}

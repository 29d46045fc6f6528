//! A tool that is a request, compiled.

mod pages;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use self::pages::{Next, Pages};
use super::{ANSWER, CONFIG, CONTEXT, Compiler, Known};
use crate::diagnostic::Diagnostic;
use crate::name;
use crate::source::Span;
use crate::template::{Expression, Template};
use crate::tool::module::{self, Fields, KeyPlace, Method, Request};
use crate::tool::{Effect, ErrorKind};
use crate::yaml::{Node, Spanned};

/// What expressions on one page of a list may read.
const PAGE: [&str; 5] = ["body", "status", "headers", "page", "count"];

/// A request and what its answer means.
#[derive(Clone, Debug)]
pub struct Http {
    /// What has to be found out first, in this order.
    pub first: Vec<First>,
    /// Whether to send it.
    pub condition: Option<Expression>,
    /// The service it goes to.
    pub service: Service,
    /// What it does.
    pub method: Method,
    /// Where to.
    pub target: Target,
    /// What to put behind the `?`.
    pub query: Vec<(String, Template)>,
    /// Its own headers.
    pub headers: Vec<(String, Template)>,
    /// What to send.
    pub body: Body,
    /// How a long list comes in pages.
    pub pages: Option<Pages>,
    /// Status codes that are a success; none: 200 to 299.
    pub ok: BTreeSet<u16>,
    /// Error kinds of status codes.
    pub kinds: BTreeMap<u16, ErrorKind>,
    /// How the service says that something went wrong.
    pub failure: Failure,
    /// How often to try again, where repeating is harmless.
    pub retries: u32,
    /// Whether to follow redirects.
    pub redirects: bool,
}

/// Something that has to be found out before a request.
#[derive(Clone, Debug)]
pub struct First {
    /// What it is called.
    pub name: String,
    /// Whether it is needed.
    pub condition: Option<Expression>,
    /// Whom to ask; nobody when it is made of what is known.
    pub request: Option<Box<Http>>,
    /// Gives the value; `None` for the body.
    pub value: Option<Expression>,
    /// What to say when the value is null, and what kind of error that is.
    pub missing: Option<(Template, ErrorKind)>,
}

/// What all requests to a service share.
#[derive(Clone, Debug)]
pub struct Service {
    /// Where it is.
    pub base: Option<Template>,
    /// Headers of every request.
    pub headers: Vec<(String, Template)>,
    /// Ways to prove who asks; the first whose values are not null is used.
    pub auth: Vec<Auth>,
    /// Proxy to go through.
    pub proxy: Option<Template>,
    /// File of certificates to trust as well.
    pub ca: Option<Template>,
    /// How much it may be asked.
    pub limits: Limits,
    /// When to leave it alone.
    pub breaker: Breaker,
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// Below the service's base.
    Path(Vec<PathPart>),
    /// Anywhere.
    Url(Template),
}

/// A piece of a path.
#[derive(Clone, Debug)]
pub enum PathPart {
    /// Written so by the author.
    Text(String),
    /// A value, as (a part of) one segment.
    Segment(Expression),
    /// A value whose slashes are kept.
    Segments(Expression),
}

/// How to prove who asks.
#[derive(Clone, Debug)]
pub enum Auth {
    /// A token.
    Bearer(Template),
    /// User and password.
    Basic(Template, Template),
    /// A header.
    Header(String, Template),
    /// A parameter of the query.
    Query(String, Template),
}

/// What a request sends.
#[derive(Clone, Debug)]
pub enum Body {
    /// Nothing.
    None,
    /// A value as JSON.
    Json(Template),
    /// A form.
    Form(Vec<(String, Template)>),
    /// A form with files.
    Multipart(Vec<(String, Piece)>),
    /// Text.
    Text(Template),
}

/// One part of a form with files.
#[derive(Clone, Debug)]
pub enum Piece {
    /// A value.
    Value(Template),
    /// The content of a file.
    File(Box<FilePiece>),
}

/// The content of a file as one part of a form.
#[derive(Clone, Debug)]
pub struct FilePiece {
    /// Its path.
    pub path: Template,
    /// The name it is sent under, when not its own.
    pub name: Option<Template>,
    /// Its media type.
    pub kind: Option<Template>,
}

/// How a service says that something went wrong.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// True when an answer is a failure in spite of its status.
    pub when: Option<Expression>,
    /// Gives the service's own message.
    pub message: Option<Expression>,
    /// Gives the service's name of the failure.
    pub code: Option<Expression>,
    /// Error kinds by that name.
    pub kinds: BTreeMap<String, ErrorKind>,
}

/// How much a service may be asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Requests per second in the long run.
    pub per_second: Option<f64>,
    /// Requests at once after a pause.
    pub burst: u32,
    /// Requests under way.
    pub concurrent: u32,
}

/// When to leave a failing service alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row.
    pub failures: u32,
    /// For how long, in milliseconds.
    pub cool_down_ms: u64,
}

impl<'a> Compiler<'a> {
    pub(super) fn http(&mut self, request: &'a Request) -> Http {
        self.check_no_command();
        let first = request.first.iter().map(|first| self.first(first)).collect();
        if self.tool.effect.value == Effect::Read && changes(request.method) {
            let (tool, method) = (&self.tool.name.value, request.method.name());
            let message = format!("`{tool}` says that it only reads, and sends `{method}`");
            self.error("bad-value", self.tool.name.span, message);
        }
        Http { first, ..self.request(request) }
    }

    /// A request without what has to be found out before.
    fn request(&mut self, request: &Request) -> Http {
        let common = self.module.http.clone().unwrap_or_default();
        let failure = request.failure.as_ref().or(common.failure.as_ref()).cloned().unwrap_or_default();
        let mut kinds = common.kinds.clone();
        kinds.extend(&request.kinds);
        let mut service = self.speaking_to(&common);
        self.check_audience(request, &common);
        self.check_codes("status", &request.ok, &request.kinds);
        if let Some(auth) = &request.auth {
            service.auth = auth.0.iter().filter_map(|auth| self.auth(auth, Known::TOOL)).collect();
        }
        Http {
            first: Vec::new(),
            condition: self.optional(request.r#if.as_ref(), Known::TOOL),
            method: request.method,
            target: self.target(request, &common),
            query: self.fields(&request.query, Known::TOOL),
            headers: self.fields(&request.headers, Known::TOOL),
            body: self.body(request),
            pages: request.paginate.as_ref().and_then(|paginate| self.pages(paginate, request)),
            ok: request.ok.iter().copied().collect(),
            kinds,
            failure: self.failure(&failure),
            retries: request.retries.or(common.retries).unwrap_or(2),
            redirects: request.redirects.unwrap_or(true),
            service,
        }
    }

    /// From here on its name is known.
    fn first(&mut self, first: &'a module::First) -> First {
        let asks = first.path.is_some() || first.url.is_some();
        let of_answer: &[&str] = if asks { &PAGE[..3] } else { &[] };
        let condition = self.optional(first.r#if.as_ref(), Known::TOOL);
        let request = asks.then(|| {
            let request = Request {
                method: first.method,
                path: first.path.clone(),
                url: first.url.clone(),
                query: first.query.clone(),
                json: first.json.clone(),
                form: first.form.clone(),
                ..Request::default()
            };
            Box::new(self.request(&request))
        });
        let value = self.optional(first.value.as_ref(), Known::and(of_answer));
        let missing = first.missing.as_ref().and_then(|text| self.text(text, Known::TOOL));
        self.check_first(first, asks);
        self.found.push(&first.r#as.value);
        First {
            name: first.r#as.value.clone(),
            condition,
            request,
            value,
            missing: missing.map(|text| (text, first.kind.unwrap_or(ErrorKind::NotFound))),
        }
    }

    fn check_first(&mut self, first: &module::First, asks: bool) {
        let name = &first.r#as;
        if !name::is_valid(&name.value) {
            self.diagnostics.push(super::bad_name(self.source, name));
        } else if self.tool.input.get(&name.value).is_some()
            || CONTEXT.iter().chain(&ANSWER).chain(&[CONFIG, "item"]).any(|known| *known == name.value)
        {
            let message = format!("`{}` means something else already", name.value);
            self.error("reserved-name", name.span, message);
        } else if self.found.contains(&name.value.as_str()) {
            let message = format!("`{}` is found out twice", name.value);
            self.error("duplicate-name", name.span, message);
        }
        if changes(first.method) {
            let message = format!(
                "`{}` is found out by `{}`, which changes something",
                name.value,
                first.method.name()
            );
            self.error("bad-value", name.span, message);
        }
        if !asks && first.value.is_none() {
            let message =
                format!("`{}` asks nobody (`path`, `url`) and is made of nothing (`value`)", name.value);
            self.error("missing-key", name.span, message);
        }
    }

    /// Keys of a command mean nothing to a request.
    fn check_no_command(&mut self) {
        let tool = self.tool;
        let exit = module::Exit::default();
        let stray = [
            ("run", !tool.run.is_empty()),
            ("stdin", tool.stdin.is_some()),
            ("cwd", tool.cwd.is_some()),
            ("env", !tool.env.is_empty()),
            ("env_pass", !tool.env_pass.is_empty()),
            ("exit", tool.exit.ok != exit.ok || !tool.exit.kinds.is_empty()),
        ];
        for (key, _) in stray.iter().filter(|(_, there)| *there) {
            let message = format!("`{}` is a request (`http`), so it has no `{key}`", tool.name.value);
            self.error("stray-key", tool.name.span, message);
        }
        if let Some(KeyPlace::Env(name)) = &tool.idempotency_key {
            self.error("stray-key", name.span, "a request has no environment; use `header`");
        }
    }

    fn speaking_to(&mut self, service: &module::Service) -> Service {
        let auth = service.auth.iter().flat_map(|auth| &auth.0);
        Service {
            base: service.base.as_ref().and_then(|base| self.text(base, Known::TOOL)),
            headers: self.fields(&service.headers, Known::MODULE),
            auth: auth.filter_map(|auth| self.auth(auth, Known::TOOL)).collect(),
            proxy: service.proxy.as_ref().and_then(|proxy| self.text(proxy, Known::MODULE)),
            ca: service.ca.as_ref().and_then(|ca| self.text(ca, Known::MODULE)),
            limits: self.limits(&service.limits),
            breaker: Breaker {
                failures: service.breaker.failures.map_or(5, |failures| failures.value),
                cool_down_ms: service
                    .breaker
                    .cool_down
                    .as_ref()
                    .and_then(|text| self.duration(text))
                    .unwrap_or(30_000),
            },
        }
    }

    fn limits(&mut self, limits: &module::Limits) -> Limits {
        if let Some(rate) = limits.requests_per_second
            && !(rate.value > 0.0 && rate.value <= 1e6)
        {
            self.error("bad-value", rate.span, "`requests_per_second` is a number above 0");
        }
        Limits {
            per_second: limits.requests_per_second.map(|rate| rate.value),
            burst: limits.burst.map_or(1, |burst| burst.value),
            concurrent: limits.concurrent.map_or(8, |concurrent| concurrent.value),
        }
    }

    fn auth(&mut self, auth: &module::Auth, known: Known<'_>) -> Option<Auth> {
        let mut value = |node: &Node| self.template(node, known);
        Some(match auth {
            module::Auth::Bearer(token) => Auth::Bearer(value(token)?),
            module::Auth::Basic(basic) => Auth::Basic(value(&basic.user)?, value(&basic.password)?),
            module::Auth::Header(named) => Auth::Header(named.name.value.clone(), value(&named.value)?),
            module::Auth::Query(named) => Auth::Query(named.name.value.clone(), value(&named.value)?),
        })
    }

    fn fields(&mut self, fields: &Fields, known: Known<'_>) -> Vec<(String, Template)> {
        let compiled =
            |(name, node): &(Spanned<String>, Node)| Some((name.value.clone(), self.template(node, known)?));
        fields.0.iter().filter_map(compiled).collect()
    }

    fn target(&mut self, request: &Request, service: &module::Service) -> Target {
        match (&request.path, &request.url) {
            (Some(path), None) => {
                if service.base.is_none() {
                    self.error("missing-key", path.span, "`path` needs a `base` among the module's `http`");
                }
                Target::Path(self.path(path))
            }
            (None, Some(url)) => Target::Url(self.text(url, Known::TOOL).unwrap_or_default()),
            _ => {
                let message = format!("`http` of `{}` has a `path` or a `url`", self.tool.name.value);
                self.error("missing-key", self.tool.name.span, message);
                Target::Path(Vec::new())
            }
        }
    }

    /// What proves who asks goes to `base` and nowhere else, so without one it would go wherever a
    /// `url` points.
    fn check_audience(&mut self, request: &Request, service: &module::Service) {
        let Some(url) = request.url.as_ref().filter(|_| service.base.is_none()) else { return };
        for (key, there) in [
            ("auth", request.auth.is_some() || service.auth.is_some()),
            ("headers", !service.headers.0.is_empty()),
        ] {
            if there {
                let message = format!("`{key}` would go wherever this `url` points");
                let problem = Diagnostic::error("missing-key", self.source, url.span, message);
                self.diagnostics.push(problem.hint("say in `base` of the module's `http` who may see it"));
            }
        }
    }

    fn path(&mut self, path: &Spanned<String>) -> Vec<PathPart> {
        if path.value.contains("{{") || path.value.contains("{%") {
            let message = "in a path, `{expression}` stands for a value: it is encoded as one segment";
            self.error("bad-template", path.span, message);
            return Vec::new();
        }
        if !path.value.is_empty() && !path.value.starts_with('/') {
            self.error("bad-value", path.span, "a path begins with `/`");
        }
        if path.value.contains(['?', '#']) {
            self.error("bad-value", path.span, "a path has neither `?` nor `#`; use `query`");
        }
        let mut parts = Vec::new();
        let mut rest = path.value.as_str();
        while let Some((text, after)) = rest.split_once('{') {
            let Some((inside, after)) = after.split_once('}') else {
                self.error("bad-template", path.span, "`{` is never closed");
                return parts;
            };
            parts.push(PathPart::Text(text.to_owned()));
            parts.extend(self.path_value(inside, path.span));
            rest = after;
        }
        parts.push(PathPart::Text(rest.to_owned()));
        parts
    }

    fn path_value(&mut self, inside: &str, span: Span) -> Option<PathPart> {
        let (inside, keeps_slashes) = inside.strip_prefix('+').map_or((inside, false), |rest| (rest, true));
        let expression = self.expression(&Spanned { value: inside.to_owned(), span }, Known::TOOL)?;
        Some(if keeps_slashes { PathPart::Segments(expression) } else { PathPart::Segment(expression) })
    }

    fn body(&mut self, request: &Request) -> Body {
        let given = [request.json.is_some(), request.form.is_some(), request.multipart.is_some()];
        let given = given.iter().filter(|there| **there).count() + usize::from(request.body.is_some());
        if given > 1 {
            let message =
                format!("`{}` can send one of `json`, `form`, `multipart`, `body`", self.tool.name.value);
            self.error("stray-key", self.tool.name.span, message);
        }
        if let Some(json) = &request.json {
            self.template(json, Known::TOOL).map_or(Body::None, Body::Json)
        } else if let Some(form) = &request.form {
            Body::Form(self.fields(form, Known::TOOL))
        } else if let Some(parts) = &request.multipart {
            Body::Multipart(self.pieces(parts))
        } else if let Some(text) = &request.body {
            self.text(text, Known::TOOL).map_or(Body::None, Body::Text)
        } else {
            Body::None
        }
    }

    fn pieces(&mut self, parts: &Fields) -> Vec<(String, Piece)> {
        let compiled = |(name, node): &(Spanned<String>, Node)| Some((name.value.clone(), self.piece(node)?));
        parts.0.iter().filter_map(compiled).collect()
    }

    fn piece(&mut self, node: &Node) -> Option<Piece> {
        let Some(path) = node.get("file") else {
            return self.template(node, Known::TOOL).map(Piece::Value);
        };
        for (key, _) in
            node.entries().iter().filter(|(key, _)| !["file", "name", "type"].contains(&&*key.value))
        {
            let message = format!("a file has no `{}`, only `file`, `name` and `type`", key.value);
            self.error("unknown-key", key.span, message);
        }
        Some(Piece::File(Box::new(FilePiece {
            path: self.template(path, Known::TOOL)?,
            name: node.get("name").and_then(|name| self.template(name, Known::TOOL)),
            kind: node.get("type").and_then(|kind| self.template(kind, Known::TOOL)),
        })))
    }

    fn failure(&mut self, failure: &module::Failure) -> Failure {
        let known = Known::and(&PAGE[..3]);
        Failure {
            when: self.optional(failure.when.as_ref(), known),
            message: self.optional(failure.message.as_ref(), known),
            code: self.optional(failure.code.as_ref(), known),
            kinds: failure.kinds.clone(),
        }
    }

    fn optional(&mut self, text: Option<&Spanned<String>>, known: Known<'_>) -> Option<Expression> {
        text.and_then(|text| self.expression(text, known))
    }
}

/// Whether a method changes something whatever the service is; some search with `POST`.
fn changes(method: Method) -> bool {
    !method.is_safe() && method != Method::Post
}

impl Body {
    /// The value that is sent as JSON, as it was written.
    pub fn json(&self) -> Option<&Value> {
        if let Self::Json(template) = self { Some(template.source()) } else { None }
    }
}

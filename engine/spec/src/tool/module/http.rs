//! Tools over an HTTP API, as their author wrote them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::super::ErrorKind;
use crate::yaml::{Kind, Node, Spanned};

/// What all HTTP tools of a module share: where the service is and how to speak to it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Service {
    /// Where the service is, e.g. `https://api.example.org/v2`; templates over `config` allowed, and over
    /// arguments that every tool of the module has.
    pub base: Option<Spanned<String>>,
    /// Headers of every request; templates over `config` allowed.
    pub headers: Fields,
    /// How to prove who asks. It is sent to the host of `base` and to no other. Of a list, the first
    /// whose values are not null is used.
    pub auth: Option<AuthForm>,
    /// How the service says that something went wrong.
    pub failure: Option<Failure>,
    /// Error kinds of status codes, where the usual ones do not fit.
    pub kinds: BTreeMap<u16, ErrorKind>,
    /// How much the service may be asked, by all runs of a process together.
    pub limits: Limits,
    /// When to leave a failing service alone for a while.
    pub breaker: Breaker,
    /// One attempt must end within this time (default `30s`).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub timeout: Option<Spanned<String>>,
    /// How often to try again after 429, 502, 503, 504 or a lost connection, as `Retry-After` says
    /// (default 2). Only where repeating is harmless.
    pub retries: Option<u32>,
    /// Proxy to go through, in place of that of the configuration; templates over `config` allowed.
    pub proxy: Option<Spanned<String>>,
    /// File of certificates (PEM) to trust besides the usual ones; templates over `config` allowed.
    pub ca: Option<Spanned<String>>,
}

/// One request and what its answer means.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "HttpRequest")]
pub struct Request {
    /// What has to be found out first; later parts and the tool's `value` read it by its name.
    pub first: Vec<First>,
    /// Expression that says whether to send it (default: true); `result` and `body` are null without.
    pub r#if: Option<Spanned<String>>,
    /// How to prove who asks, in place of the module's `auth`; templates allowed.
    pub auth: Option<AuthForm>,
    /// What to do (default `GET`).
    pub method: Method,
    /// Path below `base`, e.g. `/projects/{project}/issues`. `{expression}` is encoded as one segment of
    /// the path, `{+expression}` keeps its slashes.
    pub path: Option<Spanned<String>>,
    /// The whole URL, in place of `path`; templates allowed.
    pub url: Option<Spanned<String>>,
    /// What to put behind the `?`. A list repeats its name; null is left out.
    pub query: Fields,
    /// Headers to send besides those of the module; null is left out.
    pub headers: Fields,
    /// A value to send as JSON; templates allowed. A member that is one expression and null is left out: an argument
    /// that was not given. To send null, write `null`, or the whole as one expression: `"{{ {'due': due} }}"`.
    pub json: Option<Node>,
    /// Fields of a form to send. A list repeats its name; null is left out.
    pub form: Option<Fields>,
    /// Parts of a form with files to send; a file is `{file: PATH}`, with `name` and `type` if need be.
    pub multipart: Option<Fields>,
    /// Text to send; templates allowed.
    pub body: Option<Spanned<String>>,
    /// How a long list comes in pages. The result is the list of the items of all pages.
    pub paginate: Option<Paginate>,
    /// Which status codes are a success, unless an error rule matches; without it, 200 to 299.
    pub ok: Vec<u16>,
    /// Error kinds of status codes, before those of the module.
    pub kinds: BTreeMap<u16, ErrorKind>,
    /// How the service says that something went wrong, in place of the module's `failure`.
    pub failure: Option<Failure>,
    /// How often to try again, in place of the module's `retries`.
    pub retries: Option<u32>,
    /// Whether to follow redirects (default `true`); to another host without credentials, and then
    /// only what reads.
    pub redirects: Option<bool>,
}

/// Something that a request needs: the answer to another one, which changes nothing, or a value that
/// is made of what is known.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FirstRequest")]
pub struct First {
    /// What it is called.
    pub r#as: Spanned<String>,
    /// Expression that says whether it is needed (default: true); it is null when it is not.
    #[serde(default)]
    pub r#if: Option<Spanned<String>>,
    /// What to do (default `GET`).
    #[serde(default)]
    pub method: Method,
    /// Path below `base`. Without `path` and `url` nothing is asked.
    #[serde(default)]
    pub path: Option<Spanned<String>>,
    /// The whole URL, in place of `path`; templates allowed.
    #[serde(default)]
    pub url: Option<Spanned<String>>,
    /// What to put behind the `?`.
    #[serde(default)]
    pub query: Fields,
    /// A value to send as JSON; templates allowed. A member that is one expression and null is left out: an argument
    /// that was not given. To send null, write `null`, or the whole as one expression: `"{{ {'due': due} }}"`.
    #[serde(default)]
    pub json: Option<Node>,
    /// Fields of a form to send.
    #[serde(default)]
    pub form: Option<Fields>,
    /// Expression that gives the value, over `body`, `status` and `headers` of the answer (default `body`).
    #[serde(default)]
    pub value: Option<Spanned<String>>,
    /// What to say when the value is null, which then fails the call; templates allowed.
    #[serde(default)]
    pub missing: Option<Spanned<String>>,
    /// What kind of error that is (default `not_found`).
    #[serde(default)]
    pub kind: Option<ErrorKind>,
}

/// What a request does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    #[default]
    Get,
    /// Reads the headers.
    Head,
    /// Makes something, or whatever else.
    Post,
    /// Makes or replaces something.
    Put,
    /// Changes something.
    Patch,
    /// Removes something.
    Delete,
    /// Asks what can be done.
    Options,
}

/// Names and values, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Fields(pub Vec<(Spanned<String>, Node)>);

/// One way to prove who asks, or several of which the first with values is used.
#[derive(Clone, Debug)]
pub struct AuthForm(pub Vec<Auth>);

/// How to prove who asks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// A token, as `Authorization: Bearer …`.
    Bearer(Node),
    /// User and password.
    Basic(Basic),
    /// A header of any name.
    Header(Named),
    /// A parameter of the query. Prefer a header: URLs are logged by servers.
    Query(Named),
}

/// User and password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user; templates over `config` allowed.
    pub user: Node,
    /// The password; templates over `config` allowed.
    pub password: Node,
}

/// A name and its value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The name.
    pub name: Spanned<String>,
    /// The value; templates over `config` allowed.
    pub value: Node,
}

/// How a service says that something went wrong.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Failure {
    /// Expression over `body`, `status` and `headers` that is true when the answer is a failure in
    /// spite of its status, e.g. `not body.ok`.
    pub when: Option<Spanned<String>>,
    /// Expression that gives the service's own message, e.g. `body.error.message`. Without it the usual
    /// places are looked at.
    pub message: Option<Spanned<String>>,
    /// Expression that gives the service's name of the failure, to be looked up in `kinds`.
    pub code: Option<Spanned<String>>,
    /// Error kinds by what `code` gives (without `code`: by the message).
    pub kinds: BTreeMap<String, ErrorKind>,
}

/// How much a service may be asked.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests per second in the long run (default: no limit).
    pub requests_per_second: Option<Spanned<f64>>,
    /// Requests that may be sent at once after a pause (default 1).
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub burst: Option<Spanned<u32>>,
    /// Requests under way at the same time (default 8).
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub concurrent: Option<Spanned<u32>>,
}

/// When to leave a failing service alone for a while.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// Attempts in a row that got no answer, or one of 500 and above, after which it is left alone
    /// (default 5).
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub failures: Option<Spanned<u32>>,
    /// How long it is left alone, until one attempt may try again (default `30s`).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub cool_down: Option<Spanned<String>>,
}

/// How a long list comes in pages: by exactly one of `link`, `page`, `offset` and `cursor`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Paginate {
    /// The `Link` header names the next page (`rel="next"`).
    pub link: Option<Spanned<bool>>,
    /// Pages have numbers.
    pub page: Option<Page>,
    /// A page begins after so many items.
    pub offset: Option<Offset>,
    /// A page says how to ask for the next.
    pub cursor: Option<Cursor>,
    /// Expression over `body`, `status` and `headers` that gives the items of a page (default `body`).
    pub items: Option<Spanned<String>>,
    /// Expression over the arguments: no more items than this are wanted. Null is no limit.
    pub limit: Option<Spanned<String>>,
    /// More pages than this are an error (default 100).
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub most_pages: Option<Spanned<u32>>,
    /// More items than this are an error (default 10000).
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub most_items: Option<Spanned<u32>>,
}

/// Pages with numbers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Parameter of the query that takes the number.
    pub query: Spanned<String>,
    /// Number of the first page (default 1).
    #[serde(default)]
    pub first: Option<u32>,
    /// Expression over the arguments: items of a full page. A page with fewer is the last.
    #[serde(default)]
    pub size: Option<Spanned<String>>,
    /// Expression that is true when there is a next page; over `body`, `status`, `headers`, `page` (this
    /// page's number) and `count` (items so far), e.g. `headers["x-next-page"]`. Without it and `size`,
    /// an empty page is the last.
    #[serde(default)]
    pub more: Option<Spanned<String>>,
}

/// Pages that begin after so many items.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offset {
    /// Parameter of the query that takes the number of items before the page.
    pub query: Spanned<String>,
    /// Expression over the arguments: items of a full page. A page with fewer is the last.
    #[serde(default)]
    pub size: Option<Spanned<String>>,
    /// Expression that is true when there is a next page; over `body`, `status`, `headers` and `count`
    /// (items so far), e.g. `count < body.total`. Without it and `size`, an empty page is the last.
    #[serde(default)]
    pub more: Option<Spanned<String>>,
}

/// Pages that say how to ask for the next: its URL, or a value for `query` or `json`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Expression over `body`, `status` and `headers`; null or nothing after the last page.
    pub from: Spanned<String>,
    /// Parameter of the query that takes it.
    #[serde(default)]
    pub query: Option<Spanned<String>>,
    /// Member of the JSON body that takes it.
    #[serde(default)]
    pub json: Option<Spanned<String>>,
}

impl Fields {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.0.iter().find(|(known, _)| known.value == name).map(|(_, node)| node)
    }
}

impl Method {
    /// As it is sent.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }

    /// Whether sending it twice equals sending it once, by the rules of HTTP.
    pub fn is_repeatable(self) -> bool {
        !matches!(self, Self::Post | Self::Patch)
    }

    /// Whether it changes nothing, by the rules of HTTP.
    pub fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Node::deserialize(deserializer)?.kind {
            Kind::Map(entries) => Ok(Self(entries)),
            _ => Err(D::Error::custom("it is a mapping of names to values")),
        }
    }
}

impl JsonSchema for Fields {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object" })
    }

    fn inline_schema() -> bool {
        true
    }
}

impl<'de> Deserialize<'de> for AuthForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let read = match &node.kind {
            Kind::List(items) => items.iter().map(Node::read).collect(),
            _ => node.read().map(|one| vec![one]),
        };
        read.map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for AuthForm {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AuthForm".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let auth = generator.subschema_for::<Auth>();
        schemars::json_schema!({ "anyOf": [auth, { "type": "array", "items": auth, "minItems": 1 }] })
    }

    fn inline_schema() -> bool {
        true
    }
}

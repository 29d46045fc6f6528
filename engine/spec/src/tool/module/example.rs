//! Calls of a tool to show to people, and to try it by: with what was seen when they took
//! place, so that they can be replayed without the service, and what must come of them.
//!
//! ```yaml
//! examples:
//!   - description: The pods of a namespace
//!     args: {namespace: billing}
//!     recorded:
//!       run: [kubectl, get, pods, --namespace=billing, --output=json]
//!       stdout: {items: [{metadata: {name: api-1}}]}
//!     expect: [{name: api-1}]
//!   - description: A namespace that is not there
//!     args: {namespace: biling}
//!     recorded: {run: [kubectl, get, pods, --namespace=biling, --output=json], stderr: not found, exit: 1}
//!     fails: {kind: not_found}
//! ```

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::Value;

use crate::tool::ErrorKind;
use crate::yaml::{Kind, Node, Spanned};

/// A call to show to people, and to try the tool by.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// What it shows.
    #[serde(default)]
    pub description: Option<String>,
    /// The arguments.
    pub args: Node,
    /// Values of the module's configuration; those that stand anywhere else do not count here.
    #[serde(default)]
    pub config: BTreeMap<String, Node>,
    /// What the tool asked for and was given when the call took place; `aa tool test` replays it.
    #[serde(default)]
    pub recorded: Option<Recorded>,
    /// What the call gives. A mapping may have more entries than are written here;
    /// `{matches: REGEX}`, `{contains: …}`, `{equals: …}` and `{any: true}` stand for values.
    #[serde(default)]
    pub expect: Option<Node>,
    /// How the call fails, in place of `expect`.
    #[serde(default)]
    pub fails: Option<Fails>,
}

/// How a call fails.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fails {
    /// What kind of failure.
    pub kind: Spanned<ErrorKind>,
    /// A part of its message.
    #[serde(default)]
    pub message: Option<Spanned<String>>,
}

/// What a tool asked for and was given: one command, or requests with their answers.
#[derive(Clone, Debug)]
pub enum Recorded {
    /// Of a tool that runs a command.
    Command(RecordedCommand),
    /// Of a tool that asks a service over HTTP.
    Http(RecordedHttp),
}

/// A command that was run, and what it wrote.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedCommand {
    /// The command and every argument, exactly.
    pub run: Vec<Spanned<Written>>,
    /// What it was given on standard input; nothing without it.
    #[serde(default)]
    pub stdin: Option<Written>,
    /// The folder it ran in, as the tool names it; not compared without it.
    #[serde(default)]
    pub cwd: Option<Spanned<String>>,
    /// Environment variables that the tool set, among others.
    #[serde(default)]
    pub env: BTreeMap<String, Written>,
    /// What it wrote to standard output; a mapping or a list stands for its JSON.
    #[serde(default)]
    pub stdout: Written,
    /// What it wrote to standard error.
    #[serde(default)]
    pub stderr: Written,
    /// The code that it ended with (default 0).
    #[serde(default)]
    pub exit: i32,
}

/// Requests in their order, each with what came back. Each must be made once.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedHttp {
    /// The requests.
    pub exchanges: Vec<Exchange>,
}

/// One request and its answer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What was asked.
    pub request: Request,
    /// What came back.
    #[serde(default)]
    pub response: Response,
}

/// What was asked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The method (default `GET`).
    #[serde(default = "get")]
    pub method: Spanned<String>,
    /// Path and query as they were sent, e.g. `/api/v4/projects/a%2Fb?per_page=100`.
    pub path: Spanned<String>,
    /// Where it went when that was not the module's `base`, e.g. `https://login.example.org`.
    #[serde(default)]
    pub host: Option<Spanned<String>>,
    /// Headers that were sent, among others.
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<String>>,
    /// The body, as JSON.
    #[serde(default)]
    pub json: Option<Node>,
    /// The body, as a form.
    #[serde(default)]
    pub form: Option<BTreeMap<String, Written>>,
    /// The body, as text.
    #[serde(default)]
    pub text: Option<Spanned<String>>,
}

/// What came back.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Response {
    /// The status (default 200).
    pub status: u16,
    /// Its headers.
    pub headers: BTreeMap<String, Spanned<String>>,
    /// The body, as JSON.
    pub json: Option<Node>,
    /// The body, as text.
    pub text: Option<Spanned<String>>,
}

/// A text as it was written by or for a program. A number stands for its digits, a mapping or a
/// list for its JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written(pub String);

fn get() -> Spanned<String> {
    Spanned { value: "GET".to_owned(), ..Spanned::default() }
}

impl Default for Response {
    fn default() -> Self {
        Self { status: 200, headers: BTreeMap::new(), json: None, text: None }
    }
}

impl<'de> Deserialize<'de> for Recorded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let read = if node.get("exchanges").is_some() {
            node.read().map(Self::Http)
        } else {
            node.read().map(Self::Command)
        };
        read.map_err(D::Error::custom)
    }
}

impl JsonSchema for Recorded {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Recorded".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let command = generator.subschema_for::<RecordedCommand>();
        let http = generator.subschema_for::<RecordedHttp>();
        schemars::json_schema!({ "anyOf": [command, http] })
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Node::deserialize(deserializer)?.to_json() {
            Value::String(text) => text,
            other => other.to_string(),
        }))
    }
}

impl JsonSchema for Written {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Written".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "number", "boolean", "object", "array"],
            "description": "A text; a number stands for its digits, a mapping or a list for its JSON.",
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

impl Example {
    /// Whether it says what comes of the call.
    pub fn has_outcome(&self) -> bool {
        self.expect.is_some() || self.fails.is_some()
    }

    /// Whether the arguments are a mapping.
    pub fn has_arguments(&self) -> bool {
        matches!(self.args.kind, Kind::Map(_))
    }
}

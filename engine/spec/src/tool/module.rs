//! A tool module as its author wrote it: tools over command lines or an HTTP API, in one YAML file.
//!
//! ```yaml
//! module: git
//! description: Local git repositories
//! requires: {commands: [git]}
//! tools:
//!   - name: git_log
//!     description: Commits of a repository, newest first
//!     effect: read
//!     input: {repo: {type: string, default: "."}, limit: {type: integer, default: 10, minimum: 1}}
//!     run: [git, -C, "{{ repo }}", log, "--max-count={{ limit }}", "--format=%H%x09%s"]
//!     result: {lines: {split: "\t", fields: [sha, subject]}}
//! ```
//!
//! ```yaml
//! module: forge
//! description: Merge requests of the code forge
//! config:
//!   url: {description: Where the forge is, env: FORGE_URL, default: "https://forge.example.org"}
//!   token: {env: FORGE_TOKEN, secret: true}
//! http: {base: "{{ config.url }}", auth: {bearer: "{{ config.token }}"}}
//! tools:
//!   - name: forge_mr_list
//!     description: Merge requests of a project, newest first
//!     effect: read
//!     input: {project: {type: string}, state: {type: string, optional: true}}
//!     http:
//!       path: "/api/v4/projects/{project}/merge_requests"
//!       query: {state: "{{ state }}", per_page: 100}
//!       paginate: {link: true}
//!     value: {each: result, as: mr, value: {id: "{{ mr.iid }}", title: "{{ mr.title }}"}}
//! ```
//!
//! An argument of a tool is optional when it has a `default` or says `optional: true`;
//! every other argument is required. Nothing here is compiled: [`Module::specs`] is cheap,
//! and [`super::recipe`] compiles one tool when it is needed.

mod config;
pub mod example;
mod http;
mod mcp;
mod parameter;
mod result;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

pub use self::config::Setting;
pub use self::example::{Example, Fails, Recorded};
pub use self::http::{
    Auth, AuthForm, Basic, Breaker, Cursor, Failure, Fields, First, Limits, Method, Named, Offset, Page,
    Paginate, Request, Service,
};
pub use self::mcp::{Mcp, McpText, McpTool};
pub use self::parameter::{Parameter, Parameters};
pub use self::result::{FieldType, Lines, Pick, ResultForm};
use super::{Effect, ErrorKind, Keyed, Reconcile, Tier, ToolSpec};
use crate::diagnostic::Diagnostic;
use crate::heal::HealRule;
use crate::source::Source;
use crate::yaml::{Node, Spanned};

/// A tool module: commands of this machine or an HTTP API as tools.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "aa tool module")]
pub struct Module {
    /// Name of the module; equals the file's stem.
    pub module: Spanned<String>,
    /// What it is for, in a sentence.
    pub description: Spanned<String>,
    /// What must be there for its tools to work.
    #[serde(default)]
    pub requires: Requires,
    /// What whoever uses it configures; templates read it as `config.NAME`.
    #[serde(default)]
    pub config: BTreeMap<String, Setting>,
    /// The HTTP API that its tools speak to.
    #[serde(default)]
    pub http: Option<Service>,
    /// Environment variables to set for every tool; templates over `idempotency_key` and `config` allowed.
    #[serde(default)]
    pub env: BTreeMap<String, Node>,
    /// Environment variables to pass on to every tool.
    #[serde(default)]
    pub env_pass: Vec<Spanned<String>>,
    /// Tells errors of every tool apart, after the tool's own rules.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// How it hears of what is new, for `aa listen`.
    #[serde(default)]
    pub listener: Option<super::listener::Authored>,
    /// The tools; a module over an MCP server has none of its own.
    #[serde(default)]
    pub tools: Vec<ModuleTool>,
    /// An MCP server whose tools are the module's.
    #[serde(default)]
    pub mcp: Option<Spanned<Mcp>>,
    /// Other names of its tools: alias to tool name.
    #[serde(default)]
    pub aliases: BTreeMap<String, Spanned<String>>,
    /// Which failures are mended by which call, for steps with `on_error: auto_heal`.
    #[serde(default)]
    pub heal: Vec<HealRule>,
}

/// What must be there for a module to work.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Requires {
    /// Commands that must be found on the path.
    pub commands: Vec<Spanned<String>>,
    /// Environment variables that must be set.
    pub env: Vec<Spanned<String>>,
}

/// One tool: a command (`run`) or a request (`http`) with typed arguments and a typed result.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tool")]
pub struct ModuleTool {
    /// Name that skills use, e.g. `git_log`.
    pub name: Spanned<String>,
    /// What it does, in a sentence.
    pub description: Spanned<String>,
    /// What a call does to the world.
    pub effect: Spanned<Effect>,
    /// Whether calling it twice equals calling it once (default: only for `effect: read`).
    #[serde(default)]
    pub idempotent: Option<bool>,
    /// For so long, what a client has read by it may be given to the same client again, such as `30s`: only for
    /// `effect: read` (default: not at all).
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub cache: Option<Spanned<String>>,
    /// `basic` tools are offered first, `extra` ones on request (default `basic`).
    #[serde(default)]
    pub tier: Tier,
    /// Whether it tells what goes on on this machine, whoever has it done: it is closed to other tenants than the
    /// main one then, and a skill may use it for them (default `false`).
    #[serde(default)]
    pub of_machine: bool,
    /// Whom it asks that its arguments name. Whoever comes with a key reaches neither this machine nor others near it
    /// by that; a skill does.
    #[serde(default)]
    pub asks: Option<Asks>,
    /// Its arguments, by name.
    #[serde(default)]
    pub input: Parameters,
    /// JSON Schema of the result.
    #[serde(default)]
    pub output: Option<Parameter>,
    /// The command and its arguments. A template that is one whole `{{ expression }}` is left out
    /// when it is null, and stands for several arguments when it is a list. An argument that begins
    /// with a value cannot become an option: unless `--` or `--end-of-options` stands before it, a
    /// value that begins with `-` is an error.
    #[serde(default)]
    pub run: Vec<Argument>,
    /// The request, in place of a command.
    #[serde(default)]
    pub http: Option<Request>,
    /// Text for the command's standard input; templates allowed.
    #[serde(default)]
    pub stdin: Option<Node>,
    /// Folder to run in, relative to the skill's; templates allowed.
    #[serde(default)]
    pub cwd: Option<Spanned<String>>,
    /// Environment variables to set; templates allowed.
    #[serde(default)]
    pub env: BTreeMap<String, Node>,
    /// Environment variables to pass on. Without it a command sees `PATH`, `HOME` and the like.
    #[serde(default)]
    pub env_pass: Vec<Spanned<String>>,
    /// The command must end within this time, e.g. `2m`.
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub timeout: Option<Spanned<String>>,
    /// How its output becomes a value. Default: `text` for a command; for a request the parsed JSON if
    /// it is JSON, else text, and with `paginate` the list of all items.
    #[serde(default)]
    pub result: Option<ResultForm>,
    /// Makes a list of the list that came back, item by item; `value` then reads it as `result`.
    #[serde(default)]
    pub each: Option<Each>,
    /// Makes the value of the tool, when it is not `result` as it is: a value with templates over
    /// the arguments, `result` and, of a command, `exit_code`, `stdout` and `stderr`, of a request,
    /// `body`, `status` and `headers`. A mapping `{each: EXPRESSION, as: NAME, if: EXPRESSION, value: …}`
    /// makes a list of a list.
    #[serde(default)]
    pub value: Option<Node>,
    /// Which exit codes are a success, and what the others mean.
    #[serde(default)]
    pub exit: Exit,
    /// Tells errors apart by what the command printed; the first match decides.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// Where the tool takes the key that makes a repeated call harmless.
    #[serde(default)]
    pub idempotency_key: Option<KeyPlace>,
    /// How to find out, after a crash, whether a call took place.
    #[serde(default)]
    pub reconcile: Option<Spanned<Reconcile>>,
    /// Calls to show to people, and to try the tool by.
    #[serde(default)]
    pub examples: Vec<Example>,
}

/// One argument of a command, or several under a condition.
#[derive(Clone, Debug)]
pub enum Argument {
    /// Always there; templates allowed.
    Always(Spanned<String>),
    /// There when the condition is true: `{if: force, then: [--force]}`.
    When(When),
    /// Values that may be options: `{options: "{{ extra }}"}`.
    Options(Options),
}

/// Arguments that whoever calls the tool may make options.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The arguments; templates allowed.
    pub options: Spanned<String>,
}

/// Arguments under a condition.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ConditionalArgument")]
pub struct When {
    /// Expression over the tool's arguments, e.g. `force` or `limit > 0`.
    pub r#if: Spanned<String>,
    /// Arguments when it is true; templates allowed.
    pub then: Vec<Spanned<String>>,
    /// Arguments when it is false; templates allowed.
    #[serde(default)]
    pub r#else: Vec<Spanned<String>>,
}

/// Whom a tool asks that its arguments name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asks {
    /// The address that the arguments come to: `scheme://host…`, `user@host:path`, `host:port` or `host`; nothing
    /// when they name none. Templates allowed. What was found for whoever comes with a key, the tool's templates read as
    /// `outward`: `bound` (whether such a bound holds), `host`, `port` and `address`, which is the one to connect to.
    pub address: Spanned<String>,
    /// Whether it goes on to wherever the other side sends it, so that looking at the address says little: whoever
    /// comes with a key then names none at all (default `false`).
    #[serde(default)]
    pub follows: bool,
}

/// Which exit codes are a success, and what the others mean.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Exit {
    /// Exit codes that are a success (default `[0]`), unless an error rule matches.
    pub ok: Vec<i32>,
    /// Error kinds of other exit codes; those not listed are `permanent`.
    pub kinds: BTreeMap<i32, ErrorKind>,
}

/// Makes something of every item of a list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EachItem")]
pub struct Each {
    /// Expression that gives the list (default `result`), over what `value` may read.
    #[serde(default)]
    pub of: Option<Spanned<String>>,
    /// Keeps only items for which this is true: an expression over `item` as well.
    #[serde(default)]
    pub when: Option<Spanned<String>>,
    /// What each becomes: a value with templates over `item` as well.
    pub value: Node,
}

/// Tells one error apart. It wins over `ok`: where a code is a success only because `ok` lists it, what the
/// command wrote to standard error, or the service answered, is an error all the same when it matches.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// Regular expression on what the command wrote last, to standard error or standard output, or on
    /// what the service answered.
    #[schemars(with = "crate::schema::Pattern")]
    pub r#match: Spanned<String>,
    /// Whether every success is held against it, too: exit code 0 with standard output, status 200 to 299
    /// (default `false`, because what a success gives is mostly data, which may speak of errors).
    #[serde(default)]
    pub always: bool,
    /// What kind of error that is.
    pub kind: ErrorKind,
    /// What to do about it.
    #[serde(default)]
    pub hint: Option<String>,
}

/// Where a tool takes the idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyPlace {
    /// In this argument of the tool, unless the caller gave one.
    Arg(Spanned<String>),
    /// In this environment variable of the command.
    Env(Spanned<String>),
    /// In this header of the request.
    Header(Spanned<String>),
}

impl KeyPlace {
    /// When a call has the key of its step.
    fn keyed(&self) -> Keyed {
        match self {
            Self::Arg(name) => Keyed::Unless(name.value.clone()),
            Self::Env(_) | Self::Header(_) => Keyed::Always,
        }
    }
}

impl Default for Exit {
    fn default() -> Self {
        Self { ok: vec![0], kinds: BTreeMap::new() }
    }
}

/// Reads a module; its templates are looked at by [`super::recipe::check`].
pub fn read(source: &Source) -> (Option<Module>, Vec<Diagnostic>) {
    crate::shape::read(source)
}

impl Module {
    /// The public face of its tools, in the order of the file.
    pub fn specs(&self, source: &Source) -> Vec<ToolSpec> {
        self.tools.iter().map(|tool| tool.spec(self, source)).collect()
    }

    /// The tool of a name or an alias; `-` and `_` are the same letter.
    pub fn tool(&self, name: &str) -> Option<&ModuleTool> {
        let name = crate::name::fold(name);
        let aliased = self.aliases.iter().find(|(alias, _)| crate::name::fold(alias) == name);
        let name = aliased.map_or(name, |(_, target)| crate::name::fold(&target.value));
        self.tools.iter().find(|tool| crate::name::fold(&tool.name.value) == name)
    }
}

impl ModuleTool {
    /// The public face of this tool.
    pub fn spec(&self, module: &Module, source: &Source) -> ToolSpec {
        ToolSpec {
            name: self.name.value.clone(),
            module: module.module.value.clone(),
            description: self.description.value.trim().to_owned(),
            input: self.input.schema(),
            written: None,
            output: self.output.as_ref().map_or_else(|| Value::Bool(true), |output| output.schema.clone()),
            effect: self.effect.value,
            idempotent: self.idempotent.unwrap_or(self.effect.value == Effect::Read),
            keyed: self.idempotency_key.as_ref().map(KeyPlace::keyed),
            tier: self.tier,
            of_machine: self.of_machine,
            cache_ms: self.cache.as_ref().and_then(|text| crate::duration::parse_ms(&text.value).ok()),
            reconcile: self.reconcile.as_ref().map(|reconcile| reconcile.value.clone()),
            source: format!("{}:{}", source.path, source.place(self.name.span.start).line),
        }
    }
}

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let text = match &node.kind {
            crate::yaml::Kind::Scalar(Value::String(text)) => text.clone(),
            crate::yaml::Kind::Scalar(Value::Number(number)) => number.to_string(),
            _ if node.get("options").is_some() => {
                return node.read().map(Self::Options).map_err(serde::de::Error::custom);
            }
            _ => return node.read().map(Self::When).map_err(serde::de::Error::custom),
        };
        Ok(Self::Always(Spanned { value: text, span: node.span }))
    }
}

impl JsonSchema for Argument {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Argument".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let when = generator.subschema_for::<When>();
        let options = generator.subschema_for::<Options>();
        schemars::json_schema!({ "anyOf": [{ "type": ["string", "number"] }, when, options] })
    }

    fn inline_schema() -> bool {
        true
    }
}

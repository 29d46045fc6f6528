//! The configuration file as its author wrote it.
//!
//! Several files are laid over one another, so every key is optional here; defaults
//! and the order of the layers are the business of whoever resolves them.

mod daemon;
mod entrance;
mod events;
mod issuer;
mod notify;
mod operations;
mod policy;
mod scheduler;
mod scope;
mod serve;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::schedule::Schedule;
use crate::source::Source;
use crate::template::Template;
use crate::yaml::{Kind, Node, Spanned};

pub use daemon::Daemon;
pub use entrance::{Key, Limits as ServeLimits, is_principal};
pub use events::Events;
pub use issuer::{Algorithm, Issuer};
pub use notify::{
    Channel, EmailChannel, MailSecurity, Notify, NotifyLimit, SlackChannel, WebhookChannel, secret,
};
pub use operations::{Audit, Log, LogFormat, Traces};
pub use policy::{Policy, Rule};
pub use scheduler::Scheduler;
pub use scope::{Kind as ScopeKind, MAIN, ROLES, Scope, role, unknown_role};
pub use serve::Serve;

/// A configuration file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "aa config")]
pub struct Config {
    /// Where and how runs are kept.
    pub store: Store,
    /// Bounds of one process.
    pub limits: Limits,
    /// What Python blocks may use.
    pub compute: Compute,
    /// What skills see as `config`.
    pub values: BTreeMap<String, Node>,
    /// Where secrets come from, by the name that skills use: `secrets.NAME`.
    pub secrets: BTreeMap<String, Spanned<Secret>>,
    /// Further folders of skills, before the shipped ones.
    pub skills: Vec<SkillFolder>,
    /// Further folders of tool modules, before the shipped ones.
    pub tools: Vec<Spanned<String>>,
    /// How HTTP requests leave this machine.
    pub http: Http,
    /// How AI clients and others are served.
    pub serve: Serve,
    /// How editors and others hear of what happens.
    pub events: Events,
    /// How `aa daemon` lives.
    pub daemon: Daemon,
    /// Modules with a `listener` that servers listen for, such as `[slack]`. It is heard in the user's own file only.
    pub listen: Vec<Spanned<String>>,
    /// What runs although nobody is there, by a name for each.
    pub schedules: BTreeMap<String, Spanned<Schedule>>,
    /// By which rules schedules run.
    pub scheduler: Scheduler,
    /// How people are told of what happens while they are not there.
    pub notify: Notify,
    /// Who did what, as `aa audit list` shows it.
    pub audit: Audit,
    /// What servers say on stderr.
    pub log: Log,
    /// Where traces of runs are sent (OTLP over HTTP, as JSON). Without an `endpoint` there are none.
    pub traces: Traces,
    /// What tool modules are configured with, by the name of the module and that of the value, as its
    /// `config` declares them. A text may refer to a secret: `"{{ secrets.NAME }}"`.
    pub modules: BTreeMap<String, BTreeMap<String, Node>>,
    /// Settings of the module `ephemeral`.
    pub ephemeral: Ephemeral,
    /// How the tool `kube_login` logs in to a cluster; `{cluster}` stands for its name.
    pub kube_login: Login,
    /// How the tool `vpn_connect` connects to the private network.
    pub vpn_connect: Login,
}

/// Where and how runs are kept.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// Folder of the database; a relative one is relative to this file.
    pub folder: Option<Spanned<String>>,
    /// What an acknowledged event survives (default `full`).
    pub durability: Option<Spanned<Durability>>,
    /// Values larger than this go to files beside the database, e.g. `64KiB` (default `64KiB`).
    pub inline_limit: Option<Spanned<Bytes>>,
}

/// What an acknowledged event survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// A power cut.
    Full,
    /// A killed process, but not a power cut.
    Normal,
}

/// Bounds of one process.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Tool calls at once (default 16).
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub calls: Option<Spanned<u32>>,
    /// Tool calls of one module at once, by the name of the module, such as `gitlab: 2`; the others wait in the order of
    /// coming.
    pub modules: BTreeMap<String, Spanned<u32>>,
    /// Output of one tool call that is kept, e.g. `1MiB`.
    pub output_bytes: Option<Spanned<Bytes>>,
    /// Time one attempt at a step may take when it names no `timeout` of its own.
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub step_timeout: Option<Spanned<String>>,
}

/// What Python blocks may use.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Compute {
    /// Time that a block may take; calls of tools and skills do not count (default `5s`).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub timeout: Option<Spanned<String>>,
    /// Memory that a block may take (default `64MiB`).
    pub memory: Option<Spanned<Bytes>>,
    /// Length of a block's source (default `64KiB`, which is also the most).
    pub source: Option<Spanned<Bytes>>,
    /// Size of a block's result as JSON, and of the arguments of a call (default `1MiB`).
    pub output: Option<Spanned<Bytes>>,
    /// What a block may print (default `64KiB`).
    pub printed: Option<Spanned<Bytes>>,
    /// Calls of tools and skills that a block may make (default 200).
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub calls: Option<Spanned<u32>>,
    /// How deeply its functions may call one another (default 200, 1000 at most).
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub depth: Option<Spanned<u32>>,
    /// Blocks that compute at once (default 4).
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub workers: Option<Spanned<u32>>,
}

/// Where one secret comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Secret {
    /// The value of an environment variable.
    Env(String),
    /// The content of a file, without the line end after it; a relative path is relative to this file.
    File(String),
    /// What a command prints, without the line end after it.
    Command(Vec<String>),
}

/// A folder of skills.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SkillFolder {
    /// The folder; a relative one is relative to this file.
    pub folder: Spanned<String>,
    /// Whether unknown names in its skills are warnings and read as null (default `false`).
    #[serde(default)]
    pub lenient: bool,
}

/// How HTTP requests leave this machine.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Proxy to go through, e.g. `http://proxy.example.org:3128`. (That of the environment is not used.)
    pub proxy: Option<Spanned<String>>,
    /// File of certificates (PEM) to trust besides those of the system; a relative path is relative to this file.
    pub ca: Option<Spanned<String>>,
}

/// Settings of the module `ephemeral`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ephemeral {
    /// The repository that merge requests belong to, when a skill names none: a folder, URL or bundle.
    pub repository: Option<Spanned<String>>,
    /// How long a namespace lives, when a skill does not say, e.g. `4h`.
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub ttl: Option<Spanned<String>>,
}

/// How to log in or to connect, and how to see that it is done.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Login {
    /// A command and its arguments. It must need no person: it has no terminal, and in a run no display.
    pub command: Option<Vec<Spanned<String>>>,
    /// A command that succeeds while it is done (default for `kube_login`: `[oc, whoami]` where there is an `oc`).
    /// That of `kube_login` spares a login only if it names the `{cluster}` that it looks at.
    pub check: Option<Vec<Spanned<String>>>,
}

/// A number of bytes, written as a number or as text such as `64KiB` or `10MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl Bytes {
    /// Reads a number of bytes.
    ///
    /// # Errors
    /// A message that shows the right form.
    pub fn parse(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, u64); 8] = [
            ("", 1),
            ("B", 1),
            ("kB", 1_000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
        ];
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let unit = text[digits..].trim_start();
        let factor = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| factor);
        match (text[..digits].parse::<u64>(), factor) {
            (Ok(number), Some(factor)) => {
                number.checked_mul(*factor).map(Self).ok_or_else(|| format!("`{text}` is too many bytes"))
            }
            _ => Err(format!("`{text}` is not a number of bytes; write it like `4096`, `64KiB` or `10MB`")),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        match &node.kind {
            Kind::Scalar(Value::String(text)) => Self::parse(text).map_err(serde::de::Error::custom),
            _ => node.read().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

impl JsonSchema for Bytes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+ *([kKmMgG]?[iI]?[bB])?$" })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// Reads a configuration file.
pub fn read(source: &Source) -> (Option<Config>, Vec<Diagnostic>) {
    let (config, mut diagnostics) = crate::shape::read::<Config>(source);
    let durations = config.iter().flat_map(|config| {
        let serve = [
            &config.serve.session_timeout,
            &config.serve.shutdown_timeout,
            &config.serve.wait,
            &config.serve.task_after,
            &config.serve.session_stale,
            &config.serve.session_keep,
        ];
        let own = [
            &config.limits.step_timeout,
            &config.ephemeral.ttl,
            &config.compute.timeout,
            &config.scheduler.keep,
            &config.notify.limit.per,
            &config.audit.keep,
        ];
        let issuers = config.serve.issuers.values().map(|issuer| &issuer.value.leeway);
        own.into_iter().chain(serve).chain(issuers)
    });
    for text in durations.flatten() {
        if let Err(message) = crate::duration::parse_ms(&text.value) {
            diagnostics.push(Diagnostic::error("bad-duration", source, text.span, message));
        }
    }
    if let Some(config) = &config {
        check_modules(config, source, &mut diagnostics);
        entrance::check(&config.serve, source, &mut diagnostics);
        issuer::check(&config.serve, source, &mut diagnostics);
        scheduler::check(config, source, &mut diagnostics);
        notify::check(config, source, &mut diagnostics);
        operations::check(config, source, &mut diagnostics);
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    (config, diagnostics)
}

/// What a module is configured with may refer to secrets, and to nothing else.
fn check_modules(config: &Config, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    for (module, calls) in config.limits.modules.iter().filter(|(_, calls)| calls.value == 0) {
        let message = format!("`{module}` must be allowed one call at least");
        diagnostics.push(Diagnostic::error("bad-value", source, calls.span, message));
    }
    for node in config.modules.values().flat_map(BTreeMap::values) {
        match Template::parse(&node.to_json()) {
            Ok(template) => {
                let paths = template.references();
                for path in paths.iter().filter(|path| !path.starts_with("secrets.")) {
                    let message = format!("`{path}` is not known here, only `secrets.NAME`");
                    diagnostics.push(Diagnostic::error("unknown-reference", source, node.span, message));
                }
            }
            Err(error) => {
                let problem = Diagnostic::error("bad-template", source, node.span, error.message);
                diagnostics.push(problem.hint(error.hint));
            }
        }
    }
}

//! The resolved configuration: nothing optional left, every value with its origin.
//!
//! Layers, farthest first: defaults, the user's file, the project's file, environment
//! variables, flags. Nothing here reads the process's environment; it is handed in.

mod calling;
mod carried;
mod clients;
mod compute;
mod daemon;
mod events;
mod layer;
mod operations;
mod places;
mod scheduler;
mod secret;
mod serve;
mod variables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aa_spec::config::{self, Bytes, Secret};
use aa_spec::diagnostic::{Diagnostic, has_errors};
use aa_spec::duration::parse_ms;
use serde_json::{Map, Value, json};

use crate::compute::Limits;
use crate::home::FileError;
use crate::store::{Durability, StoreOptions};
use crate::tool::Logins;

pub use calling::Calling;
pub use carried::Carried;
pub use clients::Clients;
pub use daemon::Daemon;
pub use events::Events;
use layer::Layers;
pub use layer::{Origin, Setting, WrittenValue};
pub use operations::{Operations, Traces};
pub use places::config_file;
pub(crate) use places::{PROJECT, project_folder};
pub use scheduler::{Scheduling, WrittenSchedule};
pub use secret::SecretStore;
pub use serve::{Issuer, Key, Serve, Shown};
pub use variables::Variables;

/// What the engine needs to know of its surroundings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The working folder, absolute.
    pub folder: PathBuf,
    /// The user's configuration folder.
    pub config_folder: PathBuf,
    /// The project's `.aa` folder, if there is one.
    pub project_folder: Option<PathBuf>,
    /// The store's folder.
    pub state_folder: PathBuf,
    /// Environment variables of the process.
    pub environment: Variables,
    /// How to open the store.
    pub store: StoreOptions,
    /// Tool calls of this process at once.
    pub calls: usize,
    /// Tool calls of some modules at once, by name.
    pub calls_of: BTreeMap<String, usize>,
    /// Output of one tool call that is kept, in bytes.
    pub output_bytes: usize,
    /// Time one attempt at a step may take when it names no time-out of its own.
    pub step_timeout: Option<Duration>,
    /// What Python blocks may use.
    pub compute: Limits,
    /// What skills see as `config`.
    pub values: Map<String, Value>,
    /// Where secrets come from, by name; paths are absolute.
    pub secrets: BTreeMap<String, Secret>,
    /// Further folders of skills, nearest first.
    pub skills: Vec<SkillFolder>,
    /// Further folders of tool modules, nearest first.
    pub tools: Vec<PathBuf>,
    /// What tool modules are configured with, by module and name; texts may refer to secrets.
    pub modules: BTreeMap<String, Map<String, Value>>,
    /// The same, where each file has them.
    pub written_modules: Vec<WrittenValue>,
    /// Proxy for HTTP requests; without it they go straight.
    pub proxy: Option<String>,
    /// File of certificates (PEM) that HTTP requests trust besides the usual ones.
    pub ca: Option<PathBuf>,
    /// How AI clients and others are served.
    pub serve: Serve,
    /// How editors and others hear of what happens.
    pub events: Events,
    /// What those are told who keep `aa` running.
    pub operations: Operations,
    /// How a daemon lives.
    pub daemon: Daemon,
    /// Modules that servers listen for; a project that was cloned listens to nothing.
    pub listen: Vec<String>,
    /// Settings of the module `ephemeral`.
    pub ephemeral: Ephemeral,
    /// How to log in to clusters and to connect to the network.
    pub logins: Logins,
    /// What calls of clients may take and do.
    pub calling: Calling,
    /// What clients see, and where they may work.
    pub clients: Clients,
    /// What runs although nobody is there.
    pub scheduling: Scheduling,
    /// Every setting that can be written, with its value and origin, by key.
    pub origins: Vec<Setting>,
    /// What is doubtful in the files.
    pub warnings: Vec<Diagnostic>,
    /// When files are looked at again.
    pub looking: Looking,
}

/// When the files of tool modules and of the configuration are looked at again, as they may have changed. Skills are
/// read whenever they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looking {
    /// Modules whenever they are needed, the configuration never: so a command does.
    Always,
    /// After so long: a server that is asked thousands of times a second cannot look each time.
    Every(Duration),
}

impl Looking {
    /// How long what was seen is taken to be the same; only of what serves.
    pub(crate) fn every(self) -> Option<Duration> {
        match self {
            Self::Every(every) => Some(every),
            Self::Always => None,
        }
    }
}

/// A configured folder of skills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkillFolder {
    /// The folder.
    pub folder: PathBuf,
    /// Whether unknown names in its skills are only warnings.
    pub lenient: bool,
}

/// Settings of the module `ephemeral`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ephemeral {
    /// The repository that merge requests belong to, when a skill names none.
    pub repository: Option<String>,
    /// How long a namespace lives when a skill does not say, e.g. `2h`.
    pub ttl: Option<String>,
}

/// What the settings are made from.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The working folder, absolute.
    pub folder: PathBuf,
    /// Environment variables of the process.
    pub environment: Variables,
    /// `--store`: the store's folder.
    pub store: Option<PathBuf>,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Nothing says where the user's folders are.
    #[error("neither `HOME` nor `{variable}` is set, so there is no place for {what}")]
    NoHome {
        /// What can be set instead.
        variable: &'static str,
        /// For what.
        what: &'static str,
    },
    /// A configuration file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A configuration file has errors.
    #[error("the configuration has errors")]
    Invalid(Vec<Diagnostic>),
}

impl Settings {
    /// Reads the configuration files and resolves every setting.
    ///
    /// # Errors
    /// Something in them is wrong: then all that is wrong and doubtful is in the error.
    pub fn resolve(surroundings: &Surroundings) -> Result<Self, SettingsError> {
        let Surroundings { folder, environment, store } = surroundings;
        let config_folder = places::config_folder(folder, environment)?;
        let project_folder = places::project_folder(folder);
        let mut layers = Layers::read(folder, &config_folder, project_folder.as_deref(), environment)?;
        let default_state = places::state_folder(folder, environment);
        let (modules, written_modules) = layers.modules();
        let settings = Self {
            state_folder: state_folder(&mut layers, store.as_deref(), default_state)?,
            store: StoreOptions {
                durability: durability(&mut layers),
                inline_limit: bytes(&mut layers, "store.inline_limit", |c| &c.store.inline_limit, 64 << 10),
            },
            calls: calls(&mut layers),
            calls_of: layers.calls_of(),
            output_bytes: bytes(&mut layers, "limits.output_bytes", |c| &c.limits.output_bytes, 1 << 20),
            step_timeout: duration(&mut layers, "limits.step_timeout", |c| &c.limits.step_timeout)
                // A file's durations were checked when it was read, a variable's just now.
                .and_then(|text| parse_ms(&text).ok())
                .map(Duration::from_millis),
            compute: compute::limits(&mut layers),
            calling: calling::calling(&mut layers),
            logins: Logins {
                kube_login: layers
                    .command("kube_login.command", |c| &c.kube_login.command)
                    .unwrap_or_default(),
                kube_check: layers.command("kube_login.check", |c| &c.kube_login.check),
                vpn_connect: layers
                    .command("vpn_connect.command", |c| &c.vpn_connect.command)
                    .unwrap_or_default(),
                vpn_check: layers.command("vpn_connect.check", |c| &c.vpn_connect.check).unwrap_or_default(),
            },
            ephemeral: Ephemeral {
                repository: repository(&mut layers),
                ttl: duration(&mut layers, "ephemeral.ttl", |c| &c.ephemeral.ttl),
            },
            clients: clients::resolve(&mut layers),
            scheduling: scheduler::scheduling(&mut layers),
            values: layers.values(),
            serve: serve::settings(&mut layers),
            events: events::resolve(&mut layers),
            operations: operations::resolve(&mut layers),
            daemon: daemon::resolve(&mut layers),
            listen: layers.each("listen", |c| &c.listen),
            secrets: layers.secrets(),
            modules,
            written_modules,
            proxy: proxy(&mut layers),
            ca: ca(&mut layers),
            skills: layers.skills(),
            tools: layers.tools(),
            folder: folder.clone(),
            config_folder,
            project_folder,
            origins: Vec::new(),
            warnings: Vec::new(),
            environment: environment.clone(),
            looking: Looking::Always,
        };
        let (origins, diagnostics) = layers.finish();
        if has_errors(&diagnostics) {
            return Err(SettingsError::Invalid(diagnostics));
        }
        Ok(Self { origins, warnings: diagnostics, ..settings })
    }
}

impl Settings {
    /// The folder of the store when no file says another one.
    ///
    /// # Errors
    /// Nothing says where the user's folders are.
    pub fn usual_state_folder(surroundings: &Surroundings) -> Result<PathBuf, SettingsError> {
        match &surroundings.store {
            Some(store) => Ok(store.clone()),
            None => Ok(places::state_folder(&surroundings.folder, &surroundings.environment)?.0),
        }
    }
}

fn state_folder(
    layers: &mut Layers<'_>,
    flag: Option<&Path>,
    default: Result<(PathBuf, Origin), SettingsError>,
) -> Result<PathBuf, SettingsError> {
    const KEY: &str = "store.folder";
    let written = layers.scalar(KEY, |c| &c.store.folder, |text| Ok(text.to_owned()));
    if let Some(flag) = flag {
        let folder = layers.resolve(None, &flag.to_string_lossy());
        layers.note(KEY, json!(folder), Origin::Flag("--store"));
        return Ok(folder);
    }
    let (folder, origin) = match (written, default) {
        // The variable moves the whole state, so it is nearer than a file, and the setting's own is nearer still.
        (Some((_, Origin::File { .. })), Ok((folder, origin @ Origin::Variable(_)))) => (folder, origin),
        (Some((text, origin)), _) => (layers.resolve(Some(&origin), &text), origin),
        (None, default) => default?,
    };
    layers.note(KEY, json!(folder), origin);
    Ok(folder)
}

fn durability(layers: &mut Layers<'_>) -> Durability {
    let parse = |text: &str| match text {
        "full" => Ok(config::Durability::Full),
        "normal" => Ok(config::Durability::Normal),
        _ => Err(format!("`{text}` is not a durability; write `full` or `normal`")),
    };
    let key = "store.durability";
    let (value, origin) = layers
        .scalar(key, |c| &c.store.durability, parse)
        .unwrap_or((config::Durability::Full, Origin::Default));
    let (shown, durability) = match value {
        config::Durability::Full => ("full", Durability::Full),
        config::Durability::Normal => ("normal", Durability::Normal),
    };
    layers.note(key, json!(shown), origin);
    durability
}

fn calls(layers: &mut Layers<'_>) -> usize {
    count(layers, "limits.calls", |c| &c.limits.calls, 16) as usize
}

fn count(layers: &mut Layers<'_>, key: &'static str, field: layer::Field<u32>, default: u32) -> u32 {
    let parse = |text: &str| match text.parse::<u32>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("`{text}` is not a number from 1 on")),
    };
    let (count, origin) = layers.scalar(key, field, parse).unwrap_or((default, Origin::Default));
    layers.note(key, json!(count), origin);
    count
}

fn bytes(layers: &mut Layers<'_>, key: &'static str, field: layer::Field<Bytes>, default: u64) -> usize {
    let found = layers.scalar(key, field, Bytes::parse);
    let (Bytes(bytes), origin) = found.unwrap_or((Bytes(default), Origin::Default));
    layers.note(key, json!(bytes), origin);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn duration(layers: &mut Layers<'_>, key: &'static str, field: layer::Field<String>) -> Option<String> {
    let parse = |text: &str| parse_ms(text).map(|_| text.to_owned());
    let (text, origin) = layers.scalar(key, field, parse)?;
    layers.note(key, json!(text), origin);
    Some(text)
}

/// A span of time, which always has one.
fn time(layers: &mut Layers<'_>, key: &'static str, field: layer::Field<String>, usual: &str) -> Duration {
    let parse = |text: &str| parse_ms(text).map(|_| text.to_owned());
    let found = layers.scalar(key, field, parse);
    let (text, origin) = found.unwrap_or_else(|| (usual.to_owned(), Origin::Default));
    layers.note(key, json!(text), origin);
    // A file's durations were checked when it was read, a variable's just now.
    Duration::from_millis(parse_ms(&text).or_else(|_| parse_ms(usual)).unwrap_or_default())
}

/// A proxy is shown without its user and password.
fn proxy(layers: &mut Layers<'_>) -> Option<String> {
    let key = "http.proxy";
    let (text, origin) = layers.scalar(key, |c| &c.http.proxy, |text| Ok(text.to_owned()))?;
    let shown = match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}{}", &text[..scheme + 3], &text[at + 1..]),
        _ => text.clone(),
    };
    layers.note(key, json!(shown), origin);
    Some(text)
}

fn ca(layers: &mut Layers<'_>) -> Option<PathBuf> {
    let key = "http.ca";
    let (text, origin) = layers.scalar(key, |c| &c.http.ca, |text| Ok(text.to_owned()))?;
    let path = layers.resolve(Some(&origin), &text);
    layers.note(key, json!(path), origin);
    Some(path)
}

/// A path becomes absolute; whatever has a colon is an address, and `sample` is shipped.
fn repository(layers: &mut Layers<'_>) -> Option<String> {
    let key = "ephemeral.repository";
    let (text, origin) = layers.scalar(key, |c| &c.ephemeral.repository, |text| Ok(text.to_owned()))?;
    let is_path = !text.contains(':') && text != "sample";
    let repository = if is_path { layers.resolve(Some(&origin), &text).display().to_string() } else { text };
    layers.note(key, json!(repository), origin);
    Some(repository)
}

/// A path as written in a file of this folder; `~/` is the user's home.
fn absolute(folder: &Path, home: Option<&str>, path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        _ => folder.join(path),
    }
}

#[cfg(test)]
mod tests;

//! The layers that say something: files and environment variables, nearest first.

mod entrance;
mod unattended;
mod unheard;

#[cfg(test)]
pub(super) use unheard::FILES_ONLY;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use aa_spec::config::{self, Config, Secret};
use aa_spec::diagnostic::Diagnostic;
use aa_spec::name;
use aa_spec::source::{Source, Span};
use aa_spec::yaml::{Kind, Node, Spanned};
use serde_json::{Map, Value, json};

use super::places::{self, set};
use super::{SettingsError, SkillFolder, absolute};
use crate::home::{FileError, file};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A configuration file.
    File {
        /// Its path as shown to people.
        path: String,
        /// The line, from 1.
        line: u32,
    },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

/// One setting, for people to see.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its key with dots, e.g. `limits.calls`.
    pub key: String,
    /// Its value; of a secret, where it comes from.
    pub value: Value,
    /// Who said so.
    pub origin: Origin,
}

/// A value of a module that a configuration file has, and where.
#[derive(Clone, Debug)]
pub struct WrittenValue {
    /// The module.
    pub module: String,
    /// The name of the value.
    pub name: String,
    /// The value.
    pub value: Value,
    /// The file.
    pub source: Source,
    /// Where the value is in it.
    pub span: Span,
}

/// How the variables of settings begin.
const PREFIX: &str = "AA_";

/// A setting of one value in a file.
pub(super) type Field<T> = fn(&Config) -> &Option<Spanned<T>>;

/// Everything that says something about settings, and what was made of it.
pub(super) struct Layers<'a> {
    /// Nearest first.
    files: Vec<File>,
    folder: &'a Path,
    environment: &'a BTreeMap<String, String>,
    /// The variables that may be settings.
    ours: Vec<&'a str>,
    /// The keys of settings that a variable may say.
    known: Vec<String>,
    settings: Vec<Setting>,
    diagnostics: Vec<Diagnostic>,
}

struct File {
    source: Source,
    folder: PathBuf,
    config: Config,
    /// Whether it is the project's: whoever clones a project has not written it.
    of_project: bool,
}

impl<'a> Layers<'a> {
    /// Reads the files that exist.
    pub(super) fn read(
        folder: &'a Path,
        user: &Path,
        project: Option<&Path>,
        environment: &'a BTreeMap<String, String>,
    ) -> Result<Self, SettingsError> {
        let mut layers = Self {
            files: Vec::new(),
            folder,
            environment,
            ours: environment.keys().map(String::as_str).filter(|name| name.starts_with(PREFIX)).collect(),
            known: Vec::new(),
            settings: Vec::new(),
            diagnostics: Vec::new(),
        };
        for (of, of_project) in project.map(|of| (of, true)).into_iter().chain([(user, false)]) {
            let path = places::config_file(of);
            let shown = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            let source = match file::read(&path, &shown) {
                Err(FileError { problem: Some(problem), .. }) => {
                    layers.diagnostics.push(*problem);
                    continue;
                }
                read => read?,
            };
            let Some(source) = source else { continue };
            if source.text.lines().all(|line| line.trim().is_empty() || line.starts_with('#')) {
                continue;
            }
            let (config, diagnostics) = config::read(&source);
            layers.diagnostics.extend(diagnostics);
            let config = config.unwrap_or_default();
            layers.files.push(File { source, folder: of.to_owned(), config, of_project });
        }
        Ok(layers)
    }

    /// The nearest value of a setting: of its variable, else of a file.
    pub(super) fn scalar<T: Clone>(
        &mut self,
        key: &str,
        field: Field<T>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<(T, Origin)> {
        let variable = self.variable_of(key);
        self.variable(variable, parse).or_else(|| self.files.iter().find_map(|file| file.value(field)))
    }

    /// A setting that guards whoever runs `aa`, by their variable, their file or `usual`: a project's file
    /// can make it stricter, and is not heard where it makes it laxer.
    pub(super) fn guard<T: Clone>(
        &mut self,
        key: &str,
        (field, parse): (Field<T>, impl Fn(&str) -> Result<T, String>),
        usual: T,
        is_stricter: impl Fn(&T, &T) -> bool,
    ) -> (T, Origin) {
        let variable = self.variable_of(key);
        let theirs = |file: &&File| !file.of_project;
        let own = self.variable(variable, parse);
        let own = own.or_else(|| self.files.iter().filter(theirs).find_map(|file| file.value(field)));
        let own = own.unwrap_or((usual, Origin::Default));
        let project = self.files.iter().find(|file| file.of_project);
        let Some((file, written)) = project.and_then(|file| Some((file, field(&file.config).as_ref()?)))
        else {
            return own;
        };
        if is_stricter(&written.value, &own.0) {
            return (written.value.clone(), file.origin(written.span));
        }
        if is_stricter(&own.0, &written.value) {
            let message = format!("a project cannot make `{key}` laxer, so this is not heard");
            let hint = "say it in your own configuration, or by a variable of the environment";
            let doubt = Diagnostic::warning("bad-value", &file.source, written.span, message).hint(hint);
            self.diagnostics.push(doubt);
        }
        own
    }

    /// The variable that says a setting, if there is one. The setting is known from now on.
    fn variable_of(&mut self, key: &str) -> Option<&'a str> {
        self.known.push(key.to_owned());
        self.ours.iter().copied().find(|name| is_of(name, key))
    }

    /// What the project's file says of a setting.
    pub(super) fn of_project<T: Clone>(&self, field: Field<T>) -> Option<T> {
        let file = self.files.iter().find(|file| file.of_project)?;
        Some(field(&file.config).as_ref()?.value.clone())
    }

    fn variable<T>(
        &mut self,
        variable: Option<&str>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<(T, Origin)> {
        let variable = variable?;
        let text = set(self.environment, variable)?;
        match parse(text) {
            Ok(value) => Some((value, Origin::Variable(variable.to_owned()))),
            Err(message) => {
                self.diagnostics.push(in_variable("bad-value", variable, text, message));
                None
            }
        }
    }

    /// Remembers a setting for people to see.
    pub(super) fn note(&mut self, key: &str, value: Value, origin: Origin) {
        self.settings.push(Setting { key: key.to_owned(), value, origin });
    }

    /// `values:` of all files, nearer ones over farther ones, mapping by mapping.
    pub(super) fn values(&mut self) -> Map<String, Value> {
        let mut merged = Map::new();
        let mut leaves = BTreeMap::new();
        for file in self.files.iter().rev() {
            for (name, node) in &file.config.values {
                lay(&mut merged, name, node);
                collect(&format!("values.{name}"), node, file, &mut leaves);
            }
        }
        self.settings.extend(leaves.into_values());
        merged
    }

    /// Where secrets come from, with absolute paths.
    pub(super) fn secrets(&mut self) -> BTreeMap<String, Secret> {
        let mut secrets = BTreeMap::new();
        let mut settings = BTreeMap::new();
        for file in self.files.iter().rev() {
            for (name, secret) in &file.config.secrets {
                let resolved = match &secret.value {
                    Secret::File(path) => {
                        Secret::File(absolute(&file.folder, self.home(), path).display().to_string())
                    }
                    other => other.clone(),
                };
                let key = format!("secrets.{name}");
                let setting = Setting { key, value: place_of(&resolved), origin: file.origin(secret.span) };
                settings.insert(name.clone(), setting);
                secrets.insert(name.clone(), resolved);
            }
        }
        self.settings.extend(settings.into_values());
        secrets
    }

    /// What modules are configured with; a nearer value of a name replaces a farther one.
    pub(super) fn modules(&mut self) -> (BTreeMap<String, Map<String, Value>>, Vec<WrittenValue>) {
        let mut modules = BTreeMap::<String, Map<String, Value>>::new();
        let (mut settings, mut written) = (BTreeMap::new(), Vec::new());
        for file in self.files.iter().rev() {
            for (module, values) in &file.config.modules {
                let merged = modules.entry(module.clone()).or_default();
                for (name, node) in values {
                    let key = format!("modules.{module}.{name}");
                    let setting = Setting { key, value: node.to_json(), origin: file.origin(node.span) };
                    settings.insert((module.clone(), name.clone()), setting);
                    merged.insert(name.clone(), node.to_json());
                    let (module, name) = (module.clone(), name.clone());
                    let (source, span, value) = (file.source.clone(), node.span, node.to_json());
                    written.push(WrittenValue { module, name, value, source, span });
                }
            }
        }
        self.settings.extend(settings.into_values());
        (modules, written)
    }

    /// Tool calls of modules at once; a nearer file wins.
    pub(super) fn calls_of(&mut self) -> BTreeMap<String, usize> {
        let (mut calls, mut settings) = (BTreeMap::new(), BTreeMap::new());
        for file in self.files.iter().rev() {
            for (module, most) in &file.config.limits.modules {
                let (key, origin) = (format!("limits.modules.{module}"), file.origin(most.span));
                settings.insert(module.clone(), Setting { key, value: json!(most.value), origin });
                calls.insert(name::fold(module), most.value as usize);
            }
        }
        self.settings.extend(settings.into_values());
        calls
    }

    /// Configured folders of skills, nearest first.
    pub(super) fn skills(&mut self) -> Vec<SkillFolder> {
        let mut folders = Vec::new();
        for file in &self.files {
            for of in &file.config.skills {
                let folder = absolute(&file.folder, self.home(), &of.folder.value);
                let key = format!("skills[{}]", folders.len());
                let value = json!({"folder": folder, "lenient": of.lenient});
                self.settings.push(Setting { key, value, origin: file.origin(of.folder.span) });
                folders.push(SkillFolder { folder, lenient: of.lenient });
            }
        }
        folders
    }

    /// Configured folders of tool modules, nearest first.
    pub(super) fn tools(&mut self) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for file in &self.files {
            for of in &file.config.tools {
                let folder = absolute(&file.folder, self.home(), &of.value);
                let key = format!("tools[{}]", folders.len());
                self.settings.push(Setting { key, value: json!(folder), origin: file.origin(of.span) });
                folders.push(folder);
            }
        }
        folders
    }

    /// A configured command: the nearest file that has one decides.
    pub(super) fn command(
        &mut self,
        key: &str,
        of: impl Fn(&Config) -> &Option<Vec<Spanned<String>>>,
    ) -> Option<Vec<String>> {
        let (file, command) = self.files.iter().find_map(|file| Some((file, of(&file.config).as_ref()?)))?;
        let origin = command.first().map_or(Origin::Default, |first| file.origin(first.span));
        let command: Vec<String> = command.iter().map(|part| part.value.clone()).collect();
        self.settings.push(Setting { key: key.to_owned(), value: json!(command), origin });
        Some(command)
    }

    /// A path, relative to the file that it was written in or else to the working folder.
    pub(super) fn resolve(&self, origin: Option<&Origin>, path: &str) -> PathBuf {
        let file = self.files.iter().find(|file| match origin {
            Some(Origin::File { path, .. }) => **path == *file.source.path,
            _ => false,
        });
        absolute(file.map_or(self.folder, |file| &file.folder), self.home(), path)
    }

    /// Everything that was remembered, by key, and everything that is wrong.
    pub(super) fn finish(mut self) -> (Vec<Setting>, Vec<Diagnostic>) {
        self.refuse_unknown_variables();
        self.settings.sort_by(|a, b| a.key.cmp(&b.key));
        (self.settings, self.diagnostics)
    }

    fn home(&self) -> Option<&'a str> {
        set(self.environment, "HOME")
    }
}

/// The variable that says a setting.
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "_"))
}

/// The same question about a name at hand; asked for each setting at each start, so nothing is made for it.
pub(super) fn is_of(name: &str, key: &str) -> bool {
    let upper = |byte: u8| if byte == b'.' { b'_' } else { byte.to_ascii_uppercase() };
    name.strip_prefix(PREFIX).is_some_and(|name| name.bytes().eq(key.bytes().map(upper)))
}

impl File {
    fn value<T: Clone>(&self, field: Field<T>) -> Option<(T, Origin)> {
        let written = field(&self.config).as_ref()?;
        Some((written.value.clone(), self.origin(written.span)))
    }

    fn origin(&self, span: Span) -> Origin {
        Origin::File { path: self.source.path.to_string(), line: self.source.place(span.start).line }
    }
}

fn in_variable(code: &'static str, variable: &str, text: &str, message: String) -> Diagnostic {
    let source = Source::new(format!("environment variable {variable}"), text);
    let span = Span { start: 0, end: u32::try_from(text.len()).unwrap_or(u32::MAX) };
    Diagnostic::error(code, &source, span, message)
}

/// Lays a nearer value over a farther one; only mappings are merged.
fn lay(below: &mut Map<String, Value>, name: &str, node: &Node) {
    match (&node.kind, below.get_mut(name)) {
        (Kind::Map(entries), Some(Value::Object(merged))) => {
            for (key, node) in entries {
                lay(merged, &key.value, node);
            }
        }
        _ => {
            below.insert(name.to_owned(), node.to_json());
        }
    }
}

/// The leaves of a value with their origins; a nearer value replaces what lies below its key.
fn collect(key: &str, node: &Node, file: &File, leaves: &mut BTreeMap<String, Setting>) {
    match &node.kind {
        Kind::Map(entries) if !entries.is_empty() => {
            leaves.remove(key);
            for (name, node) in entries {
                collect(&format!("{key}.{}", name.value), node, file, leaves);
            }
        }
        Kind::Map(_) if leaves.keys().any(|known| known.starts_with(&format!("{key}."))) => {}
        _ => {
            let below = format!("{key}.");
            leaves.retain(|known, _| !known.starts_with(&below));
            let origin = file.origin(node.span);
            leaves.insert(key.to_owned(), Setting { key: key.to_owned(), value: node.to_json(), origin });
        }
    }
}

fn place_of(secret: &Secret) -> Value {
    match secret {
        Secret::Env(variable) => json!({"env": variable}),
        Secret::File(path) => json!({"file": path}),
        Secret::Command(argv) => json!({"command": argv}),
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

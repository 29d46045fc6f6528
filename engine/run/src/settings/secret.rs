//! Secrets: opened when they are needed, never before, and never shown or logged.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aa_spec::config::Secret;
use aa_spec::name;
use async_trait::async_trait;
use rustix::fs::{Access, access};

use super::places::set;
use super::variables::Variables;
use super::{Settings, Shown};
use crate::driver::Secrets;
use crate::home::file;
use crate::tool::CallContext;
use crate::tool::process::{Environment, Invocation, Launcher, Show};

/// How long a command may take to print a secret.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the answer of a command is kept, so that a hundred items do not ask a hundred times.
const FRESH: Duration = Duration::from_mins(1);

/// The longest secret that a command may print, in bytes.
const LONGEST: usize = 64 << 10;

/// Opens the configured secrets.
pub struct SecretStore {
    sources: BTreeMap<String, Secret>,
    environment: Variables,
    folder: PathBuf,
    launcher: Launcher,
    printed: Mutex<HashMap<String, (Instant, String)>>,
}

impl SecretStore {
    /// The secrets that the settings name.
    pub fn new(settings: &Settings) -> Self {
        Self {
            sources: settings.secrets.clone(),
            environment: settings.environment.clone(),
            folder: settings.folder.clone(),
            launcher: Launcher::new(Environment::of(&settings.environment), LONGEST),
            printed: Mutex::default(),
        }
    }

    /// The secrets that keys are, and nothing else.
    pub(crate) fn of_keys(settings: &Settings) -> Self {
        let shown = settings.serve.keys.iter().filter_map(|key| match &key.shown {
            Shown::Secret { name, source } => Some((name.clone(), source.clone())),
            Shown::Hash(_) => None,
        });
        Self { sources: shown.collect(), ..Self::new(settings) }
    }

    /// Names of all secrets.
    pub fn names(&self) -> Vec<String> {
        self.sources.keys().cloned().collect()
    }

    /// What is wrong with where secrets come from, as far as it can be seen without opening them.
    pub fn doubts(&self) -> Vec<String> {
        self.sources.iter().filter_map(|(name, source)| self.doubt(name, source)).collect()
    }

    /// Names of secrets that cannot be read, as far as it can be seen without opening them.
    pub fn unreadable(&self) -> Vec<String> {
        let obstructed = self.sources.iter().filter(|(_, source)| self.obstacle(source).is_some());
        obstructed.map(|(name, _)| name.clone()).collect()
    }

    fn doubt(&self, name: &str, source: &Secret) -> Option<String> {
        let open = || match source {
            Secret::File(path) if fs::metadata(path).is_ok_and(|file| others_can_read(&file)) => {
                Some(format!("everybody on this machine can read `{path}`"))
            }
            _ => None,
        };
        self.obstacle(source).or_else(open).map(|doubt| format!("secret `{name}`: {doubt}"))
    }

    /// What keeps a secret from being read.
    fn obstacle(&self, source: &Secret) -> Option<String> {
        match source {
            Secret::Env(variable) if set(&self.environment, variable).is_none() => {
                Some(format!("the environment variable `{variable}` is not set"))
            }
            Secret::Env(_) => None,
            Secret::File(path) => {
                let error = access(path.as_str(), Access::READ_OK).err()?;
                Some(format!("cannot read `{path}`: {}", io::Error::from(error)))
            }
            Secret::Command(argv) => {
                let program = argv.first()?;
                let found = self.launcher.environment().find(program, &self.folder);
                found.is_none().then(|| format!("there is no program `{program}`"))
            }
        }
    }

    async fn print(&self, name: &str, argv: &[String]) -> Result<String, String> {
        let kept = |of: &(Instant, String)| (of.0.elapsed() < FRESH).then(|| of.1.clone());
        let known = self.printed.lock().unwrap_or_else(PoisonError::into_inner).get(name).and_then(kept);
        if let Some(value) = known {
            return Ok(value);
        }
        let invocation = Invocation {
            argv: argv.to_vec(),
            pass: self.environment.keys().cloned().collect(),
            timeout: Some(PATIENCE),
            show: Show::Errors,
            ..Invocation::default()
        };
        let context = CallContext::detached(&self.folder);
        // Whatever else the command printed may hold a part of the secret.
        let finished = self.launcher.launch(&context, &invocation).await.map_err(|error| error.message)?;
        if !finished.status.success() {
            return Err(format!("its command failed: {}", finished.status));
        }
        let text =
            String::from_utf8(finished.stdout).map_err(|_| "what it printed is not UTF-8".to_owned())?;
        let value = without_line_end(&text).to_owned();
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed.insert(name.to_owned(), (Instant::now(), value.clone()));
        Ok(value)
    }
}

#[async_trait]
impl Secrets for SecretStore {
    async fn reveal(&self, name: &str) -> Result<String, String> {
        let Some(source) = self.sources.get(name) else {
            let near = name::suggest(name, self.sources.keys().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(format!("there is none in the configuration{hint}"));
        };
        let value = match source {
            Secret::Env(variable) => set(&self.environment, variable)
                .map(str::to_owned)
                .ok_or_else(|| format!("the environment variable `{variable}` is not set")),
            Secret::File(path) => read(Path::new(path)),
            Secret::Command(argv) => self.print(name, argv).await,
        };
        match value {
            Ok(value) if value.is_empty() => Err("it is empty".to_owned()),
            answer => answer,
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    if fs::metadata(path).is_ok_and(|file| others_can_read(&file)) {
        tracing::warn!(path = %path.display(), "everybody on this machine can read this secret");
    }
    let shown = path.display().to_string();
    let source = file::read(path, &shown).map_err(|error| error.to_string())?;
    let source = source.ok_or_else(|| format!("there is no file `{shown}`"))?;
    Ok(without_line_end(&source.text).to_owned())
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[cfg(unix)]
fn others_can_read(file: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn others_can_read(_: &fs::Metadata) -> bool {
    false
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretStore").field("names", &self.names()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn store(sources: &[(&str, Secret)], variables: &[(&str, &str)]) -> SecretStore {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment: Variables = [("PATH", "/usr/bin:/bin")].iter().chain(variables).map(own).collect();
        SecretStore {
            sources: sources.iter().map(|(name, secret)| ((*name).to_owned(), secret.clone())).collect(),
            launcher: Launcher::new(Environment::of(&environment), LONGEST),
            environment,
            folder: std::env::temp_dir(),
            printed: Mutex::default(),
        }
    }

    fn command(script: &str) -> Secret {
        Secret::Command(["sh", "-c", script].map(str::to_owned).to_vec())
    }

    #[tokio::test]
    async fn secrets_come_from_variables_files_and_commands() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "from file\r\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let file = Secret::File(path.display().to_string());
        let sources = [("A", Secret::Env("TOKEN".to_owned())), ("B", file), ("C", command("echo from $WHO"))];
        let store = store(&sources, &[("TOKEN", "from env"), ("WHO", "command")]);
        assert_eq!(store.reveal("A").await.unwrap(), "from env");
        assert_eq!(store.reveal("B").await.unwrap(), "from file");
        assert_eq!(store.reveal("C").await.unwrap(), "from command");
        assert_eq!(store.doubts(), Vec::<String>::new());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(store.doubts().len(), 1);
        assert!(!format!("{store:?}").contains("from"));
    }

    #[tokio::test]
    async fn a_command_is_asked_once() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let script = format!("echo x >> {0}; wc -l < {0}", count.display());
        let store = store(&[("A", command(&script))], &[]);
        assert_eq!(store.reveal("A").await, store.reveal("A").await);
        assert_eq!(fs::read_to_string(count).unwrap(), "x\n");
    }

    #[tokio::test]
    async fn errors_say_why_and_nothing_of_the_secret() {
        let sources = [
            ("UNSET", Secret::Env("NOPE".to_owned())),
            ("GONE", Secret::File("/nowhere/token".to_owned())),
            ("FAILS", command("echo hunter2; echo hunter2 >&2; exit 3")),
            ("EMPTY", command("true")),
        ];
        let store = store(&sources, &[]);
        let mut errors = Vec::new();
        for name in ["UNSET", "GONE", "FAILS", "EMPTY", "FAIL"] {
            errors.push(store.reveal(name).await.unwrap_err());
        }
        insta::assert_snapshot!(errors.join("\n"), @r"
    the environment variable `NOPE` is not set
    there is no file `/nowhere/token`
    its command failed: exit status: 3
    it is empty
    there is none in the configuration; did you mean `FAILS`?
    ");
        assert!(!errors.concat().replace("echo hunter2", "").contains("hunter2"));
        assert_eq!(store.doubts().len(), 2);
        assert_eq!(store.unreadable(), ["GONE", "UNSET"]);
    }
}

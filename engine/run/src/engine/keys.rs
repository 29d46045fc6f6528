//! Who may come in over a network, and to which personas an address belongs.

use std::path::PathBuf;
use std::sync::Arc;

use aa_spec::config::Secret;
use aa_spec::name::{fold, suggest};

use super::Engine;
use super::stamps::Stamp;
use crate::driver::Secrets;
use crate::home::Kind;
use crate::key::{Guest, KeyError, Keys, token, token_file};
use crate::persona::ViewError;
use crate::settings::{SecretStore, Settings, SettingsError, Shown, Surroundings, config_file};
use crate::token::Issuers;

/// The keys that open, read again when what says so has changed.
#[derive(Debug)]
pub struct Keyring {
    engine: Engine,
    /// The files that say who may come in, as they were before they were read.
    seen: Vec<Stamp>,
    /// Whose tokens open, with the keys that were fetched for them.
    issuers: Option<Arc<Issuers>>,
}

impl Keyring {
    /// The keys that open now: the store's token, and those of the configuration.
    ///
    /// # Errors
    /// One of them cannot be opened or is too weak: then none opens.
    pub async fn read(&mut self) -> Result<Keys, KeyError> {
        let settings = self.engine.settings_now()?;
        self.watch(&settings);
        let secrets = SecretStore::of_keys(&settings);
        let mut keys = Keys::default();
        keys.add(&token(&settings.state_folder)?, Guest::local())?;
        for key in &settings.serve.keys {
            let guest = Guest {
                principal: key.principal.clone(),
                tenant: key.tenant.clone(),
                expires: key.expires,
                personas: key.personas.as_ref().map(|names| names.iter().map(|name| fold(name)).collect()),
                rules: key.rules,
                grants: key.grants.clone(),
                issuer: None,
            };
            match &key.shown {
                Shown::Hash(hash) => keys.add_hash(*hash, guest)?,
                Shown::Secret { name, .. } => {
                    let opened = secrets.reveal(name).await;
                    let text = opened.map_err(|message| KeyError::Secret {
                        principal: key.principal.clone(),
                        secret: name.clone(),
                        message,
                    })?;
                    keys.add(&text, guest)?;
                }
            }
        }
        if !settings.serve.issuers.is_empty() {
            keys.trust(self.issuers(&settings));
        }
        Ok(keys)
    }

    /// Those of before when they are the same, with what was fetched for them.
    fn issuers(&mut self, settings: &Settings) -> Arc<Issuers> {
        let wanted = &settings.serve.issuers;
        let known = self.issuers.take().filter(|known| known.are(wanted));
        let issuers = known.unwrap_or_else(|| Arc::new(Issuers::new(&self.engine, wanted)));
        Arc::clone(self.issuers.insert(issuers))
    }

    /// The same when a file has changed since they were read, or tried to be read; else nothing.
    pub async fn read_if_changed(&mut self) -> Option<Result<Keys, KeyError>> {
        let now: Vec<Stamp> = self.seen.iter().map(|stamp| Stamp::of(&stamp.path)).collect();
        if now == self.seen {
            return None;
        }
        self.seen = now;
        Some(self.read().await)
    }

    /// Watches the secrets that the configuration names by now, too. What was looked at before stays as it
    /// was then: a file may have changed again since.
    fn watch(&mut self, settings: &Settings) {
        let secrets = settings.serve.keys.iter().filter_map(|key| match &key.shown {
            Shown::Secret { source: Secret::File(path), .. } => Some(PathBuf::from(path)),
            Shown::Secret { .. } | Shown::Hash(_) => None,
        });
        for path in files(settings).into_iter().chain(secrets) {
            if self.seen.iter().all(|stamp| stamp.path != path) {
                self.seen.push(Stamp::of(&path));
            }
        }
    }
}

/// The files that always count, whether they are there or not.
fn files(settings: &Settings) -> Vec<PathBuf> {
    let user = config_file(&settings.config_folder);
    let project = settings.project_folder.as_deref().map(config_file);
    [user, token_file(&settings.state_folder)].into_iter().chain(project).collect()
}

impl Engine {
    /// Who may come in, read when it is asked.
    pub fn keyring(&self) -> Keyring {
        let seen = files(self.settings()).iter().map(|path| Stamp::of(path)).collect();
        Keyring { engine: self.clone(), seen, issuers: None }
    }

    /// The settings as the files are now, over the same store.
    fn settings_now(&self) -> Result<Settings, SettingsError> {
        let settings = self.settings();
        Settings::resolve(&Surroundings {
            folder: settings.folder.clone(),
            environment: settings.environment.clone(),
            store: Some(settings.state_folder.clone()),
        })
    }

    /// The canonical name of a persona; its file is not read.
    ///
    /// # Errors
    /// There is none, or a folder of personas cannot be read.
    pub fn persona_name(&self, name: &str) -> Result<String, ViewError> {
        let home = &self.parts.home;
        if let Some(entry) = home.find(Kind::Persona, name)? {
            return Ok(entry.name);
        }
        let known = home.list(Kind::Persona)?;
        let near = suggest(name, known.iter().map(|entry| entry.name.as_str()));
        Err(ViewError::UnknownPersona { name: name.to_owned(), suggestion: near.map(str::to_owned) })
    }
}

//! Who may come in over a network, and to which personas an address belongs.

use aa_spec::name::{fold, suggest};

use super::Engine;
use crate::driver::Secrets;
use crate::home::Kind;
use crate::key::{Guest, KeyError, Keys, token};
use crate::persona::ViewError;

impl Engine {
    /// The keys that open: the store's token, and those of the configuration.
    ///
    /// # Errors
    /// One of them cannot be opened or is too weak: then none opens.
    pub async fn keys(&self) -> Result<Keys, KeyError> {
        let settings = self.settings();
        let mut keys = Keys::default();
        keys.add(&token(&settings.state_folder)?, Guest::local())?;
        for key in &settings.serve.keys {
            let opened = self.parts.secrets.reveal(&key.secret).await;
            let text = opened.map_err(|message| KeyError::Secret {
                principal: key.principal.clone(),
                secret: key.secret.clone(),
                message,
            })?;
            let personas = key.personas.as_ref().map(|names| names.iter().map(|name| fold(name)).collect());
            keys.add(&text, Guest { principal: key.principal.clone(), personas })?;
        }
        Ok(keys)
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

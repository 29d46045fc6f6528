//! What a service has to be given of the environment, so that it reads the configuration that was seen here.

use std::collections::{BTreeMap, BTreeSet};

use aa_spec::config::Secret;

use super::layer::is_of;
use super::places::set;
use super::{Settings, Shown};

/// Variables that say where the user's folders are, and which zone clocks show.
const USUAL: [&str; 3] = ["HOME", "XDG_CONFIG_HOME", "TZ"];

/// What can be written into a file for others to start with, and what cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Variables with their values.
    pub variables: BTreeMap<String, String>,
    /// Names of variables that are left out as their values are secret.
    pub secret: BTreeSet<String>,
}

impl Settings {
    /// The variables that decide these settings, and those that hold their secrets. The folder of the store is not
    /// among them: whoever starts a service names it.
    pub fn carried(&self) -> Carried {
        let own = ("AA_CONFIG_DIR", self.config_folder.display().to_string());
        let own = set(&self.environment, own.0).map(|_| own);
        let decides = |name: &str| USUAL.contains(&name) || self.is_setting(name);
        let given = self.environment.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let given = given.filter(|(name, value)| !value.is_empty() && decides(name)).chain(own);
        let mut carried = Carried { secret: self.secret_variables(), ..Carried::default() };
        for (name, value) in given {
            if carried.secret.contains(name) || has_password(&value) {
                carried.secret.insert(name.to_owned());
            } else {
                carried.variables.insert(name.to_owned(), value);
            }
        }
        carried
    }

    /// Whether a variable says one of the settings, the store's folder apart.
    fn is_setting(&self, name: &str) -> bool {
        let others = self.origins.iter().filter(|setting| setting.key != "store.folder");
        others.into_iter().any(|setting| is_of(name, &setting.key))
    }

    /// Variables that are set and that secrets come from.
    fn secret_variables(&self) -> BTreeSet<String> {
        let keys = self.serve.keys.iter().filter_map(|key| match &key.shown {
            Shown::Secret { source, .. } => Some(source),
            Shown::Hash(_) => None,
        });
        let variables = self.secrets.values().chain(keys).filter_map(|source| match source {
            Secret::Env(variable) => set(&self.environment, variable).map(|_| variable.clone()),
            _ => None,
        });
        variables.collect()
    }
}

/// Whether a text is an address with the name of a user in it, and so maybe a password.
fn has_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::super::Surroundings;
    use super::*;

    #[test]
    fn what_decides_settings_is_carried_and_secrets_are_not() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("conf");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.yaml"), "secrets: {A: {env: TOKEN}, B: {env: UNSET}}\n").unwrap();
        let environment = [
            ("HOME", home.path().to_str().unwrap()),
            ("AA_CONFIG_DIR", "conf"),
            ("AA_STATE_DIR", "state"),
            ("AA_LIMITS_CALLS", "3"),
            ("AA_HTTP_PROXY", "http://ann:hunter2@proxy:3128"),
            ("TOKEN", "hunter2"),
            ("TZ", "Europe/Berlin"),
            ("EDITOR", "vi"),
        ];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let surroundings = Surroundings {
            folder: home.path().to_owned(),
            environment: environment.into_iter().map(own).collect(),
            store: None,
        };
        let carried = Settings::resolve(&surroundings).unwrap().carried();
        let names: Vec<&str> = carried.variables.keys().map(String::as_str).collect();
        assert_eq!(names, ["AA_CONFIG_DIR", "AA_LIMITS_CALLS", "HOME", "TZ"]);
        assert_eq!(carried.variables["AA_CONFIG_DIR"], folder.to_str().unwrap());
        assert_eq!(carried.secret, ["AA_HTTP_PROXY", "TOKEN"].map(str::to_owned).into());
    }
}

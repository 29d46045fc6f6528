//! Which folders there are, by the environment and the working folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Origin, SettingsError};

/// Our folder within those that all programs share.
const OURS: &str = "aa-workflow";

/// The configuration file of a configuration folder.
pub fn config_file(folder: &Path) -> PathBuf {
    folder.join("config.yaml")
}

/// The user's configuration folder.
pub(super) fn config_folder(
    folder: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<PathBuf, SettingsError> {
    if let Some(own) = set(environment, "AA_CONFIG_DIR") {
        return Ok(folder.join(own));
    }
    shared(environment, "XDG_CONFIG_HOME", ".config")
        .ok_or(SettingsError::NoHome { variable: "AA_CONFIG_DIR", what: "the configuration" })
}

/// The folder of the store when no setting names one.
pub(super) fn state_folder(
    folder: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<(PathBuf, Origin), SettingsError> {
    if let Some(own) = set(environment, "AA_STATE_DIR") {
        return Ok((folder.join(own), Origin::Variable("AA_STATE_DIR".to_owned())));
    }
    shared(environment, "XDG_STATE_HOME", ".local/state")
        .map(|folder| (folder, Origin::Default))
        .ok_or(SettingsError::NoHome { variable: "AA_STATE_DIR", what: "the store" })
}

/// The folder of a project's skills, tools, personas and configuration.
pub(crate) const PROJECT: &str = ".aa";

/// The nearest `.aa` folder from the working folder upwards.
pub(crate) fn project_folder(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|above| above.join(PROJECT)).find(|candidate| candidate.is_dir())
}

/// The value of a variable that is set and not empty.
pub(super) fn set<'a>(environment: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

fn shared(environment: &BTreeMap<String, String>, variable: &str, below_home: &str) -> Option<PathBuf> {
    // The standard says to ignore a relative one.
    let xdg = set(environment, variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || set(environment, "HOME").map(|home| Path::new(home).join(below_home));
    xdg.or_else(home).map(|base| base.join(OURS))
}

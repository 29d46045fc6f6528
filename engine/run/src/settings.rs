//! The resolved configuration: nothing optional left, every value with its origin.

use std::path::PathBuf;

/// What the engine needs to know of its surroundings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The working folder.
    pub folder: PathBuf,
    /// The user's configuration folder.
    pub config_folder: PathBuf,
    /// The project's `.aa` folder, if there is one.
    pub project_folder: Option<PathBuf>,
    /// The store's folder.
    pub state_folder: PathBuf,
}

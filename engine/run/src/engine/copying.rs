//! Copies of the store, for front ends.

use std::path::{Path, PathBuf};

use super::{Engine, StartError};
use crate::store::{self, Copied};

impl Engine {
    /// Copies the store into a new folder while others go on.
    ///
    /// # Errors
    /// The folder is there already, or something cannot be read or written.
    pub fn back_up(&self, folder: &Path) -> Result<Copied, StartError> {
        Ok(self.parts.store()?.copy_to(folder)?)
    }

    /// Puts a copy in the place of the store, which no process may use. Gives what it holds, and where the store that
    /// was there is now.
    ///
    /// # Errors
    /// The copy is not whole, a process uses the store, or something cannot be written.
    pub fn restore(&self, copy: &Path) -> Result<(Copied, Option<PathBuf>), StartError> {
        Ok(store::restore(copy, &self.settings().state_folder)?)
    }
}

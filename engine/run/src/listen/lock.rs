//! One listener of a module at a time: a locked file, let go by the death of its process.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use aa_spec::tool::ErrorKind;

use crate::cause::cause;
use crate::event::StepError;

/// That nobody else listens for a module, for as long as this lives.
#[derive(Debug)]
pub struct Lock {
    // Held, not read: closing it lets the lock go.
    _file: File,
}

impl Lock {
    /// Takes the lock of a module.
    ///
    /// # Errors
    /// Another process has it, or the file cannot be made.
    pub fn take(folder: &Path, module: &str) -> Result<Self, StepError> {
        let failed = |error: &dyn std::fmt::Display| {
            let message = format!("cannot lock the listener in `{}`: {error}", folder.display());
            StepError::new(ErrorKind::Permanent, message)
        };
        fs::create_dir_all(folder).map_err(|error| failed(&cause(&error)))?;
        let path = folder.join(format!("{module}.lock"));
        let file =
            File::options().create(true).append(true).open(path).map_err(|error| failed(&cause(&error)))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                let message = format!("another process listens for `{module}` already");
                Err(StepError::new(ErrorKind::Invalid, message))
            }
            Err(TryLockError::Error(error)) => Err(failed(&cause(&error))),
        }
    }
}

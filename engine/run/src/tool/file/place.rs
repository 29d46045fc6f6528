//! Where files are: copy, move and remove them, create folders.

use std::fs;
use std::io;
use std::path::Path;

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::content::beside;
use super::{OnlyPath, cannot, is_missing, resolve, resolve_tree};
use crate::tool::native::{Brake, Face, Native, blocking, invalid};
use crate::tool::sent::Sent;
use crate::tool::{CallContext, ToolError};

/// `file_copy`.
pub(in crate::tool) struct FileCopy;

/// `file_move`.
pub(in crate::tool) struct FileMove;

/// `file_remove`.
pub(in crate::tool) struct FileRemove;

/// `folder_create`.
pub(in crate::tool) struct FolderCreate;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct FromTo {
    /// The file or folder, relative to the run's folder.
    from: String,
    /// Its new path, name included.
    to: String,
    /// Whether to replace a file that exists.
    #[serde(default)]
    overwrite: bool,
}

#[derive(Default, Serialize, JsonSchema)]
pub(in crate::tool) struct Copied {
    /// The new path.
    path: String,
    /// How many files.
    files: u64,
    /// Their size in bytes.
    bytes: u64,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tool) struct Moved {
    /// The new path.
    path: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct RemoveArgs {
    /// The file or folder, relative to the run's folder.
    path: String,
    /// Whether to remove a folder with all that is in it.
    #[serde(default)]
    recursive: bool,
    /// Whether it is fine when there is nothing to remove.
    #[serde(default = "yes")]
    missing_ok: bool,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tool) struct Removed {
    /// Whether there was something to remove.
    removed: bool,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tool) struct Created {
    /// The folder.
    path: String,
    /// Whether it is new.
    created: bool,
}

const fn yes() -> bool {
    true
}

#[async_trait]
impl Native for FileCopy {
    type Args = FromTo;
    type Output = Copied;

    const FACE: Face = Face {
        name: "file_copy",
        module: "file",
        description: "Copies a file, or a folder with all that is in it",
        effect: Effect::Write,
        idempotent: false,
    };

    async fn call(&self, context: &CallContext, args: FromTo) -> Result<Copied, ToolError> {
        let (from, to) = (resolve_tree(context, &args.from)?, resolve(context, &args.to)?);
        let sent = context.sent.clone();
        blocking(context, move |brake| {
            refuse_existing(&to, args.overwrite)?;
            refuse_inside(&from, &to)?;
            let mut copied = Copied { path: args.to, ..Copied::default() };
            copy(&from, &to, (brake, &sent), &mut copied)?;
            Ok(copied)
        })
        .await
    }
}

#[async_trait]
impl Native for FileMove {
    type Args = FromTo;
    type Output = Moved;

    const FACE: Face = Face {
        name: "file_move",
        module: "file",
        description: "Moves or renames a file or folder",
        effect: Effect::Write,
        idempotent: false,
    };

    async fn call(&self, context: &CallContext, args: FromTo) -> Result<Moved, ToolError> {
        let (from, to) = (resolve_tree(context, &args.from)?, resolve(context, &args.to)?);
        let sent = context.sent.clone();
        blocking(context, move |brake| {
            refuse_existing(&to, args.overwrite)?;
            refuse_inside(&from, &to)?;
            match fs::rename(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    copy(&from, &to, (brake, &sent), &mut Copied::default())?;
                    sent.out();
                    remove(&from, true, &sent)?;
                }
                moved => moved.map_err(|error| cannot("move", &from, &error))?,
            }
            Ok(Moved { path: args.to })
        })
        .await
    }
}

#[async_trait]
impl Native for FileRemove {
    type Args = RemoveArgs;
    type Output = Removed;

    const FACE: Face = Face {
        name: "file_remove",
        module: "file",
        description: "Removes a file, an empty folder, or with `recursive` a folder and all that is in it",
        effect: Effect::Destructive,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: RemoveArgs) -> Result<Removed, ToolError> {
        let path = resolve_tree(context, &args.path)?;
        let (folder, sent) = (context.folder.clone(), context.sent.clone());
        blocking(context, move |_| {
            refuse_ground(&path, &folder)?;
            match remove(&path, args.recursive, &sent) {
                Err(error) if error.kind == ErrorKind::NotFound && args.missing_ok => {
                    Ok(Removed { removed: false })
                }
                removed => removed.map(|()| Removed { removed: true }),
            }
        })
        .await
    }
}

#[async_trait]
impl Native for FolderCreate {
    type Args = OnlyPath;
    type Output = Created;

    const FACE: Face = Face {
        name: "folder_create",
        module: "file",
        description: "Creates a folder and the missing folders on the way",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: OnlyPath) -> Result<Created, ToolError> {
        let path = resolve(context, &args.path)?;
        blocking(context, move |_| {
            let created = !path.is_dir();
            fs::create_dir_all(&path).map_err(|error| cannot("create", &path, &error))?;
            Ok(Created { path: args.path, created })
        })
        .await
    }
}

/// What is there already may be a file that is to be replaced, and nothing else.
fn refuse_existing(to: &Path, overwrite: bool) -> Result<(), ToolError> {
    match fs::symlink_metadata(to) {
        Ok(there) if there.is_dir() => {
            Err(invalid(format!("cannot write `{}`: it is a folder; name the new file in it", to.display())))
        }
        Ok(_) if !overwrite => Err(cannot("write", to, &io::ErrorKind::AlreadyExists.into())),
        _ => Ok(()),
    }
}

/// A folder cannot be copied or moved into itself.
fn refuse_inside(from: &Path, to: &Path) -> Result<(), ToolError> {
    let real = fs::canonicalize(from).map_err(|error| cannot("read", from, &error))?;
    let place = to.ancestors().skip(1).find_map(|folder| fs::canonicalize(folder).ok());
    match place {
        Some(place) if real.is_dir() && place.starts_with(&real) => {
            Err(invalid(format!("`{}` lies inside `{}`", to.display(), from.display())))
        }
        _ => Ok(()),
    }
}

/// Nobody means to remove the ground a run stands on.
fn refuse_ground(path: &Path, folder: &Path) -> Result<(), ToolError> {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // Removing a link removes only the link.
    if !path.is_symlink() && real(folder).starts_with(real(path)) {
        return Err(invalid(format!("`{}` holds the run's own folder and is not removed", path.display())));
    }
    Ok(())
}

fn copy(
    from: &Path,
    to: &Path,
    (brake, sent): (&Brake, &Sent),
    copied: &mut Copied,
) -> Result<(), ToolError> {
    brake.check()?;
    let metadata = fs::symlink_metadata(from).map_err(|error| cannot("read", from, &error))?;
    let write_error = |error: io::Error| cannot("write", to, &error);
    if metadata.is_dir() {
        fs::create_dir(to).map_err(write_error)?;
        // A file is there whole or not at all; a folder may be there in part from now on.
        sent.out();
        for entry in fs::read_dir(from).map_err(|error| cannot("read", from, &error))? {
            let name = entry.map_err(|error| cannot("read", from, &error))?.file_name();
            copy(&from.join(&name), &to.join(&name), (brake, sent), copied)?;
        }
        return fs::set_permissions(to, metadata.permissions()).map_err(write_error);
    }
    let beside = beside(to, to.parent().unwrap_or_else(|| Path::new("/")));
    let made = if metadata.is_symlink() {
        fs::read_link(from).and_then(|target| std::os::unix::fs::symlink(target, &beside)).map(|()| 0)
    } else if metadata.is_file() {
        fs::copy(from, &beside)
    } else {
        return Err(invalid(format!("cannot copy `{}`: it is neither file nor folder", from.display())));
    };
    let placed = made.and_then(|bytes| fs::rename(&beside, to).map(|()| bytes));
    if placed.is_err() {
        let _gone = fs::remove_file(&beside);
    }
    copied.bytes += placed.map_err(write_error)?;
    copied.files += 1;
    Ok(())
}

fn remove(path: &Path, recursive: bool, sent: &Sent) -> Result<(), ToolError> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if is_missing(&error) => {
            return Err(cannot("remove", path, &io::ErrorKind::NotFound.into()));
        }
        metadata => metadata.map_err(|error| cannot("remove", path, &error))?,
    };
    let removed = match (metadata.is_dir(), recursive) {
        (true, true) => {
            sent.out();
            fs::remove_dir_all(path)
        }
        (true, false) => fs::remove_dir(path),
        (false, _) => fs::remove_file(path),
    };
    removed.map_err(|error| cannot("remove", path, &error))
}

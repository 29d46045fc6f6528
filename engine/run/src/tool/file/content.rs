//! What is in a file: read it, write it, add to it.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aa_spec::source::Source;
use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{cannot, open, resolve};
use crate::tool::native::{Face, Native, blocking, invalid};
use crate::tool::process::bytes;
use crate::tool::{CallContext, ToolError};

/// `file_read`.
pub(in crate::tool) struct FileRead {
    pub(in crate::tool) limit: usize,
}

/// `file_write`.
pub(in crate::tool) struct FileWrite;

/// `file_append`.
pub(in crate::tool) struct FileAppend;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct ReadArgs {
    /// The file, relative to the run's folder.
    path: String,
    /// How its text becomes a value.
    #[serde(default)]
    parse: Parse,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Parse {
    #[default]
    Text,
    Lines,
    Json,
    Yaml,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tool) struct WholeFile {
    /// The file.
    path: String,
    /// Its text, or what it was parsed to.
    content: Value,
    /// Size in bytes.
    bytes: usize,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct WriteArgs {
    /// The file, relative to the run's folder.
    path: String,
    /// Text; any other value is written as JSON.
    content: Value,
    /// Whether to replace a file that exists.
    #[serde(default = "yes")]
    overwrite: bool,
    /// Whether to create missing folders on the way.
    #[serde(default = "yes")]
    create_folders: bool,
    /// Permissions in octal, e.g. `0600`; without it those of the old file, or `0644`.
    #[serde(default)]
    #[schemars(regex(pattern = "^0?[0-7]{3}$"))]
    mode: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tool) struct Written {
    /// The file.
    path: String,
    /// Its size in bytes.
    bytes: usize,
    /// Whether anything changed: false when it had this content already.
    changed: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct AppendArgs {
    /// The file, relative to the run's folder; created when it does not exist.
    path: String,
    /// Text to add at its end.
    content: String,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tool) struct Appended {
    /// The file.
    path: String,
    /// Its size in bytes afterwards.
    bytes: u64,
}

const fn yes() -> bool {
    true
}

#[async_trait]
impl Native for FileRead {
    type Args = ReadArgs;
    type Output = WholeFile;

    const FACE: Face = Face {
        name: "file_read",
        module: "file",
        description: "The content of a file, as text or parsed",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: ReadArgs) -> Result<WholeFile, ToolError> {
        let path = resolve(context, &args.path)?;
        let limit = self.limit;
        blocking(context, move |_| {
            let text = read_text(&path, limit)?;
            let parsed = parse(&text, args.parse, &args.path)?;
            Ok(WholeFile { path: args.path, content: parsed, bytes: text.len() })
        })
        .await
    }
}

#[async_trait]
impl Native for FileWrite {
    type Args = WriteArgs;
    type Output = Written;

    const FACE: Face = Face {
        name: "file_write",
        module: "file",
        description: "Writes a file: the whole content, or nothing when it fails",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: WriteArgs) -> Result<Written, ToolError> {
        let path = resolve(context, &args.path)?;
        blocking(context, move |_| write(&path, args)).await
    }
}

#[async_trait]
impl Native for FileAppend {
    type Args = AppendArgs;
    type Output = Appended;

    const FACE: Face = Face {
        name: "file_append",
        module: "file",
        description: "Adds text at the end of a file",
        effect: Effect::Write,
        idempotent: false,
    };

    async fn call(&self, context: &CallContext, args: AppendArgs) -> Result<Appended, ToolError> {
        let path = resolve(context, &args.path)?;
        let sent = context.sent.clone();
        blocking(context, move |_| {
            let add = || {
                let mut file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
                // Where there is no room for all of it, a part may be there.
                sent.out();
                file.write_all(args.content.as_bytes())?;
                file.sync_data()?;
                file.metadata()
            };
            let metadata = add().map_err(|error| cannot("write", &path, &error))?;
            Ok(Appended { path: args.path, bytes: metadata.len() })
        })
        .await
    }
}

fn read_text(path: &Path, limit: usize) -> Result<String, ToolError> {
    let mut content = Vec::new();
    let file = open(path)?;
    let read = file.take(limit as u64 + 1).read_to_end(&mut content);
    read.map_err(|error| cannot("read", path, &error))?;
    if content.len() > limit {
        let message = format!("cannot read `{}`: it has more than {}", path.display(), bytes(limit));
        return Err(ToolError::new(ErrorKind::Permanent, message));
    }
    String::from_utf8(content)
        .map_err(|_| invalid(format!("cannot read `{}`: it is not UTF-8", path.display())))
}

fn parse(text: &str, form: Parse, path: &str) -> Result<Value, ToolError> {
    match form {
        Parse::Text => Ok(text.into()),
        Parse::Lines => Ok(text.lines().collect()),
        Parse::Json => aa_spec::json::read(text.as_bytes())
            .map_err(|error| invalid(format!("`{path}` is no JSON: {error}"))),
        Parse::Yaml => match aa_spec::yaml::parse_exactly(&Source::new(path, text)) {
            Ok(node) => Ok(node.to_json()),
            Err(problem) => {
                let line = problem.place().line;
                Err(invalid(format!("`{path}` is no YAML: line {line}: {}", problem.message)))
            }
        },
    }
}

fn write(path: &Path, args: WriteArgs) -> Result<Written, ToolError> {
    let text = match args.content {
        Value::String(text) => text,
        value => format!("{value:#}\n"),
    };
    // A link stays a link: what it leads to is written.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let written = |changed| Written { path: args.path.clone(), bytes: text.len(), changed };
    let old = fs::metadata(&target).ok();
    let mode = wanted_mode(args.mode.as_deref(), old.as_ref())?;
    if let Some(old) = &old {
        if !args.overwrite {
            return Err(cannot("write", path, &io::ErrorKind::AlreadyExists.into()));
        }
        let same = old.len() == text.len() as u64
            && old.permissions().mode() & 0o777 == mode
            && fs::read(&target).is_ok_and(|content| content == text.as_bytes());
        if same {
            return Ok(written(false));
        }
    }
    let replace = || {
        let folder =
            target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        if args.create_folders {
            fs::create_dir_all(folder)?;
        }
        put(&target, folder, text.as_bytes(), mode, args.overwrite)
    };
    replace().map_err(|error| cannot("write", path, &error))?;
    Ok(written(true))
}

fn wanted_mode(mode: Option<&str>, old: Option<&fs::Metadata>) -> Result<u32, ToolError> {
    match mode {
        Some(mode) => u32::from_str_radix(mode, 8)
            .ok()
            .filter(|mode| *mode <= 0o777)
            .ok_or_else(|| invalid(format!("`mode`: `{mode}` is not like `0644`"))),
        None => Ok(old.map_or(0o644, |old| old.permissions().mode() & 0o777)),
    }
}

/// Writes a new file beside the target and puts it in the target's place.
fn put(target: &Path, folder: &Path, content: &[u8], mode: u32, overwrite: bool) -> io::Result<()> {
    let beside = beside(target, folder);
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(content)?;
        file.sync_all()?;
        // A rename replaces what is there; a link refuses to.
        if overwrite { fs::rename(&beside, target) } else { fs::hard_link(&beside, target) }
    })();
    if written.is_err() || !overwrite {
        let _gone = fs::remove_file(&beside);
    }
    written?;
    fs::File::open(folder)?.sync_all()
}

/// A name in the same folder that nobody else uses.
pub(super) fn beside(target: &Path, folder: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let short: String = name.chars().take(40).collect();
    folder.join(format!(".{short}.{:016x}.part", RandomState::new().hash_one(target)))
}

//! How far somebody reaches into the files of this machine.
//!
//! Runs and tools work as the user that `aa` runs as. Whoever owns the store is that user. A guest, who has shown a
//! key, is not: what a key opens is what its scopes say, and no tool may hand out the files that say who may come in.
//! Two bounds: what is *closed* to a guest stays closed in every run of theirs, and what a guest names (the arguments
//! of a call, the inputs of a run) lies within the folders that are *open*. The skills and modules themselves are the
//! owner's word, and may name other paths.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use reqwest::Url;
use serde_json::{Map, Value};

use crate::settings::PROJECT;

/// The bounds of one caller. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Fence {
    guest: Option<Arc<Bounds>>,
}

/// The bounds of a guest; all paths are real ones.
#[derive(Clone, Debug, Default)]
struct Bounds {
    /// What they may name; anything when there is no such bound.
    open: Option<Vec<PathBuf>>,
    /// What is nobody's but the owner's.
    closed: Vec<PathBuf>,
    /// What of that is not: the folders in which runs work.
    except: Vec<PathBuf>,
}

impl Fence {
    /// The fence of a guest: these files and folders are closed, with the exception of some within.
    pub fn closing(closed: &[PathBuf], except: &[PathBuf]) -> Self {
        let all = |paths: &[PathBuf]| paths.iter().filter_map(|path| real(path)).collect();
        Self { guest: Some(Arc::new(Bounds { open: None, closed: all(closed), except: all(except) })) }
    }

    /// The same for what is named by the guest: it lies within some folders, and not within others, nor in the `.aa` of a
    /// project anywhere below: whoever could write one would have anything run.
    #[must_use]
    pub fn within(&self, open: &[PathBuf], closed: &[PathBuf]) -> Self {
        let Some(guest) = &self.guest else { return Self::default() };
        let mut bounds = Bounds::clone(guest);
        bounds.open = Some(open.iter().filter_map(|path| real(path)).collect());
        bounds.closed.extend(closed.iter().filter_map(|path| real(path)));
        Self { guest: Some(Arc::new(bounds)) }
    }

    /// That commands may be run which whoever calls has written: they would reach whatever this process does.
    ///
    /// # Errors
    /// Why not.
    pub fn lets_commands(&self) -> Result<(), String> {
        match &self.guest {
            Some(guest) if guest.open.is_some() => {
                Err("commands of whoever asks with a key are not run; a skill can run them".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether requests go outward only: those that whoever calls has written would reach what else is on this machine
    /// and near it.
    pub fn keeps_outward(&self) -> bool {
        self.guest.as_ref().is_some_and(|guest| guest.open.is_some())
    }

    /// That a file or folder may be used; an absolute path, which need not exist.
    ///
    /// # Errors
    /// Why not.
    pub fn lets(&self, path: &Path) -> Result<(), String> {
        let Some(guest) = &self.guest else { return Ok(()) };
        // Where nobody can tell where a path leads, it leads nowhere.
        let reached = real(path).filter(|real| guest.reaches(real));
        reached.map(drop).ok_or_else(|| refusal(&path.display()))
    }

    /// That a folder may be used with everything below it.
    ///
    /// # Errors
    /// Why not.
    pub fn lets_tree(&self, path: &Path) -> Result<(), String> {
        self.lets(path)?;
        let holds = |guest: &Arc<Bounds>| real(path).is_some_and(|real| guest.is_within(&real));
        if self.guest.as_ref().is_some_and(holds) {
            return Err(format!(
                "`{}` holds files that are closed to whoever asks with a key",
                path.display()
            ));
        }
        Ok(())
    }

    /// That what is said names no file that may not be used, wherever in the values that is: as a path by itself, or
    /// after a `=` or `@`, as commands have it. Paths are relative to a folder. What names nothing that exists is a
    /// word like others; tools that make files look for themselves.
    ///
    /// # Errors
    /// Which one, and why.
    pub fn lets_values(&self, values: &Map<String, Value>, folder: &Path) -> Result<(), String> {
        if self.guest.is_none() {
            return Ok(());
        }
        values.iter().try_for_each(|(name, value)| {
            self.lets_value(value, folder).map_err(|why| format!("`{name}`: {why}"))
        })
    }

    fn lets_value(&self, value: &Value, folder: &Path) -> Result<(), String> {
        match value {
            Value::String(text) => self.lets_text(text, folder),
            Value::Array(items) => items.iter().try_for_each(|item| self.lets_value(item, folder)),
            Value::Object(entries) => entries.values().try_for_each(|value| self.lets_value(value, folder)),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    fn lets_text(&self, text: &str, folder: &Path) -> Result<(), String> {
        // Whatever reads an address reads it in its own way: so it leads to what is open, or nowhere.
        for address in file_addresses(text) {
            match Url::parse(address).ok().and_then(|url| url.to_file_path().ok()) {
                Some(path) => self.lets(&path)?,
                None => return Err(refusal(&address)),
            }
        }
        let named = paths_in(text).map(|path| folder.join(path));
        let mut there = named.filter(|path| path.symlink_metadata().is_ok());
        there.try_for_each(|path| self.lets(&path))
    }
}

impl Bounds {
    fn reaches(&self, real: &Path) -> bool {
        let within = |paths: &[PathBuf]| paths.iter().any(|path| real.starts_with(path));
        let closed = within(&self.closed) && !within(&self.except);
        let is_named = |open: &PathBuf| real.strip_prefix(open).is_ok_and(|rest| !holds_project(rest));
        !closed && self.open.as_ref().is_none_or(|open| open.iter().any(is_named))
    }

    /// Whether something that is closed lies below a folder.
    fn is_within(&self, real: &Path) -> bool {
        self.closed.iter().any(|closed| closed.starts_with(real))
    }
}

/// Whether a path leads into the `.aa` of a project; some file systems do not tell letters apart.
fn holds_project(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().eq_ignore_ascii_case(PROJECT))
}

fn refusal(path: &dyn std::fmt::Display) -> String {
    format!(
        "`{path}` is closed to whoever asks with a key; files in the project's folder and below `serve.folders` are open"
    )
}

/// The addresses of files in a text.
fn file_addresses(text: &str) -> impl Iterator<Item = &str> {
    const SCHEME: &str = "file:/";
    let small = text.to_ascii_lowercase();
    let starts: Vec<usize> = small.match_indices(SCHEME).map(|(start, _)| start).collect();
    let is_word = move |start: &usize| !text[..*start].ends_with(|before: char| before.is_alphanumeric());
    let ends = |letter: char| letter.is_whitespace() || "\"'`<>,;".contains(letter);
    starts.into_iter().filter(is_word).map(move |start| text[start..].split(ends).next().unwrap_or_default())
}

/// What may be a path in a text.
fn paths_in(text: &str) -> impl Iterator<Item = &str> {
    let after = |mark: char| text.split_once(mark).map(|(_, rest)| rest);
    let own = text.strip_prefix("file://").unwrap_or(text);
    [Some(own), after('='), after('@')].into_iter().flatten().filter(|path| !path.is_empty())
}

/// Where a path leads, through links; what does not exist is taken as it is written, below what does.
fn real(path: &Path) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return Some(real);
    }
    // A link to what does not exist leads to where a file would be made.
    let last = path.components().next_back()?;
    if !matches!(last, Component::Normal(_)) || path.is_symlink() {
        return None;
    }
    Some(real(path.parent()?)?.join(last))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    /// A project beside the files of the owner, some of which lie within it.
    struct Land {
        root: TempDir,
    }

    impl Land {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            for folder in ["work/sub", "work/.aa", "state/spaces/one", "other"] {
                fs::create_dir_all(root.path().join(folder)).unwrap();
            }
            for file in ["work/a", "state/token", "state/spaces/one/log", "other/b"] {
                fs::write(root.path().join(file), "").unwrap();
            }
            symlink(root.path().join("state"), root.path().join("work/way")).unwrap();
            symlink(root.path().join("state/none"), root.path().join("work/soon")).unwrap();
            Self { root }
        }

        fn path(&self, path: &str) -> PathBuf {
            self.root.path().join(path)
        }

        fn guest(&self) -> Fence {
            Fence::closing(&[self.path("state")], &[self.path("state/spaces")])
        }

        fn named(&self) -> Fence {
            self.guest().within(&[self.path("work")], &[self.path("work/.aa")])
        }
    }

    #[test]
    fn what_is_the_owners_is_closed_by_whatever_way() {
        let land = Land::new();
        let guest = land.guest();
        for closed in
            ["state", "state/token", "state/new", "work/way/token", "work/../state/token", "work/soon"]
        {
            assert!(guest.lets(&land.path(closed)).is_err(), "{closed}");
            assert!(Fence::default().lets(&land.path(closed)).is_ok(), "the owner: {closed}");
        }
        for open in ["work/a", "work/new/deep", "state/spaces/one/log", "other/b", "nowhere"] {
            assert!(guest.lets(&land.path(open)).is_ok(), "{open}");
        }
        // Nobody can tell where that would be.
        assert!(guest.lets(&land.path("work/none/../../state/token")).is_err());
    }

    #[test]
    fn a_folder_that_holds_what_is_closed_is_not_gone_through() {
        let land = Land::new();
        assert!(land.guest().lets_tree(&land.path("work")).is_ok());
        assert!(land.guest().lets_tree(land.root.path()).is_err());
        assert!(land.guest().lets(land.root.path()).is_ok());
    }

    #[test]
    fn what_a_guest_names_lies_in_what_is_open() {
        let land = Land::new();
        let named = land.named();
        assert!(named.lets(&land.path("work/sub/new")).is_ok());
        for closed in ["other/b", "nowhere", "state/spaces/one/log", "work/way/token", "work/.aa/tools"] {
            assert!(named.lets(&land.path(closed)).is_err(), "{closed}");
        }
    }

    #[test]
    fn paths_are_seen_wherever_they_are_said() {
        let land = Land::new();
        let (named, work) = (land.named(), land.path("work"));
        let says = |value: Value| {
            let Value::Object(values) = json!({ "arg": value }) else { unreachable!() };
            named.lets_values(&values, &work)
        };
        let token = land.path("state/token").display().to_string();
        for value in [
            json!(token),
            json!("../state/token"),
            json!("way/token"),
            json!([{"deep": ["a", token]}]),
            json!(format!("--file={token}")),
            json!(format!("@{token}")),
            json!(format!("file://{token}")),
            json!(format!("FILE://{}", token.replace("token", "%74oken"))),
            json!(format!("file://localhost{token}")),
            json!(format!("file://x@y:1{token}")),
            json!(format!("file:{token}")),
            json!(format!("a=b=file://{token}")),
            json!("file:///no/such/path"),
            json!("/"),
        ] {
            let why = says(value.clone()).unwrap_err();
            assert!(why.starts_with("`arg`: ") && why.contains("closed"), "{value}: {why}");
        }
        for value in [
            json!("a"),
            json!("sub"),
            json!("main"),
            json!("/no/such/path"),
            json!(5),
            json!("a=b"),
            json!(""),
            json!("profile:/x"),
            json!(format!("file://{}", land.path("work/a").display())),
        ] {
            says(value.clone()).unwrap_or_else(|why| panic!("{value}: {why}"));
        }
    }
}

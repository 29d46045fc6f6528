//! Which environment variables a command sees, and where its program is found.

use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::settings::Variables;

/// The variable by which a command's descendants are known.
pub(super) const MARK: &str = "AA_STEP_MARK";

/// The environment that this process was started in. Commands see only a part of it.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Variables,
}

impl Environment {
    /// Variables that every command inherits; a trailing `*` stands for any ending.
    pub const INHERITED: [&str; 14] = [
        "HOME",
        "LANG",
        "LANGUAGE",
        "LC_*",
        "LOGNAME",
        "PATH",
        "SHELL",
        "SSH_AUTH_SOCK",
        "TERM",
        "TMPDIR",
        "TZ",
        "USER",
        "XDG_*",
        MARK,
    ];

    /// An environment of these variables, without what is no text in them.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let text = |(name, value): (OsString, OsString)| {
            let name = name.into_string().ok()?;
            let value = Variables::text_of(&name, value)?;
            Some((name, value))
        };
        Self { variables: variables.into_iter().filter_map(text).collect() }
    }

    /// The environment of a process that has these variables.
    pub fn of(variables: &Variables) -> Self {
        Self { variables: variables.clone() }
    }

    /// The value of a variable, inherited by commands or not.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(OsStr::new)
    }

    /// The path of a program: itself when it has a `/`, else found in `PATH`.
    pub fn find(&self, program: &str, folder: &Path) -> Option<PathBuf> {
        if program.is_empty() {
            return None;
        }
        if program.contains('/') {
            let path = folder.join(program);
            return path.exists().then_some(path);
        }
        let path = self.get("PATH")?;
        std::env::split_paths(path)
            .map(|place| folder.join(place).join(program))
            .find(|path| is_executable(path))
    }

    /// What a command inherits: the allowed variables and those named in `pass`.
    pub(super) fn inherited<'a>(
        &'a self,
        pass: &'a [String],
    ) -> impl Iterator<Item = (&'a String, &'a String)> {
        self.variables.iter().filter(move |(name, _)| {
            pass.iter().any(|passed| passed == *name)
                || Self::INHERITED.iter().any(|allowed| matches(allowed, name))
        })
    }

    /// A mark that no other command has, after that of the command this process descends from. It holds the key
    /// of its call, by which whoever goes on with a run finds what is left of that call.
    pub(super) fn new_mark(&self, key: &str) -> String {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        let own = format!("{key}-{:016x}", hasher.finish());
        match self.get(MARK).and_then(OsStr::to_str) {
            Some(outer) => format!("{outer}.{own}"),
            None => own,
        }
    }
}

fn matches(allowed: &str, name: &str) -> bool {
    match allowed.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => allowed == name,
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn only_allowed_and_passed_variables_are_inherited() {
        let all =
            [("AWS_SECRET", "x"), ("HOME", "/h"), ("KUBECONFIG", "/k"), ("LC_ALL", "C"), ("PATHS", "x")];
        let environment = environment(&all);
        let pass = ["KUBECONFIG".to_owned()];
        let names: Vec<_> = environment.inherited(&pass).map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["HOME", "KUBECONFIG", "LC_ALL"]);
    }

    #[test]
    fn programs_are_looked_up() {
        let path = environment(&[("PATH", "/nowhere:/bin")]);
        let here = Path::new("/");
        assert_eq!(path.find("sh", here), Some(PathBuf::from("/bin/sh")));
        assert_eq!(path.find("/bin/sh", here), Some(PathBuf::from("/bin/sh")));
        assert_eq!(path.find("bin/sh", here), Some(PathBuf::from("/bin/sh")));
        assert_eq!(path.find("no-such-program", here), None);
        assert_eq!(path.find("", here), None);
        assert_eq!(environment(&[]).find("sh", here), None);
    }

    #[test]
    fn marks_differ_and_hold_the_outer_one() {
        let outer = environment(&[(MARK, "outer")]);
        let (one, two) = (outer.new_mark("key"), outer.new_mark("key"));
        assert_ne!(one, two);
        assert!(one.starts_with("outer.key-"));
    }
}

//! What the files of a folder say about the project in it. Nothing is run.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::word;
use crate::fence::Fence;

/// Files by which a language is known, with how such projects are usually checked.
const MARKS: &[(&str, &str, &str, &str)] = &[
    ("Cargo.toml", "rust", "cargo clippy", "cargo test"),
    ("pyproject.toml", "python", "ruff check .", "pytest"),
    ("setup.py", "python", "ruff check .", "pytest"),
    ("requirements.txt", "python", "ruff check .", "pytest"),
    ("go.mod", "go", "go vet ./...", "go test ./..."),
    ("package.json", "javascript", "npm run lint", "npm test"),
    ("pom.xml", "java", "", "mvn test"),
    ("Gemfile", "ruby", "rubocop", "rake test"),
];

/// Longest file that is read for it, in bytes.
const LONGEST: u64 = 1 << 20;

/// Names of dependencies that are kept.
const DEPENDENCIES: usize = 50;

/// What can be seen of a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Detected {
    /// A name for it: that of its folder.
    pub(crate) name: String,
    /// Its folder, absolute.
    pub(crate) path: String,
    /// Whether it is a git repository.
    pub(crate) is_git: bool,
    /// Where it is cloned from; empty when it is not known.
    pub(crate) remote: String,
    /// The path of that on its server, such as `group/project`, whichever server that is.
    pub(crate) gitlab: String,
    /// Its main branch; empty when it is not known.
    pub(crate) default_branch: String,
    /// Languages that it is written in.
    pub(crate) languages: Vec<String>,
    /// A command that checks its style; empty when nothing suggests one.
    pub(crate) lint_command: String,
    /// A command that runs its tests; empty when nothing suggests one.
    pub(crate) test_command: String,
}

/// Looks at a folder, for somebody who reaches so far.
pub(super) fn detect(folder: &Path, fence: &Fence) -> Detected {
    let git = git_folder(folder).filter(|git| fence.lets(git).is_ok());
    let remote = git.as_deref().map(remote).unwrap_or_default();
    let marks: Vec<_> = MARKS.iter().filter(|(file, ..)| is_file(&folder.join(file))).collect();
    let mut languages: Vec<String> = marks.iter().map(|(_, language, ..)| (*language).to_owned()).collect();
    languages.dedup();
    let (mut lint_command, mut test_command) = marks
        .first()
        .map_or_else(Default::default, |(.., lint, test)| ((*lint).to_owned(), (*test).to_owned()));
    // What the project says itself is better than what is usual.
    let targets = text(&folder.join("Makefile")).unwrap_or_default();
    for (target, command) in [("lint", &mut lint_command), ("test", &mut test_command)] {
        if targets.lines().any(|line| line.starts_with(&format!("{target}:"))) {
            *command = format!("make {target}");
        }
    }
    Detected {
        name: word(folder),
        path: folder.display().to_string(),
        is_git: git.is_some(),
        gitlab: path_on_server(&remote),
        remote,
        default_branch: git.as_deref().map(main_branch).unwrap_or_default(),
        languages,
        lint_command,
        test_command,
    }
}

/// The text of a file, when it is one and not too long. A link is none: it leads to what whoever has written it wants
/// to be read, and a project may have been written by anybody.
pub(crate) fn text(file: &Path) -> Option<String> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut opened = OpenOptions::new().read(true).custom_flags(flags).open(file).ok()?;
    let known = opened.metadata().ok()?;
    if !known.is_file() || known.len() > LONGEST {
        return None;
    }
    let mut text = String::new();
    opened.read_to_string(&mut text).ok()?;
    Some(text)
}

/// Whether there is a file, and no link to one.
pub(crate) fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|known| known.is_file())
}

/// What a project is built from, by name.
pub(crate) fn dependencies(folder: &Path) -> Vec<String> {
    let read = |name: &str| text(&folder.join(name)).unwrap_or_default();
    let mut found = tables(&read("Cargo.toml"), |table| table.ends_with("dependencies"));
    found.extend(tables(&read("pyproject.toml"), |table| table.ends_with("dependencies")));
    let package: Value = serde_json::from_str(&read("package.json")).unwrap_or_default();
    for table in ["dependencies", "devDependencies"] {
        found.extend(package[table].as_object().into_iter().flat_map(|names| names.keys().cloned()));
    }
    let lines = read("requirements.txt");
    found.extend(lines.lines().filter_map(|line| leading_name(line.trim())));
    let go = read("go.mod");
    let required = go.lines().filter(|line| line.starts_with('\t') && !line.contains("// indirect"));
    found.extend(required.filter_map(|line| line.split_whitespace().next().map(str::to_owned)));
    found.sort();
    found.dedup();
    found.truncate(DEPENDENCIES);
    found
}

/// The keys in those tables of a TOML text that are wanted.
fn tables(toml: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in toml.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            inside = wanted(table.trim_end_matches(']'));
        } else if inside && line.contains('=') {
            found.extend(leading_name(line));
        }
    }
    found
}

fn leading_name(line: &str) -> Option<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name: String = line.trim_matches('"').chars().take_while(|c| is_part(*c)).collect();
    (!name.is_empty()).then_some(name)
}

/// Where git keeps a repository: beside its files, or for a worktree elsewhere.
fn git_folder(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let pointed = folder.join(text(&git)?.trim().strip_prefix("gitdir:")?.trim());
    let shared = text(&pointed.join("commondir")).map(|common| pointed.join(common.trim()));
    Some(shared.unwrap_or(pointed))
}

/// The branch that is checked out in a folder; empty when there is none.
pub(super) fn branch(folder: &Path) -> String {
    let git = folder.join(".git");
    let own = match text(&git) {
        Some(pointer) => pointer.trim().strip_prefix("gitdir:").map(|to| folder.join(to.trim())),
        None => Some(git),
    };
    let head = own.and_then(|own| text(&own.join("HEAD"))).unwrap_or_default();
    head.trim().strip_prefix("ref: refs/heads/").unwrap_or_default().to_owned()
}

/// The address of `origin`, without what might be a password in it.
fn remote(git: &Path) -> String {
    let config = text(&git.join("config")).unwrap_or_default();
    let mut section = config.lines().skip_while(|line| line.trim() != "[remote \"origin\"]").skip(1);
    let url = section
        .by_ref()
        .take_while(|line| !line.trim_start().starts_with('['))
        .find_map(|line| line.trim().strip_prefix("url")?.trim_start().strip_prefix('='))
        .unwrap_or_default()
        .trim();
    match url.split_once("://") {
        Some((scheme, rest)) => match rest.split_once('@') {
            Some((user, host)) if !user.contains('/') => format!("{scheme}://{host}"),
            _ => url.to_owned(),
        },
        None => url.to_owned(),
    }
}

/// `group/project` of `https://host/group/project.git` or `git@host:group/project.git`.
fn path_on_server(remote: &str) -> String {
    let path = match remote.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map(|(_, path)| path),
        None => remote.split_once(':').map(|(_, path)| path),
    };
    path.unwrap_or_default().trim_end_matches('/').trim_end_matches(".git").to_owned()
}

/// What `origin` calls its main branch; empty when it was not asked. The branch that is checked out
/// would be a guess, and what must not touch the main branch would believe it.
fn main_branch(git: &Path) -> String {
    let head = text(&git.join("refs/remotes/origin/HEAD")).unwrap_or_default();
    let name = head.trim().strip_prefix("ref:").map(str::trim);
    name.and_then(|name| name.strip_prefix("refs/remotes/origin/")).unwrap_or_default().to_owned()
}

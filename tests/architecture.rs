//! The rules of ARCHITECTURE.md, enforced: arrows, map, length, names, words.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each crate must never depend on, directly.
const BANNED: &[(&str, &[&str])] = &[
    ("engine/spec", &["aa-run", "aa-serve", "aa", "tokio", "reqwest", "axum", "clap", "rmcp", "rusqlite"]),
    ("engine/run", &["aa-serve", "aa", "axum", "clap", "miette", "indicatif"]),
    ("engine/serve", &["aa", "clap", "rusqlite"]),
];

/// File names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "misc", "types", "imp", "mod"];

const MAX_FILE_LINES: usize = 600;
const MAX_FUNCTION_LINES: usize = 100;
const MAX_MEDIAN_FUNCTION_LINES: usize = 12;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Rust files below the crates, as paths from the root.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["engine/spec/src", "engine/run/src", "engine/serve/src", "cli/src"] {
        collect(&root().join(folder), &mut found);
    }
    found.sort();
    assert!(found.len() > 30, "the sources are not where this test looks for them");
    found.iter().map(|path| path.strip_prefix(root()).unwrap().to_owned()).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The part of a file that ships: without a `#[cfg(test)]` module at its end.
fn shipped(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or(text)
}

fn is_test_file(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == "tests")
        || path.components().any(|part| part.as_os_str() == "tests")
}

fn complain(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn arrows_point_one_way() {
    let mut problems = Vec::new();
    for (folder, banned) in BANNED {
        for name in dependencies(&read(format!("{folder}/Cargo.toml"))) {
            if banned.contains(&name.as_str()) {
                problems.push(format!("{folder} must not depend on {name}"));
            }
        }
    }
    complain(&problems);
}

/// Names in `[dependencies]` and its target-specific kin; development ones are free.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_end_matches(']').ends_with("dependencies") && !section.contains("dev-");
        } else if inside
            && let Some(name) = line.split(['.', '=', ' ']).next()
            && !name.is_empty()
            && !name.starts_with('#')
        {
            names.push(name.to_owned());
        }
    }
    names
}

#[test]
fn the_map_names_every_top_module_and_nothing_else() {
    let map = read("ARCHITECTURE.md");
    let mut problems = Vec::new();
    for path in sources() {
        let depth = path.components().count();
        let is_top = depth == if path.starts_with("cli") { 3 } else { 4 };
        if is_top && !map.contains(&format!("`{}`", path.display())) {
            problems.push(format!("ARCHITECTURE.md does not name `{}`", path.display()));
        }
    }
    for named in ticked_paths(&map) {
        if !root().join(&named).exists() {
            problems.push(format!("ARCHITECTURE.md names `{named}`, which does not exist"));
        }
    }
    complain(&problems);
}

/// Back-ticked words that look like paths of this repository.
fn ticked_paths(text: &str) -> BTreeSet<String> {
    let tops =
        ["engine/", "cli/", "tests/", "skills/", "tools/", "personas/", "schemas/", "benches/", "fuzz/"];
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| tops.iter().any(|top| word.starts_with(top)))
        .filter(|word| !word.contains(['*', ' ', '<', '{']))
        .map(str::to_owned)
        .collect()
}

#[test]
fn files_say_what_they_own_and_stay_short() {
    let mut problems = Vec::new();
    for path in sources() {
        let text = read(&path);
        if !text.starts_with("//!") && !is_test_file(&path) {
            problems.push(format!("{} does not start with //!", path.display()));
        }
        let lines = shipped(&text).lines().count();
        if lines > MAX_FILE_LINES && !is_test_file(&path) {
            problems.push(format!("{} has {lines} lines", path.display()));
        }
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if EMPTY_NAMES.contains(&stem) {
            problems.push(format!("{} has a name that says nothing", path.display()));
        }
    }
    complain(&problems);
}

#[test]
fn functions_stay_short() {
    let mut problems = Vec::new();
    let mut lengths = Vec::new();
    for path in sources().into_iter().filter(|path| !is_test_file(path)) {
        let text = read(&path);
        for (name, lines) in functions(shipped(&text)) {
            lengths.push(lines);
            if lines > MAX_FUNCTION_LINES {
                problems.push(format!("{}: `{name}` has {lines} lines", path.display()));
            }
        }
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    if median > MAX_MEDIAN_FUNCTION_LINES {
        problems.push(format!("half of all functions have {median} lines or more"));
    }
    complain(&problems);
}

/// Functions with bodies and their lengths, trusting rustfmt's indentation.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let close = format!("{indent}}}");
        if let Some(length) = lines[start..].iter().position(|line| *line == close) {
            let is_declaration = lines[start..start + length].iter().any(|line| {
                line.ends_with(';') && line.starts_with(indent) && !line.starts_with(&format!("{indent} "))
            });
            if !is_declaration {
                found.push((name, length + 1));
            }
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let before = line.split("fn ").next()?;
    let qualifiers = ["", "pub", "pub(crate)", "pub(super)", "async", "const"];
    let is_function =
        line.contains("fn ") && before.split_whitespace().all(|word| qualifiers.contains(&word));
    let name = line.split("fn ").nth(1)?.split(['(', '<']).next()?;
    (is_function && !line.ends_with('}') && !line.ends_with(';')).then(|| name.to_owned())
}

#[test]
fn no_marks_are_left_in_the_code() {
    let marks = ["todo!(", "unimplemented!(", "dbg!(", concat!("TO", "DO"), concat!("FIX", "ME")];
    let mut problems = Vec::new();
    for path in sources() {
        for (index, line) in read(&path).lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) || line.trim_start().starts_with("#[ignore") {
                problems.push(format!("{}:{}: {}", path.display(), index + 1, line.trim()));
            }
        }
    }
    complain(&problems);
}

#[test]
fn readme_lists_every_dependency() {
    let readme = read("README.md");
    let manifest = read("Cargo.toml");
    let workspace = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let missing: Vec<String> = workspace
        .lines()
        .filter_map(|line| line.split([' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with("aa-") && !name.starts_with('#'))
        .filter(|name| !readme.contains(&format!("`{name}`")))
        .map(|name| format!("README.md does not say why `{name}` is used"))
        .collect();
    complain(&missing);
}

/// Where the interpreter draws randomness from has to be open before its worker gives up opening files, so the worker
/// asks the same library for it.
#[test]
fn a_worker_draws_randomness_as_its_interpreter_does() {
    let lock = read("Cargo.lock");
    let versions = ["aa-run", "monty", "ahash"].map(|name| {
        let package =
            lock.split("[[package]]").find(|package| package.contains(&format!("\nname = \"{name}\"\n")));
        let mut needs = package.unwrap_or_else(|| panic!("no {name}")).lines();
        needs
            .find(|line| line.trim().starts_with("\"getrandom"))
            .map(str::trim)
            .unwrap_or_default()
            .to_owned()
    });
    assert!(
        versions[0].contains("getrandom") && versions.iter().all(|version| *version == versions[0]),
        "{versions:?}"
    );
}

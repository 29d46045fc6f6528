//! Every code has a file that shows it, and every such file shows what it says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::check::{Nowhere, Strictness, check};
use crate::tool::ToolSpec;

/// Made by tests, since a file that shows it would be too large to keep, or since it takes several.
const GENERATED: [&str; 5] =
    ["deep-skills", "file-too-large", "too-many-edges", "unknown-channel", "written-secret"];

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(kind);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

/// The codes that the first line of a fixture promises.
fn expected(bytes: &[u8]) -> Vec<String> {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    let codes = first.strip_prefix("# expect: ").unwrap_or_else(|| panic!("`{first}` expects nothing"));
    codes.split(", ").map(str::to_owned).collect()
}

/// The codes found in a text before names of tools and skills are looked up.
fn found(path: &str, bytes: Vec<u8>, read: fn(&Source) -> Vec<Diagnostic>) -> Vec<String> {
    let diagnostics = match crate::yaml::decode(path, bytes) {
        Ok(source) => read(&source),
        Err(problem) => vec![*problem],
    };
    diagnostics.iter().map(|problem| problem.code.to_owned()).collect()
}

#[test]
fn codes_are_in_order_and_told_apart() {
    let codes: Vec<&str> = CODES.iter().map(|(code, _)| *code).collect();
    let sorted: BTreeSet<&str> = codes.iter().copied().collect();
    assert_eq!(codes, Vec::from_iter(sorted));
}

#[test]
fn every_code_has_a_fixture_and_every_fixture_a_code() {
    let known: BTreeSet<String> = CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
    let mut shown: BTreeSet<String> = GENERATED.map(str::to_owned).into();
    let folders = [
        "skills/bad",
        "tools/bad",
        "tools/doubtful",
        "stubs/bad",
        "config/bad",
        "personas/bad",
        "schedules/bad",
    ];
    for path in folders.into_iter().flat_map(fixtures) {
        shown.extend(expected(&std::fs::read(&path).expect("a fixture")));
    }
    assert_eq!(shown, known);
}

#[test]
fn bad_modules_have_the_problems_they_promise() {
    for path in fixtures("tools/bad") {
        let bytes = std::fs::read(&path).expect("a fixture");
        let codes = found("x.yaml", bytes.clone(), |source| crate::tool::recipe::check(source).1);
        assert_eq!(codes, expected(&bytes), "{}", path.display());
    }
}

#[test]
fn bad_configurations_have_the_problems_they_promise() {
    for path in fixtures("config/bad") {
        let bytes = std::fs::read(&path).expect("a fixture");
        let codes = found("config.yaml", bytes.clone(), |source| crate::config::read(source).1);
        assert_eq!(codes, expected(&bytes), "{}", path.display());
    }
}

#[test]
fn bad_personas_have_the_problems_they_promise() {
    let mut drawn = String::new();
    for path in fixtures("personas/bad") {
        let bytes = std::fs::read(&path).expect("a fixture");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let source = crate::yaml::decode(&name, bytes.clone()).expect("text");
        let (_, problems) = crate::persona::check(&source, &Stage::new());
        let codes: Vec<_> = problems.iter().map(|problem| problem.code.to_owned()).collect();
        assert_eq!(codes, expected(&bytes), "{}", path.display());
        for problem in problems {
            let place = source.place(problem.span.start);
            drawn.extend([format!("{name}:{}: {}\n  {}\n", place.line, problem.message, problem.hint)]);
        }
    }
    insta::assert_snapshot!(drawn);
}

/// What the fixtures of personas may name.
struct Stage {
    modules: Vec<String>,
    skills: Vec<String>,
}

impl Stage {
    fn new() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self { modules: owned(&["git", "gitlab", "k8s"]), skills: owned(&["release_notes"]) }
    }
}

impl crate::persona::Known for Stage {
    fn modules(&self) -> &[String] {
        &self.modules
    }

    fn has_tool(&self, name: &str) -> bool {
        name == "git_log"
    }

    fn tools(&self) -> Vec<String> {
        vec!["git_log".to_owned()]
    }

    fn skills(&self) -> &[String] {
        &self.skills
    }

    fn has_file(&self, _: &str) -> bool {
        false
    }
}

#[test]
fn doubtful_modules_have_the_problems_they_promise() {
    for path in fixtures("tools/doubtful") {
        let bytes = std::fs::read(&path).expect("a fixture");
        let codes = found("tools/example.yaml", bytes.clone(), |source| {
            let (module, problems) = crate::tool::recipe::check(source);
            assert_eq!(problems, []);
            crate::tool::recipe::doubts(&module.expect("a module"), source)
        });
        assert_eq!(codes, expected(&bytes), "{}", path.display());
    }
}

#[test]
fn bad_stubs_have_the_problems_they_promise() {
    // Whether a step asks and an answer is wanted shows only with a skill: see the acceptance tests.
    let later = ["unknown-step", "unused-answer"];
    for path in fixtures("stubs/bad") {
        let bytes = std::fs::read(&path).expect("a fixture");
        let codes = found("x.yaml", bytes.clone(), |source| crate::stub::read(source, stub_world()).1);
        let expected: Vec<_> =
            expected(&bytes).into_iter().filter(|code| !later.contains(&code.as_str())).collect();
        if !expected.is_empty() {
            assert_eq!(codes, expected, "{}", path.display());
        }
    }
}

/// One tool that lists, and no files.
fn stub_world() -> crate::stub::World<'static> {
    fn list(name: &str) -> Option<Arc<ToolSpec>> {
        let spec = serde_json::json!({
            "name": "list", "module": "example", "description": "Lists",
            "input": {"type": "object", "properties": {"folder": {"type": "string"}}},
            "output": {"type": "array"}, "effect": "read", "idempotent": true, "source": "built in",
        });
        (name == "list").then(|| Arc::new(serde_json::from_value(spec).expect("a tool")))
    }
    crate::stub::World {
        tool: &list,
        tool_names: &Vec::new,
        file: &|_| Err("it is not there".to_owned()),
        plan: None,
    }
}

#[test]
fn badly_shaped_skills_have_the_problems_they_promise() {
    let mut shaped = 0;
    for path in fixtures("skills/bad") {
        let bytes = std::fs::read(&path).expect("a fixture");
        let codes = found("x.yaml", bytes.clone(), |source| crate::dialect::read(source).1);
        // The others are well shaped, and wrong in what they mean.
        if !codes.is_empty() {
            shaped += 1;
            assert_eq!(codes, expected(&bytes), "{}", path.display());
        }
    }
    assert!(shaped >= 16, "only {shaped} fixtures are badly shaped");
}

#[test]
fn good_files_have_no_problem() {
    for path in fixtures("skills/good") {
        let text = std::fs::read(&path).expect("a fixture");
        let codes =
            found(&path.to_string_lossy(), text, |source| check(source, &Nowhere, Strictness::default()).1);
        // There is nothing here that a skill could refer to; the acceptance tests have all of it.
        let codes: Vec<_> = codes.into_iter().filter(|code| !code.starts_with("unknown-")).collect();
        assert_eq!(codes, Vec::<String>::new(), "{}", path.display());
    }
    for path in fixtures("tools/good") {
        let text = std::fs::read(&path).expect("a fixture");
        let codes = found(&path.to_string_lossy(), text, |source| crate::tool::recipe::check(source).1);
        assert_eq!(codes, Vec::<String>::new(), "{}", path.display());
    }
}

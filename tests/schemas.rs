//! Files, events and their JSON Schemas.

use std::path::{Path, PathBuf};

use aa_spec::source::Source;
use jsonschema::Validator;
use serde_json::Value;

use crate::support::Aa;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What an editor is given.
fn validator(kind: &str) -> Validator {
    let text = std::fs::read_to_string(root().join(format!("schemas/{kind}.json"))).unwrap();
    // Patterns are Rust's, which a validator that takes them for JavaScript's must not judge.
    jsonschema::options()
        .should_validate_formats(false)
        .build(&serde_json::from_str::<Value>(&text).unwrap())
        .unwrap()
}

#[track_caller]
fn assert_fits(validator: &Validator, value: &Value, what: &str) {
    let misfits: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(misfits.is_empty(), "{what}: {misfits:#?}\n{value:#}");
}

#[test]
fn every_schema_is_committed_as_it_is_printed() {
    let mut kinds = Vec::new();
    for entry in std::fs::read_dir(root().join("schemas")).unwrap() {
        kinds.push(entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    }
    kinds.sort();
    assert_eq!(kinds, ["config", "event", "openapi", "persona", "skill", "stubs", "test", "tool"]);
    for kind in kinds {
        // As it is: a schema may well hold a time, which snapshots would hide.
        let printed = Aa::new().args(["schema", &kind]).command().output().unwrap();
        let printed = String::from_utf8(printed.stdout).unwrap();
        let path = root().join(format!("schemas/{kind}.json"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &printed).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(committed == printed, "schemas/{kind}.json is old; run the tests with UPDATE=1");
    }
}

#[test]
fn shipped_files_fit_the_schemas_that_editors_use() {
    let folders = [
        ("skills", "skill"),
        ("skills", "test"),
        ("skills/cassettes", "stubs"),
        ("tools", "tool"),
        ("tests/fixtures/skills/good", "skill"),
    ];
    for (folder, kind) in folders {
        let validator = validator(kind);
        let mut count = 0;
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy();
            if !name.ends_with(".yaml") || name.ends_with(".test.yaml") != (kind == "test") {
                continue;
            }
            let source = Source::new(path.to_string_lossy(), std::fs::read_to_string(&path).unwrap());
            let value = aa_spec::yaml::parse(&source).unwrap().to_json();
            assert_fits(&validator, &value, &source.path);
            count += 1;
        }
        assert!(count > 1, "{folder} has only {count} files");
    }
}

#[test]
fn every_event_that_is_printed_fits_its_schema() {
    let aa = Aa::traced()
        .skill("reference", include_str!("fixtures/skills/run/reference.yaml"))
        .skill("early", include_str!("fixtures/skills/run/early.yaml"))
        .skill("takeback", include_str!("fixtures/skills/run/takeback.yaml"));
    aa.args(["skill", "run", "reference", "-q"]).env("AA_TEST_KILL_AFTER", "12").run().killed();
    aa.args(["run", "cancel", "1"]).run();
    aa.args(["skill", "run", "reference", "-q"]).run().code(6);
    aa.args(["run", "answer", "2", "go", "go"]).run().code(0);
    aa.args(["skill", "run", "takeback", "-q"]).run().code(1);
    let validator = validator("event");
    let mut kinds = std::collections::BTreeSet::new();
    for run in ["1", "2", "3"] {
        for event in aa.args(["run", "show", run, "--format", "json"]).run().code(0).json_lines() {
            assert_fits(&validator, &event, "an event");
            kinds.insert(event["event"].as_str().unwrap().to_owned());
        }
    }
    assert!(kinds.len() > 12, "only {kinds:?} came up");
    assert!(!validator.is_valid(&serde_json::json!({"run_id": 1, "seq": 0, "event": "skill_began"})));
}

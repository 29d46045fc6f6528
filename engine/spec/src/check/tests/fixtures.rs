//! Every well-shaped skill in `tests/fixtures/skills/bad` has exactly the problems that
//! its first line promises. (The badly shaped ones are tested with the reading of YAML.)

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::world::{World, drawn};
use crate::check::{Strictness, check};
use crate::source::Source;

fn fixtures() -> Vec<Source> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/skills/bad");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let sources = files.iter().filter_map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let source = Source::new(format!("skills/{name}"), std::fs::read_to_string(path).ok()?);
        crate::dialect::read(&source).1.is_empty().then_some(source)
    });
    sources.collect()
}

/// The codes of the line `# expect: a, b`; a line `# read: strict` says how to read.
fn expected(text: &str) -> (BTreeSet<&str>, Strictness) {
    let line = text.lines().next().unwrap_or_default();
    let codes = line.trim_start_matches("# expect:").split(',').map(str::trim).collect();
    (codes, Strictness { lenient: false, strict: text.contains("# read: strict") })
}

#[test]
fn every_fixture_has_exactly_its_problems() {
    let mut wrong = Vec::new();
    let fixtures = fixtures();
    assert!(fixtures.len() > 40, "only {} fixtures are well shaped", fixtures.len());
    for source in fixtures {
        let file = source.path.trim_start_matches("skills/").trim_end_matches(".yaml");
        if file.starts_with("compute-") && (file == "compute-unavailable") == cfg!(feature = "compute") {
            continue;
        }
        let (expected, strictness) = expected(&source.text);
        let (_, diagnostics) = check(&source, &World, strictness);
        let found: BTreeSet<&str> = diagnostics.iter().map(|problem| problem.code).collect();
        if found == expected {
            // A build without Python words some problems differently; their codes are the same.
            if cfg!(feature = "compute") {
                insta::assert_snapshot!(file, drawn(&diagnostics));
            }
        } else {
            wrong.push(format!("{file}: expected {expected:?}, found {found:?}\n{}", drawn(&diagnostics)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

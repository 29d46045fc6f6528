//! The sample bundle is what its sources say.

use std::path::Path;
use std::process::Command;

fn heads(bundle: &Path) -> String {
    let output = Command::new("git").args(["bundle", "list-heads"]).arg(bundle).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_bundle_holds_the_commits_that_the_script_makes() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../skills/sample");
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made.bundle");
    let output = Command::new(sources.join("make-bundle")).arg(&made).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(heads(&sources.join("sample.bundle")), heads(&made), "run skills/sample/make-bundle");
}

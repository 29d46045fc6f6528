//! What is no text where a text belongs: variables, names of files, folders.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::support::{Aa, search_path};

const ODD: &[u8] = b"\xff";

const LOOK: &str = "name: look\ndescription: Looks\nsteps: [{name: look, tool: trace_look}]\n";

#[test]
fn a_setting_that_is_no_text_is_not_ignored() {
    let aa = Aa::new();
    let checked = aa.args(["config", "check"]).env("AA_LIMITS_OUTPUT_BYTES", OsStr::from_bytes(ODD)).run();
    insta::assert_snapshot!(checked.code(2).stdout("").err(), @"
    error: the value of `AA_LIMITS_OUTPUT_BYTES` is not UTF-8
    hint: set it to a text, or leave it out: `unset AA_LIMITS_OUTPUT_BYTES`
    ");
    // What is not ours is nobody's business here.
    aa.args(["config", "check"]).env("OTHER", OsStr::from_bytes(ODD)).run().code(0);
}

#[test]
fn a_folder_of_the_path_that_is_no_text_hides_no_other() {
    let mut path = search_path().into_vec();
    path.extend([b":/", ODD].concat());
    let aa = Aa::traced().skill("look", LOOK);
    aa.args(["skill", "run", "look"]).env("PATH", OsStr::from_bytes(&path)).run().code(0);
}

#[test]
fn a_skill_whose_name_is_no_text_is_told() {
    let aa = Aa::traced().skill("look", LOOK);
    let file = aa.path(".aa/skills").join(OsStr::from_bytes(b"\xff.yaml"));
    if fs::write(file, LOOK).is_err() {
        // Some file systems have no such names.
        return;
    }
    for words in [["skill", "check"], ["skill", "list"]] {
        aa.args(words)
            .run()
            .code(4)
            .stderr_contains("its name is not UTF-8, so nothing can name it; rename it");
    }
}

#[test]
fn a_folder_whose_name_is_no_text_is_called_that() {
    let aa = Aa::traced().skill("look", LOOK);
    let folder = aa.path("").join(OsStr::from_bytes(ODD));
    if fs::create_dir(&folder).is_err() {
        return;
    }
    let mut command = aa.args(["skill", "run", "look"]).command();
    let output = command.current_dir(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("a run cannot have the folder") && said.contains("its name is not UTF-8"),
        "{said}"
    );
    assert!(!said.contains("disk"), "{said}");
}

//! `aa persona …`

use crate::support::Aa;

fn with_persona(name: &str, rest: &str) -> Aa {
    let text = format!("name: {name}\ndescription: A part to play\n{rest}");
    Aa::traced().file(&format!(".aa/personas/{name}.yaml"), text)
}

#[test]
fn every_shipped_persona_is_good_and_small() {
    let aa = Aa::new();
    aa.args(["persona", "check"]).run().code(0).stdout("").stderr_contains("8 personas checked, no problems");
    let listed = aa.args(["persona", "list", "--format", "json"]).run().code(0).json();
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["admin", "core", "developer", "devops", "incident", "release", "slack", "universal"]);
    for name in names {
        let shown = aa.args(["persona", "show", name, "--format", "json"]).run().code(0).stderr("").json();
        let count = |key: &str| shown[key].as_array().unwrap().len();
        let seen = count("skills") + count("tools");
        assert!((8..=60).contains(&seen), "{name} shows {seen}");
        let text = shown["text"].as_str().unwrap();
        assert!(text.contains("## When to ask") && text.is_ascii(), "{name}: {text}");
    }
}

#[test]
fn personas_are_listed() {
    let aa = Aa::new();
    insta::assert_snapshot!(aa.args(["persona", "list"]).run().code(0).stderr("").out());
}

#[test]
fn a_persona_is_shown() {
    let aa = with_persona(
        "tracer",
        "modules: [trace]\ntools: [git_log]\nskills: [port-check]\ntext: Look closely.\n",
    );
    insta::assert_snapshot!(aa.args(["persona", "show", "tracer"]).run().code(0).stderr("").out());
    let said = aa.args(["persona", "show", "traser"]).run().code(4).stdout("").err();
    insta::assert_snapshot!(said, @"
    error: there is no persona `traser`
    hint: did you mean `tracer`?
    hint: `aa persona list` shows every persona; a file is named by its path
    ");
}

#[test]
fn mistakes_in_a_persona_are_found() {
    let aa = with_persona(
        "tracer",
        "modules: [trace, trase]\ntools: [trace]\nskills: [port-chek]\ntext: words.md\n",
    );
    insta::assert_snapshot!(aa.args(["persona", "check", "tracer"]).run().code(3).stdout("").err());
    aa.args(["persona", "show", "tracer"]).run().code(3).stdout("").stderr_contains("unknown-module");
    aa.args(["persona", "check", "nobody"]).run().code(4).stderr_contains("there is no persona `nobody`");
}

#[test]
fn words_come_from_the_file_beside() {
    let aa = with_persona("tracer", "modules: [trace]\n").file(".aa/personas/tracer.md", "# Tracer\n");
    let shown = aa.args(["persona", "show", "tracer", "--format", "json"]).run().code(0).json();
    assert_eq!(shown["text"], "# Tracer");
    let aa = with_persona("tracer", "modules: [trace]\ntext: other.md\n")
        .file(".aa/personas/other.md", "Others\n");
    let shown = aa.args(["persona", "show", "tracer", "--format", "json"]).run().code(0).json();
    assert_eq!(shown["text"], "Others");
}

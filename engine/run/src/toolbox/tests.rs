//! Which tool a name means, and what broken modules do.

use super::*;

fn toolbox(modules: &[(&str, &str, &str)]) -> Toolbox {
    let text = |(layer, path, text): &(&str, &str, &str)| ModuleText {
        layer: (*layer).to_owned(),
        source: Source::new(*path, *text),
    };
    let options = ToolboxOptions {
        environment: Environment::default(),
        output_bytes: 1000,
        proxy: None,
        ca: None,
        configuration: crate::tool::configuration::Configuration::default(),
        state_folder: PathBuf::new(),
        open_folders: Vec::new(),
        store: LazyStore::default(),
        ephemeral: ephemeral::Defaults { repository: String::new(), ttl: String::new() },
        logins: crate::tool::Logins::default(),
    };
    Toolbox::new(modules.iter().map(text).collect(), &options)
}

fn module(name: &str, tools: &[&str]) -> String {
    let tool =
        |tool: &&str| format!("  - {{name: {tool}, description: From {name}, effect: read, run: [x]}}\n");
    format!("module: {name}\ndescription: A module\ntools:\n{}", tools.iter().map(tool).collect::<String>())
}

fn source(toolbox: &Toolbox, name: &str) -> Option<String> {
    toolbox.tool(name).map(|tool| tool.spec().source.clone())
}

#[test]
fn the_nearest_layer_wins_tool_by_tool() {
    let (near, far) = (module("one", &["a_b", "echo"]), module("one", &["a-b", "c_d"]));
    let toolbox = toolbox(&[("project", "near.yaml", &near), ("shipped", "far.yaml", &far)]);
    assert_eq!(source(&toolbox, "a-b").as_deref(), Some("near.yaml:4"));
    assert_eq!(source(&toolbox, "c_d").as_deref(), Some("far.yaml:5"));
    assert_eq!(source(&toolbox, "echo").as_deref(), Some("near.yaml:5"), "built-in tools are farthest");
    assert_eq!(source(&toolbox, "file_read").as_deref(), Some("built in"));
    assert_eq!(source(&toolbox, "ephemeral_list").as_deref(), Some("built in"));
    assert_eq!(source(&toolbox, "nothing"), None);
    let names = toolbox.names();
    assert!(names.is_sorted() && names.contains(&"a_b".to_owned()) && names.contains(&"c_d".to_owned()));
    assert_eq!(toolbox.specs().len(), names.len());
}

#[test]
fn only_modules_that_mention_a_name_are_parsed() {
    let (one, two) = (module("one", &["a_b"]), module("two", &["c_d"]));
    let toolbox = toolbox(&[("user", "one.yaml", &one), ("user", "two.yaml", &two)]);
    assert!(source(&toolbox, "c-d").is_some());
    let parsed: Vec<_> = toolbox.shelf.modules.iter().map(|entry| entry.parsed.get().is_some()).collect();
    assert_eq!(parsed, [false, true]);
}

#[test]
fn an_alias_finds_its_tool() {
    let text = format!("{}aliases: {{old-name: a_b}}\n", module("one", &["a_b"]));
    let toolbox = toolbox(&[("user", "one.yaml", &text)]);
    assert_eq!(toolbox.tool("old_name").unwrap().spec().name, "a_b");
}

#[test]
fn a_broken_module_keeps_its_place_and_hides_no_other() {
    let broken = format!("{}\n    efect: read\n", module("one", &["a_b"]).trim_end());
    let (other, far) = (module("two", &["c_d"]), module("one", &["a_b", "e_f"]));
    let toolbox = toolbox(&[
        ("project", "broken.yaml", &broken),
        ("user", "two.yaml", &other),
        ("shipped", "far.yaml", &far),
    ]);
    assert_eq!(source(&toolbox, "a_b"), None, "nobody stands in for it");
    assert!(toolbox.problems("a_b").iter().any(|problem| &*problem.source.path == "broken.yaml"));
    assert!(source(&toolbox, "c_d").is_some() && source(&toolbox, "e_f").is_some());
    assert_eq!(toolbox.problems("c_d"), []);
    assert!(!toolbox.diagnostics().is_empty());
    assert_eq!(toolbox.names().iter().filter(|name| *name == "a_b").count(), 0);
    let layers: Vec<_> = toolbox.modules().into_iter().map(|module| module.layer).collect();
    assert!(!layers.contains(&"project".to_owned()) && layers.contains(&"built in".to_owned()));
}

#[test]
fn text_that_is_no_yaml_is_a_diagnostic() {
    let toolbox = toolbox(&[("user", "x.yaml", "a: [b_c"), ("user", "y.yaml", "")]);
    assert_eq!(source(&toolbox, "b_c"), None);
    assert!(!toolbox.problems("b_c").is_empty());
    assert!(source(&toolbox, "echo").is_some());
}

mod shipped;

#[test]
fn a_module_can_be_had_alone() {
    let (near, far) = (module("one", &["a_b"]), module("two", &["c_d"]));
    let toolbox = toolbox(&[("user", "one.yaml", &near), ("user", "two.yaml", &far)]);
    let two = toolbox.only("two");
    assert_eq!(two.names(), ["c_d"]);
    assert_eq!(two.modules().iter().map(|module| module.name.as_str()).collect::<Vec<_>>(), ["two"]);
    assert!(source(&two, "a_b").is_none() && source(&two, "file_read").is_none());
    let file = toolbox.only("file");
    assert!(file.names().contains(&"file_read".to_owned()) && !file.names().contains(&"c_d".to_owned()));
    assert_eq!(toolbox.only("three").names(), Vec::<String>::new());
}

#[test]
fn nothing_of_other_modules_is_there_when_one_is_had_alone() {
    let (one, two) = (module("one", &["a_b"]), module("two", &["c_d"]));
    let broken = format!("{}\n    efect: read\n", module("bad", &["e_f"]).trim_end());
    let toolbox = toolbox(&[
        ("user", "one.yaml", &one),
        ("user", "two.yaml", &two),
        ("user", "tools/bad.yaml", &broken),
    ]);
    let alone = toolbox.only("two");
    let names = |toolbox: &Toolbox| -> Vec<String> {
        toolbox.readable().map(|(_, module)| module.module.value.clone()).collect()
    };
    assert_eq!(
        (names(&toolbox), names(&alone)),
        (vec!["one".to_owned(), "two".to_owned()], vec!["two".to_owned()])
    );
    assert_eq!(alone.readable_in("user").count(), 1);
    assert_eq!(alone.specimens(&[]).iter().map(|one| one.spec.name.as_str()).collect::<Vec<_>>(), ["c_d"]);
    assert_eq!((alone.diagnostics(), alone.problems("e_f")), (vec![], vec![]));
    assert!(!toolbox.only("bad").diagnostics().is_empty(), "its own are there, by the name of the file");
}

#[test]
fn modules_that_have_not_changed_stay_as_they_are() {
    let (one, two) = (module("one", &["a_b"]), module("two", &["c_d"]));
    let before = toolbox(&[("user", "one.yaml", &one), ("user", "two.yaml", &two)]);
    let held = before.clone();
    assert!(source(&before, "a_b").is_some());
    let changed = module("two", &["e_f"]);
    let text =
        |path: &str, text: &str| ModuleText { layer: "user".to_owned(), source: Source::new(path, text) };
    let after = before.with_modules(vec![text("one.yaml", &one), text("two.yaml", &changed)]);
    let parsed: Vec<_> = after.shelf.modules.iter().map(|entry| entry.parsed.get().is_some()).collect();
    assert_eq!(parsed, [true, false], "what is the same is not read again");
    assert!(source(&after, "e_f").is_some() && source(&after, "c_d").is_none());
    assert!(source(&held, "c_d").is_some() && source(&held, "e_f").is_none());
}

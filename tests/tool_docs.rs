//! Every shipped tool is described, typed and tried; `docs/tools` is made of that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aa_run::engine::Engine;
use aa_run::settings::{Settings, Surroundings};
use aa_run::toolbox::{ModuleEntry, Specimen};
use aa_spec::tool::module::Example;
use aa_spec::tool::{Effect, Tier, ToolSpec, alias};
use aa_spec::yaml::write;
use serde_json::{Value, json};

use crate::support::Aa;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a fresh installation has.
struct Shipped {
    modules: Vec<ModuleEntry>,
    tools: Vec<Arc<ToolSpec>>,
    specimens: Vec<Specimen>,
}

impl Shipped {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let environment = [("HOME", home.path().display().to_string()), ("PATH", String::new())];
        let surroundings = Surroundings {
            folder: home.path().to_owned(),
            environment: environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            store: None,
        };
        let engine = Engine::new(Settings::resolve(&surroundings).unwrap());
        assert_eq!(engine.tool_problems().unwrap(), []);
        Self {
            modules: engine.modules().unwrap(),
            tools: engine.tools().unwrap(),
            specimens: engine.specimens(&[]).unwrap(),
        }
    }

    /// The tools of a module: in the order of its file, or else by name.
    fn of(&self, module: &str) -> Vec<&ToolSpec> {
        let own: Vec<&ToolSpec> =
            self.specimens.iter().map(|one| &*one.spec).filter(|spec| spec.module == module).collect();
        if own.is_empty() {
            self.tools.iter().map(|spec| &**spec).filter(|spec| spec.module == module).collect()
        } else {
            own
        }
    }

    fn examples(&self, tool: &str) -> &[Example] {
        let own = self.specimens.iter().find(|one| one.spec.name == tool);
        own.map_or(&[], |one| one.examples.as_slice())
    }
}

#[test]
fn every_shipped_tool_is_described_typed_and_tried() {
    let aa = Aa::new();
    // Descriptions, results, requirements, examples: all that the check of modules doubts.
    let shipped = std::fs::read_dir(root().join("tools")).unwrap();
    let names = shipped.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned());
    let names: Vec<String> = names.collect();
    let checked =
        aa.args(["tool", "check", "--format", "json"].into_iter().chain(names.iter().map(String::as_str)));
    assert_eq!(checked.run().code(0).json(), json!([]));
    let specimens = Shipped::new().specimens;
    let modules: BTreeSet<&str> = specimens.iter().map(|one| one.spec.module.as_str()).collect();
    let mut tried = BTreeSet::new();
    for module in modules {
        let trials = aa.args(["tool", "test", module, "--format", "json"]).run().code(0).json();
        let passed = trials.as_array().unwrap().iter().filter(|trial| trial["passed"] == true);
        tried.extend(passed.map(|trial| trial["tool"].as_str().unwrap().to_owned()));
    }
    assert!(specimens.len() > 50, "only {} tools", specimens.len());
    for specimen in &specimens {
        let name = &specimen.spec.name;
        assert!(tried.contains(name), "no example of `{name}` was tried");
        assert_ne!(specimen.spec.output, Value::Bool(true), "{name}");
        assert!(!specimen.spec.description.ends_with('.'), "{name}: a description has no full stop");
        let known = specimen.spec.effect != Effect::Unknown || RUNS_ANYTHING.contains(&name.as_str());
        assert!(known, "`{name}` does not say what it does to the world");
    }
}

/// Tools that run what they are given, so that nobody can say what that does.
const RUNS_ANYTHING: [&str; 5] = ["docker_exec", "kubectl_exec", "make_target", "test_coverage", "test_run"];

#[test]
fn the_pages_are_those_of_the_tools() {
    let pages = pages(&Shipped::new());
    let folder = root().join("docs/tools");
    if std::env::var_os("UPDATE").is_some() {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in &pages {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
    let there = std::fs::read_dir(&folder).unwrap();
    let there: BTreeSet<String> =
        there.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect();
    let wanted: BTreeSet<String> = pages.keys().cloned().collect();
    assert_eq!(there, wanted, "run the tests with UPDATE=1");
    for (name, text) in &pages {
        let old = std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(old == *text, "docs/tools/{name} is old; run the tests with UPDATE=1");
    }
}

fn pages(shipped: &Shipped) -> BTreeMap<String, String> {
    let mut index = String::from(
        "# Tools\n\nMade of the tools themselves (`aa tool show NAME`). README.md says how to add one.\n\n| module | what for | tools |\n| --- | --- | --- |\n",
    );
    let mut pages = BTreeMap::new();
    for module in &shipped.modules {
        let tools = shipped.of(&module.name);
        // A module may have nothing but rules for healing.
        if tools.is_empty() {
            continue;
        }
        let (name, what) = (&module.name, cell(&module.description));
        let _ = writeln!(index, "| [{name}]({name}.md) | {what} | {} |", tools.len());
        pages.insert(format!("{name}.md"), page(module, &tools, shipped));
    }
    pages.insert("README.md".to_owned(), index);
    pages
}

fn page(module: &ModuleEntry, tools: &[&ToolSpec], shipped: &Shipped) -> String {
    let mut text = format!("# {}\n\n{}.", module.name, module.description);
    if module.layer == "built in" {
        text += " Built in.";
    }
    if !module.requires.is_empty() {
        let _ = write!(
            text,
            " Needs {}.",
            module.requires.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ")
        );
    }
    text += "\n\n| tool | effect | what it does |\n| --- | --- | --- |\n";
    for tool in tools {
        let effect = word(&tool.effect);
        let _ = writeln!(text, "| [`{0}`](#{0}) | {effect} | {1} |", tool.name, cell(&tool.description));
    }
    for tool in tools {
        section(tool, shipped.examples(&tool.name), &mut text);
    }
    text
}

fn section(tool: &ToolSpec, examples: &[Example], text: &mut String) {
    let repeat = if tool.idempotent { "may be repeated" } else { "is not repeated by itself" };
    let tier = if tool.tier == Tier::Extra { ", offered on request" } else { "" };
    let _ = write!(
        text,
        "\n## {}\n\n{}. Effect: {}; {repeat}{tier}.\n",
        tool.name,
        tool.description.trim(),
        word(&tool.effect)
    );
    arguments(&tool.input, text);
    if tool.output != Value::Bool(true) {
        text.push_str("\nResult: ");
        shape(&tool.output, 0, text);
    }
    for example in examples {
        show(tool, example, text);
    }
}

fn arguments(input: &Value, text: &mut String) {
    let Some(properties) = input["properties"].as_object().filter(|known| !known.is_empty()) else { return };
    let required = input["required"].as_array().cloned().unwrap_or_default();
    text.push_str("\n| argument | type | default | meaning |\n| --- | --- | --- | --- |\n");
    let is_optional = |name: &String| !required.contains(&json!(name));
    let (mut first, rest): (Vec<_>, Vec<_>) = properties.iter().partition(|(name, _)| !is_optional(name));
    first.extend(rest);
    for (name, schema) in first {
        let default = match schema.get("default") {
            Some(default) => format!("`{default}`"),
            None if is_optional(name) => String::new(),
            None => "required".to_owned(),
        };
        let mut meaning = schema["description"].as_str().unwrap_or_default().to_owned();
        let aliases: Vec<String> = alias::of(schema).map(|alias| format!("`{alias}`")).collect();
        if !aliases.is_empty() {
            let _ = write!(meaning, " (wrongly {})", aliases.join(", "));
        }
        let _ = writeln!(text, "| `{name}` | {} | {default} | {} |", cell(&types(schema)), cell(&meaning));
    }
}

/// What a schema says, as a nested list.
fn shape(schema: &Value, depth: usize, text: &mut String) {
    let about = schema["description"].as_str().map(|about| format!(": {about}")).unwrap_or_default();
    let _ = writeln!(text, "{}{about}", types(schema));
    let branches = ["anyOf", "oneOf"].iter().find_map(|word| schema[word].as_array());
    for branch in branches.into_iter().flatten() {
        let _ = write!(text, "{}- ", "  ".repeat(depth));
        shape(branch, depth + 1, text);
    }
    let inner = if schema.get("items").is_some() { &schema["items"] } else { schema };
    for (name, property) in inner["properties"].as_object().into_iter().flatten() {
        let _ = write!(text, "{}- `{name}` ", "  ".repeat(depth));
        shape(property, depth + 1, text);
    }
}

fn types(schema: &Value) -> String {
    if let Some(choices) = schema["enum"].as_array() {
        return choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ");
    }
    let word = |name: &str| match name {
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "array" if schema["items"]["type"].is_string() => format!("list of {}", types(&schema["items"])),
        "array" => "list".to_owned(),
        "object" => "mapping".to_owned(),
        other => other.to_owned(),
    };
    match &schema["type"] {
        Value::String(one) => word(one),
        Value::Array(several) => {
            several.iter().filter_map(Value::as_str).map(word).collect::<Vec<_>>().join(" or ")
        }
        _ if schema.get("anyOf").or_else(|| schema.get("oneOf")).is_some() => "one of".to_owned(),
        _ => "anything".to_owned(),
    }
}

fn show(tool: &ToolSpec, example: &Example, text: &mut String) {
    let what = example.description.as_deref().unwrap_or("Example");
    let call = json!({"tool": tool.name, "args": example.args.to_json()});
    let _ = write!(text, "\n{what}:\n\n```yaml\n{}\n```\n", write(&call).trim_end());
    if let Some(fails) = &example.fails {
        let _ = write!(text, "\nfails: {}\n", word(&fails.kind.value));
    } else if let Some(expect) = &example.expect {
        let _ = write!(text, "\ngives\n\n```yaml\n{}\n```\n", write(&shown(&expect.to_json())).trim_end());
    }
}

/// An expectation as a value, with dots where anything may be.
fn shown(expected: &Value) -> Value {
    match expected {
        Value::Array(items) => items.iter().map(shown).collect(),
        Value::Object(entries) => match entries.iter().next().filter(|_| entries.len() == 1) {
            Some((key, value)) if key == "equals" => value.clone(),
            Some((key, Value::String(part))) if key == "contains" => json!(format!("… {part} …")),
            Some((key, _)) if ["any", "contains", "matches"].contains(&key.as_str()) => json!("…"),
            _ => entries.iter().map(|(key, value)| (key.clone(), shown(value))).collect(),
        },
        other => other.clone(),
    }
}

fn word(of: &impl serde::Serialize) -> String {
    serde_json::to_value(of).unwrap().as_str().unwrap_or_default().replace('_', " ")
}

/// Text that fits a cell of a table.
fn cell(text: &str) -> String {
    text.trim().replace('\n', " ").replace('|', "\\|")
}

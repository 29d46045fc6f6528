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
use stories::Story;

mod stories;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a fresh installation has.
struct Shipped {
    engine: Engine,
    modules: Vec<ModuleEntry>,
    tools: Vec<Arc<ToolSpec>>,
    specimens: Vec<Specimen>,
    stories: Vec<Story>,
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
            engine: engine.clone(),
            modules: engine.modules().unwrap(),
            tools: engine.tools().unwrap(),
            specimens: engine.specimens(&[]).unwrap(),
            stories: stories::all(),
        }
    }

    /// The tools of a module: those of its file in their order, then those of the binary by name.
    fn of(&self, module: &str) -> Vec<&ToolSpec> {
        let is_own = |spec: &&ToolSpec| spec.module == module;
        let written = self.specimens.iter().map(|one| &*one.spec).filter(is_own);
        let native = self.tools.iter().map(|spec| &**spec).filter(|spec| spec.source == "built in");
        written.chain(native.filter(is_own)).collect()
    }

    fn examples(&self, tool: &str) -> Vec<&Example> {
        let written = self.specimens.iter().filter(|one| one.spec.name == tool).flat_map(|one| &one.examples);
        let native = self.stories.iter().flat_map(|story| &story.examples).filter(|one| one.tool == tool);
        written.chain(native.map(|one| &one.example)).collect()
    }
}

#[test]
fn every_shipped_tool_is_described_typed_and_tried() {
    let shipped = Shipped::new();
    let specimens = &shipped.specimens;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Descriptions, results, requirements, examples: all that the check of modules doubts.
    for module in shipped.engine.module_names().unwrap() {
        assert_eq!(shipped.engine.check_module(&module).unwrap().unwrap().diagnostics, [], "{module}");
    }
    let mut tried = BTreeSet::new();
    for specimen in specimens {
        for index in 0..specimen.examples.len() {
            let trial = runtime.block_on(shipped.engine.try_example(specimen, index, false)).unwrap();
            assert_eq!(trial.faults, [], "{}: {}", trial.tool, trial.example);
            if trial.skipped.is_none() {
                tried.insert(trial.tool);
            }
        }
    }
    assert!(specimens.len() > 50, "only {} tools", specimens.len());
    for specimen in specimens {
        let name = &specimen.spec.name;
        assert!(tried.contains(name), "no example of `{name}` was tried");
        assert!(!specimen.spec.description.ends_with('.'), "{name}: a description has no full stop");
        let known = specimen.spec.effect != Effect::Unknown || RUNS_ANYTHING.contains(&name.as_str());
        assert!(known, "`{name}` does not say what it does to the world");
    }
}

#[test]
fn every_tool_of_the_binary_is_described_typed_and_tried() {
    let shipped = Shipped::new();
    for story in &shipped.stories {
        story.play();
    }
    for tool in &shipped.tools {
        let (name, examples) = (&tool.name, shipped.examples(&tool.name));
        assert!(!examples.is_empty(), "`{name}` has no example");
        assert_ne!(tool.output, Value::Bool(true), "`{name}` does not say what it gives");
        assert!(!tool.description.ends_with('.'), "{name}: a description has no full stop");
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

fn section(tool: &ToolSpec, examples: Vec<&Example>, text: &mut String) {
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

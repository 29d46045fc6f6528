//! What is named in the documentation and in help is there: figures, routes, settings, commands and their flags.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::{Value, json};

use super::metrics::Figures;
use crate::api::support::{get, project, serve, stands, start};
use crate::support::Aa;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(super) fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every page for people, by its name.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::from([("README.md".to_owned(), text("README.md"))]);
    for entry in std::fs::read_dir(root().join("docs")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().extension().is_some_and(|ending| ending == "md") {
            let path = format!("docs/{name}");
            pages.insert(path.clone(), text(&path));
        }
    }
    pages
}

/// Every help page, by its command; what is hidden has none.
fn help(aa: &Aa) -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    let mut waiting = vec![Vec::new()];
    let command = Regex::new(r"(?m)^  ([a-z][a-z-]*)  +\S").unwrap();
    while let Some(words) = waiting.pop() {
        let page = aa.args(words.iter().map(String::as_str).chain(["--help"])).run().code(0).out();
        let commands = page.split("Commands:\n").nth(1).unwrap_or_default();
        let commands = commands.split("\n\n").next().unwrap_or_default();
        for found in command.captures_iter(commands) {
            waiting.push(words.iter().cloned().chain([found[1].to_owned()]).collect());
        }
        pages.insert(words.join(" "), page);
    }
    pages
}

/// The first cells of a table between two marks.
fn table<'a>(page: &'a str, mark: &str) -> BTreeSet<&'a str> {
    let table = page.split(&format!("<!-- {mark} -->")).nth(1).unwrap().split("<!--").next().unwrap();
    let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    cells.collect()
}

#[test]
fn every_figure_is_served_and_described() {
    let page = text("docs/operations.md");
    let described = table(&page, "metrics");
    let aa = project("");
    let served = serve(&aa);
    let run = start(&served, "look", &json!({}));
    stands(&served, run, "completed");
    Figures::of(&served);
    let figures = Figures::of(&served);
    let there: BTreeSet<&str> = figures.families.keys().map(String::as_str).collect();
    assert_eq!(
        described.difference(&there).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "described, and not there"
    );
    assert_eq!(
        there.difference(&described).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "there, and not described"
    );
    // Those that the text speaks of are among them.
    let spoken = Regex::new(r"`[^`]*?(aa_[a-z_]+)[^`]*`").unwrap();
    for found in spoken.captures_iter(&page) {
        let name = found[1].trim_end_matches("_count").trim_end_matches("_bucket");
        assert!(there.contains(name), "{name}");
    }
}

#[test]
fn every_route_that_is_named_answers() {
    let aa = project("");
    let served = serve(&aa);
    let run = start(&served, "look", &json!({}));
    stands(&served, run, "completed");
    let route = Regex::new(
        r"`(?:(GET|POST|DELETE) )?(/(?:api/[a-z]+|events|ws|ui|mcp|metrics|healthz|readyz)(?:/[A-Za-z0-9_{}.-]+)*)(?:\?[^`]*)?`",
    )
    .unwrap();
    let mut all: Vec<(String, String)> = pages().into_iter().collect();
    all.extend(help(&aa).into_iter().map(|(command, page)| (format!("aa {command} --help"), page)));
    let mut routes: BTreeMap<(String, String), String> = BTreeMap::new();
    for (name, page) in &all {
        for found in route.captures_iter(page) {
            let method = found.get(1).map_or("GET", |method| method.as_str());
            routes.entry((method.to_owned(), found[2].to_owned())).or_insert_with(|| name.clone());
        }
    }
    assert!(routes.len() > 40, "{routes:?}");
    let known = [
        ("{run}", run.to_string()),
        ("RUN", run.to_string()),
        ("{skill}", "look".to_owned()),
        ("SKILL", "look".to_owned()),
        ("{persona}", "core".to_owned()),
        ("PERSONA", "core".to_owned()),
        ("{tool}", "trace_look".to_owned()),
        ("{rule}", "kube_login".to_owned()),
        ("{kind}", "over".to_owned()),
    ];
    for ((method, path), page) in routes {
        let real = known.iter().fold(path.clone(), |path, (name, value)| path.replace(name, value));
        let reply = match method.as_str() {
            // It never ends.
            "GET" if path.ends_with("/events") && !path.starts_with("/api/") => {
                served.ask(&format!("HEAD {real}"), &[], "")
            }
            "GET" => get(&served, &real),
            _ => served.ask(&format!("{method} {real}"), &[], "{}"),
        };
        // It may want more than that, but there has to be something.
        let words = ["there is nothing here", "there is no such method"];
        let nothing =
            matches!(reply.status, 404 | 405) && words.iter().any(|words| reply.body.contains(words));
        assert!(reply.status != 0 && reply.status < 500 && !nothing, "{page}: {method} {path}: {reply:?}");
    }
}

/// The keys of a schema with dots, and whether names below are anybody's.
fn keys(schema: &Value, at: &Value, prefix: &str, keys: &mut BTreeMap<String, bool>) {
    let of = |reference: &str| schema.pointer(reference.trim_start_matches('#')).cloned().unwrap_or_default();
    let resolved = match at["$ref"].as_str() {
        Some(reference) => of(reference),
        None => at.clone(),
    };
    for one in ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| resolved[key].as_array()).flatten() {
        self::keys(schema, one, prefix, keys);
    }
    for (name, below) in resolved["properties"].as_object().into_iter().flatten() {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let is_open = below["additionalProperties"].is_object() || below["additionalProperties"] == true;
        if keys.insert(key.clone(), is_open).is_none() && key.split('.').count() < 6 {
            self::keys(schema, below, &key, keys);
        }
    }
}

/// The settings, and whether names below are anybody's.
fn settings(aa: &Aa) -> BTreeMap<String, bool> {
    let schema = aa.args(["schema", "config"]).run().code(0).json();
    let mut known = BTreeMap::new();
    keys(&schema, &schema, "", &mut known);
    known
}

/// The settings, with what they are part of.
pub(super) fn keys_of_settings() -> BTreeSet<String> {
    settings(&Aa::new()).into_keys().collect()
}

#[test]
fn every_setting_that_is_named_is_one() {
    let aa = Aa::new();
    let known = settings(&aa);
    let sections: BTreeSet<&str> = known.keys().map(|key| key.split('.').next().unwrap()).collect();
    let named = Regex::new(r"`([a-z_]+(?:\.[a-z_]+)+)`").unwrap();
    // Names of these sections that mean something else in skills and files.
    let other = ["config", "values", "secrets", "skills", "tools", "modules", "http", "schedules"];
    let mut seen = 0;
    let mut all: Vec<(String, String)> = pages().into_iter().collect();
    all.extend(help(&aa).into_iter().map(|(command, page)| (format!("aa {command} --help"), page)));
    for (name, page) in &all {
        for found in named.captures_iter(page) {
            let (key, section) = (&found[1], found[1].split('.').next().unwrap());
            let is_file =
                ["yaml", "md", "rs", "key", "token", "json", "db"].contains(&key.rsplit('.').next().unwrap());
            if !sections.contains(section) || other.contains(&section) || is_file {
                continue;
            }
            let is_open = key.match_indices('.').any(|(at, _)| known.get(&key[..at]) == Some(&true));
            assert!(known.contains_key(key) || is_open, "{name}: `{key}` is no setting");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

/// Settings of this page that a variable can say are heard by their variable, and an unknown one is complained about.
#[test]
fn every_variable_of_a_setting_is_heard() {
    let aa = Aa::new();
    let values = [
        ("AA_AUDIT_KEEP", "30d", "audit.keep"),
        ("AA_LOG_FORMAT", "json", "log.format"),
        ("AA_TRACES_ENDPOINT", "http://127.0.0.1:4318", "traces.endpoint"),
        ("AA_LIMITS_CALLS", "3", "limits.calls"),
        ("AA_SERVE_RUNS", "7", "serve.runs"),
    ];
    for (variable, value, key) in values {
        let shown = aa.args(["config", "show", "--origin"]).env(variable, value).run().code(0).out();
        let line = shown.lines().find(|line| line.starts_with(&format!("{key}: ")));
        assert!(line.is_some_and(|line| line.contains(variable)), "{key}: {shown}");
    }
    aa.args(["config", "check"]).env("AA_TRACES_ENDPONT", "x").run().stderr_contains("AA_TRACES_ENDPONT");
    aa.args(["config", "check"]).env("AA_LOG_FORMAT", "xml").run().stderr_contains("AA_LOG_FORMAT");
}

/// Lines of shell blocks, with their words.
fn commands(page: &str) -> Vec<Vec<String>> {
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).filter(|line| line.starts_with("aa "));
    let words =
        |line: &str| line.split(" #").next().unwrap().split_whitespace().skip(1).map(str::to_owned).collect();
    lines.map(words).collect()
}

#[test]
fn every_command_of_the_page_and_each_of_its_flags_is_there() {
    let aa = Aa::new();
    let help = help(&aa);
    let page = text("docs/operations.md");
    let mut all = commands(&page);
    assert!(all.len() >= 5, "{all:?}");
    let inline = Regex::new(r"`aa ([a-z][a-z -]*)`").unwrap();
    all.extend(inline.captures_iter(&page).map(|found| found[1].split(' ').map(str::to_owned).collect()));
    for words in all {
        let named =
            (1..=words.len()).rev().map(|n| words[..n].join(" ")).find(|name| help.contains_key(name));
        let named = named.unwrap_or_else(|| panic!("`aa {}`", words.join(" ")));
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help[&named].contains(flag.as_str()), "aa {named}: {flag}");
        }
    }
    let flag = Regex::new(r"`(--[a-z-]+)[^`]*`").unwrap();
    let everywhere: String = help.values().map(String::as_str).collect();
    for found in flag.captures_iter(&page) {
        assert!(everywhere.contains(&found[1]), "{}", &found[1]);
    }
}

/// The files for containers name commands, flags, variables and paths that there are.
#[test]
fn the_image_starts_what_there_is() {
    let (image, compose) = (text("Containerfile"), text("compose.yaml"));
    let command = image.lines().find_map(|line| line.strip_prefix("CMD [\"")).unwrap();
    let words: Vec<&str> =
        command.trim_end_matches(']').split(',').map(|word| word.trim().trim_matches('"')).collect();
    let aa = project("");
    // As the image does, on a port of this machine: without a key it refuses, with one it serves.
    let listens = words.iter().position(|word| *word == "--listen").unwrap() + 1;
    assert!(words[listens].starts_with("0.0.0.0:"), "{words:?}");
    let words: Vec<&str> =
        words.iter().enumerate().map(|(n, word)| if n == listens { "0.0.0.0:0" } else { word }).collect();
    let bare = Aa::new();
    bare.args(&words).run().code(2).stderr_contains("nobody has a key");
    let served = crate::mcp::wire::Served::start(aa.args(&words).env("CI_KEY", crate::api::support::CI));
    let health = image.lines().find_map(|line| line.split("http://127.0.0.1:8610").nth(1)).unwrap().trim();
    let port = served.address.port();
    let host = format!("127.0.0.1:{port}");
    assert_eq!(
        served.ask(&format!("GET {health}"), &[("Host", &host), ("Authorization", "")], "").status,
        200
    );
    drop(served);
    let variables = Regex::new(r"AA_[A-Z_]+").unwrap();
    let places = Regex::new(r"(?m)^ENV (.*)$").unwrap();
    let set = &places.captures(&image).unwrap()[1];
    let mut call = aa.args(["config", "show", "--format", "json"]);
    for pair in set.split(' ') {
        let (name, value) = pair.split_once('=').unwrap();
        let below = value.strip_prefix('/').map(|below| aa.path(below).display().to_string());
        let value = below.unwrap_or_else(|| value.to_owned());
        call = call.env(name, value);
    }
    let shown = call.run().code(0);
    assert!(shown.err().is_empty(), "{shown}");
    assert!(variables.is_match(set));
    let compose: Vec<&str> = compose.lines().filter(|line| line.contains("dockerfile:")).collect();
    assert!(compose[0].contains("Containerfile"));
    assert!(text("docs/operations.md").contains("docker build -f Containerfile"));
}

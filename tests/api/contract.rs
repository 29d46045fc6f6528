//! The description and the server say the same: every path of it is walked.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::support::{CI, found, get, project, serve, stands, start};
use crate::mcp::wire::{Reply, Served};

/// An operation of the description.
struct Operation {
    method: String,
    path: String,
    told: Value,
}

fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().clone().into_iter();
        let path = path.clone();
        methods.map(move |(method, told)| Operation { method, path: path.clone(), told }).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

/// A schedule.
const HOURLY: &str = "schedules: {hourly: {skill: look, every: 1h}}\n";

/// A world in which there is something of everything, and what stands for the names in paths.
fn world(served: &Served) -> Vec<(&'static str, String)> {
    let failed = start(served, "fail", &json!({}));
    stands(served, failed, "failed");
    let done = start(served, "look", &json!({"inputs": {"note": "x"}}));
    stands(served, done, "completed");
    vec![
        ("{run}", failed.to_string()),
        ("{skill}", "look".to_owned()),
        ("{persona}", "core".to_owned()),
        ("{tool}", "trace_look".to_owned()),
        ("{rule}", "kube_login".to_owned()),
        ("{kind}", "over".to_owned()),
        ("{schedule}", "hourly".to_owned()),
    ]
}

/// Values of parameters that have to be given.
fn needed(operation: &Operation) -> String {
    let value = |name: &str| match name {
        "path" | "step" => "break",
        "name" => "state/current_work",
        "words" => "anything",
        "with" => "2",
        "run" => "1",
        other => panic!("{}: a value for `{other}`", operation.path),
    };
    let parameters = operation.told["parameters"].as_array().unwrap();
    let of = parameters.iter().filter(|one| one["in"] == "query" && one["required"] == true);
    let pairs = of.map(|one| one["name"].as_str().unwrap()).map(|name| format!("{name}={}", value(name)));
    pairs.collect::<Vec<_>>().join("&")
}

/// What is sent where something must be.
fn body(operation: &Operation) -> Value {
    let is_needed = operation.told["requestBody"]["required"] == true;
    match operation.path.rsplit('/').next().unwrap() {
        "answer" if is_needed => json!({"step": "break", "answer": "yes"}),
        "backfill" if is_needed => json!({"from": "2026-11-25T00:00:00Z", "dry_run": true}),
        "resolve" if is_needed => json!({"step": "break", "resolution": "retry"}),
        _ => json!({}),
    }
}

fn ask(served: &Served, operation: &Operation, names: &[(&str, String)], key: Option<&str>) -> Reply {
    let path = names.iter().fold(operation.path.clone(), |path, (name, value)| path.replace(name, value));
    assert!(!path.contains('{'), "{path} names something that is not known here");
    let query = needed(operation);
    let line = format!("{} {path}?{query}", operation.method.to_uppercase());
    let line = line.trim_end_matches('?');
    let sent = if operation.method == "get" { String::new() } else { body(operation).to_string() };
    match key {
        None => served.ask(line, &[], &sent),
        Some(key) => served.ask(line, &[("Authorization", key)], &sent),
    }
}

/// What the description has for an answer of this status, references followed.
fn described<'a>(document: &'a Value, operation: &'a Operation, status: u16) -> &'a Value {
    let responses = &operation.told["responses"];
    let response = responses.get(status.to_string()).unwrap_or_else(|| &responses["default"]);
    match response["$ref"].as_str() {
        Some(place) => document.pointer(place.trim_start_matches('#')).unwrap(),
        None => response,
    }
}

fn assert_as_described(document: &Value, operation: &Operation, reply: &Reply) {
    let what = format!("{} {}: {reply:?}", operation.method, operation.path);
    let response = described(document, operation, reply.status);
    let content = response["content"].as_object().unwrap_or_else(|| panic!("{what}"));
    let media = reply.header("content-type").unwrap_or_else(|| panic!("{what}"));
    let schema = &content.get(media).unwrap_or_else(|| panic!("another media type\n{what}"))["schema"];
    if !media.ends_with("json") {
        assert!(!reply.body.is_empty(), "{what}");
        return;
    }
    let whole = json!({"allOf": [schema], "components": document["components"]});
    let validator = jsonschema::options().should_validate_formats(true).build(&whole).unwrap();
    let value: Value = serde_json::from_str(&reply.body).unwrap_or_else(|_| panic!("{what}"));
    let misfits: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(misfits.is_empty(), "{misfits:#?}\n{what}");
    if media.contains("problem") {
        assert_eq!(value["status"], reply.status, "{what}");
    }
}

#[test]
fn every_path_answers_as_it_is_described() {
    let aa = project(HOURLY);
    let served = serve(&aa);
    let document = found(&served, "/api/openapi.json");
    let names = world(&served);
    let all = operations(&document);
    assert!(all.len() > 40, "only {}", all.len());
    let mut went_well = 0;
    for operation in &all {
        let reply = ask(&served, operation, &names, None);
        assert_as_described(&document, operation, &reply);
        assert!(
            reply.status != 404 || operation.path == "/api/memory/document",
            "{}: {reply:?}",
            operation.path
        );
        went_well += usize::from(reply.status < 300);
    }
    // The others say why not: nothing is asked, the run is over.
    assert!(went_well > all.len() - 8, "{went_well} of {}", all.len());
}

#[test]
fn nothing_answers_without_a_key() {
    let aa = project(HOURLY);
    let served = serve(&aa);
    let document = found(&served, "/api/openapi.json");
    let names = world(&served);
    for operation in operations(&document) {
        for key in ["", "Bearer wrong"] {
            let reply = ask(&served, &operation, &names, Some(key));
            assert_eq!(reply.status, 401, "{} {}: {reply:?}", operation.method, operation.path);
            assert_as_described(&document, &operation, &reply);
        }
    }
    for path in ["/api", "/api/nothing", "/events"] {
        assert_eq!(served.ask(&format!("GET {path}"), &[("Authorization", "")], "").status, 401, "{path}");
    }
}

#[test]
fn the_page_has_every_route_and_no_other() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api.md")).unwrap();
    let lines = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let written: BTreeSet<String> = lines
        .filter_map(|line| line.split('`').next())
        .filter(|text| text.starts_with("GET /api") || text.starts_with("POST /api"))
        .map(str::to_owned)
        .collect();
    let document = aa_serve::api::document();
    let there: BTreeSet<String> = operations(&document)
        .iter()
        .map(|operation| format!("{} {}", operation.method.to_uppercase(), operation.path))
        .collect();
    if std::env::var_os("UPDATE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api.md");
        let (head, rest) = page.split_once("<!-- routes -->").unwrap();
        let (_, tail) = rest.split_once("<!-- end -->").unwrap();
        let mut table = "<!-- routes -->\n| route | what it does |\n| --- | --- |\n".to_owned();
        for operation in operations(&document) {
            let (method, path) = (operation.method.to_uppercase(), &operation.path);
            table.push_str(&format!(
                "| `{method} {path}` | {} |\n",
                operation.told["summary"].as_str().unwrap()
            ));
        }
        std::fs::write(path, format!("{head}{table}<!-- end -->{tail}")).unwrap();
        return;
    }
    assert_eq!(written, there, "docs/api.md is old; run the tests with UPDATE=1");
}

#[test]
fn what_is_not_known_is_refused_with_a_hint() {
    let aa = project("");
    let served = serve(&aa);
    let cases = [
        ("GET /api/runs?stauts=failed", "", 400, "bad-query", "did you mean `status`?"),
        ("GET /api/runs?status=odd", "", 400, "bad-query", "odd"),
        ("GET /api/runs?limit=0", "", 400, "bad-query", "from 1 to 500"),
        ("GET /api/runs/abc", "", 404, "not-found", ""),
        ("GET /api/runs/99", "", 404, "not-found", "no run 99"),
        ("GET /api/skills/lok", "", 404, "not-found", "did you mean `look`?"),
        ("GET /api/skills/..%2f..%2fetc%2fpasswd.yaml/source", "", 404, "not-found", "no skill"),
        ("GET /api/nothing", "", 404, "not-found", "openapi.json"),
        ("DELETE /api/runs", "", 405, "method-not-allowed", ""),
        ("POST /api/skills/look/run", "{\"input\": {}}", 400, "bad-body", "there is no key `input`"),
        ("POST /api/skills/look/run", "[]", 400, "bad-body", "must be an object"),
        ("POST /api/skills/look/run", "{", 400, "bad-body", "not JSON"),
        ("POST /api/skills/look/run", "{\"inputs\": {\"nope\": 1}}", 422, "inputs-invalid", "nope"),
        ("POST /api/skills/write/plan", "{}", 422, "inputs-invalid", "line"),
    ];
    for (line, sent, status, kind, words) in cases {
        let reply = served.ask(line, &[], sent);
        assert_eq!(reply.status, status, "{line}: {reply:?}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{line}");
        let problem: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(problem["type"], format!("/api/problems/{kind}"), "{line}: {problem}");
        assert!(reply.body.contains(words), "{line}: {problem}");
    }
    let reply = served.ask("POST /api/skills/look/run", &[("Content-Type", "text/plain")], "{}");
    assert_eq!(reply.status, 415, "{reply:?}");
    let long = format!("{{\"inputs\": {{\"note\": \"{}\"}}}}", "x".repeat(5 << 20));
    assert_eq!(served.ask("POST /api/skills/look/run", &[], &long).status, 413);
}

#[test]
fn a_skill_with_errors_says_where_they_are() {
    let aa = project("")
        .skill("broken", "name: broken\ndescription: Broken\nsteps:\n  - {name: a, tool: trace_lok}\n");
    let served = serve(&aa);
    for reply in [
        served.post("/api/skills/broken/run", &[], &json!({})),
        served.post("/api/skills/broken/plan", &[], &json!({})),
        get(&served, "/api/skills/broken"),
    ] {
        assert_eq!(reply.status, 422, "{reply:?}");
        let problem: Value = serde_json::from_str(&reply.body).unwrap();
        let first = &problem["diagnostics"][0];
        assert_eq!((&first["code"], &first["line"]), (&json!("unknown-tool"), &json!(4)), "{problem}");
        assert!(
            first["column"].as_u64().unwrap() > 1 && first["hint"].as_str().unwrap().contains("trace_look")
        );
    }
    let checked = found(&served, "/api/skills/broken/check");
    assert_eq!((&checked["ok"], &checked["diagnostics"][0]["code"]), (&json!(false), &json!("unknown-tool")));
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let aa = project("");
    let served = serve(&aa);
    for path in ["/api/skills", "/api/skills/look/source", "/api/openapi.json", "/api/skills/look/graph"] {
        let first = get(&served, path);
        let tag = first.header("etag").unwrap_or_else(|| panic!("{path}: {first:?}")).to_owned();
        let again = served.ask(&format!("GET {path}"), &[("If-None-Match", tag.as_str())], "");
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
    }
    assert_eq!(get(&served, "/api/runs").header("cache-control"), Some("no-store"));
}

#[test]
fn a_guest_sees_their_own_runs_only() {
    let aa = project("");
    let served = serve(&aa);
    let own = start(&served, "look", &json!({}));
    stands(&served, own, "completed");
    let key = format!("Bearer {CI}");
    let as_guest = |line: &str, body: &str| served.ask(line, &[("Authorization", key.as_str())], body);
    let reply = as_guest("POST /api/skills/look/run", "{}");
    assert_eq!(reply.status, 201, "{reply:?}");
    let theirs = reply.message()["run"].as_i64().unwrap();
    assert_eq!(as_guest(&format!("GET /api/runs/{theirs}"), "").status, 200);
    let document = found(&served, "/api/openapi.json");
    let (mut tried, names) = (0, [("{run}", own.to_string())]);
    for operation in operations(&document).iter().filter(|operation| operation.path.contains("{run}")) {
        let reply = ask(&served, operation, &names, Some(&key));
        assert_eq!(reply.status, 404, "{} {}: {reply:?}", operation.method, operation.path);
        tried += 1;
    }
    assert!(tried > 12, "{tried}");
    let listed = as_guest("GET /api/runs", "").message();
    let numbers: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|run| run["id"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [theirs]);
    // Another's name opens nothing.
    let listed = as_guest("GET /api/runs?principal=local", "").message();
    assert_eq!(listed["items"], json!([]), "{listed}");
    let listed = as_guest("GET /api/runs?principal=ci", "").message();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(found(&served, "/api/runs?principal=ci")["items"].as_array().unwrap().len(), 1);
    assert_eq!(as_guest("POST /api/heal/rules/kube_login/reset", "{}").status, 403);
}

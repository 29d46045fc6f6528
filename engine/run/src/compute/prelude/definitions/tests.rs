//! Each definition comes with nothing but what it needs; `memory` makes the calls that it should.

use aa_spec::compute::vocabulary;
use monty::{MontyRun, RunProgress};
use monty_types::{
    CompileOptions, MontyDateTime, MontyObject, NameLookupResult, PrintWriter, ResourceTracker,
};
use serde_json::{Value, json};

use super::*;

/// A `call_tool` of Python that answers `memory_read` from `known` and keeps all calls.
const CALL_TOOL: &str = "
calls = []
def call_tool(name, **args):
    calls.append([name, args])
    if name == 'memory_read':
        return known.get(args['key'], {})
    return 2 if name == 'memory_remove' else None
";

/// Runs a program whose last line is an expression, and gives its value. It is noon.
fn run(code: &str, expression: &str) -> Value {
    let code = format!("import json\n{code}\njson.dumps({expression})");
    let run = MontyRun::new(code.clone(), "test", Vec::new(), CompileOptions::default())
        .unwrap_or_else(|error| panic!("{error}\n{code}"));
    let tracker = ResourceTracker::new(monty_types::ResourceLimits::default());
    let mut next = run.start(Vec::new(), tracker, PrintWriter::Stdout);
    loop {
        next = match next.unwrap_or_else(|error| panic!("{error}\n{code}")) {
            RunProgress::Complete(MontyObject::String(text)) => return serde_json::from_str(&text).unwrap(),
            RunProgress::NameLookup(lookup) => {
                lookup.resume(NameLookupResult::Undefined, PrintWriter::Stdout)
            }
            RunProgress::OsCall(call) => call.resume_with(PrintWriter::Stdout, |_| noon().into()),
            other => panic!("{other:?}\n{code}"),
        };
    }
}

fn noon() -> MontyObject {
    MontyObject::DateTime(MontyDateTime {
        year: 2026,
        month: 11,
        day: 26,
        hour: 12,
        minute: 0,
        second: 0,
        microsecond: 0,
        offset_seconds: None,
        timezone_name: None,
    })
}

/// A value as Python text.
fn literal(value: &Value) -> String {
    format!("json.loads({})", Value::String(value.to_string()))
}

#[test]
fn the_checker_knows_what_is_here_and_what_it_calls() {
    let parsers: BTreeSet<_> = public_parsers().map(|index| ALL[index].name).collect();
    assert_eq!(parsers, vocabulary::PARSERS.iter().copied().collect());
    let reading = parsers.into_iter().filter(|name| text([*name]).contains("config["));
    assert_eq!(reading.collect::<Vec<_>>(), vocabulary::CONFIGURED_PARSERS);
    let memory = text(["memory"]);
    let methods = memory.lines().filter_map(|line| line.strip_prefix("    def ")?.split('(').next());
    let public: BTreeSet<_> = methods.filter(|name| !name.starts_with('_')).collect();
    assert_eq!(public, vocabulary::MEMORY.iter().map(|(name, _)| *name).collect());
}

/// Whether every call is one that the checker expects of the method that an expression begins with.
fn are_expected(expression: &str, calls: &Value) -> bool {
    let word = expression.split('(').next().unwrap();
    let method = vocabulary::MEMORY.iter().find(|(name, _)| word.strip_prefix("memory.") == Some(*name));
    let own = [word];
    let tools = method.map_or(&own[..], |(_, tools)| *tools);
    calls.as_array().unwrap().iter().all(|call| tools.contains(&call[0].as_str().unwrap()))
}

#[test]
fn links_go_where_the_configuration_says() {
    let code = text(["linkify_jira_keys", "linkify_mr_ids", "separate_mrs_by_author"]);
    let config = json!({"jira": {"url": "https://j"}, "gitlab": {"host": "g"}, "user": {
        "username": "ada", "email": "al@x.org", "email_aliases": ["countess@y.org"], "full_name": "Ada O'Love"}});
    let code = format!("{code}\nconfig = {}", literal(&config));
    assert_eq!(run(&code, "linkify_jira_keys('A-1')"), json!("[A-1](https://j/browse/A-1)"));
    assert_eq!(run(&code, "linkify_mr_ids('!1', 'p')"), json!("[!1](https://g/p/-/merge_requests/1)"));
    for (author, mine) in [
        ("ada", true),
        ("countess", true),
        ("al", true),
        ("ada_o'love", true),
        ("ada olove", true),
        ("bob", false),
    ] {
        let separated = run(&code, &format!("separate_mrs_by_author([{{'author': {author:?}}}], 'zed')"));
        assert_eq!(separated["my_mrs"].as_array().unwrap().len(), usize::from(mine), "{author}");
    }
}

#[test]
fn only_what_is_needed_is_taken() {
    let slugify = text(["slugify_text"]);
    assert!(slugify.starts_with("def slugify_text(") && !slugify.contains("\ndef "), "{slugify}");
    let stale = text(["parse_stale_branches"]);
    assert!(stale.contains("def parse_git_branches") && !stale.contains("kubectl"), "{stale}");
    assert!(!text(["memory"]).contains("emit_event"));
    for name in ["slugify_text", "memory", "emit_event", "parsers", "parsers.slugify_text", "BOT_PATTERNS"] {
        assert!(has(name), "{name}");
    }
    for name in ["", "parsers.", "parsers.memoryx", "slugify", "datetime"] {
        assert!(!has(name), "{name}");
    }
}

#[test]
fn a_prelude_is_put_together_of_both_kinds() {
    let code = super::super::assemble(["slugify_text", "re", "memory"]).unwrap();
    assert!(code.starts_with("import re\n") && code.ends_with('\n'), "{code}");
    assert_eq!(run(&code, "[slugify_text('A b'), re.escape('a.')]"), json!(["a-b", "a\\."]));
    assert_eq!(super::super::assemble(["memory", "no_such"]), Err("no_such".to_owned()));
    let used: Vec<_> = super::super::mentioned("slugify_text(x) + json.dumps(y)").collect();
    assert_eq!(used, ["slugify_text", "json"]);
}

#[test]
fn parsers_is_an_object_of_functions() {
    let one = text(["parsers.slugify_text"]);
    assert_eq!(run(&one, "parsers.slugify_text('A b')"), json!("a-b"));
    assert!(!one.contains("parse_mr_list"));
    let all = text(["parsers"]);
    assert_eq!(
        run(&all, "[parsers.slugify_text('A b'), parsers.is_bot_comment('konflux')]"),
        json!(["a-b", true])
    );
}

/// What an expression with `memory` gives, and the calls that it makes.
fn remember(known: &Value, expression: &str) -> (Value, Value) {
    let code = format!("{}{CALL_TOOL}known = {}\n", text(["memory", "emit_event"]), literal(known));
    let found = run(&code, &format!("[{expression}, calls]"));
    (found[0].clone(), found[1].clone())
}

#[test]
fn memory_is_made_of_tool_calls() {
    let noon = "2026-11-26T12:00:00";
    let append = |path: &str, item: Value, field: &str| {
        json!([["memory_append",
            {"key": "state/current_work", "list_path": path, "item": item, "match_key": field, "yaml": false}]])
    };
    let remove = |path: &str, field: &str, value: Value| {
        json!([["memory_remove",
            {"key": "state/current_work", "list_path": path, "match_key": field, "match_value": value}]])
    };
    let issue = json!({"key": "A-1", "summary": "s", "status": "In Progress", "branch": "b", "repo": "",
        "started": noon, "notes": ""});
    let mr = json!({"id": 7, "project": "p", "title": "t", "url": "", "pipeline_status": "pending",
        "needs_review": true, "created": noon});
    let shared = json!({"started_by": "s", "started_at": noon, "context": {"a": 1},
        "expires_at": "2026-11-26T14:00:00"});
    let cases = [
        ("memory.get_timestamp()", json!(noon), json!([])),
        (
            "memory.write_memory('k', {'a': 1})",
            json!(true),
            json!([["memory_write", {"key": "k", "content": {"a": 1}}]]),
        ),
        (
            "memory.update_field('k', 'a.b', 'x: y')",
            json!(true),
            json!([["memory_update", {"key": "k", "path": "a.b", "value": "x: y", "yaml": false}]]),
        ),
        (
            "memory.add_active_issue('A-1', 's', branch='b')",
            json!(true),
            append("active_issues", issue, "key"),
        ),
        ("memory.add_open_mr(7, 'p', 't')", json!(true), append("open_mrs", mr, "id")),
        (
            "memory.add_follow_up('f', priority='high', mr_id=7)",
            json!(true),
            append("follow_ups", json!({"task": "f", "priority": "high", "created": noon, "mr_id": 7}), ""),
        ),
        ("memory.remove_active_issue('A-1')", json!(true), remove("active_issues", "key", json!("A-1"))),
        ("memory.remove_open_mr(7)", json!(true), remove("open_mrs", "id", json!(7))),
        (
            "memory.save_shared_context('s', {'a': 1}, ttl_hours=2)",
            json!(true),
            json!([["memory_update", {"key": "state/shared_context", "path": "current_investigation",
                "value": shared, "yaml": false}]]),
        ),
        (
            "memory.check_known_issues('git', None)",
            json!(null),
            json!([["check_known_issues", {"tool_name": "git", "error_text": ""}]]),
        ),
        (
            "memory.learn_tool_fix('t', 'e', 'c', 'f')",
            json!(true),
            json!([["learn_tool_fix",
                {"tool_name": "t", "error_pattern": "e", "root_cause": "c", "fix_description": "f"}]]),
        ),
        (
            "memory.record_tool_failure('t', 'e')",
            json!(true),
            json!([["record_tool_failure", {"tool_name": "t", "error_text": "e", "context": {}}]]),
        ),
        (
            "emit_event('x', {'a': 1}, b=2)",
            json!(null),
            json!([["emit_event", {"event": "x", "data": {"a": 1, "b": 2}}]]),
        ),
        ("emit_event('x')", json!(null), json!([["emit_event", {"event": "x", "data": {}}]])),
    ];
    for (expression, value, calls) in cases {
        assert_eq!(remember(&json!({}), expression), (value, calls.clone()), "{expression}");
        assert!(are_expected(expression, &calls), "{expression}: {calls}");
    }
}

#[test]
fn memory_reads_what_is_there() {
    let shared =
        |expires: &str| json!({"current_investigation": {"context": {"a": 1}, "expires_at": expires}});
    let work = json!({"active_issues": [{"key": "A-1"}], "open_mrs": "broken"});
    let cases = [
        (json!({"k": {"a": 1}}), "memory.read_memory('k')", json!({"a": 1})),
        (json!({"k": ["a", "b"]}), "memory.read_memory('k')", json!({})),
        (json!({}), "memory.read_memory('k')", json!({})),
        (json!({"state/current_work": work}), "memory.get_active_issues()", json!([{"key": "A-1"}])),
        (json!({"state/current_work": work}), "memory.get_open_mrs()", json!([])),
        (json!({}), "memory.get_follow_ups()", json!([])),
        (
            json!({"state/shared_context": shared("2026-11-26T12:00:01Z")}),
            "memory.load_shared_context()",
            json!({"a": 1}),
        ),
        (
            json!({"state/shared_context": shared("2026-11-26T12:00:00")}),
            "memory.load_shared_context()",
            json!({"a": 1}),
        ),
        (
            json!({"state/shared_context": shared("2026-11-26T11:59:59")}),
            "memory.load_shared_context()",
            json!(null),
        ),
        (json!({"state/shared_context": shared("some day")}), "memory.load_shared_context()", json!(null)),
        (json!({}), "memory.load_shared_context()", json!(null)),
    ];
    for (known, expression, expected) in cases {
        let (found, calls) = remember(&known, expression);
        assert_eq!(found, expected, "{expression} of {known}");
        assert!(are_expected(expression, &calls), "{expression}: {calls}");
    }
}

#[test]
fn a_method_of_memory_is_a_value_like_others() {
    let (found, calls) = remember(&json!({"k": {"a": 1}}), "[f('k') for f in [memory.read_memory]]");
    assert_eq!(found, json!([{"a": 1}]));
    assert_eq!(calls, json!([["memory_read", {"key": "k"}]]));
}

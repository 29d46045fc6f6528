//! What a block computes, reads, prints, calls and says when it fails.

use super::*;

#[tokio::test]
async fn a_block_reads_names_and_gives_a_value() {
    let code = "total = 0\nfor item in items:\n    total += item['n']\nprint('sum', total)\nprint()\n{'total': total, 'who': who}";
    let computed =
        run(code, json!({ "who": "me", "items": [{ "n": 1 }, { "n": 2 }], "other": 1 })).await.unwrap();
    assert_eq!(computed.value, json!({ "total": 3, "who": "me" }));
    assert_eq!(computed.reads, ["items", "who"], "in the order of the first look, and no others");
    assert_eq!(computed.printed, ["sum 3", ""]);
}

#[tokio::test]
async fn what_a_check_lets_a_block_import_is_there() {
    for (module, names) in aa_spec::compute::modules::MODULES {
        let imports = names.iter().map(|name| format!("from {module} import {name} as one\n"));
        let code: String = imports.chain(["True".to_owned()]).collect();
        assert_eq!(value(&code, json!({})).await, json!(true), "{module}");
    }
}

#[tokio::test]
async fn json_goes_in_and_comes_out_unchanged() {
    let all = json!({
        "z": null, "a": [true, false], "n": [0, -1, i64::MIN, i64::MAX, u64::MAX, 1.5, -0.0, 1e300],
        "s": ["", "é\u{1F600}\n\"\u{0}"], "o": { "b": {}, "a": [] },
    });
    let out = value("everything", json!({ "everything": all })).await;
    assert_eq!(out, all);
    assert_eq!(out.to_string(), all.to_string(), "keys keep their order");
}

#[tokio::test]
async fn python_values_become_json() {
    let code = "from datetime import date, datetime, time, timezone\nfrom pathlib import Path\n[(1, 2), {'b', 'a'}, frozenset([3]), date(2026, 1, 2), datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone.utc), datetime(2026, 1, 2), time(1, 2), Path('a') / 'b', {1: 'i', 2.5: 'f', False: 't', None: 'n'}]";
    let expected = json!([
        [1, 2], ["b", "a"], [3], "2026-01-02", "2026-01-02T03:04:05.000006+00:00", "2026-01-02T00:00:00", "01:02:00",
        "a/b", { "1": "i", "2.5": "f", "false": "t", "null": "n" },
    ]);
    assert_eq!(value(code, json!({})).await, expected);
}

#[tokio::test]
async fn what_json_cannot_hold_is_an_error() {
    for (code, what) in [
        ("float('nan')", "it is `NaN`"),
        ("{'a': [1, float('inf')]}", "at `[\"a\"][1]` it is `inf`"),
        ("2 ** 64", "more than 64 bits"),
        ("{'f': len}", "it is a function"),
        ("lambda: 1", "function"),
        ("b'x'", "bytes"),
        ("{(1, 2): 3}", "has a key"),
        ("{1: 2, '1': 3}", "two keys"),
        ("a = []\na.append(a)\na", "contains itself"),
        ("class P:\n    pass\nP()", "class `P`"),
        ("a = []\nfor _ in range(200):\n    a = [a]\na", "nested more than 100"),
    ] {
        let error = error(code).await;
        assert!(error.message.contains(what), "{code}: {}", error.message);
        assert_eq!(error.kind, ErrorKind::Permanent);
    }
}

#[tokio::test]
async fn an_error_names_the_line_of_the_file() {
    let error = error("import re\nx = 1\ndef f(y):\n    return y + missing\nf(_attr({'a': 2}, 'a'))\n").await;
    assert_eq!(error.message, "NameError: name 'missing' is not defined (skills/a.yaml:10)");
    assert_eq!(error.details["line"], 10);
    assert_eq!(error.details["file"], "skills/a.yaml");
    assert_eq!(error.details["traceback"], json!(["skills/a.yaml:11", "skills/a.yaml:10, in f"]));
}

#[tokio::test]
async fn an_error_inside_the_prelude_is_the_fault_of_the_line_that_used_it() {
    let error = error("x = {'a': 1}\n_attr(x, 'b')").await;
    assert_eq!(error.message, "AttributeError: 'dict' object has no attribute 'b' (skills/a.yaml:8)");
    assert_eq!(error.details["traceback"], json!(["skills/a.yaml:8", "<aa>, in _attr"]));
}

#[tokio::test]
async fn a_syntax_error_names_its_line() {
    let error = error("x = 1\ny = = 2").await;
    assert!(
        error.message.starts_with("SyntaxError: ") && error.message.ends_with("(skills/a.yaml:8)"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_block_calls_tools_and_skills() {
    let mut host = Echo::default();
    let code = "a = call_tool('git_log', limit=3, path='x')\nb = run_skill('release', {'tag': 'v1'})\nc = run_skill('release')\n[a, b, c['args']]";
    let computed = WORKERS.run(job(code, json!({})), &mut host).await.unwrap();
    let expected = json!([
        { "target": "git_log", "args": { "limit": 3, "path": "x" } },
        { "target": "release", "args": { "tag": "v1" } },
        {},
    ]);
    assert_eq!(computed.value, expected);
    let first =
        HostCall { number: 1, target: "git_log".into(), args: args(json!({ "limit": 3, "path": "x" })) };
    assert_eq!(host.calls[0], first);
    assert_eq!(host.calls.iter().map(|call| call.number).collect::<Vec<_>>(), [1, 2, 3]);
}

/// A block in which `repo` is another name for `project` of `git_log`.
fn with_alias(code: &str) -> Job {
    let mut block = block(code);
    let callee = block.calls.get_mut("git_log").unwrap();
    callee.aliases = BTreeMap::from([("repo".to_owned(), "project".to_owned())]);
    Job { block: Arc::new(block), ..job(code, json!({})) }
}

#[tokio::test]
async fn another_name_of_an_argument_is_said_and_not_taken_twice() {
    let mut host = Echo::default();
    let code = "call_tool('git_log', repo='a')['args']";
    let computed = WORKERS.run(with_alias(code), &mut host).await.unwrap();
    assert_eq!(computed.value, json!({ "project": "a" }));
    assert_eq!(host.printed, ["warning: the argument `repo` of `git_log` is called `project`"]);
    let mut host = Echo::default();
    let code = "call_tool('git_log', repo='a', project='b')";
    let error = WORKERS.run(with_alias(code), &mut host).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    let why = "an argument of `git_log` is given twice: `repo` is `project`, which is given, too";
    assert!(error.message.contains(why), "{}", error.message);
    assert_eq!(host.calls, []);
}

#[tokio::test]
async fn a_failed_call_can_be_caught() {
    let code = "try:\n    call_tool('git_log', fail='no route')\nexcept ToolError as e:\n    said = [str(e), _attr(e, 'kind')]\nsaid";
    assert_eq!(value(code, json!({})).await, json!(["network: no route", "network"]));
}

#[tokio::test]
async fn a_failed_call_that_nobody_catches_keeps_its_kind() {
    let error = error("1\ncall_tool('git_log', fail='no route')").await;
    assert_eq!(error.kind, ErrorKind::Network);
    assert_eq!(error.message, "ToolError: network: no route (skills/a.yaml:8)");
    assert_eq!(error.details["call"]["message"], "no route");
}

#[tokio::test]
async fn only_what_the_text_names_can_be_called() {
    let mut host = Echo::default();
    let error = WORKERS.run(job("call_tool('rm' + '_all')", json!({})), &mut host).await.unwrap_err();
    assert!(error.message.contains("calls `rm_all`, which its text does not name"), "{}", error.message);
    assert!(host.calls.is_empty());
}

#[tokio::test]
async fn the_clock_stands_still() {
    let code = "[datetime.now(), datetime.now(timezone.utc), date.today(), _utcnow(), _fromtimestamp(0.5), datetime.now(timezone(timedelta(hours=2)))]";
    let expected = json!([
        "2026-03-04T05:06:07.089000",
        "2026-03-04T05:06:07.089000+00:00",
        "2026-03-04",
        "2026-03-04T05:06:07.089000",
        "1970-01-01T00:00:00.500000",
        "2026-03-04T07:06:07.089000+02:00",
    ]);
    assert_eq!(value(code, json!({})).await, expected);
}

#[tokio::test]
async fn names_are_known_and_modules_are_there() {
    let code = "[_dir(), 'b' in _dir(), 'c' in _dir(), re.sub('a+', 'x', 'baab'), json.dumps({'k': 1}), math.floor(1.5), Path('a/b.txt').suffix, load_config()['x']]";
    let names = json!({ "a": 1, "b": 2, "config": { "x": 5 } });
    let expected = json!([["a", "b", "config"], true, false, "bxb", "{\"k\": 1}", 1, ".txt", 5]);
    assert_eq!(value(code, names).await, expected);
}

#[tokio::test]
async fn attributes_of_dicts_are_their_keys() {
    let code = "d = {'a': {'b': 1}, 'items': 2}\n[_attr(_attr(d, 'a'), 'b'), _attr(d, 'items'), _attr_or_none(d, 'x'), _attr_or_none(None, 'x'), _getattr(d, 'x', 9), _getattr(d, 'items', 9), _hasattr(d, 'a'), _hasattr(d, 'x'), _hasattr(d, 'get'), _hasattr('s', 'lower'), _hasattr(1, 'lower'), _attr(datetime(2026, 1, 2), 'year')]";
    let expected = json!([1, 2, null, null, 9, 2, true, false, true, true, false, 2026]);
    assert_eq!(value(code, json!({})).await, expected);
}

#[tokio::test]
async fn a_function_may_say_what_to_replace_with() {
    let code = "up = lambda m: m.group(0).upper()\n[_re_sub('[a-c]+', up, 'abxcy'), _re_sub('b', 'X', 'abab', count=1), _re_sub('B', up, 'abab', 1, re.I)]";
    assert_eq!(value(code, json!({})).await, json!(["ABxCy", "aXab", "aBab"]));
}

#[tokio::test]
async fn percent_formats_as_python_does() {
    let code = "[_percent('%s|%5d|%-5s|%05.1f|%x|%%|%r', ('a', 42, 'b', 3.14159, 255, 'q')), _percent('%(a)s-%(b)03d', {'a': 1, 'b': 2}), _percent('%s', [1]), _percent('%+d % d', (3, 4)), _percent('%.3s', 'abcdef'), _percent('%e', 12345.678), _percent(7, 4), _percent('%5.2f%%', 99.5), _percent('%-6.2f|', -1.5), _percent('%06d', -42), _percent('%s', {'a': 1})]";
    let expected = json!([
        "a|   42|b    |003.1|ff|%|'q'",
        "1-002",
        "[1]",
        "+3  4",
        "abc",
        "1.234568e+04",
        3,
        "99.50%",
        "-1.50 |",
        "-00042",
        "{'a': 1}",
    ]);
    assert_eq!(value(code, json!({})).await, expected);
    assert!(error("_percent('%s %s', ('a',))").await.message.contains("not enough arguments"));
    assert!(error("_percent('%s', (1, 2))").await.message.contains("not all arguments"));
    assert!(error("_percent('%d', 'x')").await.message.contains("TypeError: %d format"));
}

#[tokio::test]
async fn the_same_block_gives_the_same_every_time() {
    let code = "s = set(words)\n[list(s), {w: len(w) for w in s}, hash('abc'), sorted(s), datetime.now(), str(object)]";
    let names = json!({ "words": ["one", "two", "three", "four", "one"] });
    let first = value(code, names.clone()).await;
    for _ in 0..5 {
        let other = workers(Limits::default()).run(job(code, names.clone()), &mut Echo::default()).await;
        assert_eq!(value(code, names.clone()).await, first);
        assert_eq!(other.unwrap().value, first, "nor does it matter which process runs it");
    }
}

#[tokio::test]
async fn blocks_leave_nothing_behind() {
    value("left = 1\nleft", json!({})).await;
    assert!(error("left").await.message.starts_with("NameError"));
}

#[tokio::test]
async fn an_unknown_prelude_name_is_refused() {
    let mut job = job("1", json!({}));
    Arc::get_mut(&mut job.block).unwrap().imports.push("antigravity".to_owned());
    let error = WORKERS.run(job, &mut Echo::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("needs `antigravity`"));
}

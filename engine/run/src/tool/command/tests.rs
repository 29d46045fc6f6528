//! Tools of YAML modules on real commands.

use std::sync::Mutex;

use aa_spec::source::Source;
use aa_spec::tool::recipe::{self, Recipe, Way};
use serde_json::json;

use super::*;
use crate::tool::process::Environment;

/// The one tool of a module whose tool has these keys.
fn tool(keys: &str) -> Command {
    let keys = keys.replace('\n', "\n    ");
    let text = format!(
        "module: m\ndescription: d\ntools:\n  - name: t\n    description: d\n    effect: read\n    {keys}\n"
    );
    let source = Source::new("m.yaml", text);
    let (module, problems) = recipe::check(&source);
    assert_eq!(problems, [], "{}", source.text);
    let module = module.unwrap();
    let Recipe { way: Way::Run(run), common } = recipe::compile(&module, &module.tools[0], &source).unwrap()
    else {
        panic!("it is a command")
    };
    let spec = Arc::new(module.tools[0].spec(&module, &source));
    let declared = Declared { spec, common, configuration: Arc::default() };
    let launcher = Arc::new(Launcher::new(Environment::new(std::env::vars_os()), 1_000_000));
    Command { declared, run: *run, launcher, shows_files: false }
}

async fn call(keys: &str, args: Value) -> Result<Value, ToolError> {
    let Value::Object(args) = args else { panic!("arguments are an object") };
    let mut context = CallContext::detached("/");
    context.idempotency_key = "the-key".into();
    tool(keys).call(&context, args).await
}

/// Prints its arguments one per line.
const SHOW: &str = "input:
  a: {type: string, default: x}
  n: {type: integer, optional: true}
  l: {type: array, optional: true}
  f: {type: boolean, default: false}
result: lines
run: [printf, '%s\\n', 'a={{ a }}', '{{ n }}', '{{ l }}', 7, {if: f, then: [with, '{{ a }}'], else: [without]}]";

#[tokio::test]
async fn arguments_are_rendered() {
    let cases = [
        (json!({}), json!(["a=x", "7", "without"])),
        (
            json!({"a": "two words", "n": -3, "f": true}),
            json!(["a=two words", "-3", "7", "with", "two words"]),
        ),
        (json!({"l": ["p", 1, true]}), json!(["a=x", "p", "1", "true", "7", "without"])),
        (json!({"a": "$(id) `id` ; *"}), json!(["a=$(id) `id` ; *", "7", "without"])),
        (json!({"a": "{{ n }}"}), json!(["a={{ n }}", "7", "without"])),
    ];
    for (args, expected) in cases {
        assert_eq!(call(SHOW, args.clone()).await, Ok(expected), "{args}");
    }
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_refused() {
    for (args, part) in [
        (json!({"b": 1}), "has the unknown key `b`"),
        (json!({"n": "1"}), "`n` must be a whole number, not text"),
        (json!({"l": [["x"]]}), "gives a list or mapping where an argument must be one text"),
        (json!({"l": [null]}), "is a list with nothing in one place"),
    ] {
        let error = call(SHOW, args).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.message.contains(part), "{}", error.message);
    }
}

#[tokio::test]
async fn a_value_cannot_become_an_option() {
    let input = "input: {v: {type: array}}\nresult: lines\n";
    let run = |run: &str| format!("{input}run: {run}");
    let refused = call(&run("[echo, '{{ v }}']"), json!({"v": ["ok", "--help"]})).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert_eq!(refused.message, "`{{ v }}` begins with `-`, which `echo` would take for an option");
    for allowed in [
        "[printf, --, '%s', '{{ v }}']",
        "[printf, '%s', {options: '{{ v }}'}]",
        "[printf, '%s', 'v={{ v[0] }}']",
    ] {
        assert!(call(&run(allowed), json!({"v": ["-x"]})).await.is_ok(), "{allowed}");
    }
    // What a value says about the end of options counts for nothing.
    let value = call(&run("[echo, '{{ v }}', '{{ v }}']"), json!({"v": ["--"]})).await;
    assert_eq!(value.unwrap_err().kind, ErrorKind::Invalid);
}

#[tokio::test]
async fn stdin_folder_environment_and_key_are_given() {
    let keys = "input: {who: {type: string}, folder: {type: string}}
run: [sh, -c, 'cat; echo; pwd; echo $GREETING $KEY $OWN']
stdin: 'hello {{ who }}'
cwd: '{{ folder }}'
env: {GREETING: 'hi {{ who }}', KEY: '{{ idempotency_key }}'}
idempotency_key: {env: OWN}
result: lines";
    let value = call(keys, json!({"who": "you", "folder": "usr"})).await;
    assert_eq!(value, Ok(json!(["hello you", "/usr", "hi you the-key the-key"])));
}

#[tokio::test]
async fn the_key_can_be_an_argument() {
    let keys =
        "input: {id: {type: string, optional: true}}\nrun: [echo, 'id={{ id }}']\nidempotency_key: {arg: id}";
    assert_eq!(call(keys, json!({})).await, Ok(json!("id=the-key")));
    assert_eq!(call(keys, json!({"id": "mine"})).await, Ok(json!("id=mine")));
}

#[tokio::test]
async fn a_value_is_made_of_the_result() {
    let keys = "input: {a: {type: string}}
run: [sh, -c, 'echo 1; echo 2; echo warn >&2; exit 3']
exit: {ok: [0, 3]}
result: lines
value: {count: '{{ result | length }}', all: '{{ result }}', code: '{{ exit_code }}', said: '{{ stderr | trim }}', a: '{{ a }}'}";
    let value = call(keys, json!({"a": "x"})).await.unwrap();
    assert_eq!(value, json!({"count": 2, "all": ["1", "2"], "code": 3, "said": "warn", "a": "x"}));
}

#[tokio::test]
async fn failures_have_kinds_and_details() {
    let keys = |exit: &str| {
        format!(
            "run: [sh, -c, 'echo out; echo \"error: the flux is low\" >&2; exit {exit}']
exit: {{kinds: {{4: transient}}}}
errors: [{{match: 'flux .* low', kind: not_found, hint: refill it}}]"
        )
    };
    let error = call(&keys("1"), json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, "`sh` ended with exit code 1: error: the flux is low");
    assert_eq!(error.details["hint"], "refill it");
    assert_eq!(error.details["exit_code"], 1);
    assert_eq!(error.details["stdout"], "out\n");
    assert_eq!(error.details["command"][0], "sh");
    let by_code = "run: [sh, -c, 'exit 4']\nexit: {kinds: {4: transient}}";
    assert_eq!(call(by_code, json!({})).await.unwrap_err().kind, ErrorKind::Transient);
    let by_sign = "run: [cat, /no/such/file]";
    assert_eq!(call(by_sign, json!({})).await.unwrap_err().kind, ErrorKind::NotFound);
    let missing = call("run: [no-such-command]", json!({})).await.unwrap_err();
    assert_eq!(
        (missing.kind, missing.message.as_str()),
        (ErrorKind::NotFound, "there is no command `no-such-command`")
    );
}

#[tokio::test]
async fn an_error_rule_wins_over_a_good_exit_code() {
    let tool = |script: &str, rule: &str| {
        format!(
            "run: [sh, -c, '{script}']\nexit: {{ok: [0, 2]}}\nerrors: [{{match: no rule, kind: not_found{rule}}}]"
        )
    };
    for (script, rule, expected) in [
        // Exit code 2 is good only because the tool says so, and this is not what it meant.
        ("echo no rule >&2; exit 2", "", Err(ErrorKind::NotFound)),
        // What a success prints is data.
        ("echo no rule; exit 2", "", Ok(json!("no rule"))),
        ("echo no rule; echo no rule >&2", "", Ok(json!("no rule"))),
        ("echo no rule", ", always: true", Err(ErrorKind::NotFound)),
        ("echo no rule >&2", ", always: true", Err(ErrorKind::NotFound)),
        ("echo a rule", ", always: true", Ok(json!("a rule"))),
    ] {
        let result = call(&tool(script, rule), json!({})).await;
        assert_eq!(result.map_err(|error| error.kind), expected, "{script}{rule}");
    }
    let hinted = tool("echo no rule >&2; exit 2", ", hint: write one");
    let error = call(&hinted, json!({})).await.unwrap_err();
    assert_eq!(error.message, "`sh` ended with exit code 2: no rule");
    assert_eq!(error.details["hint"], "write one");
}

#[tokio::test]
async fn time_is_limited() {
    let error = call("run: [sleep, 1000]\ntimeout: 50ms", json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
}

#[tokio::test]
async fn output_must_be_what_is_declared() {
    let keys = "run: [echo, '[1, \"x\"]']\nresult: json\noutput: {type: array, items: {type: integer}}";
    let error = call(keys, json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(error.message.starts_with("the result of `t` is not what it declares"), "{}", error.message);
    let no_json = call("run: [echo, oops]\nresult: json", json!({})).await.unwrap_err();
    assert!(
        no_json.message.starts_with("cannot read what `echo` printed: it is no JSON"),
        "{}",
        no_json.message
    );
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_replaced_and_said() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let sink = said.clone();
    let mut context = CallContext::detached("/");
    context.progress = Arc::new(move |line: &str| sink.lock().unwrap().push(line.to_owned()));
    let value = tool("run: [printf, 'a\\377b']").call(&context, Map::new()).await;
    assert_eq!(value, Ok(json!("a\u{fffd}b")));
    assert!(said.lock().unwrap().iter().any(|line| line.contains("not UTF-8")));
    let error =
        tool("run: [printf, '\"\\377\"']\nresult: json").call(&context, Map::new()).await.unwrap_err();
    assert_eq!(error.message, "the output of `t` is not UTF-8");
}

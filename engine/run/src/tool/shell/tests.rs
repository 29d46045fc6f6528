//! Scripts in real shells.

use serde_json::json;

use super::*;
use crate::tool::process::Environment;
use crate::tool::{Tool, native};

fn shell() -> Arc<dyn Tool> {
    native::tool(Shell(Arc::new(Launcher::new(Environment::new(std::env::vars_os()), 1_000_000))))
}

async fn run(args: Value) -> Result<Value, ToolError> {
    let Value::Object(args) = args else { panic!("arguments are an object") };
    shell().call(&CallContext::detached("/"), args).await
}

const NASTY: [&str; 8] =
    ["two words", "*", "$(touch /tmp/x)", "; rm -rf x", "`id`", "a'b\"c", "-n", "line\nline"];

#[tokio::test]
async fn values_reach_the_script_whole() {
    for interpreter in ["sh", "bash"] {
        for value in NASTY {
            let args = json!({
                "script": r#"printf '<%s>' $v "$v" x${v}y $(printf %s $v) "$1""#,
                "vars": {"v": value}, "args": [value], "interpreter": interpreter,
            });
            // A shell cuts the line ends after a command's output, not those in it.
            let expected = format!("<{value}><{value}><x{value}y>");
            let text = run(args).await.unwrap();
            let text = text.as_str().unwrap();
            assert!(
                text.starts_with(&expected) && text.ends_with(&format!("<{value}>")),
                "{interpreter} {value}: {text}"
            );
        }
    }
}

#[tokio::test]
async fn numbers_and_booleans_are_values_too() {
    let args = json!({"script": "echo $n $b $#", "vars": {"n": 1.5, "b": true}, "args": [1, false]});
    assert_eq!(run(args).await.unwrap(), "1.5 true 2");
}

#[tokio::test]
async fn the_first_failure_ends_the_script() {
    let error = run(json!({"script": "false\necho on"})).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Permanent, "`sh` ended with exit code 1"));
    let error = run(json!({"script": "echo $typo"})).await.unwrap_err();
    assert!(error.message.contains("typo"), "{}", error.message);
    let error = run(json!({"script": "false | true", "interpreter": "bash"})).await.unwrap_err();
    assert_eq!(error.details["exit_code"], 1);
}

#[tokio::test]
async fn results_have_forms() {
    let cases = [
        (json!({"script": "echo a; echo; echo b"}), json!("a\n\nb")),
        (json!({"command": "echo a; echo; echo b", "result": "lines"}), json!(["a", "b"])),
        (json!({"script": "echo '{\"a\": 1}'", "result": "json"}), json!({"a": 1})),
        (
            json!({"script": "echo o; echo e >&2; exit 3", "result": "full", "ok": [0, 3]}),
            json!({"exit_code": 3, "stdout": "o\n", "stderr": "e\n"}),
        ),
        (json!({"script": "cat", "stdin": "in"}), json!("in")),
        (json!({"script": "pwd", "folder": "usr"}), json!("/usr")),
    ];
    for (args, expected) in cases {
        assert_eq!(run(args.clone()).await.unwrap(), expected, "{args}");
    }
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let cases = [
        (json!({}), "`script` is missing"),
        (json!({"script": "", "command": ""}), "`script` and `command` are the same; give one of them"),
        (
            json!({"script": "", "vars": {"a-b": 1}}),
            "`a-b` cannot be a shell variable; use letters, digits and `_`",
        ),
        (json!({"script": "", "vars": {"PATH": "."}}), "`PATH` cannot be set: it decides how commands run"),
        (
            json!({"script": "", "vars": {"LD_PRELOAD": "x"}}),
            "`LD_PRELOAD` cannot be set: it decides how commands run",
        ),
        (
            json!({"script": "", "timeout": "x"}),
            "`x` is not a duration; write it like `30s`, `5m` or `1h 30m`",
        ),
    ];
    for (args, message) in cases {
        let error = run(args).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Invalid, message));
    }
    let error = run(json!({"script": "", "vars": {"a": [1]}})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
}

#[tokio::test]
async fn what_is_calculated_must_be_an_integer() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("pwned");
    let text = format!("PATH[$(touch {})]", mark.display());
    let scripts = [
        "echo $((x + 1))",
        "[[ $x -gt 1 ]]",
        "test -v $x",
        "let y=x",
        "declare -i y; y=$x",
        "a=(1); echo ${a[$x]}",
        "((x)); true",
        "v=abc; echo ${v:$x}",
        "y=$x; echo $((y))",
        "a[$x]=1",
        "echo ${!x}",
        "unset $x",
        "printf -v $x y",
        "read $x <<<y",
        "for y in $x; do ((y)); done",
        "declare -a \"l=$x\"",
    ];
    for script in scripts {
        let args = |value: &str| json!({"script": script, "interpreter": "bash", "vars": {"x": value}});
        let error = run(args(&text)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{script}");
        assert!(error.message.starts_with("the script calculates with `$x`"), "{script}: {}", error.message);
        assert!(!mark.exists(), "{script}");
    }
    let error = run(json!({"script": "echo $(($1 + 1))", "args": [text]})).await.unwrap_err();
    assert!(error.message.starts_with("the script calculates with `$1`"), "{}", error.message);
    let reads =
        |stdin: &str| json!({"script": "read n; echo $((n + 1))", "interpreter": "bash", "stdin": stdin});
    let error = run(reads(&text)).await.unwrap_err();
    assert!(error.message.contains("`stdin` must hold integers only") && !mark.exists(), "{}", error.message);
    assert_eq!(run(reads("4\n")).await.unwrap(), "5");
    let args = json!({"script": "echo $((x + $1)) $q", "vars": {"x": 4, "q": "a  b"}, "args": ["-1"]});
    assert_eq!(run(args).await.unwrap(), "3 a  b");
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let script = "true\ncat <<EOF\n$q";
    let error = run(json!({"script": script, "vars": {"q": "x"}})).await.unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (
            ErrorKind::Invalid,
            "line 2 of the script: a here-document has no line `EOF` that ends it; write that line, with nothing before or after it"
        )
    );
    let alone = run(json!({"script": "cat <<EOF\nx"})).await;
    assert_eq!(alone.unwrap(), "x", "without values there is nothing to quote");
}

#[test]
fn scripts_say_that_they_are_literal() {
    let spec = shell().spec().clone();
    for name in ["script", "command"] {
        assert_eq!(spec.input["properties"][name]["x-aa-literal"], true);
    }
}

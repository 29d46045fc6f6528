//! Expressions, without a runtime.

use aa_spec::compute::Interpreter;

use super::*;

fn evaluate(code: &str, names: Value) -> Result<Value, String> {
    WORKERS.evaluate(code, args(names), 0).map_err(|failure| failure.message)
}

#[test]
fn an_expression_has_a_value() {
    let names = json!({ "xs": [{ "n": 1 }, { "n": 5 }] });
    assert_eq!(evaluate("any(_attr(x, 'n') > 3 for x in xs)", names.clone()), Ok(json!(true)));
    assert_eq!(evaluate("[x['n'] for x in xs if x['n'] < 3]", names), Ok(json!([1])));
    assert_eq!(evaluate("datetime.now().isoformat()", json!({})), Ok(json!("1970-01-01T00:00:00")));
}

#[test]
fn an_error_shows_no_value() {
    let told = |text: &str| Err(text.to_owned());
    assert_eq!(evaluate("nothing + 1", json!({})), told("NameError: name 'nothing' is not defined"));
    assert_eq!(evaluate("{}[x]", json!({ "x": "hunter2" })), told("KeyError"));
    assert_eq!(evaluate("int(x)", json!({ "x": "hunter2" })), told("ValueError"));
}

#[test]
fn an_expression_is_short_and_alone() {
    let told = |text: &str| Err(text.to_owned());
    assert_eq!(evaluate("sum(range(10 ** 12))", json!({})), told("it took longer than 1s"));
    assert_eq!(evaluate("'x' * 10 ** 12", json!({})), told("it took too much memory"));
    assert_eq!(
        evaluate("call_tool('git_log')", json!({})),
        told("an expression cannot call a tool or skill")
    );
    assert_eq!(evaluate("1 + 1", json!({})), Ok(json!(2)));
}

#[tokio::test]
async fn blocks_and_expressions_share_workers() {
    let workers = workers(Limits::default());
    assert_eq!(workers.run(job("1", json!({})), &mut Echo::default()).await.unwrap().value, json!(1));
    let first = workers.waiting();
    assert_eq!(workers.evaluate("2", Map::new(), 0), Ok(json!(2)));
    assert_eq!(workers.run(job("3", json!({})), &mut Echo::default()).await.unwrap().value, json!(3));
    assert_eq!(workers.waiting(), first);
}

#[test]
fn who_is_at_fault_is_told() {
    let kind = |workers: &Workers, code: &str| {
        workers.evaluate(code, Map::new(), 0).map_err(|failure| (failure.kind, failure.message))
    };
    assert_eq!(kind(&WORKERS, "[][0]").unwrap_err().0, ErrorKind::Invalid);
    assert_eq!(kind(&WORKERS, "'x' * 10 ** 12").unwrap_err().0, ErrorKind::Invalid);
    assert_eq!(kind(&WORKERS, "sum(range(10 ** 12))").unwrap_err().0, ErrorKind::Timeout);
    let nobody = WorkerCommand { program: "/no/such/program".into(), args: Vec::new() };
    let (kind, message) = kind(&Workers::new(nobody, Limits::default()), "1").unwrap_err();
    assert_eq!(kind, ErrorKind::Transient, "{message}");
}

#[test]
fn a_worker_that_talks_nonsense_is_not_waited_for() {
    let nonsense = lying(&json!("nonsense"));
    let began = std::time::Instant::now();
    let failure = nonsense.evaluate("1", Map::new(), 0).unwrap_err();
    assert_eq!(failure.kind, ErrorKind::Transient);
    assert!(failure.message.starts_with("its worker cannot be understood"), "{failure:?}");
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
}

//! Expressions in Python, as far as that goes without anybody who runs them.
#![cfg(feature = "compute")]

use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use super::scope;
use crate::compute::{Failure, Interpreter};
use crate::template::{Expression, Missing, Scope, Template};
use crate::tool::ErrorKind;

/// The code, the names and the time.
type Asked = (String, Map<String, Value>, i64);

/// Says what it was asked, and answers with what it was told to.
struct Witness {
    answer: Result<Value, Failure>,
    asked: Mutex<Vec<Asked>>,
}

impl Interpreter for Witness {
    fn evaluate(&self, code: &str, names: Map<String, Value>, now_ms: i64) -> Result<Value, Failure> {
        self.asked.lock().unwrap().push((code.to_owned(), names, now_ms));
        self.answer.clone()
    }
}

fn witnessed(answer: Result<Value, Failure>) -> (Arc<Witness>, Scope) {
    let witness = Arc::new(Witness { answer, asked: Mutex::default() });
    let mut scope = scope();
    scope.set_interpreter(witness.clone());
    (witness, scope.child())
}

fn parse(text: &str) -> Expression {
    Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn only_what_is_read_is_handed_over() {
    let (witness, scope) = witnessed(Ok(json!([1])));
    let expression = parse("{{ skipped or [t for t in inputs.tags if nothing] }}");
    assert!(expression.is_python());
    assert_eq!(expression.eval(&scope), Ok(json!([1])));
    assert_eq!(expression.is_true(&scope), Ok(true));
    let references: Vec<String> = expression.references().into_iter().collect();
    assert_eq!(references, ["inputs.tags", "nothing", "skipped"]);
    let asked = witness.asked.lock().unwrap();
    let (_, names, now) = &asked[0];
    assert_eq!(names.keys().collect::<Vec<_>>(), ["inputs", "nothing", "skipped"]);
    assert_eq!(
        (&names["nothing"], names["inputs"]["mr"].as_i64(), *now),
        (&Value::Null, Some(123), 1_767_225_600_123)
    );
}

#[test]
fn templates_hold_python_as_a_whole_only() {
    let (_, scope) = witnessed(Ok(json!(["a"])));
    let template = Template::parse(&json!({"x": ["{{ [t for t in inputs.tags] }}"]})).unwrap();
    assert!(template.has_python());
    assert_eq!(template.render(&scope, Missing::Fail), Ok(Some(json!({"x": [["a"]]}))));
    assert!(Template::parse(&json!("see {{ [t for t in inputs.tags] }}")).is_err());
    assert!(!Template::parse(&json!("{{ inputs.tags }}")).unwrap().has_python());
}

#[test]
fn arguments_are_left_out_when_null_and_refused_when_something_is_missing() {
    let (_, scope) = witnessed(Ok(Value::Null));
    let render = |text: &str| Template::parse(&json!(text)).unwrap().render(&scope, Missing::Fail);
    assert_eq!(render("{{ next((t for t in inputs.tags), None) }}"), Ok(None));
    let error = render("{{ [t for t in skipped] }}").unwrap_err();
    assert_eq!(error.message, "`skipped` has no value; its step was skipped, or gave none");
    assert_eq!(render("{{ skipped and [t for t in inputs.tags] }}"), Ok(None));
}

#[test]
fn without_an_interpreter_it_fails() {
    let error = parse("[t for t in inputs.tags]").eval(&scope()).unwrap_err();
    assert_eq!(error.message, "cannot evaluate `[t for t in inputs.tags]`: Python does not run here");
    assert_eq!(error.kind, ErrorKind::Invalid);
    let failure = Failure { kind: ErrorKind::Transient, message: "TypeError at line 1".to_owned() };
    let (_, mut scope) = witnessed(Err(failure));
    scope.set("inputs", &Value::Null);
    let error = parse("[t for t in inputs.tags]").eval(&scope).unwrap_err();
    assert_eq!(error.message, "cannot evaluate `[t for t in inputs.tags]`: TypeError at line 1");
    assert_eq!(error.kind, ErrorKind::Transient);
}

#[test]
fn secrets_do_not_get_there() {
    let (witness, mut scope) = witnessed(Ok(json!(1)));
    let mentions = parse("[s for s in [secrets.TOKEN]]").mentions();
    assert!(mentions[0].worked_on);
    scope.set("leak", &json!({"deep": [crate::template::seal::seal("TOKEN")]}));
    for text in ["[s for s in [secrets.TOKEN]]", "[leak for _ in [1]]"] {
        let error = parse(text).eval(&scope).unwrap_err();
        assert!(error.message.ends_with("a secret cannot be read in Python"), "{error}");
    }
    assert!(witness.asked.lock().unwrap().is_empty());
}

#[test]
fn a_secret_cannot_be_made_up_there() {
    let (_, scope) = witnessed(Ok(json!({"a": ["\u{fdd0}secret:TOKEN\u{fdd1}"]})));
    let template = Template::parse(&json!("{{ [t for t in inputs.tags] }}")).unwrap();
    let harmless = json!({"a": ["\u{fffd}secret:TOKEN\u{fffd}"]});
    assert_eq!(template.render(&scope, Missing::Fail), Ok(Some(harmless)));
}

#[test]
fn the_clock_must_be_known_to_be_read() {
    let (_, scope) = witnessed(Ok(json!(1)));
    assert!(parse("[now() for _ in today]").reads_clock());
    assert!(!parse("[t for t in today]").reads_clock());
    assert_eq!(parse("[now() for _ in today]").eval(&scope), Ok(json!(1)));
    let mut timeless = Scope::default();
    timeless.set_interpreter(witnessed(Ok(json!(1))).0);
    assert!(parse("[now() for _ in 'a']").eval(&timeless).is_err());
}

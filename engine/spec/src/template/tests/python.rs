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
fn templates_hold_python_as_a_whole_and_within_text() {
    let (_, scope) = witnessed(Ok(json!(["a"])));
    let template = Template::parse(&json!({"x": ["{{ [t for t in inputs.tags] }}"]})).unwrap();
    assert!(template.has_python());
    assert_eq!(template.render(&scope, Missing::Fail), Ok(Some(json!({"x": [["a"]]}))));
    assert!(Template::parse(&json!("see {{ [t for t in inputs.tags] }}")).unwrap().has_python());
    assert!(Template::parse(&json!("{% if [t for t in inputs.tags] %}x{% endif %}")).unwrap().has_python());
    assert!(!Template::parse(&json!("{{ inputs.tags }}")).unwrap().has_python());
    assert!(!Template::parse(&json!("see {{ inputs.tags }}")).unwrap().has_python());
}

/// `G` stands for a generator expression.
fn with_generator(text: &str) -> String {
    text.replace('G', "[t for t in inputs.tags if t != '}}' and t != '%}']")
}

#[test]
fn every_expression_of_a_text_can_be_python() {
    for (text, expected) in [
        ("x {{ G }}", r#"x ["a"]"#),
        ("{{ G }} {{ G }}", r#"["a"] ["a"]"#),
        ("{{ inputs.mr }}: {{- G -}} !", r#"123:["a"]!"#),
        ("{{G}}é{{ inputs.mr ~ 'ü' }}", r#"["a"]é123ü"#),
        ("{% if G %}a{% else %}b{% endif %}", "a"),
        ("{% if not inputs.mr %}b{% elif G %}a{% endif %}", "a"),
        ("{%- if G -%} a {%- endif -%}", "a"),
        ("{% for x in G %}{{ x }}{% endfor %}", "a"),
        ("{% for x in G if inputs.mr %}{{ x }}{{ loop.index }}{% endfor %}", "a1"),
        ("{% for x in inputs.tags if G %}{{ inputs.mr ~ 'y' }}{% endfor %}", "123y123y"),
        ("{% set n = G %}{{ n[0] }}", "a"),
        ("{% set n = inputs.mr ~ 'x' %}{{ n ~ 'y' }}{{ G }}", r#"123xy["a"]"#),
        ("{% raw %}{{ G }}{% endraw %}{{ inputs.mr }}", "{{ G }}123"),
        ("{% if inputs.mr %}{{ G }}{% endif %}{{ inputs.mr ~ 1 }}", r#"["a"]1231"#),
    ] {
        let (_, scope) = witnessed(Ok(json!(["a"])));
        let written = with_generator(text);
        let template = Template::parse(&json!(written)).unwrap_or_else(|error| panic!("{text}: {error}"));
        for missing in [Missing::Null, Missing::Fail] {
            let rendered = template.render(&scope, missing);
            assert_eq!(rendered, Ok(Some(json!(with_generator(expected)))), "{text}");
        }
        let again: Template = serde_json::from_value(serde_json::to_value(&template).unwrap()).unwrap();
        assert_eq!(again.render(&scope, Missing::Null), Ok(Some(json!(with_generator(expected)))), "{text}");
    }
}

#[test]
fn python_in_a_text_sees_what_the_text_binds_and_runs_only_when_it_is_come_to() {
    let (witness, scope) = witnessed(Ok(json!(true)));
    let text = "{% for x in inputs.tags %}{% set y = loop.index %}{% if any(t == x and y for t in build.items) %}{{ x }},{% endif %}{% endfor %}";
    let template = Template::parse(&json!(text)).unwrap();
    assert_eq!(template.references().into_iter().collect::<Vec<_>>(), ["build.items", "inputs.tags"]);
    assert_eq!(template.render(&scope, Missing::Fail), Ok(Some(json!("a,b,"))));
    let asked: Vec<_> = witness
        .asked
        .lock()
        .unwrap()
        .drain(..)
        .map(|(_, names, _)| (names["x"].clone(), names["y"].clone()))
        .collect();
    assert_eq!(asked, [(json!("a"), json!(1)), (json!("b"), json!(2))]);

    let idle = "{% if inputs.mr %}a{% else %}{{ [t for t in skipped] }}{% endif %}";
    let template = Template::parse(&json!(idle)).unwrap();
    assert_eq!(template.render(&scope, Missing::Fail), Ok(Some(json!("a"))));
    assert!(witness.asked.lock().unwrap().is_empty());
}

#[test]
fn what_goes_wrong_in_the_python_of_a_text_is_told_of_the_python() {
    let failure = Failure { kind: ErrorKind::Transient, message: "TypeError at line 1".to_owned() };
    let (_, scope) = witnessed(Err(failure));
    for text in
        ["{% if inputs.mr %}{{ [t for t in inputs.tags] }}{% endif %}", "x {{ [t for t in inputs.tags] }}"]
    {
        let error = Template::parse(&json!(text)).unwrap().render(&scope, Missing::Fail).unwrap_err();
        assert_eq!(
            error.message, "cannot evaluate `[t for t in inputs.tags]`: TypeError at line 1",
            "{text}"
        );
        assert_eq!(error.kind, ErrorKind::Transient, "{text}");
    }
    let text = "{% if inputs.mr %}{{ [t for t in skipped] }}{% endif %}";
    let error = Template::parse(&json!(text)).unwrap().render(&scope, Missing::Fail).unwrap_err();
    assert_eq!(error.message, "`skipped` has no value; its step was skipped, or gave none");
    let (_, scope) = witnessed(Ok(json!(1)));
    let text = "{% for i in range(2000) %}{{ [t for t in inputs.tags] }}{% endfor %}";
    let error = Template::parse(&json!(text)).unwrap().render(&scope, Missing::Fail).unwrap_err();
    assert!(error.message.ends_with("Python runs more than 1000 times in one text"), "{error}");
}

#[test]
fn mistakes_beside_python_are_marked_where_they_were_made() {
    for (text, marked, message) in [
        ("x {{ [t for t in inputs.tags if] }} y", "]", "neither an expression"),
        ("{{ [t for t in inputs.tags] }} {{ a b }}", "b }}", "unexpected identifier"),
        ("{{ [t for t in inputs.tags] }} {{ a | nope }}", "nope }}", "there is no filter `nope`"),
        ("{% if [t for t in inputs.tags] %}é{{ nope(1) }}{% endif %}", "nope", "there is no function `nope`"),
        (
            "{% if [t for t in inputs.tags] %}{{ __python__(0, {}) }}{% endif %}",
            "for t",
            "unexpected identifier",
        ),
        ("x {{ __python__(0, {}) }}", "__python__", "there is no function `__python__`"),
    ] {
        let error = Template::parse(&json!(text)).unwrap_err();
        assert!(error.message.contains(message), "{text}: {error}");
        let rest = &text[error.offset..];
        assert!(rest.starts_with(marked), "{text}: {rest}");
    }
}

#[test]
fn what_is_read_beside_and_in_python_is_found_where_it_stands() {
    let text = "é {% if [t.x for t in inputs.tags if t in build.items] %}{{ inputs.mr }}{% for i in item %}{{ [i for _ in skipped] }}{% endfor %}{% endif %}";
    let template = Template::parse(&json!(text)).unwrap();
    let mut found = Vec::new();
    template.root().each_reference(&mut Vec::new(), &mut |_, reference| {
        found.push(text[reference.span.clone()].to_owned());
    });
    assert_eq!(found, ["build.items", "inputs.tags", "inputs.mr", "item", "skipped"]);
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

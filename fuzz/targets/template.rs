//! Any text as an expression and as a template, compiled and rendered: an answer or an error, never a panic.

#![no_main]

use aa_spec::template::{Expression, Missing, Scope, Template};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let scope = scope();
    match Expression::parse(text) {
        Ok(expression) => {
            expression.references();
            let _ = expression.eval(&scope);
            let _ = expression.is_true(&scope);
        }
        Err(error) => assert!(error.offset <= text.len(), "{error:?}"),
    }
    let written = json!({ "whole": text, "part": [format!("a {text} b")] });
    if let Ok(template) = Template::parse(&Value::String(text.to_owned())) {
        template.references();
        let _ = template.render(&scope, Missing::Null);
        if template.is_constant() && !text.contains("{#") && !text.contains("{%") && !text.contains("{{") {
            assert_eq!(template.render(&scope, Missing::Fail).ok().flatten(), Some(text.into()));
        }
    }
    if let Ok(template) = Template::parse(&written) {
        let _ = template.render(&scope, Missing::Fail);
    }
});

fn scope() -> Scope {
    let mut scope = Scope::default();
    let person = json!({ "name": "Ada", "age": 36, "tags": ["a", "b"], "nested": { "x": [1, 2, { "y": null }] } });
    scope.set("inputs", &person);
    scope.set("config", &json!({ "hosts": ["one", "two"], "ratio": 0.5 }));
    scope.set("item", &json!("é\u{1F600}"));
    scope.set("index", &json!(3));
    scope.set("none", &Value::Null);
    scope.set_now(1_700_000_000_000);
    scope.set_secrets(&["TOKEN".to_owned()]);
    scope
}

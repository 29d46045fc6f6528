//! Properties of the template language: whatever a text says.

use proptest::prelude::*;
use serde_json::json;

use super::scope;
use crate::template::{EvalError, Expression, Missing, Reference, Segment, Template};

const ATOMS: &[&str] = &[
    "a",
    "b.c",
    "inputs",
    "inputs.mr",
    "inputs.tags",
    "inputs.flag",
    "skipped",
    "skipped.x",
    "build.items",
    "build",
    "secrets.TOKEN",
    "item",
    "today",
    "now()",
    "'x'",
    "\"a b\"",
    "'%d {}'",
    "0",
    "1",
    "-1",
    "2.5",
    "1e300",
    "9223372036854775807",
    "true",
    "none",
    "[]",
    "{}",
    "str",
    "'\u{FDD0}'",
    "range(3)",
];

const BINARY: &[&str] =
    &["~", "+", "-", "*", "**", "/", "//", "%", "==", "!=", "<", ">=", "in", "not in", "and", "or", ","];

const AFTER: &[&str] = &[
    "|upper",
    "|default('q')",
    "|tojson",
    "|map(attribute='name')",
    "|selectattr('n')",
    "|join('-')",
    "|length",
    "|slug",
    "|shell_quote",
    "|sort",
    "|list",
    "|first",
    "|string",
    "|int",
    "|round",
    "|sum",
    "|groupby('n')",
    "|batch(2)",
    "|regex_replace('a', 'b')",
    "|indent(2)",
    "|replace('a', 'b')",
    "|format(1)",
    "|unique",
    "|dictsort",
    "|items",
    "|attr('x')",
    "|zip([1])",
    "|basename",
    " is defined",
    " is none",
    " is odd",
    " is divisibleby 2",
    ".x",
    ".get('mr')",
    ".get('x', 1)",
    ".items()",
    ".lower()",
    ".split(',')",
    ".format(1)",
    ".join(['a'])",
    ".strftime('%Q')",
    ".strftime('%Y')",
    "[0]",
    "[-1]",
    "['mr']",
    "[1:]",
    "[::-1]",
    " if a else b",
];

const CALLS: &[&str] = &[
    "len", "str", "int", "float", "bool", "list", "dict", "any", "all", "min", "max", "sum", "sorted", "abs",
    "round",
];

const WORDS: &[&str] = &[
    "{{", "}}", "{{-", "-}}", "{%", "%}", "{#", "#}", "if", "else", "elif", "endif", "for", "in", "endfor",
    "set", "endset", "with", "endwith", "raw", "endraw", "do", "not", "is", "loop", "self", "a", "|",
    "upper", "~", "-", "**", "=", ",", ":", ".", "(", ")", "[", "]", "{", "}", "'", "\"", "1", "\n", " ",
    "é", "\u{FDD0}", "\\",
];

/// Expressions that the engine can read, if not always evaluate.
fn any_expression() -> impl Strategy<Value = String> {
    let atom = proptest::sample::select(ATOMS).prop_map(str::to_owned);
    atom.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), proptest::sample::select(BINARY), inner.clone())
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (inner.clone(), proptest::sample::select(BINARY), inner.clone())
                .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (inner.clone(), proptest::sample::select(AFTER)).prop_map(|(a, after)| format!("{a}{after}")),
            (proptest::sample::select(CALLS), inner.clone()).prop_map(|(call, a)| format!("{call}({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("any(t == {a} for t in {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{'k': {a}, 'l': {b}}}")),
            inner.prop_map(|a| format!("not {a}")),
        ]
    })
}

/// Texts of expressions and statements, and of words in any order.
fn any_text() -> impl Strategy<Value = String> {
    let expression = any_expression;
    let words = proptest::collection::vec(proptest::sample::select(WORDS), 0..24);
    prop_oneof![
        3 => expression(),
        3 => expression().prop_map(|a| format!("{{{{ {a} }}}}")),
        1 => (expression(), expression()).prop_map(|(a, b)| format!("é{{{{ [t for t in {a} if {b}] }}}} {{{{ {b} }}}}")),
        1 => (expression(), expression()).prop_map(|(a, b)| format!("{{% for q in {a} %}}{{{{ [q for t in {b}] }}}}{{% endfor %}}")),
        2 => (expression(), expression()).prop_map(|(a, b)| format!("x{{{{ {a} }}}}y {{{{- {b} -}}}} z\n")),
        1 => (expression(), expression()).prop_map(|(a, b)| format!("{{% if {a} %}}{{{{ {b} }}}}{{% else %}}n{{% endif %}}")),
        1 => (expression(), expression()).prop_map(|(a, b)| format!("{{% for q in {a} %}}{{{{ q ~ {b} }}}}{{% endfor %}}")),
        1 => (expression(), expression()).prop_map(|(a, b)| format!("{{% set q = {a} %}}{{{{ q ~ ({b}) }}}}")),
        1 => words.clone().prop_map(|words| words.join(" ")),
        1 => words.prop_map(|words| words.concat()),
    ]
}

/// Whether an evaluation ended in a value or in an error of the template's own making.
fn sound<T>(result: &Result<T, EvalError>) -> bool {
    !result.as_ref().is_err_and(|error| error.message.ends_with("the template engine has failed"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_text_makes_it_panic(text in any_text()) {
        let scope = scope();
        if let Ok(expression) = Expression::parse(&text) {
            let (value, truth) = (expression.eval(&scope), expression.is_true(&scope));
            prop_assert!(sound(&value) && sound(&truth), "{text}");
            let again = Expression::parse(expression.source());
            prop_assert_eq!(again.map(|again| again.references()), Ok(expression.references()));
        }
        if let Ok(template) = Template::parse(&json!({"k": [text]})) {
            let null = template.render(&scope, Missing::Null);
            let fail = template.render(&scope, Missing::Fail);
            prop_assert!(sound(&null) && sound(&fail), "{text}");
            // What is there reads the same either way.
            if let (Ok(null), Ok(Some(fail))) = (null, fail) {
                prop_assert_eq!(null, Some(fail), "{}", text);
            }
            let printed = serde_json::to_value(&template).unwrap();
            let again: Template = serde_json::from_value(printed).unwrap();
            prop_assert_eq!(&again, &template);
            prop_assert_eq!(again.references(), template.references());
        }
    }

    #[test]
    fn what_is_read_and_what_is_wrong_has_a_place_in_the_text(text in any_text()) {
        match Template::parse(&json!(text)) {
            Ok(template) => {
                let mut places = Vec::new();
                template.root().each_reference(&mut Vec::new(), &mut |_, reference| places.push(reference));
                for Reference { path, span, .. } in places {
                    let root = path.first().and_then(Segment::key).unwrap_or_default();
                    prop_assert!(text.get(span).is_some_and(|read| read.contains(root)), "{}: {:?}", text, path);
                }
            }
            Err(error) => prop_assert!(text.get(error.offset..).is_some(), "{}: {}", text, error.offset),
        }
    }

    #[test]
    fn references_are_all_that_counts(text in any_text()) {
        // Names that are not among the references can have any value.
        let Ok(expression) = Expression::parse(&text) else { return Ok(()) };
        let roots: Vec<String> =
            expression.references().iter().map(|path| path.split('.').next().unwrap_or_default().to_owned()).collect();
        let mut other = scope();
        for name in ["inputs", "build", "skipped", "a", "b", "item"] {
            if !roots.iter().any(|root| root == name) {
                other.set(name, &json!("something else"));
            }
        }
        prop_assert_eq!(expression.eval(&scope()), expression.eval(&other), "{}", text);
    }

    #[test]
    fn any_characters_make_it_no_panic(text in ".{0,60}") {
        let _ = Expression::parse(&text).map(|expression| expression.eval(&scope()));
        let _ = Template::parse(&json!(text)).map(|template| template.render(&scope(), Missing::Fail));
    }
}

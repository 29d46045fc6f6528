//! Which failures a rule is for, what it guesses, and what is wrong with bad ones.

use serde_json::{Map, Value, json};

use super::*;
use crate::source::Source;

fn rules(text: &str) -> Vec<HealPlan> {
    let source = Source::new("tools/x.yaml", format!("module: x\ndescription: A module\nheal:\n{text}"));
    let (module, problems) = crate::tool::recipe::check(&source);
    assert_eq!(problems, []);
    module.unwrap().heal.iter().map(|rule| compile(rule, &source).unwrap()).collect()
}

fn failure<'a>(kind: ErrorKind, message: &'a str, args: &'a Map<String, Value>) -> Failure<'a> {
    Failure { tool: "kubectl_get_pods", args, kind, message, details: &Value::Null }
}

#[test]
fn patterns_match_whole_words_in_any_case() {
    let rules = rules("  - {name: r, match: {pattern: ['403', prod]}, do: {tool: t}}\n");
    let args = Map::new();
    let fits = |message| rules[0].fits(&failure(ErrorKind::Permanent, message, &args));
    for said in ["HTTP 403", "(403)", "the PROD cluster", "prod-1 is down"] {
        assert!(fits(said), "{said}");
    }
    for said in ["merge request !1403 is broken", "4030", "the product", "reprod", "prods", ""] {
        assert!(!fits(said), "{said}");
    }
}

#[test]
fn everything_that_a_rule_says_must_fit() {
    let rules = rules(
        "  - {name: r, match: {tool: 'kubectl-*', kind: [auth, network], exit_code: 7, status: [401, 403]}, do: {tool: t}}\n",
    );
    let (rule, args) = (&rules[0], Map::new());
    let details = json!({"exit_code": 7, "status": 403});
    let good = Failure { details: &details, ..failure(ErrorKind::Auth, "no", &args) };
    assert!(rule.fits(&good));
    assert!(!rule.fits(&Failure { tool: "oc_get", ..good }));
    assert!(!rule.fits(&Failure { tool: "", ..good }));
    assert!(!rule.fits(&Failure { kind: ErrorKind::Timeout, ..good }));
    assert!(!rule.fits(&Failure { details: &json!({"exit_code": 7}), ..good }));
    assert!(!rule.fits(&Failure { details: &json!({"exit_code": 1, "status": 403}), ..good }));
}

#[test]
fn one_of_several_tools_must_fit_and_nothing_that_is_excepted() {
    let rules = rules(
        "  - {name: r, match: {tool: ['oc_*', kubectl-get-pods], kind: network, unless: 'localhost.*refused'}, do: {tool: t}}\n",
    );
    let args = Map::new();
    let refused = |message| failure(ErrorKind::Network, message, &args);
    assert!(rules[0].fits(&refused("10.0.0.1: refused")));
    assert!(rules[0].fits(&Failure { tool: "oc_get", ..refused("no") }));
    assert!(!rules[0].fits(&Failure { tool: "git_fetch", ..refused("no") }));
    assert!(!rules[0].fits(&refused("localhost:80: refused")));
    // As plans had it before.
    let mut pinned = serde_json::to_value(&rules[0]).unwrap();
    let pinned = pinned.as_object_mut().unwrap();
    pinned.remove("tools");
    pinned.insert("tool".to_owned(), json!("kubectl_*"));
    let pinned: HealPlan = serde_json::from_value(pinned.clone().into()).unwrap();
    assert!(pinned.fits(&refused("no")) && !pinned.is_for("oc_get"));
}

#[test]
fn what_the_command_printed_is_a_part_of_the_text() {
    let rules = rules("  - {name: r, match: {pattern: '^denied$'}, do: {tool: t}}\n");
    let args = Map::new();
    let details = json!({"stderr": "one\ndenied\ntwo", "command": ["denied"]});
    let said = failure(ErrorKind::Permanent, "it failed", &args);
    assert!(rules[0].fits(&Failure { details: &details, ..said }));
    assert!(!rules[0].fits(&Failure { details: &json!({"command": ["denied"]}), ..said }));
    assert!(!rules[0].fits(&Failure { kind: ErrorKind::Cancelled, details: &details, ..said }));
}

#[test]
fn the_first_guess_that_fits_decides() {
    let rules = rules(
        "  - name: r
    match: {kind: auth}
    guess: {cluster: [{pattern: bonfire|ephemeral, value: ephemeral}, {pattern: prod, value: production}, {value: stage}]}
    do: {tool: t, args: {cluster: \"{{ guess.cluster }}\"}}\n",
    );
    let args = json!({"namespace": "prod"}).as_object().unwrap().clone();
    let none = Map::new();
    let guess = |failure: &Failure<'_>| rules[0].guesses(failure)["cluster"].clone();
    assert_eq!(guess(&failure(ErrorKind::Auth, "no", &args)), "production");
    assert_eq!(guess(&failure(ErrorKind::Auth, "of a product", &none)), "stage");
    let bonfire = Failure { tool: "bonfire_release", ..failure(ErrorKind::Auth, "no", &none) };
    assert_eq!(guess(&bonfire), "ephemeral");
}

#[test]
fn bounds_are_filled_in() {
    let rules = rules("  - {name: a-b, match: {kind: auth}, do: {tool: t-u}, cool_down: 5s, per_run: 2}\n");
    let usual =
        Bounds { per_step: 1, per_run: 2, per_hour: 6, cool_down_ms: 5000, failures: 3, rest_ms: 3_600_000 };
    assert_eq!((rules[0].name.as_str(), rules[0].target(), rules[0].bounds), ("a_b", "t_u", usual));
}

#[test]
fn everything_wrong_with_a_rule_is_said_at_once() {
    let text = "
module: x
description: A module
heal:
  - name: 1x
    match: {}
    guess: {cluster: [{pattern: '(', value: 1}]}
    do: {args: {a: '{{ guess.clutser }}', b: '{{ argz.x }}', c: '{{ [x for x in args] }}', d: '{{ ('}}
    per_step: 9
    cool_down: soon
    timeout: 2h
";
    let (_, problems) = crate::tool::recipe::check(&Source::new("x.yaml", text));
    let mut codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
    codes.sort_unstable();
    let expected = [
        "bad-duration",
        "bad-name",
        "bad-pattern",
        "bad-template",
        "bad-template",
        "heal-action",
        "heal-bound",
        "heal-bound",
        "heal-match",
        "unknown-reference",
        "unknown-reference",
    ];
    assert_eq!(codes, expected, "{problems:#?}");
}

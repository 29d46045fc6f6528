//! `aa run explain`: why a run failed, and what can be done.

use serde_json::{Value, json};

use crate::support::{Aa, Ran};

const TOOLS: &str = r#"
module: shop
description: Tools that fail when they are told to
tools:
  - name: shop_look
    description: Reads a file
    effect: read
    input: {file: {type: string}}
    run: [cat, "{{ file }}"]
  - name: shop_sell
    description: Sells, unless the price is odd
    effect: write
    input: {what: {type: string}, price: {type: string}, to: {type: string}, note: {type: string}}
    run: [sh, -c, 'case "$1" in *[13579]) echo "error: odd price $1" >&2; exit 3;; esac; echo "sold $2"', sh, "{{ price }}", "{{ what }}"]
  - name: shop_whisper
    description: Sells in secret, and fails
    effect: write
    input: {what: {type: string}}
    run: [sh, -c, 'cat; echo "error: nobody may know" >&2; exit 3']
    stdin: "{{ what }}"
"#;

const SELL: &str = r#"
name: sell
description: Looks up a price and sells
inputs:
  - {name: what, type: string, required: true}
  - {name: to, type: string, default: everybody}
steps:
  - {name: price, tool: shop_look, args: {file: price.txt}}
  - name: sale
    tool: shop_sell
    args: {what: "{{ inputs.what }}", price: "{{ price | trim }}", to: "{{ inputs.to }} in {{ config.town }}", note: fixed}
outputs:
  - {name: said, value: "{{ sale }}"}
"#;

fn shop() -> Aa {
    let aa = Aa::new().tools("shop", TOOLS).skill("sell", SELL).config("values: {town: Brno}\n");
    aa.file("price.txt", "2\n")
}

fn sell(aa: &Aa, what: &str) -> Ran {
    aa.args(["skill", "run", "sell", "-q", "-i", &format!("what={what}")]).run()
}

fn explain(aa: &Aa, words: &[&str]) -> Ran {
    aa.args(["run", "explain"].iter().chain(words)).run()
}

#[test]
fn a_failure_is_explained_by_what_led_to_it() {
    let aa = shop();
    sell(&aa, "apples").code(0);
    let aa = aa.file("price.txt", "3\n");
    sell(&aa, "green apples").code(1);
    insta::assert_snapshot!(explain(&aa, &[]).code(0).out());
    let told = explain(&aa, &["2", "--format", "json"]).code(0).json();
    assert!(told.to_string().len() < 4096, "{told}");
    assert_eq!(told["step"]["path"], "sale");
    let changes = &told["changes"];
    assert_eq!(changes["outputs"], json!([{"name": "price", "before": "2", "now": "3"}]));
    assert_eq!(changes["skill"], json!([]));
    // The same journal gives the same words.
    assert_eq!(explain(&aa, &["2"]).out(), explain(&aa, &["2"]).out());
}

#[test]
fn a_change_of_the_skill_and_of_its_tool_is_seen() {
    let aa = shop();
    sell(&aa, "apples").code(0);
    let aa = aa.skill("sell", &SELL.replace("{{ price | trim }}", "1{{ price | trim }}1"));
    let aa = aa.tools("shop", &TOOLS.replace("Sells,", "Sells things,"));
    sell(&aa, "apples").code(1);
    let changes = explain(&aa, &["--format", "json"]).code(0).json()["changes"].take();
    assert_eq!(changes["skill"], json!([{"step": "sell: sale", "what": ["args.price"]}]));
    assert_eq!(changes["args"], json!([{"name": "price", "before": "2", "now": "121"}]));
    assert_eq!(changes["tools"], json!(["shop_sell"]));
    assert_eq!((&changes["inputs"], &changes["outputs"]), (&json!([]), &json!([])));
}

#[test]
fn a_run_that_went_well_without_the_step_is_better_than_none_to_compare_with() {
    let aa = shop();
    let selling = SELL
        .replace("    tool: shop_sell\n", "    tool: shop_sell\n    condition: inputs.what != 'nothing'\n");
    let aa = aa.skill("sell", &selling).file("price.txt", "3\n");
    sell(&aa, "nothing").code(0);
    sell(&aa, "apples").code(1);
    explain(&aa, &[]).code(0).stdout_contains("different from run 1, which succeeded without this step");
    let changes = explain(&aa, &["--format", "json"]).code(0).json()["changes"].take();
    assert_eq!(
        (&changes["good"], &changes["without_step"], &changes["args"]),
        (&json!(1), &json!(true), &json!([]))
    );
    assert_eq!(changes["inputs"], json!([{"name": "what", "before": "nothing", "now": "apples"}]));
    // One in which it ran says more, also when it is older.
    let aa = aa.file("price.txt", "2\n");
    sell(&aa, "pears").code(0);
    sell(&aa, "nothing").code(0);
    let aa = aa.file("price.txt", "5\n");
    sell(&aa, "apples").code(1);
    let changes = explain(&aa, &["--format", "json"]).code(0).json()["changes"].take();
    assert_eq!((&changes["good"], &changes["without_step"]), (&json!(3), &json!(false)));
}

#[test]
fn a_tool_is_another_one_when_its_text_is_and_not_when_its_file_was_written_again() {
    let aa = shop();
    sell(&aa, "apples").code(0);
    let aa = aa.tools("shop", TOOLS).file("price.txt", "3\n");
    sell(&aa, "apples").code(1);
    let tools = |aa: &Aa| explain(aa, &["--format", "json"]).code(0).json()["changes"]["tools"].take();
    assert_eq!(tools(&aa), json!([]), "the same text was written again");
    let aa = aa.tools("shop", &TOOLS.replace("Reads a file", "Reads any file"));
    assert_eq!(tools(&aa), json!([]), "what came after the run is nothing to it");
    sell(&aa, "apples").code(1);
    assert_eq!(tools(&aa), json!(["shop_look"]), "not only the tool that failed");
}

#[test]
fn a_default_that_is_computed_comes_from_what_it_is_computed_of() {
    let skill = SELL.replace("default: everybody", "default: '{{ config.town }}'");
    let aa = shop().skill("sell", &skill).file("price.txt", "3\n");
    sell(&aa, "apples").code(1);
    let told = explain(&aa, &["--format", "json"]).code(0).json();
    let args = told["step"]["args"].as_array().unwrap();
    let to = args.iter().find(|arg| arg["name"] == "to").unwrap();
    assert_eq!(to["from"], json!([{"kind": "config", "name": "town"}, {"kind": "default", "name": "to"}]));
    let retry = told["next"].as_array().unwrap().iter().find(|next| next["action"] == "retry").unwrap();
    assert_eq!(retry["command"], "aa skill run sell --input what=apples", "it is computed again");
    // The same value, but somebody has said it.
    aa.args(["skill", "run", "sell", "-q", "-i", "what=apples", "-i", "to=Brno"]).run().code(1);
    let told = explain(&aa, &["--format", "json"]).code(0).json();
    let to = told["step"]["args"].as_array().unwrap().iter().find(|arg| arg["name"] == "to").unwrap();
    assert_eq!(to["from"][1], json!({"kind": "input", "name": "to"}));
}

#[test]
fn a_failure_in_a_sub_skill_is_followed_inwards_and_its_arguments_outwards() {
    let outer = "name: outer\ndescription: Sells\ninputs: [{name: thing, type: string, required: true}]\nsteps:\n  - {name: whole, skill: sell, args: {what: 'a {{ inputs.thing }}'}}\n";
    let aa = shop().skill("outer", outer).file("price.txt", "5");
    aa.args(["skill", "run", "outer", "-q", "-i", "thing=pear"]).run().code(1);
    let step = explain(&aa, &["--format", "json"]).code(0).json()["step"].take();
    assert_eq!((&step["path"], &step["target"]), (&json!("whole/sale"), &json!("shop_sell")));
    let from = |name: &str| {
        let args = step["args"].as_array().unwrap().iter();
        args.clone().find(|arg| arg["name"] == name).map(|arg| arg["from"].clone()).unwrap()
    };
    assert_eq!(from("what"), json!([{"kind": "input", "name": "thing"}]));
    assert_eq!(from("to"), json!([{"kind": "config", "name": "town"}, {"kind": "default", "name": "to"}]));
    assert_eq!(from("price"), json!([{"kind": "output", "name": "price"}]));
}

#[test]
fn what_was_only_tried_is_only_tried_again() {
    let aa = shop();
    std::fs::remove_file(aa.path("price.txt")).unwrap();
    aa.args(["skill", "run", "sell", "-q", "--dry-run", "-i", "what=apples"]).run().code(1);
    let next = explain(&aa, &["--format", "json"]).code(0).json()["next"].take();
    let retry = next.as_array().unwrap().iter().find(|next| next["action"] == "retry").unwrap();
    assert_eq!(retry["command"], "aa skill run sell --dry-run --input what=apples");
}

#[test]
fn what_a_sub_skill_found_before_it_failed_is_compared() {
    let outer = "name: outer\ndescription: Sells\nsteps:\n  - {name: price, tool: shop_look, args: {file: other.txt}}\n  - {name: whole, skill: sell, args: {what: pear}}\n";
    let aa = shop().skill("outer", outer).file("other.txt", "a");
    let run = |aa: &Aa| aa.args(["skill", "run", "outer", "-q"]).run();
    run(&aa).code(0);
    let aa = aa.file("price.txt", "3\n").file("other.txt", "b");
    run(&aa).code(1);
    let changes = explain(&aa, &["--format", "json"]).code(0).json()["changes"].take();
    let whole = json!({"name": "whole/price", "before": "2", "now": "3"});
    assert_eq!(changes["outputs"], json!([whole, {"name": "price", "before": "a", "now": "b"}]));
}

#[test]
fn a_run_in_which_the_same_step_failed_is_no_good_one() {
    let soft = SELL.split("outputs:").next().unwrap().replace("name: sell\n", "name: soft\n");
    let soft = soft.replace("tool: shop_sell\n", "tool: shop_sell\n    on_error: continue\n");
    let aa = shop().skill("soft", &soft).file("price.txt", "3\n");
    let run = |aa: &Aa| aa.args(["skill", "run", "soft", "-q", "-i", "what=x"]).run().code(0);
    run(&aa);
    run(&aa);
    let told = explain(&aa, &["2", "--format", "json"]).code(0).json();
    assert_eq!((&told["step"]["path"], &told["changes"]), (&json!("sale"), &Value::Null));
}

#[test]
fn a_secret_is_never_shown() {
    let skill = "name: hush\ndescription: Uses a secret\nsteps:\n  - {name: sale, tool: shop_whisper, args: {what: 'it is {{ secrets.TOKEN }}'}}\n";
    let aa = shop().skill("hush", skill).config("values: {town: Brno}\nsecrets: {TOKEN: {env: TOKEN}}\n");
    aa.args(["skill", "run", "hush", "-q"]).env("TOKEN", "hunter2hunter2").run().code(1);
    let told = explain(&aa, &["--format", "json"]).code(0).json();
    assert!(!told.to_string().contains("hunter2"), "{told}");
    assert_eq!(told["step"]["args"][0]["value"], "it is ‹secret:TOKEN›");
    assert_eq!(told["step"]["args"][0]["from"], json!([{"kind": "secret", "name": "TOKEN"}]));
}

#[test]
fn what_memory_knows_is_said() {
    let aa = shop().file("price.txt", "7");
    let known = r#"{"price_patterns": [{"pattern": "odd price", "meaning": "the shop only sells in pairs", "fix": "double it"}]}"#;
    aa.args(["memory", "set", "learned/patterns", known]).run().code(0);
    sell(&aa, "apples").code(1);
    explain(&aa, &[]).code(0).stdout_contains("the shop only sells in pairs");
}

#[test]
fn a_run_that_waits_or_went_well_is_explained_too() {
    let asks = "name: asks\ndescription: Asks\nsteps: [{name: sure, confirm: {message: 'Sure?', options: [\"yes\", \"no\"]}}]\n";
    let aa = shop().skill("asks", asks);
    explain(&aa, &[]).code(4).stderr_contains("no run has failed");
    aa.args(["skill", "run", "asks", "-q"]).run().code(6);
    let told = explain(&aa, &["1", "--format", "json"]).code(0).json();
    assert_eq!(told["summary"], "run 1 of `asks` waits for a person at step `sure`");
    assert_eq!(told["next"][0]["command"], "aa run answer 1 sure yes");
    assert_eq!(told["next"][1]["command"], "aa run answer 1 sure no");
    sell(&aa, "apples").code(0);
    let told = explain(&aa, &["2", "--format", "json"]).code(0).json();
    assert_eq!((&told["step"], &told["changes"], &told["next"]), (&Value::Null, &Value::Null, &json!([])));
    explain(&aa, &["9"]).code(4).stderr_contains("there is no run 9");
}

//! Each setting that there is: read from its file, shown with its place, and with something that it changes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::contract::keys_of_settings;
use crate::support::Aa;

/// What a setting changes.
enum Effect {
    /// A script says this with it, and not without.
    Says(String, String),
    /// A test has it so, and looks at what comes of it: the test's file, and how it is written there.
    Tested(String, String),
    /// It is read and shown; to see more would take hours, a power cut, or another machine.
    Shown,
}
use Effect::{Says, Shown, Tested};

/// A setting, how it is written, under which key it is shown, and as what.
struct Row {
    key: String,
    written: String,
    shows: String,
    value: String,
    effect: Effect,
}

const SCHEDULES: &str = "schedules: {look: {skill: look, every: 1h}, write: {skill: write, every: 1h}, destroy: {skill: destroy, every: 1h}}\n";

/// The table beside this file: each row has the fields of [`Row`], and then the effect.
fn rows() -> Vec<Row> {
    let table: Vec<Vec<String>> = serde_json::from_str(include_str!("settings.json")).unwrap();
    table.iter().map(|fields| row(fields)).collect()
}

fn row(fields: &[String]) -> Row {
    let [key, written, shows, value, effect, rest @ ..] = fields else { panic!("{fields:?}") };
    let effect = match (effect.as_str(), rest) {
        ("says", [script, text]) => Says(script.clone(), text.clone()),
        ("tested", [file, text]) => Tested(file.clone(), text.clone()),
        ("shown", []) => Shown,
        _ => panic!("{fields:?}"),
    };
    let [key, written, shows, value] = [key, written, shows, value].map(Clone::clone);
    Row { key, written, shows, value, effect }
}

const TOOLS: &str = r#"
module: probe
description: x
tools:
  - {name: probe_say, description: Says it, effect: read, input: {text: {type: string, default: ''}}, run: [printf, '%s', '{{ text }}']}
  - {name: probe_big, description: Says much, effect: read, input: {}, run: [sh, -c, 'head -c 5000 /dev/zero | tr "\0" x']}
  - {name: probe_slow, description: Takes its time, effect: read, input: {}, run: [sleep, '1']}
  - {name: probe_write, description: Writes, effect: write, input: {}, run: ['true']}
  - {name: probe_destroy, description: Destroys, effect: destructive, input: {}, run: ['true']}
  - name: probe_opens
    description: Opens when the word is right
    effect: read
    input: {word: {type: string}}
    run: [sh, -c, 'read -r word; test "${#word}" -eq 6 && echo opened']
    stdin: "{{ word }}\n"
"#;
const COMPUTES: &str = r#"
name: block
description: Computes
steps:
  - name: it
    compute: |
      def down(n):
          return 0 if n == 0 else down(n - 1)
      total = down(30)
      for n in range(3):
          print("x" * 100)
          call_tool("probe_say", text="y")
      much = [0] * 400000
      result = {"it": "z" * 3000, "total": total + len(much)}
outputs: [{name: it, value: "{{ it }}"}]
"#;

/// A project with something for every setting, and one of them in the user's own configuration.
fn world(setting: &str) -> Aa {
    let skill = |name: &str, step: &str| {
        format!(
            "name: {name}\ndescription: x\nsteps: [{{name: it, {step}}}]\noutputs: [{{name: it, value: '{{{{ it }}}}'}}]\n"
        )
    };
    let schedules = if setting.contains("schedules:") { "" } else { SCHEDULES };
    Aa::new()
        .tools("probe", TOOLS)
        .skill("block", COMPUTES)
        .skill(
            "look",
            &skill("look", "tool: probe_say, args: {text: \"region {{ config.region or 'none' }}\"}"),
        )
        .skill("opens", &skill("opens", "tool: probe_opens, args: {word: '{{ secrets.WORD }}'}"))
        .skill("write", &skill("write", "tool: probe_write"))
        .skill("destroy", &skill("destroy", "tool: probe_destroy"))
        .file("../home/config/aa-workflow/more/further.yaml", skill("further", "wait: 1ms"))
        .own_config(&format!("{setting}\n{schedules}"))
}

/// All that a script says.
fn said(aa: &Aa, script: &str) -> String {
    let script = format!(
        "aa() {{ {} \"$@\"; }}; {}",
        crate::support::binary(),
        script.replace("timeout 2 aa", &format!("timeout 2 {}", crate::support::binary()))
    );
    let ran = aa.script(&script).run();
    ran.out() + &ran.err()
}

/// A setting as it is shown, or why there is nothing to show.
fn shown(aa: &Aa, key: &str) -> Value {
    let ran = aa.args(["config", "show", "--origin", "--format", "json"]).run();
    if ran.is_ok() { ran.json()[key].clone() } else { Value::from(ran.err()) }
}

/// Settings that have none below them, or any that somebody names.
fn leaves() -> BTreeSet<String> {
    let keys = keys_of_settings();
    let has_below = |key: &String| keys.iter().any(|other| other.starts_with(&format!("{key}.")));
    keys.iter().filter(|key| !has_below(key)).cloned().collect()
}

#[test]
fn every_setting_is_read_and_shown_with_its_place_and_has_an_effect() {
    let rows = rows();
    let named: BTreeSet<String> = rows.iter().map(|row| row.key.clone()).collect();
    let leaves = leaves();
    assert_eq!(
        leaves.difference(&named).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "no row says what it changes"
    );
    assert_eq!(
        named.difference(&leaves).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "there is no such setting"
    );
    let usual = world("");
    let wrong: Vec<String> = rows.iter().filter_map(|row| wrong(row, &usual).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is not so with a setting.
fn wrong(row: &Row, usual: &Aa) -> Result<(), String> {
    let Row { key, written, shows, value, effect } = row;
    let so = |is_so: bool, why: String| if is_so { Ok(()) } else { Err(format!("{key}: {why}")) };
    let aa = world(written);
    let entry = shown(&aa, shows);
    so(entry["value"].to_string().contains(value), format!("it is not shown as {value}: {entry}"))?;
    so(entry["origin"].to_string().contains("config.yaml"), format!("it has another place: {entry}"))?;
    so(entry["value"] != shown(usual, shows)["value"], "it is so without it, too".to_owned())?;
    match effect {
        Says(script, text) => {
            let (with, without) = (said(&aa, script), said(&world(""), script));
            so(with.contains(text), format!("`{script}` does not say `{text}`: {with}"))?;
            so(!without.contains(text), format!("`{script}` says `{text}` without it, too: {without}"))
        }
        Tested(file, text) => {
            so(super::contract::text(file).contains(text), format!("{file} has no `{text}`"))
        }
        Shown => Ok(()),
    }
}

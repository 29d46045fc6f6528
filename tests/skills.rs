//! Every shipped skill, run on real data. What its own tests share is here.

use serde_json::Value;

use crate::support::{Aa, Call, Ran, eventually};

/// Deployments to ephemeral namespaces.
mod ephemeral;
/// Skills over files, logs and disks.
mod files;
/// Skills over ports, pages and certificates.
mod network;
/// Skills over git repositories.
mod repositories;

/// A call that runs a skill and prints its events.
fn skill(aa: &Aa, name: &str, inputs: &[(&str, &str)]) -> Call {
    let mut args = vec!["skill".to_owned(), "run".into(), name.to_owned(), "--format".into(), "json".into()];
    for (input, value) in inputs {
        args.extend(["--input".to_owned(), format!("{input}={value}")]);
    }
    aa.args(args)
}

/// The outputs of a skill that must succeed.
#[track_caller]
fn outputs(aa: &Aa, name: &str, inputs: &[(&str, &str)]) -> Value {
    outputs_of(skill(aa, name, inputs).run())
}

/// The outputs of a run that must have succeeded.
#[track_caller]
fn outputs_of(ran: Ran) -> Value {
    let ran = ran.code(0);
    let events = ran.json_lines();
    let ending = events.iter().find(|event| event["event"] == "skill_completed");
    ending.unwrap_or_else(|| panic!("it did not complete\n{ran}"))["outputs"].clone()
}

/// Why a skill that must fail has failed.
#[track_caller]
fn failure(aa: &Aa, name: &str, inputs: &[(&str, &str)]) -> String {
    let ran = skill(aa, name, inputs).run().code(1);
    let events = ran.json_lines();
    let ending = events.iter().find(|event| event["event"] == "skill_failed");
    let error = &ending.unwrap_or_else(|| panic!("it did not fail\n{ran}"))["error"];
    error["message"].as_str().unwrap().to_owned()
}

/// Runs a skill, and answers its question from another process as soon as it asks.
#[track_caller]
fn answered(
    aa: &Aa,
    run: &str,
    (name, inputs): (&str, &[(&str, &str)]),
    (step, answer): (&str, &str),
) -> Value {
    let asking = skill(aa, name, inputs).start();
    eventually("the question was asked", || aa.args(["run", "answer", run, step, answer]).run().is_ok());
    outputs_of(asking.wait())
}

/// The text of an output.
#[track_caller]
fn text<'a>(outputs: &'a Value, name: &str) -> &'a str {
    outputs[name].as_str().unwrap_or_else(|| panic!("no text `{name}` in {outputs}"))
}

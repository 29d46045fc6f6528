//! Expectations taken back that a run shows and a test cannot promise.

use serde_json::{Value, json};

use super::{Draft, Fault};

/// Loosens what did not come out as in the run; more of it with every round.
pub(super) fn loosen(draft: &mut Draft, faults: &[Fault], round: usize) {
    for fault in faults {
        let what = fault.what.as_str();
        if what == "calls" {
            calls(draft, round);
        } else if let Some(path) = what.strip_prefix("outputs") {
            anything(draft, &["expect", "outputs"], path, what);
        } else if let Some(path) = what.strip_prefix("error") {
            anything(draft, &["expect", "error"], path, what);
        } else if let Some(step) = what.strip_prefix("steps.")
            && let Some(steps) =
                draft.test.get_mut("expect").and_then(|expect| expect.get_mut("steps")?.as_object_mut())
            && steps.shift_remove(step).is_some()
        {
            draft.loosened.push(format!("step `{step}` may end in any way"));
        } else if what == "stubs" {
            answers(draft);
        }
    }
}

/// Calls in any order at first, then with any arguments.
fn calls(draft: &mut Draft, round: usize) {
    let Some(calls) = draft.test.get_mut("expect").and_then(|expect| expect.get_mut("calls")) else { return };
    if let Value::Array(list) = calls {
        *calls = json!({"unordered": list});
        draft.loosened.push("calls may come in any order".to_owned());
    } else if round > 1
        && let Some(list) = calls.get_mut("unordered").and_then(Value::as_array_mut)
    {
        for call in list.iter_mut().filter_map(Value::as_object_mut) {
            call.shift_remove("args");
        }
        draft.loosened.push("calls may have any arguments".to_owned());
    }
}

/// Answers for whatever arguments, where a call had others than in the run.
fn answers(draft: &mut Draft) {
    let tools = draft.test.get_mut("stubs").and_then(|stubs| stubs.get_mut("tools")?.as_object_mut());
    let mut loosened = false;
    for answer in
        tools.into_iter().flat_map(|tools| tools.values_mut()).filter_map(Value::as_array_mut).flatten()
    {
        let Some(answer) = answer.as_object_mut() else { continue };
        loosened |= answer.shift_remove("args").is_some();
    }
    if loosened {
        draft.loosened.push("canned answers are given whatever the arguments are".to_owned());
    }
}

/// Lets a value be anything.
fn anything(draft: &mut Draft, root: &[&str], path: &str, what: &str) {
    let mut value = Some(&mut draft.test).and_then(|test| test.get_mut(root[0]));
    for key in &root[1..] {
        value = value.and_then(|value| value.get_mut(*key));
    }
    for part in parts(path) {
        value = value.and_then(|value| match value {
            Value::Array(items) => items.get_mut(part.parse::<usize>().ok()?),
            other => other.get_mut(&part),
        });
    }
    if let Some(value) = value {
        *value = json!({"any": true});
        draft.loosened.push(format!("`{what}` can be anything"));
    }
}

/// The keys and indices of `.a[0].b`.
fn parts(path: &str) -> Vec<String> {
    let parts = path.split(['.', '[']).map(|part| part.trim_end_matches(']').to_owned());
    parts.filter(|part| !part.is_empty()).collect()
}

//! Steps as other systems write them.

use serde_json::{Value, json};

use super::output::ACTIONS;
use super::words::Words;
use super::{Dialect, edit, tree};
use crate::fix::Edit;
use crate::yaml::{Kind, Node};

/// What a failure does, by other names.
const ON_ERROR: [(&str, &str); 10] = [
    ("ignore", "continue"),
    ("skip", "continue"),
    ("warn", "continue"),
    ("log", "continue"),
    ("stop", "fail"),
    ("abort", "fail"),
    ("raise", "fail"),
    ("heal", "auto_heal"),
    ("autoheal", "auto_heal"),
    ("auto-heal", "auto_heal"),
];

impl Dialect<'_> {
    pub(super) fn steps(&mut self, root: &mut Node) {
        let words = Words::of(root);
        let Some(items) = tree::get_mut(root, "steps").and_then(tree::items_mut) else { return };
        let written = std::mem::take(items);
        let mut meant = Vec::with_capacity(written.len());
        for step in written {
            if step.entries().is_empty() {
                meant.push(step);
            } else {
                self.step(step, &words, &mut meant);
            }
        }
        *items = meant;
    }

    fn step(&mut self, mut step: Node, words: &Words, meant: &mut Vec<Node>) {
        self.name(&mut step);
        if let Some(choice) = tree::get_mut(&mut step, "on_error") {
            self.word(choice, "on_error", &ON_ERROR);
        }
        self.condition(&mut step);
        if let Some(retry) = tree::get_mut(&mut step, "retry") {
            self.expression(retry, "when");
        }
        self.step_outputs(&mut step, words);
        self.skill_as_tool(&mut step);
        self.validations(&mut step);
        if step.get("then").is_some() {
            self.then_steps(&mut step, words, meant);
        }
        if ACTIONS.iter().all(|action| step.get(action).is_none()) {
            self.without_action(step, meant);
        } else {
            meant.push(step);
        }
    }

    /// `id` is what a step is called elsewhere.
    fn name(&mut self, step: &mut Node) {
        let (Some((id, value)), None) = (step.entry("id").cloned(), step.get("name")) else { return };
        if value.as_str().is_none() {
            return;
        }
        let problem = self.warn("foreign-key", id.span, "`id` is called `name` here");
        "write `name`".clone_into(&mut problem.hint);
        problem.fix = vec![Edit::replace(id.span, "name")];
        tree::rename(step, "id", "name");
    }

    /// `outputs: [x]`, which other systems ignore.
    fn step_outputs(&mut self, step: &mut Node, words: &Words) {
        let Some((key, value)) = tree::take(step, "outputs") else { return };
        let names: Vec<&str> = value.items().iter().filter_map(Node::as_str).collect();
        let own = step.get("name").and_then(Node::as_str).unwrap_or_default().to_owned();
        let place = key.span.to(value.span);
        match names[..] {
            [name] if step.get("output").is_none() && words.has(name) && !words.has(&own) => {
                let fix = [Edit::replace(key.span, "output"), Edit::replace(value.span, name)];
                // A list in lines does not start in the line of its key.
                let in_line = !self.source.slice(place).contains('\n');
                let message = format!("a step has one `output`, and this is a list of one: `{name}`");
                let problem = self.warn("step-outputs", key.span, message);
                problem.hint = format!("write `output: {name}`");
                problem.fix = if in_line { fix.to_vec() } else { Vec::new() };
                tree::set(step, "output", tree::text(name, value.span));
            }
            [name] if name != own && words.has(name) && step.get("output").is_none() => {
                let message = format!("the result of this step is read as `{name}` and as `{own}`");
                let problem = self.error("step-outputs", key.span, message);
                problem.hint = format!("write `output: {name}`, and `{name}` wherever it says `{own}`");
            }
            [] | [_] => {
                let fix = edit::comment_out(self.source, place);
                let problem = self.warn("step-outputs", key.span, "`outputs` has no effect in a step");
                problem.hint = format!("the result is in `{own}`; for another name write `output: …`");
                problem.fix = fix;
            }
            _ => {
                let problem = self.error("step-outputs", key.span, "a step has one output, not several");
                problem.hint = format!("leave it out; parts of the result are read as `{own}.…`");
            }
        }
    }

    /// `then: [{tool: …}, {return: …}]`: the steps come before the end.
    fn then_steps(&mut self, step: &mut Node, words: &Words, meant: &mut Vec<Node>) {
        let Some(then) = tree::get_mut(step, "then") else { return };
        let is_step = |item: &Node| ACTIONS.iter().any(|action| item.get(action).is_some());
        let Some(items) = tree::items_mut(then).filter(|items| items.iter().any(is_step)) else { return };
        let (steps, rest): (Vec<Node>, Vec<Node>) = std::mem::take(items).into_iter().partition(is_step);
        *items = rest;
        let ends = !items.is_empty();
        let name = step.get("name").and_then(Node::as_str).unwrap_or("then").to_owned();
        for (index, mut inner) in steps.into_iter().enumerate() {
            let place = inner.entries().first().map_or(inner.span, |(key, value)| key.span.to(value.span));
            let problem = self.warn("then-steps", place, format!("step `{name}` has a step in its `then`"));
            "it runs before the return, under the same condition; write it as a step before this one"
                .clone_into(&mut problem.hint);
            self.name(&mut inner);
            if inner.get("name").is_none() {
                let named = tree::text(format!("{name}_{}", index + 1), inner.span);
                tree::set(&mut inner, "name", named);
            }
            let first = meant.len();
            self.step(inner, words, meant);
            if let Some(outer) = step.get("condition") {
                for inner in &mut meant[first..] {
                    let both = both(outer, inner.get("condition"));
                    tree::set(inner, "condition", both);
                }
            }
        }
        if !ends {
            // Nothing is returned: the steps are all there is.
            tree::take(step, "then");
            tree::set(step, "wait", tree::text("0s", step.span));
        }
    }

    /// A step that only says something, or only checks something.
    fn without_action(&mut self, mut step: Node, meant: &mut Vec<Node>) {
        let span = step.get("name").map_or(step.span, |name| name.span);
        let name = step.get("name").and_then(Node::as_str).unwrap_or_default().to_owned();
        if step.get("validate").is_some_and(|checks| !checks.items().is_empty()) {
            self.check_only(&mut step, &name, span);
        } else if let Some(description) = step.get("description").filter(|text| text.as_str().is_some()) {
            let ask = [
                tree::entry("message", description.clone()),
                tree::entry("options", tree::of_json(json!(["done"]), span)),
            ];
            tree::set(&mut step, "confirm", tree::map(ask.to_vec(), span));
            let message = format!("step `{name}` only describes what to do");
            let problem = self.warn("manual-step", span, message);
            "the run waits until a person says that it is done; write `confirm: {message: …, options: [done]}`"
                .clone_into(&mut problem.hint);
        }
        meant.push(step);
    }
}

/// A condition within a condition. What is no condition stays, so that it is reported.
fn both(outer: &Node, inner: Option<&Node>) -> Node {
    let Some(inner) = inner.filter(|inner| !inner.is_null()) else { return outer.clone() };
    match (as_expression(outer), as_expression(inner)) {
        (Some(first), Some(second)) => tree::text(format!("({first}) and ({second})"), outer.span),
        (Some(_), None) => inner.clone(),
        (None, _) => outer.clone(),
    }
}

/// What a condition says, without braces around it.
fn as_expression(condition: &Node) -> Option<String> {
    match &condition.kind {
        Kind::Scalar(Value::String(text)) => Some(crate::template::bare(text).to_owned()),
        Kind::Scalar(Value::Bool(constant)) => Some(constant.to_string()),
        _ => None,
    }
}

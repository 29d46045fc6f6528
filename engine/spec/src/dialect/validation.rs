//! `validate` as other systems write it.

use serde_json::Value;

use super::output::ACTIONS;
use super::{Dialect, edit, tree};
use crate::fix::Edit;
use crate::source::Span;
use crate::yaml::{Kind, Node};

impl Dialect<'_> {
    pub(super) fn validations(&mut self, step: &mut Node) {
        let Some((key, mut value)) = tree::take(step, "validate") else { return };
        self.as_list(key.span, &mut value);
        let mut checks = Vec::new();
        for mut check in std::mem::take(tree::items_mut(&mut value).unwrap_or(&mut Vec::new())) {
            self.message(&mut check);
            self.condition(&mut check);
            if check.get("command").is_some() {
                self.command(step, &check);
            } else if self.says_something(key.span.to(value.span), &mut check) {
                checks.push(check);
            }
        }
        if let Kind::List(items) = &mut value.kind {
            *items = checks;
        }
        if !matches!(&value.kind, Kind::List(items) if items.is_empty()) {
            tree::entries_mut(step).into_iter().for_each(|entries| entries.push((key.clone(), value.clone())));
        }
    }

    /// One check where a list of them belongs.
    fn as_list(&mut self, key: Span, value: &mut Node) {
        if value.entries().is_empty() {
            return;
        }
        let fix = self.list_edits(value);
        let problem = self.warn("validate-form", key, "`validate` is a list, and this is a single check");
        "start it with `- `".clone_into(&mut problem.hint);
        problem.fix = fix;
        let span = value.span;
        let single = std::mem::replace(value, tree::list(Vec::new(), span));
        value.kind = Kind::List(vec![single]);
    }

    fn list_edits(&self, value: &Node) -> Vec<Edit> {
        let span = value.span;
        if self.source.slice(span).starts_with('{') {
            return vec![Edit::insert(span.start, "["), Edit::insert(span.end, "]")];
        }
        let mut edits = vec![Edit::insert(span.start, "- ")];
        edits.extend(edit::deeper(self.source, span, 2));
        edits
    }

    fn message(&mut self, check: &mut Node) {
        let (Some((key, _)), None) = (check.entry("error_message").cloned(), check.get("message")) else {
            return;
        };
        let problem = self.warn("validate-form", key.span, "`error_message` is called `message` here");
        "write `message`".clone_into(&mut problem.hint);
        problem.fix = vec![Edit::replace(key.span, "message")];
        tree::rename(check, "error_message", "message");
    }

    /// Takes `expect_success` out; false when there is nothing else to check.
    fn says_something(&mut self, whole: Span, check: &mut Node) -> bool {
        let expected = check.entry("expect_success").cloned();
        let Some((key, _)) = expected.filter(|(_, value)| value.kind == Kind::Scalar(Value::Bool(true))) else {
            return true;
        };
        tree::take(check, "expect_success");
        let checks = check.get("condition").is_some();
        let fix = if checks { Vec::new() } else { edit::comment_out(self.source, whole) };
        let message = "`expect_success` has no effect: a step that fails has failed";
        let problem = self.warn("validate-form", key.span, message);
        "leave it out".clone_into(&mut problem.hint);
        problem.fix = fix;
        checks
    }

    /// A command that must succeed is a step of its own, if there is no other in the step.
    fn command(&mut self, step: &mut Node, check: &Node) {
        let Some((key, command)) = check.entry("command") else { return };
        let known = |(key, value): &tree::Entry| match &*key.value {
            "command" | "cwd" => value.as_str().is_some(),
            "message" => true,
            "expect_success" => value.kind == Kind::Scalar(Value::Bool(true)),
            _ => false,
        };
        let alone = ACTIONS.iter().all(|action| step.get(action).is_none());
        if !alone || !check.entries().iter().all(known) {
            let problem = self.error("validate-command", key.span, "a command cannot be a check of a step");
            "make it a step of its own, with `tool: shell`".clone_into(&mut problem.hint);
            return;
        }
        let mut args = vec![tree::entry("command", command.clone())];
        args.extend(check.get("cwd").map(|folder| tree::entry("folder", folder.clone())));
        tree::set(step, "tool", tree::text("shell", key.span));
        tree::set(step, "args", tree::map(args, check.span));
        let problem = self.warn("validate-command", key.span, "a command that must succeed is a step");
        "write it as `tool: shell` with `args: {command: …, folder: …}`".clone_into(&mut problem.hint);
    }

    /// A step that is nothing but checks waits for nothing and then checks.
    pub(super) fn check_only(&mut self, step: &mut Node, name: &str, span: Span) {
        let fix = self.wait_before_validate(step);
        let problem = self.warn("check-only-step", span, format!("step `{name}` only validates"));
        "add `wait: 0s`, or move the checks to the step whose result they check".clone_into(&mut problem.hint);
        problem.fix = fix;
        tree::set(step, "wait", tree::text("0s", span));
    }

    fn wait_before_validate(&self, step: &Node) -> Vec<Edit> {
        let Some((key, _)) = step.entry("validate") else { return Vec::new() };
        if !edit::starts_its_line(self.source, key.span.start) {
            return Vec::new();
        }
        let indent = " ".repeat(edit::column(self.source, key.span.start));
        vec![Edit::insert(key.span.start, format!("wait: 0s\n{indent}"))]
    }
}

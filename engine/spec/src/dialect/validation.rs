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
        let place = key.span.to(value.span);
        if self.is_idle(place, &value) {
            return;
        }
        self.as_list(key.span, &mut value);
        let mut checks = Vec::new();
        for mut check in std::mem::take(tree::items_mut(&mut value).unwrap_or(&mut Vec::new())) {
            self.message(&mut check);
            self.condition(&mut check);
            if check.get("command").is_some() {
                self.command(step, &check);
            } else if let Some((expected, _)) = success(&check).cloned() {
                self.no_effect(expected.span, Vec::new());
                tree::take(&mut check, "expect_success");
                checks.extend((!says_nothing(&check)).then_some(check));
            } else {
                checks.push(check);
            }
        }
        if let Kind::List(items) = &mut value.kind {
            *items = checks;
        }
        let checks_nothing = matches!(&value.kind, Kind::List(items) if items.is_empty());
        if let Some(entries) = tree::entries_mut(step).filter(|_| !checks_nothing) {
            entries.push((key, value));
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

    /// Whether a single check only says that the step must succeed, which goes without saying.
    fn is_idle(&mut self, place: Span, value: &Node) -> bool {
        let single = match value.items() {
            [only] => only,
            _ => value,
        };
        let Some((key, _)) = success(single) else { return false };
        let idle = says_nothing(single);
        if idle {
            let fix = edit::comment_out(self.source, place);
            self.no_effect(key.span, fix);
        }
        idle
    }

    fn no_effect(&mut self, expected: Span, fix: Vec<Edit>) {
        let message = "`expect_success` has no effect: a step that fails has failed";
        let problem = self.warn("validate-form", expected, message);
        "leave it out".clone_into(&mut problem.hint);
        problem.fix = fix;
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
        "add `wait: 0s`, or move the checks to the step whose result they check"
            .clone_into(&mut problem.hint);
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

/// Whether a check asks for nothing but success.
fn says_nothing(check: &Node) -> bool {
    let idle = |key: &str| matches!(key, "expect_success" | "message" | "error_message");
    check.entries().iter().all(|(key, _)| idle(&key.value))
}

/// The entry that says that a step must succeed.
fn success(check: &Node) -> Option<&tree::Entry> {
    check.entry("expect_success").filter(|(_, value)| value.kind == Kind::Scalar(Value::Bool(true)))
}

//! How a tool finds out whether an interrupted call took place, checked before a crash needs it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Compiler, PYTHON};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::template::{Expression, Template};
use crate::tool::{Effect, Reconcile};
use crate::yaml::Spanned;

/// What an inquiry may read before it is answered: the interrupted call's arguments, when it started, its key.
const INQUIRY: [&str; 3] = ["args", "started_at", "idempotency_key"];

/// The answer, which only `when` and `value` may read.
const ANSWER: &str = "result";

impl Compiler<'_> {
    /// What changes something must be done each time.
    pub(super) fn check_cache(&mut self) {
        let Some(cache) = &self.tool.cache else { return };
        let _milliseconds = self.duration(cache);
        if self.tool.effect.value != Effect::Read {
            let message = format!("`cache` of `{}` is only for tools that read", self.tool.name.value);
            self.error("bad-value", cache.span, message);
        }
    }

    /// Reports what would only show after a crash.
    pub(super) fn check_reconcile(&mut self) {
        let Some(Spanned { value: reconcile, span }) = &self.tool.reconcile else { return };
        self.check_inquiry(reconcile, *span);
        for (key, text) in [("when", Some(&reconcile.when)), ("value", reconcile.value.as_ref())] {
            if let Some(text) = text {
                self.check_judgement(key, text, *span);
            }
        }
    }

    fn check_inquiry(&mut self, reconcile: &Reconcile, span: Span) {
        if !matches!(reconcile.args, Value::Object(_) | Value::Null) {
            self.error("bad-value", span, "`args` of `reconcile` is a mapping of arguments to values");
            return;
        }
        match Template::parse(&reconcile.args) {
            Ok(template) if template.has_python() => self.error("bad-template", span, PYTHON),
            Ok(template) => self.check_read("args", &template.references(), &[], span),
            Err(error) => {
                let message = format!("`args` of `reconcile`: {}", error.message);
                let problem = Diagnostic::error("bad-template", self.source, span, message);
                self.diagnostics.push(problem.hint(&error.hint));
            }
        }
    }

    fn check_judgement(&mut self, key: &str, text: &str, span: Span) {
        match Expression::parse(text) {
            Ok(expression) if expression.is_python() => self.error("bad-expression", span, PYTHON),
            Ok(expression) => self.check_read(key, &expression.references(), &[ANSWER], span),
            Err(error) => {
                let message = format!("`{key}` of `reconcile`: {}", error.message);
                let problem = Diagnostic::error("bad-expression", self.source, span, message);
                self.diagnostics.push(problem.hint(&error.hint));
            }
        }
    }

    /// Only what an inquiry knows is read, and of `args` only what the tool has.
    fn check_read(&mut self, key: &str, paths: &BTreeSet<String>, more: &[&str], span: Span) {
        for path in paths {
            let (name, rest) = path.split_once(['.', '[']).unwrap_or((path, ""));
            let argument = rest.split(['.', '[']).next().unwrap_or_default();
            if !INQUIRY.contains(&name) && !more.contains(&name) {
                let message = format!("`{key}` of `reconcile` reads `{name}`, which it does not know");
                let problem = Diagnostic::error("unknown-reference", self.source, span, message);
                self.diagnostics.push(match self.tool.input.get(name) {
                    Some(_) => problem.hint(format!("the interrupted call's argument is `args.{name}`")),
                    None => problem.suggest(name, INQUIRY.into_iter().chain(more.iter().copied())),
                });
            } else if name == INQUIRY[0] && !argument.is_empty() && self.tool.input.get(argument).is_none() {
                let tool = &self.tool.name.value;
                let message = format!("`{key}` of `reconcile`: `{tool}` has no argument `{argument}`");
                let problem = Diagnostic::error("unknown-reference", self.source, span, message);
                self.diagnostics.push(problem.suggest(argument, self.tool.input.names()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::source::Source;

    /// What is wrong with a tool that has this `reconcile`.
    fn problems(reconcile: &str) -> Vec<String> {
        let text = format!(
            "module: x\ndescription: d\ntools:\n  - name: x_y\n    description: d\n    effect: write\n    input: {{place: {{type: string}}}}\n    run: [x]\n    reconcile: {reconcile}\n"
        );
        let found = super::super::check(&Source::new("x.yaml", text)).1;
        found.into_iter().map(|one| format!("{}: {} ({})", one.code, one.message, one.hint)).collect()
    }

    #[test]
    fn what_an_inquiry_knows_can_be_read() {
        let all = "{tool: t, args: {a: '{{ args.place }}', b: '{{ started_at ~ idempotency_key }}'}, when: result.x == args.place, value: 'args[\"place\"] ~ now() ~ started_at'}";
        assert_eq!(problems(all), [] as [String; 0]);
        assert_eq!(problems("{tool: t, when: 'true'}"), [] as [String; 0]);
    }

    #[test]
    fn what_only_a_crash_would_show_is_found() {
        let cases = [
            (
                "{tool: t, args: {a: '{{ place }}'}, when: result}",
                "unknown-reference: `args` of `reconcile` reads `place`, which it does not know (the interrupted call's argument is `args.place`)",
            ),
            (
                "{tool: t, args: {a: '{{ result }}'}, when: result}",
                "unknown-reference: `args` of `reconcile` reads `result`, which it does not know (known: `args`, `started_at`, `idempotency_key`)",
            ),
            (
                "{tool: t, when: result.id == args.plac}",
                "unknown-reference: `when` of `reconcile`: `x_y` has no argument `plac` (did you mean `place`?)",
            ),
            (
                "{tool: t, when: result, value: resul.id}",
                "unknown-reference: `value` of `reconcile` reads `resul`, which it does not know (did you mean `result`?)",
            ),
        ];
        for (reconcile, expected) in cases {
            assert_eq!(problems(reconcile), [expected], "{reconcile}");
        }
        for (reconcile, start) in [
            ("{tool: t, args: [a], when: result}", "bad-value: `args` of `reconcile` is a mapping"),
            ("{tool: t, args: {a: '{{ args.place'}, when: result}", "bad-template: `args` of `reconcile`: "),
            ("{tool: t, when: result ==}", "bad-expression: `when` of `reconcile`: "),
            ("{tool: t, when: result, value: 'result |'}", "bad-expression: `value` of `reconcile`: "),
        ] {
            let found = problems(reconcile);
            assert!(found.len() == 1 && found[0].starts_with(start), "{reconcile}: {found:?}");
        }
    }
}

//! What authors write for other systems, as what they mean here.
//!
//! Public skills were written for an engine that ignored what it did not know. Where
//! such a mistake has only one meaning, it is a *warning*, and the run does what was
//! meant; where it could mean several things it is an *error*, which a lenient reading
//! lowers to a warning, with null as the value. All that can be told from the tree alone
//! is translated here, before [`crate::shape`] reads it; the rest, which needs names and
//! schemas, is decided in [`crate::check`]. Each has a code of its own:
//!
//! | what is written | code | what it means |
//! | --- | --- | --- |
//! | steps under `outputs` | `misplaced-step` | steps after the others |
//! | `inputs` or `outputs` as a mapping, or left empty | `list-form` | the list of its entries |
//! | `outputs: [x]` in a step | `step-outputs` | `output: x` if `x` is read; several: error |
//! | `validate` as a mapping, `error_message`, `expect_success` | `validate-form` | a list with `condition` and `message`; a failing step fails anyway |
//! | `validate` with `command` | `validate-command` | alone in its step: a `shell` step; beside a tool: error |
//! | a step with only `validate` | `check-only-step` | a step that waits for nothing and then validates |
//! | a step with only `description` | `manual-step` | a person is asked to do it |
//! | steps inside `then` | `then-steps` | steps before the return, under its condition |
//! | `tool: skill_run` with JSON in a text | `skill-as-tool` | `skill:` with `args`; what is no JSON: error |
//! | `tool: x` where `x` is a skill and no tool | `skill-as-tool` | `skill: x` |
//! | `{{ x }} == 6` as a condition | `templated-condition` | `x == 6` |
//! | `error_patterns`, `personas` at the top | `foreign-key` | nothing |
//! | `id` in a step without `name` | `foreign-key` | `name` |
//! | `on_error: ignore`, `type: str` … | `foreign-word` | `continue`, `string` … |
//! | `required: "true"`, `version: 1.0`, `"5"` for a number | `spelled-value` | the value of the right type |
//! | `x` for `inputs.x` in templates | `bare-input` | `inputs.x` |
//! | two steps with one output | `duplicate-output` | the later one wins |
//! | `required: true` with a `default` | `unused-default` | required |
//! | a name that is not the file's | `name-mismatch` | the file's |
//! | unknown keys | `unknown-key` | error; lenient: left out |
//! | unknown names in templates, fields, later steps | `unknown-reference`, `unknown-field`, `forward-reference` | error; lenient: null |
//! | expressions and templates that do not compile | `bad-expression`, `bad-template` | error; lenient: null |
//! | unknown arguments | `unknown-argument`, `unknown-input` | error; lenient: left out |
//! | tools of public skills that are not here | `unknown-tool` | error, with what to use instead |
//! | unknown tools, missing arguments | `unknown-tool`, `missing-argument` | error; lenient: the step fails when its turn comes, and follows its `on_error` |
//!
//! Some things mean something else here without being mistakes in a file. `on_error: auto_heal` fails
//! the step when no heal rule helps; read leniently it goes on, as it always did in the other engine
//! (`auto_heal_or_continue`). `null`, `[]`
//! and `{}` are false, where the other engine took any text that is not empty, such as
//! `None`, for true. And `on_error` and `condition` hold for every kind of step, where it
//! looked at them for tools only.

mod edit;
mod input;
mod mapping;
mod output;
mod step;
mod sub_skill;
mod templated;
pub(crate) mod tools;
mod tree;
mod validation;
mod words;

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::fix::Edit;
use crate::skill::Skill;
use crate::source::{Source, Span};
use crate::yaml::{Kind, Node};

/// Reads a skill as its author meant it, with a warning wherever that is not what is written.
///
/// What cannot be read is reported as by [`crate::shape::read`].
pub fn read(source: &Source) -> (Option<Skill>, Vec<Diagnostic>) {
    crate::shape::read_meant(source, translate)
}

/// Turns foreign shapes in a skill's tree into ours.
fn translate(source: &Source, root: &mut Node, found: &mut Vec<Diagnostic>) {
    if root.entries().is_empty() {
        return;
    }
    let mut dialect = Dialect { source, found };
    dialect.top(root);
    dialect.empty_lists(root);
    dialect.inputs(root);
    dialect.outputs(root);
    dialect.steps(root);
}

/// The translation of one text.
struct Dialect<'a> {
    source: &'a Source,
    found: &'a mut Vec<Diagnostic>,
}

/// Keys at the top that have no effect here, and what has.
const IDLE: [(&str, &str); 2] = [
    ("error_patterns", "say what to do about errors with `retry` and `on_error` in the steps"),
    ("personas", "a persona names its skills, not a skill its personas"),
];

impl Dialect<'_> {
    fn warn(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Diagnostic::warning(code, self.source, span, message))
    }

    fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Diagnostic::error(code, self.source, span, message))
    }

    fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        let last = self.found.len();
        self.found.push(diagnostic);
        &mut self.found[last]
    }

    /// Keys at the top of the file.
    fn top(&mut self, root: &mut Node) {
        for (key, instead) in IDLE {
            let Some((key, value)) = tree::take(root, key) else { continue };
            let fix = edit::comment_out(self.source, key.span.to(value.span));
            let problem = self.warn("foreign-key", key.span, format!("`{}` has no effect here", key.value));
            instead.clone_into(&mut problem.hint);
            problem.fix = fix;
        }
        if let Some(version) = tree::get_mut(root, "version") {
            self.version(version);
        }
    }

    /// `version: 1.0` is a number to YAML and was meant as text.
    fn version(&mut self, version: &mut Node) {
        let Kind::Scalar(Value::Number(_)) = &version.kind else { return };
        let written = self.source.slice(version.span).to_owned();
        let problem = self.warn("spelled-value", version.span, "`version` is text, and this is a number");
        problem.hint = format!("write `\"{written}\"`");
        problem.fix = edit::in_quotes(version.span);
        version.kind = Kind::Scalar(Value::String(written));
    }

    /// A list whose entries are yet to be written.
    fn empty_lists(&mut self, root: &mut Node) {
        for key in ["inputs", "outputs", "tags", "env"] {
            let Some((span, value)) = tree::entry_mut(root, key).filter(|(_, value)| value.is_null()) else {
                continue;
            };
            value.kind = Kind::List(Vec::new());
            let fix = if edit::is_written_null(self.source, value.span) {
                vec![Edit::replace(value.span, "[]")]
            } else {
                edit::after_key(self.source, span, " []")
            };
            let problem = self.warn("list-form", span, format!("`{key}` is empty"));
            problem.hint = format!("write `{key}: []`, or leave it out");
            problem.fix = fix;
        }
    }
}

#[cfg(test)]
mod tests;

//! Authored canned answers to a script, against the tools and the skill that they are for.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::script::{Canned, Gives, Script, Spot};
use super::{Answer, Failure, Stubs};
use crate::diagnostic::Diagnostic;
use crate::duration;
use crate::form;
use crate::name::fold;
use crate::plan::{Action, Plan, SkillPlan};
use crate::schema::{OneOrMore, unfit};
use crate::shape;
use crate::source::{Source, Span};
use crate::template::{Expression, IN_QUOTES, SyntaxError, Template, literal_template};
use crate::tool::ToolSpec;
use crate::yaml::{self, Kind, Node, Spanned};

/// What canned answers may refer to.
#[expect(missing_debug_implementations, reason = "it is made of functions")]
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The tool of a name.
    pub tool: &'a dyn Fn(&str) -> Option<Arc<ToolSpec>>,
    /// Every tool name, for suggestions.
    pub tool_names: &'a dyn Fn() -> Vec<String>,
    /// The JSON value of a file, by its path relative to the text.
    pub file: &'a dyn Fn(&str) -> Result<Value, String>,
    /// The skill that they are for, if it is known.
    pub plan: Option<&'a Plan>,
}

/// A script, and where its answers were written.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What is answered.
    pub script: Script,
    /// The place of each answer, in the text that was checked.
    pub places: BTreeMap<Spot, Span>,
}

/// Reads and checks a file of canned answers.
pub fn read(source: &Source, world: World<'_>) -> (Option<Checked>, Vec<Diagnostic>) {
    let (stubs, mut diagnostics) = shape::read::<Stubs>(source);
    let (Some(stubs), Ok(node)) = (stubs, yaml::parse(source)) else { return (None, diagnostics) };
    let (checked, mut problems) = check(source, &node, &stubs, world);
    // What was cut out because it is wrong is not missing as well.
    problems.retain(|found| {
        found.code != "bad-answer" || !diagnostics.iter().any(|known| found.span.covers(known.span))
    });
    diagnostics.append(&mut problems);
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    (Some(checked), diagnostics)
}

/// Checks canned answers; `node` is what `stubs` was read from.
pub fn check(source: &Source, node: &Node, stubs: &Stubs, world: World<'_>) -> (Checked, Vec<Diagnostic>) {
    let checked = Checked { script: Script::default(), places: BTreeMap::new() };
    let mut checker = Checker { source, world, checked, diagnostics: Vec::new() };
    checker.checked.script.others = stubs.others.map(|others| others.value).unwrap_or_default();
    for (name, answers) in &stubs.tools {
        checker.tool(&key(node, "tools", name), answers);
    }
    for (step, replies) in &stubs.answers {
        checker.question(&key(node, "answers", step), replies);
    }
    (checker.checked, checker.diagnostics)
}

/// A key of a mapping and where it stands.
fn key(node: &Node, group: &str, name: &str) -> Spanned<String> {
    let found = node.get(group).and_then(|group| group.entry(name));
    Spanned { value: name.to_owned(), span: found.map(|(key, _)| key.span).unwrap_or_default() }
}

struct Checker<'a> {
    source: &'a Source,
    world: World<'a>,
    checked: Checked,
    diagnostics: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.report(Diagnostic::error(code, self.source, span, message));
    }

    fn tool(&mut self, name: &Spanned<String>, answers: &[Spanned<Answer>]) {
        let spec = (self.world.tool)(&name.value);
        if spec.is_none() {
            let names = (self.world.tool_names)();
            let problem = Diagnostic::error(
                "unknown-tool",
                self.source,
                name.span,
                format!("there is no tool `{}`", name.value),
            );
            self.report(problem.suggest(&name.value, names.iter().map(String::as_str)));
        }
        let tool = fold(spec.as_ref().map_or(&name.value, |spec| &spec.name));
        for answer in answers {
            let Some(canned) = self.answer(answer, spec.as_deref()) else { continue };
            let script = self.checked.script.tools.entry(tool.clone()).or_default();
            script.push(canned);
            self.checked.places.insert(Spot::Tool(tool.clone(), script.len() - 1), answer.span);
        }
    }

    fn answer(&mut self, answer: &Spanned<Answer>, spec: Option<&ToolSpec>) -> Option<Canned> {
        let Spanned { value: answer, span } = answer;
        let args = self.arguments(answer.args.as_ref(), spec);
        let when = answer.when.as_ref().map(|when| self.when(when));
        let delay_ms = answer.delay.as_ref().map_or(0, |delay| self.delay(delay));
        let gives = self.gives(answer, *span, spec);
        Some(Canned {
            step: answer.step.as_ref().map(|step| step.value.clone()),
            when: match when {
                Some(when) => Some(when?),
                None => None,
            },
            args,
            times: answer.times.as_ref().map(|times| times.value),
            delay_ms,
            gives: gives?,
        })
    }

    fn gives(&mut self, answer: &Answer, span: Span, spec: Option<&ToolSpec>) -> Option<Gives> {
        match (&answer.result, &answer.file, &answer.error) {
            (Some(result), None, None) => self.result(result, spec).map(Gives::Result),
            (None, Some(file), None) => self.file(file, spec).map(Gives::Value),
            (None, None, Some(failure)) => self.failure(failure),
            (None, None, None) => {
                let problem =
                    Diagnostic::error("bad-answer", self.source, span, "an answer that gives nothing");
                self.report(
                    problem.hint("add `result: …` (null is one too) or `error: {kind: …, message: …}`"),
                );
                None
            }
            _ => {
                let message = "an answer gives one of `result`, `file` and `error`, not several";
                self.error("bad-answer", span, message);
                None
            }
        }
    }

    fn result(&mut self, node: &Node, spec: Option<&ToolSpec>) -> Option<Template> {
        let template = self.template(node)?;
        if template.is_constant() {
            self.fits(
                spec,
                &template
                    .render(&crate::template::Scope::default(), crate::template::Missing::Null)
                    .ok()??,
                node,
            );
        }
        Some(template)
    }

    /// A result that the tool would not give makes a test of something that never happens.
    fn fits(&mut self, spec: Option<&ToolSpec>, value: &Value, node: &Node) {
        let Some(spec) = spec else { return };
        for problem in unfit(&spec.output, value) {
            let span = node.at(problem.path.iter().map(String::as_str)).span;
            let message = format!("`{}` would not give this: {problem}", spec.name);
            self.report(Diagnostic::warning("unfit-result", self.source, span, message));
        }
    }

    fn file(&mut self, path: &Spanned<String>, spec: Option<&ToolSpec>) -> Option<Value> {
        match (self.world.file)(&path.value) {
            Ok(value) => {
                let node = Node { kind: Kind::Scalar(Value::Null), span: path.span };
                self.fits(spec, &value, &node);
                Some(value)
            }
            Err(message) => {
                self.error("missing-file", path.span, message);
                None
            }
        }
    }

    fn failure(&mut self, failure: &Failure) -> Option<Gives> {
        let kind = Kind::Scalar(Value::String(failure.message.value.clone()));
        let message = self.template(&Node { kind, span: failure.message.span })?;
        let details = failure.details.as_ref().map(Node::to_json).unwrap_or_default();
        Some(Gives::Error { kind: failure.kind.value, message, details })
    }

    fn arguments(
        &mut self,
        args: Option<&Node>,
        spec: Option<&ToolSpec>,
    ) -> Option<serde_json::Map<String, Value>> {
        let args = args?;
        let Value::Object(values) = args.to_json() else {
            self.error("bad-arguments", args.span, "`args` must be a mapping of names to values");
            return None;
        };
        let properties = spec.and_then(|spec| spec.input.get("properties")?.as_object());
        for (name, _) in args.entries() {
            let Some(properties) = properties else { break };
            if !properties.keys().any(|known| fold(known) == fold(&name.value)) {
                let message = format!("the tool has no argument `{}`", name.value);
                let problem = Diagnostic::error("unknown-argument", self.source, name.span, message);
                self.report(problem.suggest(&name.value, properties.keys().map(String::as_str)));
            }
        }
        Some(values)
    }

    fn when(&mut self, node: &Node) -> Option<Expression> {
        let source = match &node.kind {
            Kind::Scalar(Value::String(text)) => text.clone(),
            Kind::Scalar(Value::Bool(constant)) => constant.to_string(),
            _ => {
                self.error(
                    "bad-expression",
                    node.span,
                    "`when` must be an expression, e.g. `args.limit > 3`",
                );
                return None;
            }
        };
        if literal_template(&source).is_some() {
            self.error("templated-condition", node.span, IN_QUOTES);
            return None;
        }
        match Expression::parse(&source) {
            Ok(expression) => {
                self.only_args(expression.references(), node.span);
                Some(expression)
            }
            Err(error) => {
                self.bad_source("bad-expression", node.span, &error);
                None
            }
        }
    }

    fn template(&mut self, node: &Node) -> Option<Template> {
        match Template::parse(&node.to_json()) {
            Ok(template) => {
                self.only_args(template.references(), node.span);
                Some(template)
            }
            Err(error) => {
                let span = node.at(error.path.iter().map(String::as_str)).span;
                self.bad_source("bad-template", span, &error);
                None
            }
        }
    }

    fn only_args(&mut self, references: std::collections::BTreeSet<String>, span: Span) {
        for reference in references {
            if reference != "args" && !reference.starts_with("args.") {
                let message = format!("`{reference}` is not known here");
                let problem = Diagnostic::error("unknown-reference", self.source, span, message);
                self.report(problem.hint("a canned answer knows `args`, the arguments of the call"));
            }
        }
    }

    fn bad_source(&mut self, code: &'static str, span: Span, error: &SyntaxError) {
        let problem = Diagnostic::error(code, self.source, span, &error.message);
        self.report(if error.hint.is_empty() { problem } else { problem.hint(&error.hint) });
    }

    fn delay(&mut self, delay: &Spanned<String>) -> u64 {
        duration::parse_ms(&delay.value).unwrap_or_else(|message| {
            self.error("bad-duration", delay.span, message);
            0
        })
    }

    fn question(&mut self, step: &Spanned<String>, replies: &OneOrMore<String>) {
        let replies = match replies {
            OneOrMore::One(reply) => vec![reply.clone()],
            OneOrMore::More(replies) => replies.clone(),
        };
        if let Some(plan) = self.world.plan {
            self.options(plan, step, &replies);
        }
        self.checked.places.insert(Spot::Question(step.value.clone()), step.span);
        self.checked.script.answers.insert(step.value.clone(), replies);
    }

    /// Whether the step asks, and whether these are answers to it.
    fn options(&mut self, plan: &Plan, step: &Spanned<String>, replies: &[String]) {
        let asking = questions(plan, &plan.skill, "", 0);
        let path: String = without_items(&step.value);
        let Some((_, question)) = asking.iter().find(|(known, _)| *known == path) else {
            let message = format!("no step `{}` asks anything", step.value);
            let problem = Diagnostic::error("unknown-step", self.source, step.span, message);
            self.report(problem.suggest(&step.value, asking.iter().map(|(known, _)| known.as_str())));
            return;
        };
        for reply in replies {
            self.reply(step, *question, reply);
        }
    }

    fn reply(&mut self, step: &Spanned<String>, (options, form): Asked<'_>, reply: &str) {
        if let Some(form) = form {
            let given = serde_json::from_str(reply).unwrap_or_default();
            if let Err(problem) = form::fill(form, &given) {
                let message = format!("`{reply}` does not fill in the form of `{}`: {problem}", step.value);
                let problem = Diagnostic::error("bad-option", self.source, step.span, message);
                self.report(problem.hint("write its fields as JSON, like `{\"name\": \"value\"}`"));
            }
        } else if !options.iter().any(|option| option == reply) {
            let message = format!("`{reply}` is no answer to `{}`", step.value);
            let problem = Diagnostic::error("bad-option", self.source, step.span, message);
            self.report(problem.suggest(reply, options.iter().map(String::as_str)));
        }
    }
}

/// `a/b` of `a[1]/b[2]`.
fn without_items(path: &str) -> String {
    let parts = path.split('/').map(|part| part.split('[').next().unwrap_or_default());
    parts.collect::<Vec<_>>().join("/")
}

/// What a step asks: its options, and its form.
type Asked<'p> = (&'p [String], Option<&'p Value>);

/// The steps that ask, with what they ask.
fn questions<'p>(
    plan: &'p Plan,
    skill: &'p SkillPlan,
    above: &str,
    depth: usize,
) -> Vec<(String, Asked<'p>)> {
    let mut found = Vec::new();
    for step in &skill.steps {
        let path = format!("{above}{}", step.name);
        match &step.action {
            Action::Confirm { options, form, .. } => found.push((path, (options.as_slice(), form.as_ref()))),
            // Checked plans are not deeper; a pinned one could be anything.
            Action::Skill { skill, .. } if depth < 16 => {
                if let Some(inner) = plan.skill(skill) {
                    found.extend(questions(plan, inner, &format!("{path}/"), depth + 1));
                }
            }
            _ => {}
        }
    }
    found
}

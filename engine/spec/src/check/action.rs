//! What kind of step it is, and what the kind needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Checker;
use super::argument::Signature;
use super::library::Lookup;
use super::reference::{Reads, Site};
use crate::dialect::tools::instead;
use crate::name::{fold, list};
use crate::plan::{Action, SkillPlan};
use crate::shape::is_stand_in;
use crate::skill::{Confirm, Step};
use crate::source::Span;
use crate::template::{Expression, Template};
use crate::tool::{Effect, ToolSpec};
use crate::yaml::{self, Node, Spanned};

/// The six kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tool,
    Compute,
    Skill,
    Confirm,
    Wait,
    Then,
}

/// What a step calls.
pub(super) enum Target {
    Tool(Arc<ToolSpec>),
    Skill(Arc<SkillPlan>),
    /// Whatever its Python calls.
    #[cfg(feature = "compute")]
    Compute(Box<super::compute::Python>),
    /// Nothing, or something that is not known.
    Unknown,
}

impl Kind {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Compute => "compute",
            Self::Skill => "skill",
            Self::Confirm => "confirm",
            Self::Wait => "wait",
            Self::Then => "then",
        }
    }
}

/// The kinds that a step has; it should be one.
pub(super) fn kinds(step: &Step) -> Vec<Kind> {
    let keys = [
        (Kind::Tool, step.tool.is_some()),
        (Kind::Compute, step.compute.is_some()),
        (Kind::Skill, step.skill.is_some()),
        (Kind::Confirm, step.confirm.is_some()),
        (Kind::Wait, step.wait.is_some()),
        (Kind::Then, step.then.is_some()),
    ];
    keys.into_iter().filter(|(_, there)| *there).map(|(kind, _)| kind).collect()
}

impl Target {
    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::Tool(spec) => spec.effect,
            Self::Skill(plan) => plan.effect(),
            #[cfg(feature = "compute")]
            Self::Compute(python) => python.effect(),
            Self::Unknown => Effect::Read,
        }
    }

    /// What a block of Python or a sub-skill calls that must not be called once more.
    pub(super) fn unrepeatable(&self) -> Option<&str> {
        match self {
            Self::Skill(plan) => {
                plan.steps.iter().find(|step| !step.idempotent).map(|step| step.name.as_str())
            }
            #[cfg(feature = "compute")]
            Self::Compute(python) => python.unrepeatable(),
            _ => None,
        }
    }

    /// Whether it may be called again after a crash.
    pub(super) fn is_idempotent(&self) -> bool {
        match self {
            Self::Tool(spec) => spec.idempotent || spec.effect == Effect::Read,
            Self::Skill(plan) => plan.steps.iter().all(|step| step.idempotent),
            #[cfg(feature = "compute")]
            Self::Compute(python) => python.is_idempotent(),
            Self::Unknown => true,
        }
    }
}

impl Checker<'_, '_> {
    /// Finds what a step calls; problems with its kind are reported here.
    pub(super) fn target(&mut self, step: &Step) -> Target {
        let kinds = kinds(step);
        if kinds.len() != 1 {
            let keys: Vec<&str> = kinds.iter().map(|kind| kind.key()).collect();
            let message = match keys.as_slice() {
                [] => format!("step `{}` does nothing", step.name.value),
                keys => format!("step `{}` has {} at once", step.name.value, list(keys)),
            };
            let problem = self.error("step-kind", step.name.span, message);
            let hint = "a step has exactly one of `tool`, `compute`, `skill`, `confirm`, `wait`, `then`";
            self.report(problem.hint(hint));
        }
        match (&step.tool, &step.skill, &step.compute) {
            (Some(tool), _, _) => self.tool(tool).map_or(Target::Unknown, Target::Tool),
            (None, _, Some(text)) => self.python(step, text),
            (None, Some(skill), None) => self.sub_skill(skill).map_or(Target::Unknown, Target::Skill),
            (None, None, None) => Target::Unknown,
        }
    }

    #[cfg(not(feature = "compute"))]
    fn python(&mut self, _: &Step, text: &Spanned<String>) -> Target {
        let message = "this build of `aa` has no `compute`";
        let problem = self.error("compute-unavailable", first_line(self.source, text.span), message);
        self.report(problem.hint("use filters in templates, a tool, or a build with the feature `compute`"));
        Target::Unknown
    }

    pub(super) fn tool(&mut self, name: &Spanned<String>) -> Option<Arc<ToolSpec>> {
        let spec = self.library.catalog.tool(&name.value);
        if spec.is_none() && !is_stand_in(name) {
            let known = self.library.catalog.tool_names();
            // Read leniently, the step fails when its turn comes.
            let problem = self
                .unknown("unknown-tool", name.span, format!("there is no tool `{}`", name.value))
                .about(&name.value);
            self.report(match instead(&name.value) {
                Some(hint) => problem.hint(hint),
                None => problem.suggest(&name.value, known.iter().map(String::as_str)),
            });
        }
        spec
    }

    pub(super) fn sub_skill(&mut self, name: &Spanned<String>) -> Option<Arc<SkillPlan>> {
        if is_stand_in(name) {
            return None;
        }
        let problem = match self.library.skill(&fold(&name.value)) {
            Lookup::Found(plan) => return Some(plan),
            Lookup::Faulty => {
                let message = format!("the skill `{}` has errors", name.value);
                self.error("faulty-skill", name.span, message)
            }
            Lookup::Unknown => {
                let known = self.library.catalog.skill_names();
                let message = format!("there is no skill `{}`", name.value);
                self.error("unknown-skill", name.span, message)
                    .about(&name.value)
                    .suggest(&name.value, known.iter().map(String::as_str))
            }
            Lookup::Recursive(through) => {
                let mut way: Vec<String> = through.iter().map(|name| format!("`{name}`")).collect();
                way.extend(way.first().cloned());
                let message = format!("the skill would run itself: {}", way.join(" → "));
                self.error("recursive-skill", name.span, message)
            }
            Lookup::TooDeep => self.error("deep-skills", name.span, "skills run skills more than 32 deep"),
        };
        self.report(problem);
        None
    }

    /// Compiles what the step does.
    pub(super) fn action(&mut self, step: &Step, target: &Target, site: &Site, reads: &mut Reads) -> Action {
        let args = step.args.as_ref();
        match kinds(step).first() {
            Some(Kind::Tool) => {
                let span = step.tool.as_ref().map_or(step.name.span, |tool| tool.span);
                let site = site.with_secrets();
                let Target::Tool(spec) = target else {
                    let args = self.arguments(args, None, &site, reads);
                    let Some(tool) = step.tool.as_ref() else { return nothing() };
                    return Action::Tool {
                        tool: fold(&tool.value),
                        args,
                        nullable: BTreeSet::new(),
                        reconcile: None,
                    };
                };
                let signature = Signature::of_tool(spec, span);
                let args = self.arguments(args, Some(&signature), &site, reads);
                let nullable = signature.nullable(&args);
                Action::Tool { tool: spec.name.clone(), args, nullable, reconcile: spec.reconcile.clone() }
            }
            Some(Kind::Skill) => {
                let span = step.skill.as_ref().map_or(step.name.span, |skill| skill.span);
                let Target::Skill(plan) = target else {
                    self.arguments(args, None, site, reads);
                    return nothing();
                };
                let args = self.arguments(args, Some(&Signature::of_skill(plan, span)), site, reads);
                Action::Skill { skill: plan.name.clone(), args }
            }
            Some(Kind::Confirm) => {
                step.confirm.as_ref().map_or_else(nothing, |confirm| self.confirm(confirm, site, reads))
            }
            Some(Kind::Wait) => step.wait.as_ref().map_or_else(nothing, |wait| self.wait(wait, site, reads)),
            Some(Kind::Then) => step.then.as_ref().map_or_else(nothing, |then| self.then(then, site, reads)),
            #[cfg(feature = "compute")]
            Some(Kind::Compute) => match target {
                Target::Compute(python) => self.block(step, python, site, reads),
                _ => nothing(),
            },
            #[cfg(not(feature = "compute"))]
            Some(Kind::Compute) => nothing(),
            None => nothing(),
        }
    }

    fn confirm(&mut self, confirm: &Confirm, site: &Site, reads: &mut Reads) -> Action {
        let message = self.text(&confirm.message, site, reads).unwrap_or_default();
        let mut options: Vec<String> = Vec::new();
        for option in &confirm.options {
            if options.contains(&option.value) {
                let message = format!("the option `{}` is there twice", option.value);
                self.report(self.error("duplicate-option", option.span, message));
            }
            options.push(option.value.clone());
        }
        let form = self.form(confirm);
        if options.is_empty() && form.is_none() {
            options = vec!["approve".to_owned(), "reject".to_owned()];
        }
        if let Some(default) = confirm.default.as_ref() {
            if form.is_none() && !options.contains(&default.value) {
                let message = format!("the default `{}` is not one of the options", default.value);
                let problem = self.error("bad-option", default.span, message);
                self.report(problem.suggest(&default.value, options.iter().map(String::as_str)));
            }
            if confirm.timeout.is_none() {
                let problem = self.warning(
                    "unused-default",
                    default.span,
                    "without `timeout` the default is never used",
                );
                self.report(problem.hint("add `timeout: 15m`, or leave `default` out"));
            }
        }
        let timeout_ms = confirm.timeout.as_ref().and_then(|timeout| self.timeout(timeout));
        let default = confirm.default.as_ref().map(|default| default.value.clone());
        Action::Confirm { message, options, form, default, timeout_ms, ends: Vec::new() }
    }

    fn wait(&mut self, wait: &Node, site: &Site, reads: &mut Reads) -> Action {
        match &wait.kind {
            yaml::Kind::Scalar(Value::Number(seconds)) if seconds.as_u64().is_some() => {
                self.wait_for(&seconds.to_string(), wait, site, reads)
            }
            yaml::Kind::Scalar(Value::String(text)) => self.wait_for(text, wait, site, reads),
            yaml::Kind::Map(entries) if entries.len() == 1 && entries[0].0.value == "until" => {
                let until = self.template(&entries[0].1, site, reads).unwrap_or_default();
                if until.is_constant() && !is_time(until.source()) {
                    let message =
                        "`until` must be a time such as `2026-01-31T18:00:00Z`, or a template that gives one";
                    self.report(self.error("bad-wait", entries[0].1.span, message));
                }
                Action::WaitUntil { until }
            }
            _ => {
                let problem =
                    self.error("bad-wait", wait.span, "`wait` is a duration, or a mapping with `until`");
                self.report(problem.hint("write `wait: 10s` or `wait: {until: \"{{ … }}\"}`"));
                nothing()
            }
        }
    }

    fn wait_for(&mut self, text: &str, wait: &Node, site: &Site, reads: &mut Reads) -> Action {
        let template = self.template(wait, site, reads).unwrap_or_default();
        if !template.is_constant() {
            return Action::WaitFor { duration: template };
        }
        let milliseconds = self.duration(&Spanned { value: text.to_owned(), span: wait.span });
        Action::WaitFor { duration: Template::constant(json!(milliseconds)) }
    }

    fn then(&mut self, then: &Node, site: &Site, reads: &mut Reads) -> Action {
        let entry = match then.items() {
            [only] => only,
            [] => then,
            _ => return self.bad_then(then.span),
        };
        match entry.entries() {
            [(key, value)] if key.value == "return" => {
                Action::Return { value: self.template(value, site, reads).unwrap_or_default() }
            }
            _ => self.bad_then(then.span),
        }
    }

    fn bad_then(&mut self, span: Span) -> Action {
        let problem = self.error("bad-then", span, "`then` can only return");
        self.report(problem.hint("write `then: [{return: …}]`"));
        nothing()
    }

    /// Compiles the items of a `foreach`.
    pub(super) fn items(&mut self, node: &Node, site: &Site, reads: &mut Reads) -> Option<Template> {
        let template = self.template(node, site, reads)?;
        let before = self.diagnostics.len();
        // What could not be read leniently has been told of, and stands for nothing.
        let stands_in = self.library.strictness.lenient && Template::parse(&node.to_json()).is_err();
        if !stands_in {
            self.fits("bad-foreach", "foreach", node, template.root(), &json!({ "type": "array" }));
        }
        if let (Some(text), Some(problem)) = (node.as_str(), self.diagnostics.get_mut(before))
            && Expression::parse(text).is_ok()
            && template.is_constant()
        {
            problem.hint = format!("write `\"{{{{ {text} }}}}\"`");
        }
        Some(template)
    }
}

/// Stands for an action that has been reported.
fn nothing() -> Action {
    Action::Return { value: Template::default() }
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok())
}

/// The first line of a span: enough to mark a block of text.
pub(super) fn first_line(source: &crate::source::Source, span: Span) -> Span {
    let line = source.slice(span).lines().next().unwrap_or_default().trim_end();
    Span { end: span.start + u32::try_from(line.len()).unwrap_or_default(), ..span }
}

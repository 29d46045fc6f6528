//! One step: everything around what it does.

use std::collections::BTreeSet;

use super::Checker;
use super::action::{Kind, Target, kinds};
use super::argument::Signature;
use super::order::Draft;
use super::reference::{Reads, Site};
use crate::name::fold;
use crate::plan::{Action, Foreach, RetryPlan, StepPlan, UndoPlan, ValidationPlan};
use crate::skill::{Backoff, OnError, Retry, Step, Undo};
use crate::source::Span;
use crate::template::node::Node as Part;
use crate::template::{Segment, Template};
use crate::tool::{Effect, ErrorKind, ToolSpec};
use crate::yaml::{Node, Spanned};

/// Attempts at most; more than that is a loop.
const MOST_ATTEMPTS: u32 = 100;
/// Delay before the second attempt, in milliseconds, if nothing is said.
const DELAY_MS: u64 = 1_000;
/// Longest delay between attempts, in milliseconds, if nothing is said.
const MAX_DELAY_MS: u64 = 60_000;

/// Kinds of errors that are tried again where a condition decides, if nothing is said.
const RETRIED_WHEN: [ErrorKind; 7] = [
    ErrorKind::Transient,
    ErrorKind::Permanent,
    ErrorKind::Auth,
    ErrorKind::Network,
    ErrorKind::Timeout,
    ErrorKind::NotFound,
    ErrorKind::Invalid,
];

/// A step that has been looked at.
pub(super) struct Checked {
    /// Its plan, still without what it waits for.
    pub(super) plan: StepPlan,
    pub(super) draft: Draft,
}

impl Checker<'_, '_> {
    pub(super) fn step(&mut self, index: usize, step: &Step, target: &Target) -> Checked {
        let kind = kinds(step).first().copied();
        self.stray_keys(step, kind);
        let mut reads = Reads::default();
        let list = Site::step(index);
        let site = list.with_item(step.foreach.is_some());

        self.item_source = step.foreach.as_ref().and_then(item_source);
        let mut of_condition = Reads::default();
        let condition =
            step.condition.as_ref().and_then(|node| self.condition(node, &site, &mut of_condition));
        let condition_per_item = of_condition.item;
        reads.merge(of_condition);
        let foreach = self.foreach(step, &list, &mut reads);
        let action = self.action(step, target, &site, &mut reads);
        let undo = step.undo.as_ref().and_then(|undo| self.undo(undo, step, target, &site, &mut reads));
        let validate = self.validations(step, &site.result(), &mut reads);
        let retry =
            step.retry.as_ref().map(|retry| self.retry(retry, once(target, &action), &site, &mut reads));
        self.repeated_calls(step, target);
        let needs = step.needs.as_ref().map(|needs| self.needs(index, needs, &mut reads));
        if self.library.strictness.strict {
            self.good_practice(step, target);
        }

        let output = fold(&step.output.as_ref().unwrap_or(&step.name).value);
        // Steps that set one variable do it in the order of the file.
        reads.steps.extend(self.names.outputs(&output).iter().copied().filter(|step| *step < index).max());
        let effect = target.effect();
        let barrier = effect != Effect::Read || kind == Some(Kind::Then) || self.library.pauses(&action);
        let plan = StepPlan {
            name: step.name.value.clone(),
            description: step.description.as_ref().map(|text| text.value.clone()).unwrap_or_default(),
            idempotent: repeats(target, &action),
            action,
            output,
            needs: Vec::new(),
            effect,
            condition,
            condition_per_item,
            foreach,
            retry,
            timeout_ms: step.timeout.as_ref().and_then(|timeout| self.timeout(timeout)),
            on_error: self.on_error(step),
            undo,
            validate,
            line: self.lines.line(step.name.span.start),
        };
        let Reads { steps, later, all_steps, .. } = reads;
        Checked { plan, draft: Draft { reads: steps, reads_all: all_steps, needs, later, barrier } }
    }

    /// Keys that mean nothing for a step of its kind.
    fn stray_keys(&mut self, step: &Step, kind: Option<Kind>) {
        let Some(kind) = kind else { return };
        let calls = matches!(kind, Kind::Tool | Kind::Skill | Kind::Compute);
        let returns = kind == Kind::Then;
        let node = |node: &Option<crate::yaml::Node>| node.as_ref().map(|node| node.span);
        let keys: [(&str, Option<Span>, bool); 9] = [
            ("args", node(&step.args), matches!(kind, Kind::Tool | Kind::Skill)),
            ("retry", step.retry.as_ref().map(|retry| retry.attempts.span), calls),
            ("undo", step.undo.as_ref().map(|undo| undo.tool.span), calls),
            ("timeout", step.timeout.as_ref().map(|timeout| timeout.span), calls),
            ("foreach", node(&step.foreach), !returns),
            ("output", step.output.as_ref().map(|output| output.span), !returns),
            ("on_error", step.on_error.as_ref().map(|choice| choice.span), !returns),
            ("validate", step.validate.first().map(|first| first.condition.span), !returns),
            ("concurrency", step.concurrency.as_ref().map(|limit| limit.span), step.foreach.is_some()),
        ];
        for (key, span, allowed) in keys {
            let Some(span) = span.filter(|_| !allowed) else { continue };
            let problem = if key == "concurrency" {
                self.error("stray-key", span, "`concurrency` does nothing without `foreach`")
            } else {
                let message = format!("`{key}` does nothing in a step with `{}`", kind.key());
                self.error("stray-key", span, message)
            };
            let hint = if (key, kind) == ("timeout", Kind::Confirm) {
                "put it into `confirm`"
            } else {
                "leave it out"
            };
            self.report(problem.hint(hint));
        }
    }

    /// What a failure does. Whoever wrote `auto_heal` for the engine that a lenient reading
    /// stands in for knew that it never stops there.
    fn on_error(&self, step: &Step) -> OnError {
        match step.on_error.as_ref().map(|choice| choice.value).unwrap_or_default() {
            OnError::AutoHeal if self.library.strictness.lenient => OnError::AutoHealOrContinue,
            choice => choice,
        }
    }

    fn foreach(&mut self, step: &Step, site: &Site, reads: &mut Reads) -> Option<Foreach> {
        let items = self.items(step.foreach.as_ref()?, site, reads)?;
        Some(Foreach { items, concurrency: step.concurrency.as_ref().map_or(1, |limit| limit.value.max(1)) })
    }

    fn undo(
        &mut self,
        undo: &Undo,
        step: &Step,
        target: &Target,
        site: &Site,
        reads: &mut Reads,
    ) -> Option<UndoPlan> {
        if matches!(target, Target::Tool(spec) if spec.effect == Effect::Read) {
            let message = format!("step `{}` only reads: there is nothing to undo", step.name.value);
            self.report(self.warning("undo-on-read", undo.tool.span, message));
        }
        let site = site.with_secrets().result();
        let Some(spec) = self.tool(&undo.tool) else {
            self.arguments(undo.args.as_ref(), None, &site, reads);
            return None;
        };
        let signature = Signature::of_tool(&spec, undo.tool.span);
        let args = self.arguments(undo.args.as_ref(), Some(&signature), &site, reads);
        let idempotent = spec.repeats_in_step(|argument| args.contains_key(argument));
        let nullable = signature.nullable(&args);
        Some(UndoPlan { tool: spec.name.clone(), effect: spec.effect, idempotent, args, nullable })
    }

    fn validations(&mut self, step: &Step, site: &Site, reads: &mut Reads) -> Vec<ValidationPlan> {
        let mut plans = Vec::with_capacity(step.validate.len());
        for validation in &step.validate {
            let condition = self.condition(&validation.condition, site, reads);
            let message = validation.message.as_ref().and_then(|text| self.text(text, site, reads));
            plans.extend(condition.map(|condition| ValidationPlan { condition, message }));
        }
        plans
    }

    fn needs(&mut self, index: usize, needs: &[Spanned<String>], reads: &mut Reads) -> BTreeSet<usize> {
        let mut steps = BTreeSet::new();
        for need in needs {
            match self.names.step(&fold(&need.value)) {
                Some(step) if step < index => {
                    steps.insert(step);
                }
                Some(step) if step > index => reads.later.push((step, need.span)),
                Some(_) => {
                    let message = format!("step `{}` needs itself", need.value);
                    self.report(self.error("self-reference", need.span, message));
                }
                None => {
                    let problem = self.error(
                        "unknown-reference",
                        need.span,
                        format!("there is no step `{}`", need.value),
                    );
                    self.report(problem.suggest(&need.value, self.names.step_names()));
                }
            }
        }
        steps
    }

    fn retry(&mut self, retry: &Retry, once: Option<&ToolSpec>, site: &Site, reads: &mut Reads) -> RetryPlan {
        let attempts = retry.attempts.value;
        if !(1..=MOST_ATTEMPTS).contains(&attempts) {
            let message = format!("`attempts` must be from 1 to {MOST_ATTEMPTS}");
            self.report(self.error("bad-retry", retry.attempts.span, message));
        }
        if retry.on.as_ref().is_some_and(Vec::is_empty) {
            let problem =
                self.error("bad-retry", retry.attempts.span, "with an empty `on` it never tries again");
            self.report(problem.hint("leave `on` out for the usual kinds, or name some"));
        }
        self.delays(retry);
        let site = site.with_attempt();
        let when = retry.when.as_ref().and_then(|node| self.condition(node, &site, reads));
        let usual = if retry.when.is_some() { &RETRIED_WHEN[..] } else { &ErrorKind::PASSING };
        let once = once.filter(|_| retry.on.is_none() && retry.when.is_none());
        if let Some(tool) = once {
            self.tried_once(retry, tool);
        }
        let on = retry.on.as_ref().map(|kinds| kinds.iter().map(|kind| kind.value).collect());
        let delay_ms = retry.delay.as_ref().map_or(Some(DELAY_MS), |delay| self.duration(delay));
        let max_delay_ms = retry.max_delay.as_ref().map_or(Some(MAX_DELAY_MS), |delay| self.duration(delay));
        RetryPlan {
            attempts,
            backoff: retry.backoff.as_ref().map_or(Backoff::Exponential, |backoff| backoff.value),
            delay_ms: delay_ms.unwrap_or_default(),
            // A first delay longer than the usual limit means what it says.
            max_delay_ms: max_delay_ms.max(delay_ms).unwrap_or_default(),
            on: on.unwrap_or_else(|| usual.to_vec()),
            once: once.is_some(),
            when,
        }
    }

    /// Whoever wants a write that must not be repeated to be tried again has to know where that ends.
    fn tried_once(&mut self, retry: &Retry, tool: &ToolSpec) {
        if retry.attempts.value < 2 {
            return;
        }
        let message = format!(
            "where nobody knows whether `{}` has acted, e.g. after `timeout`, it is not tried again",
            tool.name
        );
        let problem = self.warning("write-retry", retry.attempts.span, message);
        let hint = "name the kinds of errors after which it is tried again whatever it has done, e.g. `on: [transient, timeout]`";
        self.report(problem.hint(hint));
    }

    /// Another attempt at a block or a sub-skill begins at its beginning, whatever has succeeded.
    fn repeated_calls(&mut self, step: &Step, target: &Target) {
        let Some(retry) = step.retry.as_ref().filter(|retry| retry.attempts.value > 1) else { return };
        let Some(callee) = target.unrepeatable() else { return };
        let name = &step.name.value;
        let (code, message, hint) = match target {
            Target::Skill(plan) => (
                "skill-retry",
                format!("every attempt at step `{name}` makes step `{callee}` of `{}` again", plan.name),
                "put the `retry` at the steps of that skill that can be tried again",
            ),
            _ => (
                "compute-retry",
                format!("every attempt at step `{name}` calls `{callee}` again"),
                "give that call a step of its own, or deal with failures inside the block",
            ),
        };
        let problem = self.warning(code, retry.attempts.span, message);
        self.report(problem.hint(hint));
    }

    fn delays(&mut self, retry: &Retry) {
        let (Some(delay), Some(longest)) = (&retry.delay, &retry.max_delay) else { return };
        let told = |text: &Spanned<String>| crate::duration::parse_ms(&text.value).ok();
        if told(delay) > told(longest) && told(longest).is_some() {
            let message = format!("`delay` is longer than `max_delay`, which is `{}`", longest.value);
            self.report(self.error("bad-retry", delay.span, message));
        }
    }

    /// What `--strict` asks for on top.
    fn good_practice(&mut self, step: &Step, target: &Target) {
        let Target::Tool(spec) = target else { return };
        if matches!(spec.effect, Effect::Write | Effect::Destructive) && step.undo.is_none() {
            let span = step.tool.as_ref().map_or(step.name.span, |tool| tool.span);
            let message = format!("step `{}` changes something and has no `undo`", step.name.value);
            self.report(self.warning("missing-undo", span, message));
        }
    }
}

/// The way to an item of a `foreach`, where it goes through something that has one.
fn item_source(items: &Node) -> Option<Vec<Segment>> {
    let template = Template::parse(&items.to_json()).ok()?;
    let Part::Hole(hole) = template.root() else { return None };
    Some([hole.source()?, &[Segment::Each]].concat())
}

/// The tool of a step that must not be called twice.
fn once<'a>(target: &'a Target, action: &Action) -> Option<&'a ToolSpec> {
    match target {
        Target::Tool(spec) if !repeats(target, action) => Some(spec),
        _ => None,
    }
}

/// Whether the step's call may be made again after a crash.
fn repeats(target: &Target, action: &Action) -> bool {
    match (target, action) {
        (Target::Tool(spec), Action::Tool { args, .. }) => {
            spec.repeats_in_step(|argument| args.contains_key(argument))
        }
        _ => target.is_idempotent(),
    }
}

impl Reads {
    fn merge(&mut self, other: Self) {
        self.steps.extend(other.steps);
        self.later.extend(other.later);
        self.all_steps |= other.all_steps;
        self.item |= other.item;
    }
}

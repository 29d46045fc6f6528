//! One skill, from its name to its outputs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::action::Target;
use super::order::{self, Draft};
use super::reference::{Reader, Reads, Site};
use super::step::Checked;
use super::{Checker, fit};
use crate::fix::Edit;
use crate::name::{fold, is_valid};
use crate::plan::{Action, InputPlan, OutputPlan, SkillPlan, StepPlan};
use crate::skill::{AsTask, Input, OnFailure, Output, Skill};
use crate::template::Template;
use crate::yaml::{Kind, Node, Spanned};

/// Steps of a skill that run at once, if it does not say.
const CONCURRENCY: u32 = 16;

impl Checker<'_, '_> {
    /// Checks everything. The plan is only good when no error was reported.
    pub(super) fn skill(&mut self, skill: &Skill) -> SkillPlan {
        self.skill_name(&skill.name);
        let defaults = self.defaults(skill.defaults.as_ref());
        self.names.env = skill.env.iter().map(|name| name.value.clone()).collect();
        self.names.defaults = defaults.clone();
        self.declare_inputs(&skill.inputs);
        if skill.steps.is_empty() {
            let message = format!("the skill `{}` has no step, so it would do nothing", skill.name.value);
            let problem = self.error("no-steps", skill.name.span, message);
            self.report(
                problem
                    .hint("write one under `steps:`, e.g. `- {name: look, tool: shell, args: {script: ls}}`"),
            );
        }
        let targets = self.declare_steps(&skill.steps);
        let inputs = self.inputs(&skill.inputs);
        let steps = self.steps(&skill.steps, &targets);
        let outputs = self.outputs(&skill.outputs);
        self.unused_inputs(&skill.inputs);
        SkillPlan {
            name: fold(&skill.name.value),
            description: skill.description.value.clone(),
            inputs,
            defaults,
            env: self.names.env.clone(),
            lenient: self.library.strictness.lenient,
            timeout_ms: skill.timeout.as_ref().and_then(|timeout| self.timeout(timeout)),
            on_failure: skill.on_failure.as_ref().map_or(OnFailure::Stop, |choice| choice.value),
            concurrency: skill.concurrency.as_ref().map_or(CONCURRENCY, |limit| limit.value.max(1)),
            as_task: skill.as_task.as_ref().map_or(AsTask::Auto, |choice| choice.value),
            steps,
            outputs,
        }
    }

    fn skill_name(&mut self, name: &Spanned<String>) {
        if !self.valid_name("skill", name) {
            return;
        }
        let file = self.source.path.rsplit(['/', '\\']).next().unwrap_or_default();
        let Some(stem) = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml")) else { return };
        if fold(stem) != fold(&name.value) {
            let message = format!("the skill is called `{}`, but its file `{file}`", name.value);
            let problem = self.warning("name-mismatch", name.span, message);
            let problem = problem.hint("it is found by the name of its file; give both the same name");
            let edit = is_valid(stem).then(|| Edit::replace(name.span, stem));
            self.report(problem.fix(edit.into_iter().collect()));
        }
    }

    /// Reports a name that cannot be one.
    pub(super) fn valid_name(&mut self, noun: &str, name: &Spanned<String>) -> bool {
        let valid = is_valid(&name.value);
        if !valid {
            let message = format!("`{}` cannot be the name of {noun}", name.value);
            let problem = self.error("bad-name", name.span, message);
            self.report(problem.hint("a name is a letter, then letters, digits, `_` and `-`"));
        }
        valid
    }

    /// Reports a name that is taken, apart from `-` and `_`.
    pub(super) fn new_name(&mut self, noun: &str, name: &Spanned<String>, taken: &mut BTreeSet<String>) {
        if !taken.insert(fold(&name.value)) {
            let message = format!("there is already {noun} called `{}`", name.value);
            self.report(self.error("duplicate-name", name.span, message));
        }
    }

    fn defaults(&mut self, node: Option<&Node>) -> Value {
        let Some(node) = node else { return Value::Null };
        let json = node.to_json();
        match Template::parse(&json) {
            Ok(template) if template.is_constant() => {}
            _ => {
                let message = "`defaults` are constants; a template in them would stay as it is";
                let problem = self.error("template-in-constant", node.span, message);
                self.report(problem.hint("write the template where its value is needed"));
            }
        }
        json
    }

    fn inputs(&mut self, inputs: &[Input]) -> Vec<InputPlan> {
        let mut plans = Vec::with_capacity(inputs.len());
        for (index, input) in inputs.iter().enumerate() {
            plans.push(InputPlan {
                name: fold(&input.name.value),
                description: input.description.as_ref().map(|text| text.value.clone()).unwrap_or_default(),
                required: input.required,
                default: input.default.as_ref().and_then(|node| self.default(index, input, node)),
                schema: input.schema.clone(),
            });
        }
        plans
    }

    fn default(&mut self, index: usize, input: &Input, node: &Node) -> Option<Template> {
        if input.required {
            let message = format!("input `{}` is required, so its default is never used", input.name.value);
            self.report(self.warning("unused-default", node.span, message));
        }
        let site = Site { reader: Reader::Default(index), item: false, secrets: false, attempt: false };
        let meant = self.as_meant("default", node, &input.schema);
        let node = &*meant;
        let template = self.template(node, &site, &mut Reads::default())?;
        if template.has_python() {
            let problem = self.error("bad-template", node.span, "the default of an input cannot be Python");
            self.report(problem.hint("use filters, or compute it in a first step"));
        }
        // A null default is the same as none.
        if node.is_null() {
            return None;
        }
        self.fits("bad-default", "default", node, template.root(), &input.schema);
        Some(template)
    }

    fn unused_inputs(&mut self, inputs: &[Input]) {
        for input in inputs {
            if !self.used_inputs.contains(&fold(&input.name.value)) {
                let message = format!("nothing reads the input `{}`", input.name.value);
                self.report(self.warning("unused-input", input.name.span, message));
            }
        }
    }

    fn steps(&mut self, steps: &[crate::skill::Step], targets: &[Target]) -> Vec<StepPlan> {
        let mut plans = Vec::with_capacity(steps.len());
        let mut drafts = Vec::with_capacity(steps.len());
        for (index, (step, target)) in steps.iter().zip(targets).enumerate() {
            let Checked { plan, draft } = self.step(index, step, target);
            plans.push(plan);
            drafts.push(draft);
        }
        self.impossible_orders(&drafts);
        if let Some(needs) = order::needs(&drafts) {
            for (plan, needs) in plans.iter_mut().zip(needs) {
                plan.needs = needs;
            }
        } else {
            let span = steps.first().map(|step| step.name.span).unwrap_or_default();
            let problem = self.error("too-many-edges", span, "the steps wait for each other too often");
            self.report(problem.hint("give the reads that follow many writes a `needs` of their own"));
        }
        self.unreachable(steps, &plans);
        self.unread_answers(steps, &mut plans, &drafts);
        if self.library.is_too_large(&plans) {
            let span = steps.first().map(|step| step.name.span).unwrap_or_default();
            let message = "with all the skills it runs, the skill has more than 100 000 steps";
            self.report(self.error("deep-skills", span, message));
        }
        plans
    }

    /// Steps that wait for a step which always ends the skill.
    fn unreachable(&mut self, steps: &[crate::skill::Step], plans: &[StepPlan]) {
        let mut dead = vec![false; plans.len()];
        let mut first = None;
        for (index, plan) in plans.iter().enumerate() {
            let after = plan.needs.iter().any(|need| dead[*need]);
            if after {
                first.get_or_insert(index);
            }
            let returns = matches!(plan.action, Action::Return { .. }) && steps[index].then.is_some();
            dead[index] = after || returns && plan.condition.is_none();
        }
        let Some(first) = first else { return };
        let message =
            format!("step `{}` can never run: an earlier step always ends the skill", plans[first].name);
        let problem = self.warning("unreachable-step", steps[first].name.span, message);
        self.report(problem.hint("give the step with `then` a `condition`"));
    }

    /// Forward references and cycles, which only the whole list of steps shows.
    fn impossible_orders(&mut self, drafts: &[Draft]) {
        let cycles = order::cycles(drafts);
        for cycle in &cycles {
            let span = cycle.span;
            let names: Vec<String> =
                cycle.steps.iter().map(|step| format!("`{}`", self.names.steps[*step].name)).collect();
            let message = format!("the steps wait for each other: {}", names.join(" → "));
            self.report(self.error("cycle", span, message));
        }
        for (index, draft) in drafts.iter().enumerate() {
            for (later, span) in &draft.later {
                if cycles.iter().any(|cycle| cycle.members.contains(&index) && cycle.members.contains(later))
                {
                    continue;
                }
                let (own, other) = (&self.names.steps[index].name, &self.names.steps[*later].name);
                let message = format!("step `{own}` reads from step `{other}`, which comes later");
                let problem = self.unknown("forward-reference", *span, message);
                self.report(problem.hint(format!("move `{other}` before `{own}`")));
            }
        }
    }

    fn outputs(&mut self, outputs: &[Output]) -> Vec<OutputPlan> {
        let mut taken = BTreeSet::new();
        let mut plans = Vec::with_capacity(outputs.len());
        for output in outputs {
            if self.valid_name("an output", &output.name) {
                self.new_name("an output", &output.name, &mut taken);
            }
            let variable = || Node {
                kind: Kind::Scalar(json!(format!("{{{{ {} }}}}", fold(&output.name.value)))),
                span: output.name.span,
            };
            let node = output.value.clone().unwrap_or_else(variable);
            let site = Site { reader: Reader::Output, item: false, secrets: false, attempt: false };
            let Some(value) = self.template(&node, &site, &mut Reads::default()) else { continue };
            if let Some(kind) = &output.kind {
                self.output_kind(kind, &node, &value);
            }
            plans.push(OutputPlan {
                name: output.name.value.clone(),
                value,
                description: output.description.as_ref().map(|text| text.value.clone()).unwrap_or_default(),
                kind: output.kind.as_ref().map(|kind| kind.value.clone()),
            });
        }
        plans
    }

    fn output_kind(&mut self, kind: &Spanned<String>, node: &Node, value: &Template) {
        if !fit::TYPES.contains(&kind.value.as_str()) {
            let problem = self.error("bad-value", kind.span, format!("`{}` is not a type", kind.value));
            return self.report(problem.suggest(&kind.value, fit::TYPES));
        }
        self.fits("wrong-type", "value", node, value.root(), &json!({"type": kind.value}));
    }
}

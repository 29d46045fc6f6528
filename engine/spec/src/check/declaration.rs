//! The names of all inputs and steps, before any of them is looked at closely.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Checker;
use super::action::{Kind, Target, kinds};
use super::names::{InputName, is_reserved};
use crate::name::fold;
use crate::plan::{Action, SkillPlan};
use crate::skill::{Confirm, Input, Step};

impl Checker<'_, '_> {
    pub(super) fn declare_inputs(&mut self, inputs: &[Input]) {
        let mut taken = BTreeSet::new();
        for input in inputs {
            if self.valid_name("an input", &input.name) {
                self.new_name("an input", &input.name, &mut taken);
            }
            crate::schema::idle::report(self.source, &input.node, &mut self.diagnostics);
            let name = InputName { name: fold(&input.name.value), schema: input.schema.clone() };
            self.names.inputs.push(name);
        }
    }

    /// Finds out what every step is and declares its name and output.
    pub(super) fn declare_steps(&mut self, steps: &[Step]) -> Vec<Target> {
        let mut taken = BTreeSet::new();
        let mut targets = Vec::with_capacity(steps.len());
        for step in steps {
            if self.valid_name("a step", &step.name) {
                self.new_name("a step", &step.name, &mut taken);
            }
            let target = self.target(step);
            let returns = kinds(step).first() == Some(&Kind::Then);
            let output = (!returns).then(|| step.output.as_ref().unwrap_or(&step.name));
            if let Some(output) = output {
                self.output_variable(step);
                self.names.declare(&step.name.value, Some(&output.value), result_schema(step, &target));
            } else {
                self.names.declare(&step.name.value, None, Value::Bool(true));
            }
            if let (Target::Tool(spec), Some(declared)) = (&target, self.names.steps.last_mut()) {
                declared.tool.clone_from(&spec.name);
            }
            targets.push(target);
        }
        targets
    }

    fn output_variable(&mut self, step: &Step) {
        let output = step.output.as_ref().unwrap_or(&step.name);
        let valid = step.output.as_ref().is_none_or(|output| self.valid_name("an output", output));
        if valid && is_reserved(&fold(&output.value)) {
            let message = format!("`{}` means something else in templates", output.value);
            let problem = self.error("reserved-name", output.span, message);
            let problem = match step.output {
                Some(_) => problem.hint("choose another name"),
                None => problem.hint("give the step another name, or an `output` of its own"),
            };
            self.report(problem);
        }
        let earlier = self.names.outputs(&fold(&output.value)).last();
        // Alternatives may share a variable; without a condition the later one always wins.
        // Two steps of the same name are reported as such.
        if let Some(earlier) = earlier
            && step.condition.is_none()
            && (step.output.is_some() || self.names.step(&fold(&step.name.value)).is_none())
        {
            let earlier = &self.names.steps[*earlier].name;
            let message = format!("the result of step `{earlier}` in `{}` is overwritten here", output.value);
            let problem = self.warning("duplicate-output", output.span, message);
            self.report(problem.hint("give one of them another `output`, or this one a `condition`"));
        }
    }
}

/// JSON Schema of a step's output variable.
fn result_schema(step: &Step, target: &Target) -> Value {
    let one = match target {
        Target::Tool(spec) => spec.output.clone(),
        Target::Skill(plan) => skill_schema(plan),
        #[cfg(feature = "compute")]
        Target::Compute(_) => Value::Bool(true),
        Target::Unknown => Value::Bool(true),
    };
    let one = match &step.confirm {
        Some(Confirm { form: Some(form), .. }) => form.value.result_schema(),
        Some(_) => json!({ "type": "string" }),
        None => one,
    };
    if step.foreach.is_some() { json!({ "type": "array", "items": one }) } else { one }
}

/// JSON Schema of what a skill gives: its outputs, unless it can end early.
fn skill_schema(plan: &SkillPlan) -> Value {
    if plan.steps.iter().any(|step| matches!(step.action, Action::Return { .. })) {
        return Value::Bool(true);
    }
    let properties: Map<String, Value> =
        plan.outputs.iter().map(|output| (output.name.clone(), Value::Bool(true))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

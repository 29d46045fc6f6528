//! Templates and expressions of a skill over what is known so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aa_spec::compute::Interpreter;
use aa_spec::plan::OutputPlan;
use aa_spec::template::{EvalError, Expression, Missing, Scope, Template};
use aa_spec::tool::ErrorKind;
use serde_json::{Map, Value, json};

use super::Machine;
use super::frame::Frame;
use super::place::Place;
use super::unit::{Ended, Status};
use crate::event::StepError;

impl Machine {
    /// Who evaluates expressions that only Python grammar accepts. Without one they fail.
    pub fn set_interpreter(&mut self, interpreter: &Arc<dyn Interpreter>) {
        self.base.set_interpreter(Arc::clone(interpreter));
        for frame in self.frames.iter_mut().flatten() {
            frame.scope.set_interpreter(Arc::clone(interpreter));
        }
    }

    /// What the templates of a step or item see.
    pub(super) fn scope(&self, place: Place) -> Scope {
        let Some(frame) = self.frame(place.frame) else { return Scope::default() };
        let mut scope = frame.scope.child();
        scope.set_now(self.now.timestamp_millis());
        if let Some(index) = place.item {
            let items = self.fan(place).map(|fan| &fan.items);
            scope.set("item", items.and_then(|items| items.get(index)).unwrap_or(&Value::Null));
            scope.set("index", &Value::from(index));
        }
        scope
    }

    /// What templates see that belong to no skill: the parts all skills of a run share.
    pub(super) fn outer_scope(&self) -> Scope {
        let mut scope = self.base.child();
        scope.set_now(self.now.timestamp_millis());
        scope
    }

    /// The declared outputs of a frame's skill.
    pub(super) fn outputs(&self, frame: usize) -> Result<Map<String, Value>, StepError> {
        let Some(frame) = self.frame(frame) else { return Ok(Map::new()) };
        let mut scope = frame.scope.child();
        scope.set_now(self.now.timestamp_millis());
        let outputs = frame.layout.skill().outputs.iter().map(|output| {
            let value = output.value.render(&scope, Missing::Null);
            let value = value.map_err(|error| failed(&format!("output `{}`", output.name), &error))?;
            Ok((output.name.clone(), value.unwrap_or(Value::Null)))
        });
        outputs.collect()
    }
}

/// Whether outputs are of the types that were declared.
///
/// # Errors
/// One is not.
pub(super) fn kept(declared: &[OutputPlan], outputs: &Map<String, Value>) -> Result<(), StepError> {
    for output in declared {
        let value = outputs.get(&output.name).filter(|value| !value.is_null());
        let Some((kind, value)) = output.kind.as_ref().zip(value) else { continue };
        aa_spec::input::fits(&json!({ "type": kind }), value).map_err(|message| {
            StepError::new(ErrorKind::Invalid, format!("output `{}` {message}", output.name))
        })?;
    }
    Ok(())
}

impl Frame {
    /// Gives a step's output its value. A skipped step does not hide the value that
    /// another step has given to the same variable.
    pub(super) fn set_output(&mut self, step: usize, output: &Value, status: Status) {
        let Some(plan) = self.layout.step(step) else { return };
        let given = self.layout.is_shared(&plan.output) && self.scope.has(&plan.output);
        if status != Status::Skipped || !given {
            self.scope.set(&plan.output, output);
        }
    }

    /// Lets templates see through `steps.NAME` how a step ended, if any of them asks.
    pub(super) fn show(&mut self, step: usize, ended: &Ended) {
        let Some(plan) = self.layout.step(step).filter(|_| self.layout.is_asked(step)) else { return };
        let status = match ended.status {
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Skipped => "skipped",
        };
        let seconds = Duration::from_millis(ended.duration_ms).as_secs_f64();
        let value = json!({
            "status": status,
            "error": ended.error,
            "attempts": ended.attempts,
            "duration": seconds,
        });
        self.scope.set_in("steps", &plan.name, &value);
    }
}

/// Whether a condition holds; `what` names it when it cannot be evaluated.
pub(super) fn holds(condition: &Expression, scope: &Scope, what: &str) -> Result<bool, StepError> {
    condition.is_true(scope).map_err(|error| failed(what, &error))
}

/// The value of a template in which a missing value is null.
pub(super) fn value(template: &Template, scope: &Scope, what: &str) -> Result<Value, StepError> {
    let value = template.render(scope, Missing::Null).map_err(|error| failed(what, &error))?;
    Ok(value.unwrap_or(Value::Null))
}

/// The text of a template in which a missing value is nothing.
pub(super) fn text(template: &Template, scope: &Scope, what: &str) -> Result<String, StepError> {
    Ok(match value(template, scope, what)? {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// Arguments; those that are one whole missing value are left out, or null where that
/// means something to who is called.
pub(super) fn arguments(
    args: &BTreeMap<String, Template>,
    nullable: Option<&BTreeSet<String>>,
    scope: &Scope,
) -> Result<Map<String, Value>, StepError> {
    let mut rendered = Map::new();
    for (name, template) in args {
        let value = template.render(scope, Missing::Fail);
        let value = value.map_err(|error| failed(&format!("argument `{name}`"), &error))?;
        let null = || nullable.is_some_and(|names| names.contains(name)).then_some(Value::Null);
        if let Some(value) = value.or_else(null) {
            rendered.insert(name.clone(), value);
        }
    }
    Ok(rendered)
}

fn failed(what: &str, error: &EvalError) -> StepError {
    StepError::new(error.kind, format!("{what}: {error}"))
}

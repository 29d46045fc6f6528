//! Blocks without an interpreter: a script in JSON says what a block calls.

use aa_spec::tool::ErrorKind;
use serde_json::{Map, Value, json};

use super::kit::{World, at, fault};
use crate::compute::{Computed, HostCall};
use crate::event::{Body, StepError, StepPath};
use crate::machine::ComputeCall;

/// Completes a sparse block: `script` says what it does, `tools` and `skills` what it may
/// call. A script has `calls`, each a name and arguments in which `$x` is what it reads
/// of `x`; it `catches` errors, or ends with the first one.
pub(super) fn block(sparse: &Value) -> Value {
    let mut calls = Map::new();
    for (name, tool) in sparse["tools"].as_object().into_iter().flatten() {
        let mut callee = tool.clone();
        callee["kind"] = json!("tool");
        calls.insert(name.clone(), callee);
    }
    for name in sparse["skills"].as_array().into_iter().flatten() {
        let callee = json!({"kind": "skill", "effect": "write", "idempotent": false});
        calls.insert(name.as_str().unwrap().to_owned(), callee);
    }
    json!({
        "source": sparse["script"].to_string(), "code": "", "line": 1, "calls": calls,
        "reads": sparse["reads"].as_array().cloned().unwrap_or_default(),
        "lists_names": sparse["lists_names"].as_bool().unwrap_or(false),
    })
}

/// A block that runs.
pub(super) struct Running {
    pub(super) call: ComputeCall,
    script: Value,
    answers: Vec<Result<Value, StepError>>,
    waits: Option<StepPath>,
}

impl Running {
    pub(super) fn new(call: ComputeCall) -> Self {
        let script = serde_json::from_str(&call.block.source).unwrap();
        let mut running = Self { call, script, answers: Vec::new(), waits: None };
        for made in running.call.done.clone() {
            let again = running.next_call().expect("it makes the same calls again");
            assert!(made.is(&again), "{made:?} was not {again:?}");
            running.answers.push(made.answer);
        }
        running
    }

    fn next_call(&self) -> Option<HostCall> {
        let call = self.script["calls"].get(self.answers.len())?;
        let names = self.call.names.as_ref().ok()?;
        let read = |value: &Value| match value.as_str().and_then(|text| text.strip_prefix('$')) {
            Some(name) => names.get(name).cloned().unwrap_or_default(),
            None => value.clone(),
        };
        let args = call[1].as_object().unwrap();
        Some(HostCall {
            number: u32::try_from(self.answers.len()).unwrap() + 1,
            target: call[0].as_str().unwrap().to_owned(),
            args: args.iter().map(|(name, value)| (name.clone(), read(value))).collect(),
        })
    }

    /// What it comes to, if it has come to it.
    fn result(&self) -> Option<Result<Computed, StepError>> {
        let names = match &self.call.names {
            Ok(names) => names,
            Err(error) => return Some(Err(error.clone())),
        };
        let catches = self.script["catches"].as_bool().unwrap_or(false);
        if let Some(Err(error)) = self.answers.last().filter(|_| !catches) {
            return Some(Err(error.clone()));
        }
        if self.next_call().is_some() {
            return None;
        }
        let answers = self.answers.iter().map(|answer| match answer {
            Ok(value) => value.clone(),
            Err(error) => json!(format!("caught {}", error.message)),
        });
        let reads = names.keys().cloned().collect();
        Some(Ok(Computed { value: answers.collect(), reads, printed: Vec::new() }))
    }
}

impl World {
    /// Blocks that do not wait for a call.
    pub(super) fn free_blocks(&self) -> Vec<usize> {
        (0..self.blocks.len()).filter(|block| self.blocks[*block].waits.is_none()).collect()
    }

    /// Blocks learn how the calls ended that they wait for.
    pub(super) fn hear(&mut self, body: &Body) {
        let (step, answer) = match body {
            Body::StepCompleted { step, output, .. } => (step, Ok(output.clone())),
            Body::StepFailed { step, error, .. } => (step, Err(error.clone())),
            _ => return,
        };
        for block in self.blocks.iter_mut().filter(|block| block.waits.as_ref() == Some(step)) {
            block.waits = None;
            block.answers.push(answer.clone());
        }
    }

    /// Lets a block make its next call, or end.
    pub(super) fn step_block(&mut self, index: usize) {
        self.now += self.pace;
        let block = &self.blocks[index];
        let step = block.call.step.clone();
        let ended = self.stopped.contains(&step) || self.killed.contains(&step);
        let late = block.call.deadline.is_some_and(|deadline| deadline < at(self.now));
        let mut result = if ended {
            Some(Err(fault(ErrorKind::Cancelled, "stopped")))
        } else if late {
            Some(Err(fault(ErrorKind::Timeout, "too late")))
        } else {
            block.result()
        };
        if result.is_none() {
            let call = block.next_call().unwrap();
            match self.machine.host_call(&step, &call, at(self.now)) {
                Ok(body) => {
                    self.blocks[index].waits = body.step().cloned();
                    return self.record(body);
                }
                Err(error) => result = Some(Err(error)),
            }
        }
        self.blocks.remove(index);
        let body = self.machine.settle_block(&step, result.unwrap(), at(self.now)).unwrap();
        self.record(body);
    }
}

//! Which canned answer a call gets. The same script and calls give the same answers.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::script::{Canned, Gives, Script, Spot};
use crate::name::fold;
use crate::template::{EvalError, Missing, Scope};
use crate::tool::ErrorKind;

/// A script on its way: what has been given is not given more often than it may be.
#[derive(Clone, Debug)]
pub struct Prompter {
    script: Script,
    given: BTreeMap<Spot, u32>,
}

/// A call that wants an answer.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Canonical name of the tool.
    pub tool: &'a str,
    /// The step that calls.
    pub step: &'a str,
    /// Its arguments, without secrets.
    pub args: &'a Map<String, Value>,
}

/// What a call gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The result, or kind, message and details of the failure.
    pub result: Result<Value, (ErrorKind, String, Value)>,
    /// How long it takes, in milliseconds.
    pub delay_ms: u64,
}

impl Prompter {
    /// A script from its beginning.
    pub fn new(script: Script) -> Self {
        Self { script, given: BTreeMap::new() }
    }

    /// The script.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Whether the script has anything to say of a tool.
    pub fn knows(&self, tool: &str) -> bool {
        self.script.tools.contains_key(&fold(tool))
    }

    /// The answer of a call; `None` when there is none left that fits.
    ///
    /// # Errors
    /// A condition or template of an answer that has no value.
    pub fn answer(&mut self, question: &Question<'_>) -> Result<Option<Reply>, EvalError> {
        let mut scope = Scope::default();
        scope.set("args", &Value::Object(question.args.clone()));
        let tool = fold(question.tool);
        let Some(index) = self.pick(&tool, question, &scope)? else { return Ok(None) };
        *self.given.entry(Spot::Tool(tool.clone(), index)).or_default() += 1;
        let canned = &self.script.tools[&tool][index];
        let result = match &canned.gives {
            Gives::Value(value) => Ok(value.clone()),
            Gives::Result(template) => Ok(template.render(&scope, Missing::Null)?.unwrap_or_default()),
            Gives::Error { kind, message, details } => {
                let message = match message.render(&scope, Missing::Null)?.unwrap_or_default() {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                Err((*kind, message, details.clone()))
            }
        };
        Ok(Some(Reply { result, delay_ms: canned.delay_ms }))
    }

    /// What a person says to a step's question, the next time it asks.
    pub fn reply(&mut self, step: &str) -> Option<String> {
        let key = [step, plain(step)].into_iter().find(|key| self.script.answers.contains_key(*key))?;
        let replies = &self.script.answers[key];
        let given = self.given.entry(Spot::Question(key.to_owned())).or_default();
        let index = usize::try_from(*given).unwrap_or(usize::MAX).min(replies.len().saturating_sub(1));
        *given += 1;
        replies.get(index).cloned()
    }

    /// The answers that nothing has asked for.
    pub fn unused(&self) -> Vec<Spot> {
        let tools = self.script.tools.iter();
        let tools =
            tools.flat_map(|(tool, answers)| (0..answers.len()).map(|index| Spot::Tool(tool.clone(), index)));
        let questions = self.script.answers.keys().cloned().map(Spot::Question);
        tools.chain(questions).filter(|spot| !self.given.contains_key(spot)).collect()
    }

    /// The first answer that fits and may still be given.
    fn pick(&self, tool: &str, question: &Question<'_>, scope: &Scope) -> Result<Option<usize>, EvalError> {
        let Some(answers) = self.script.tools.get(tool) else { return Ok(None) };
        let last_plain = answers.iter().rposition(|canned| !canned.is_picky());
        for (index, canned) in answers.iter().enumerate() {
            let repeats = canned.is_picky() || Some(index) == last_plain;
            let most = canned.times.unwrap_or(if repeats { u32::MAX } else { 1 });
            let given = self.given.get(&Spot::Tool(tool.to_owned(), index)).copied().unwrap_or(0);
            if given < most && canned.fits(question, scope)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }
}

impl Canned {
    fn fits(&self, question: &Question<'_>, scope: &Scope) -> Result<bool, EvalError> {
        let step =
            self.step.as_ref().is_none_or(|step| step == question.step || step == plain(question.step));
        let args = self.args.as_ref().is_none_or(|wanted| {
            wanted
                .iter()
                .all(|(name, value)| argument(question.args, name).is_some_and(|arg| includes(arg, value)))
        });
        if !(step && args) {
            return Ok(false);
        }
        self.when.as_ref().map_or(Ok(true), |when| when.is_true(scope))
    }
}

fn argument<'a>(args: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    args.get(name)
        .or_else(|| args.iter().find(|(known, _)| fold(known) == fold(name)).map(|(_, value)| value))
}

/// The path of a step without the item: `fan` of `fan[3]`.
fn plain(step: &str) -> &str {
    step.strip_suffix(']').and_then(|step| step.rsplit_once('[')).map_or(step, |(step, _)| step)
}

/// Whether a value has everything of another one: mappings may have more entries.
pub fn includes(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Object(value), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| value.get(key).is_some_and(|value| includes(value, wanted)))
        }
        (Value::Array(value), Value::Array(wanted)) => {
            value.len() == wanted.len()
                && value.iter().zip(wanted).all(|(value, wanted)| includes(value, wanted))
        }
        (Value::Number(value), Value::Number(wanted)) => {
            value == wanted || (value.as_f64() == wanted.as_f64() && !(value.is_i64() && wanted.is_i64()))
        }
        _ => value == wanted,
    }
}

//! Examples of tools, tried: against what was recorded, or for real.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aa_spec::diagnostic::Diagnostic;
use aa_spec::source::Span;
use aa_spec::test::fit;
use aa_spec::tool::Effect;
use aa_spec::tool::module::Example;
use aa_spec::tool::module::example::{Fails, Recorded};
use serde_json::{Map, Value};

use super::rehearse::{DiffLine, Fault, diff, mismatch};
use super::{Engine, StartError};
use crate::event::StepError;
use crate::tool::CallContext;
use crate::tool::replay::{Difference, Witness};
use crate::toolbox::{Specimen, Toolbox};

/// Stands for the key of a step in examples: there is no run.
const KEY: &str = "example";

/// What came of an example.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The tool.
    pub tool: String,
    /// What the example shows, or else its number.
    pub example: String,
    /// The file of the module, as shown.
    pub path: String,
    /// The line of the example.
    pub line: u32,
    /// How long it took.
    pub took: Duration,
    /// Why it was not tried.
    pub skipped: Option<String>,
    /// What is not as expected; none when all is well.
    pub faults: Vec<Fault>,
}

impl Engine {
    /// Every tool of the modules that mention one of these names, or else of every module, with
    /// its examples.
    ///
    /// # Errors
    /// A folder of tool modules, or one of them, cannot be read.
    pub fn specimens(&self, names: &[String]) -> Result<Vec<Specimen>, StartError> {
        Ok(self.parts.toolbox()?.specimens(names))
    }

    /// What is wrong with the modules that mention one of these names, or else with any module.
    ///
    /// # Errors
    /// A folder of tool modules, or one of them, cannot be read.
    pub fn problems_of(&self, names: &[String]) -> Result<Vec<Diagnostic>, StartError> {
        let toolbox = self.parts.toolbox()?;
        let mut found: Vec<Diagnostic> = Vec::new();
        for name in names {
            let of_one = toolbox.problems(name);
            found.extend(of_one.into_iter().filter(|one| !found.contains(one)).collect::<Vec<_>>());
        }
        Ok(if names.is_empty() { toolbox.diagnostics() } else { found })
    }

    /// Tries one example of a tool: against what was recorded, or else, when it only reads, for real.
    ///
    /// # Errors
    /// A folder of tool modules, or one of them, cannot be read.
    pub async fn try_example(&self, of: &Specimen, index: usize, live: bool) -> Result<Trial, StartError> {
        let begun = Instant::now();
        let toolbox = self.parts.toolbox()?;
        let example = &of.examples[index];
        let judge = Judge { of, example };
        let (skipped, faults) = match (live, &example.recorded) {
            (false, Some(recorded)) => (None, judge.replay(&toolbox, recorded).await),
            (false, None) => (Some("nothing was recorded"), Vec::new()),
            (true, _) if of.spec.effect != Effect::Read => (Some("it does more than read"), Vec::new()),
            (true, Some(_)) if example.fails.is_some() => (Some("it fails only as recorded"), Vec::new()),
            (true, _) => (None, judge.live(self).await),
        };
        let label = example.description.clone().unwrap_or_else(|| format!("example {}", index + 1));
        Ok(Trial {
            tool: of.spec.name.clone(),
            example: label,
            path: of.source.path.to_string(),
            line: of.source.place(example.args.span.start).line,
            took: begun.elapsed(),
            skipped: skipped.map(str::to_owned),
            faults,
        })
    }
}

struct Judge<'a> {
    of: &'a Specimen,
    example: &'a Example,
}

impl Judge<'_> {
    fn args(&self) -> Map<String, Value> {
        match self.example.args.to_json() {
            Value::Object(args) => args,
            _ => Map::new(),
        }
    }

    /// Calls the tool with what was recorded in the place of its service.
    async fn replay(&self, toolbox: &Toolbox, recorded: &Recorded) -> Vec<Fault> {
        let witness = Witness::default();
        let Some(tool) = toolbox.replay(self.of, self.example, &witness) else {
            return vec![self.fault("recorded", self.example.args.span, "this tool cannot be replayed")];
        };
        let context = CallContext { idempotency_key: KEY.to_owned(), ..CallContext::detached("/") };
        let result = tool.call(&context, self.args()).await.map_err(StepError::from);
        let differences = witness.differences();
        if !differences.is_empty() {
            return differences.iter().map(|one| self.difference(one)).collect();
        }
        let wanted = asked(recorded);
        // Who fails before all of it does not fail as recorded.
        let judged = witness.count() > 0 || result.is_ok() || self.example.fails.is_some();
        if witness.count() < wanted && judged {
            let mut message = format!("{} of {wanted} that were recorded did take place", witness.count());
            if let Err(error) = &result {
                message = format!("{message}; the call fails ({}): {}", word(&error.kind), error.message);
            }
            return vec![self.fault("recorded", self.example.args.span, &message)];
        }
        self.outcome(&result)
    }

    /// Calls the tool. What was recorded need not be so today, but a result must be one, and only a call that is
    /// meant to fail may fail, in its way.
    async fn live(&self, engine: &Engine) -> Vec<Fault> {
        let result = engine.call_tool(&self.of.spec.name, self.args(), Arc::new(|_| {})).await;
        match (&self.example.recorded, &result) {
            (Some(_), Ok(_)) => Vec::new(),
            (Some(_), Err(error)) => match &self.example.fails {
                Some(fails) => self.failure(fails, error),
                None => vec![self.failed(error)],
            },
            (None, result) => self.outcome(result),
        }
    }

    fn outcome(&self, result: &Result<Value, StepError>) -> Vec<Fault> {
        match (&self.example.fails, &self.example.expect, result) {
            (Some(fails), _, Err(error)) => self.failure(fails, error),
            (Some(fails), _, Ok(value)) => {
                let fault = self.fault("fails", fails.kind.span, "the call does not fail");
                vec![Fault { diff: vec![DiffLine::Found(value.to_string())], ..fault }]
            }
            (None, _, Err(error)) => vec![self.failed(error)],
            (None, None, Ok(_)) => Vec::new(),
            (None, Some(expect), Ok(value)) => {
                fit(expect, Some(value)).iter().map(|one| mismatch(&self.of.source, "result", one)).collect()
            }
        }
    }

    fn failure(&self, fails: &Fails, error: &StepError) -> Vec<Fault> {
        let mut faults = Vec::new();
        if fails.kind.value != error.kind {
            let (wanted, found) = (word(&fails.kind.value), word(&error.kind));
            let found = format!("{found} ({})", error.message);
            faults.push(self.differs("fails.kind", fails.kind.span, wanted, found));
        }
        if let Some(part) = fails.message.as_ref().filter(|part| !error.message.contains(&part.value)) {
            let wanted = format!("something that contains {:?}", part.value);
            faults.push(self.differs("fails.message", part.span, wanted, error.message.clone()));
        }
        faults
    }

    fn failed(&self, error: &StepError) -> Fault {
        let message = format!("the call fails ({}): {}", word(&error.kind), error.message);
        self.fault("result", self.example.args.span, &message)
    }

    fn difference(&self, one: &Difference) -> Fault {
        let span = self.example.args.span;
        if let (Value::Array(recorded), Value::Array(asked)) = (&one.recorded, &one.asked) {
            let show = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let diff = diff(recorded, asked, |a, b| a == b, (show, show));
            return Fault { diff, ..self.fault(&one.what, span, "") };
        }
        let text = |value: &Value| if value.is_null() { "nothing".to_owned() } else { value.to_string() };
        self.differs(&one.what, span, text(&one.recorded), text(&one.asked))
    }

    fn differs(&self, what: &str, span: Span, wanted: String, found: String) -> Fault {
        let diff = vec![DiffLine::Wanted(wanted), DiffLine::Found(found)];
        Fault { diff, ..self.fault(what, span, "") }
    }

    fn fault(&self, what: &str, span: Span, message: &str) -> Fault {
        let line = self.of.source.place(span.start).line;
        Fault { what: what.to_owned(), message: message.to_owned(), line, diff: Vec::new() }
    }
}

/// How often a service was asked when it was recorded.
fn asked(recorded: &Recorded) -> usize {
    match recorded {
        Recorded::Command(_) => 1,
        Recorded::Http(http) => http.exchanges.len(),
    }
}

fn word(of: &impl serde::Serialize) -> String {
    serde_json::to_value(of).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

//! A tool whose calls are answered from a script.

use std::sync::Arc;

use aa_spec::input;
use aa_spec::tool::{ErrorKind, ToolSpec};
use async_trait::async_trait;
use serde_json::{Map, Value};

use super::Stage;
use crate::tool::{CallContext, Tool, ToolError};

/// Characters of the arguments that an error shows.
const SHOWN: usize = 200;

pub(super) struct StubTool {
    pub(super) spec: Arc<ToolSpec>,
    pub(super) stage: Arc<Stage>,
}

#[async_trait]
impl Tool for StubTool {
    fn spec(&self) -> &Arc<ToolSpec> {
        &self.spec
    }

    async fn call(&self, context: &CallContext, args: Map<String, Value>) -> Result<Value, ToolError> {
        let mut args = Value::Object(args);
        input::fits(&self.spec.input, &args).map_err(invalid)?;
        self.stage.secrets.close(&mut args);
        let args = args.as_object().cloned().unwrap_or_default();
        let reply = self.stage.answer(&self.spec.name, &context.step, &args);
        let reply = reply.map_err(|error| invalid(format!("the canned answer has no value: {error}")))?;
        let Some(reply) = reply else { return Err(self.missing(context, &args)) };
        if reply.delay_ms > 0 {
            tokio::select! {
                () = self.stage.clock.nap(reply.delay_ms) => {}
                () = context.cancel.cancelled() => {
                    return Err(ToolError::new(ErrorKind::Cancelled, "cancelled while the canned call took its time"));
                }
            }
        }
        let result = reply.result;
        if let Ok(value) = &result
            && let Err(problem) = input::fits(&self.spec.output, value)
        {
            (context.progress)(&format!("the canned result is not what the tool would give: {problem}"));
        }
        result.map_err(|(kind, message, details)| ToolError { kind, message, details })
    }
}

impl StubTool {
    /// The failure of a call without an answer, with the YAML that would give it one.
    fn missing(&self, context: &CallContext, args: &Map<String, Value>) -> ToolError {
        let name = &self.spec.name;
        let what = if self.stage.prompter().knows(name) {
            "no canned answer left that fits"
        } else {
            "no canned answer"
        };
        let shown = short(&Value::Object(args.clone()).to_string());
        let message = format!(
            "tool `{name}` has {what}; add one under `tools:`, e.g. `{name}: [{{args: {shown}, result: …}}]`"
        );
        self.stage.note_missing(format!("step `{}`: {message}", context.step));
        ToolError::new(ErrorKind::Permanent, message)
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn invalid(message: String) -> ToolError {
    ToolError::new(ErrorKind::Invalid, message)
}

//! A call of a tool that only reads: made at once, told about while it takes its time, and ended
//! when the client does not want it any more.

use std::sync::Arc;

use aa_run::event::StepPath;
use aa_run::standing::Standing;
use aa_spec::tool::ToolSpec;
use rmcp::model::{CallToolResponse, ContentBlock};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::attendance::due;
use super::progress::Teller;
use crate::mcp::server::{Answer, Call, failed};
use crate::mcp::{module, trouble};

/// What a line begins with that is for the model and not only for now.
const WARNING: &str = "warning: ";

/// Makes the call and waits for its end.
pub(super) async fn call(call: &Call<'_>, spec: &ToolSpec, args: Map<String, Value>) -> Answer {
    let engine = &call.visit.engine;
    let (sender, mut lines) = mpsc::unbounded_channel();
    let say = move |line: &str| {
        // Whoever listens no more has the answer already.
        let _ = sender.send(line.to_owned());
    };
    let mut work = std::pin::pin!(engine.call_tool(&spec.name, args, Arc::new(say)));
    let token = call.context.meta.get_progress_token();
    let mut teller = token.map(|token| Teller::new(call.context.peer.clone(), token, Some(1)));
    let step = StepPath(spec.name.clone());
    let mut standing = Standing::of_call(step.clone());
    let mut warnings = Vec::new();
    let result = loop {
        tokio::select! {
            biased;
            // The call's process ends with its future.
            () = call.context.ct.cancelled() => return Ok(failed("the call was cancelled")),
            Some(line) = lines.recv() => {
                standing.say(&step, &line);
                warnings.extend(line.strip_prefix(WARNING).map(|_| line.clone()));
                if let Some(teller) = &mut teller {
                    teller.see(&standing);
                }
            }
            result = &mut work => break result,
            () = due(teller.as_ref()) => {
                if let Some(teller) = &mut teller {
                    teller.tell(&standing).await;
                }
            }
        }
    };
    // What was said last comes with the end.
    while let Ok(line) = lines.try_recv() {
        warnings.extend(line.strip_prefix(WARNING).map(|_| line.clone()));
    }
    let mut answer = match result {
        Ok(value) => module::answer(spec, value, &engine.settings().folder),
        Err(error) => failed(trouble::tool(engine, spec, &error)),
    };
    if let CallToolResponse::Complete(result) = &mut answer {
        result.content.extend(warnings.into_iter().map(ContentBlock::text));
    }
    Ok(answer)
}

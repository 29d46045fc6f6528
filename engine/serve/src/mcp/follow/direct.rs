//! A tool that only reads, called without a run: it says how it goes, and can ask whoever sits before the client.

use std::sync::Arc;

use aa_run::tool::{Nobody, Person, Question, ToolError};
use aa_spec::tool::{ErrorKind, ToolSpec};
use async_trait::async_trait;
use rmcp::RoleServer;
use rmcp::model::{CallToolResponse, ClientResult, ContentBlock, ElicitRequest, ServerRequest};
use rmcp::service::Peer;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::progress::Teller;
use super::question::{self, Reply};
use crate::mcp::server::{Answer, Call, failed};
use crate::mcp::{module, trouble};

/// Calls it.
pub(super) async fn call(call: Call<'_>, spec: &ToolSpec, args: Map<String, Value>) -> Answer {
    let engine = call.visit.engine.clone();
    let (said, mut lines) = mpsc::unbounded_channel();
    let progress = Arc::new(move |line: &str| drop(said.send(line.to_owned())));
    let asked = engine.call_tool_asking(&spec.name, args, progress, person(&call));
    tokio::pin!(asked);
    let token = call.context.meta.get_progress_token();
    let mut teller = token.map(|token| Teller::new(call.context.peer.clone(), token, None));
    if let Some(teller) = &mut teller {
        teller.hear(&spec.name);
    }
    let mut warnings = Vec::new();
    let result = loop {
        tokio::select! {
            biased;
            // The call's process ends with its future.
            () = call.context.ct.cancelled() => return Ok(failed("the call was cancelled")),
            Some(line) = lines.recv() => hear(line, teller.as_mut(), &mut warnings),
            result = &mut asked => break result,
            () = super::due(teller.as_ref()) => {
                if let Some(teller) = &mut teller {
                    teller.tell_line().await;
                }
            }
        }
    };
    while let Ok(line) = lines.try_recv() {
        hear(line, None, &mut warnings);
    }
    let mut answer = match result {
        Ok(value) => module::answer(spec, value),
        Err(error) => failed(trouble::tool(&engine, spec, &error)),
    };
    if let CallToolResponse::Complete(result) = &mut answer {
        result.content.extend(warnings.into_iter().map(ContentBlock::text));
    }
    Ok(answer)
}

/// A warning is part of the answer, too.
fn hear(line: String, teller: Option<&mut Teller>, warnings: &mut Vec<String>) {
    if let Some(teller) = teller {
        teller.hear(&line);
    }
    if line.starts_with("warning: ") {
        warnings.push(line);
    }
}

/// Whoever can be asked while the call waits. Newer clients are asked by answers; what may ask them is a run.
fn person(call: &Call<'_>) -> Arc<dyn Person> {
    let shows_forms = question::shows_forms(call.context.client_capabilities().as_ref());
    if shows_forms && !call.visit.sessionless {
        Arc::new(Before(call.context.peer.clone()))
    } else {
        Arc::new(Nobody)
    }
}

/// Whoever sits before a client.
struct Before(Peer<RoleServer>);

#[async_trait]
impl Person for Before {
    async fn ask(&self, question: Question) -> Result<String, ToolError> {
        let form = question::form_of(&question);
        let shown = self.0.send_request(ServerRequest::ElicitRequest(ElicitRequest::new(form))).await;
        let reply = match shown {
            Ok(ClientResult::ElicitResult(result)) => question::reply_to(question.form.is_some(), &result),
            _ => Reply::Nothing,
        };
        match reply {
            Reply::Answer(answer) => Ok(answer),
            Reply::Nothing => {
                let message = format!("nobody has answered: {}", question.message);
                Err(ToolError::new(ErrorKind::Permanent, message))
            }
        }
    }
}

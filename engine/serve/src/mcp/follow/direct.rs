//! A tool that only reads, called without a run: it says how it goes, and can ask whoever sits before the client.

use std::sync::Arc;

use aa_run::standing::Asked;
use aa_run::tool::{Nobody, Person, Question, ToolError};
use aa_spec::tool::{ErrorKind, ToolSpec};
use async_trait::async_trait;
use rmcp::RoleServer;
use rmcp::model::{CallToolResponse, ClientCapabilities, ContentBlock};
use rmcp::service::Peer;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::progress::Teller;
use super::question::{self, Reply};
use crate::mcp::server::{Answer, Call, failed};
use crate::mcp::{module, trouble};

/// Calls it; no answer when it has failed and a heal rule is for that.
pub(super) async fn call(call: &Call<'_>, spec: &ToolSpec, args: Map<String, Value>) -> Option<Answer> {
    let engine = call.visit.engine.clone();
    let (said, mut lines) = mpsc::unbounded_channel();
    let progress = Arc::new(move |line: &str| drop(said.send(line.to_owned())));
    let asked = engine.call_tool_asking(&spec.name, args.clone(), progress, person(call));
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
            () = call.context.ct.cancelled() => return Some(Ok(failed("the call was cancelled"))),
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
        Ok(value) => module::answer(call, spec, value),
        Err(error) if engine.would_heal(spec, &args, &error) => return None,
        Err(error) => failed(trouble::tool(&engine, spec, &error)),
    };
    if let CallToolResponse::Complete(result) = &mut answer {
        result.content.extend(warnings.into_iter().map(ContentBlock::text));
    }
    Some(Ok(answer))
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
    let can = call.context.client_capabilities();
    if question::can_be_asked_something(can.as_ref()) && !call.visit.sessionless {
        Arc::new(Client { peer: call.context.peer.clone(), can })
    } else {
        Arc::new(Nobody)
    }
}

/// A client, and whoever sits before it.
struct Client {
    peer: Peer<RoleServer>,
    can: Option<ClientCapabilities>,
}

#[async_trait]
impl Person for Client {
    async fn ask(&self, question: Question) -> Result<String, ToolError> {
        let asked = question::of_call(question);
        if !question::can_be_asked(self.can.as_ref(), &asked) {
            return Err(unanswered(&asked, "the client cannot answer"));
        }
        let reply = match self.peer.send_request(question::sent(&asked)).await {
            Ok(result) => question::reply(&asked, &result),
            Err(_) => Reply::Nothing,
        };
        match reply {
            Reply::Answer(answer) => Ok(answer),
            Reply::Nothing | Reply::Nonsense => Err(unanswered(&asked, "nobody has answered")),
        }
    }
}

fn unanswered(asked: &Asked, why: &str) -> ToolError {
    ToolError::new(ErrorKind::Permanent, format!("{why}: {}", asked.message))
}

//! The AI client that has started a run: its model, its folders, its log.
//!
//! What is asked is a question of the run like others: it is in the journal, and outlives the process
//! that drives the run. Only a client has a model and folders, so a run that no client has started fails
//! when it asks for them. Whoever sits before the client is asked by `confirm` steps.

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::native::{Face, Native, invalid};
use super::{CallContext, DECLINE, Level, Question, ToolError};
use crate::want::Want;

/// `client_log`.
pub(super) struct ClientLog;

/// `client_roots`.
pub(super) struct ClientRoots;

/// `client_sample`.
pub(super) struct ClientSample;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogArgs {
    /// The line.
    message: String,
    /// How much it matters.
    #[serde(default = "info")]
    level: Level,
}

const fn info() -> Level {
    Level::Info
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoArgs {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SampleArgs {
    /// What the model is asked.
    prompt: String,
    /// What it is told beforehand.
    #[serde(default)]
    system: Option<String>,
    /// Most tokens of its answer.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1))]
    max_tokens: u32,
}

const fn thousand() -> u32 {
    1000
}

/// What a model has said.
#[derive(Serialize, JsonSchema)]
pub(super) struct Said {
    /// Its words.
    text: String,
    /// Which model, as the client says.
    model: Option<String>,
}

/// A folder of the client.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Folder {
    /// Its address, such as `file:///home/ann/shop`.
    uri: String,
    /// What it is called.
    #[serde(default)]
    name: Option<String>,
}

#[async_trait]
impl Native for ClientLog {
    type Args = LogArgs;
    type Output = ();

    const FACE: Face = Face {
        name: "client_log",
        module: "client",
        description: "Says a line to the AI client, if it wants lines of that level, and to whoever follows the run",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: LogArgs) -> Result<(), ToolError> {
        match context.run {
            Some(_) => context.person.tell(args.level, &args.message),
            None => (context.progress)(&args.message),
        }
        Ok(())
    }
}

#[async_trait]
impl Native for ClientRoots {
    type Args = NoArgs;
    type Output = Vec<Folder>;

    const FACE: Face = Face {
        name: "client_roots",
        module: "client",
        description: "The folders that the AI client works in",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, _args: NoArgs) -> Result<Vec<Folder>, ToolError> {
        let mut answer = ask(context, "Which folders do you work in?".to_owned(), Want::Folders).await?;
        serde_json::from_value(answer["roots"].take())
            .map_err(|error| invalid(format!("the client's folders cannot be read: {error}")))
    }
}

#[async_trait]
impl Native for ClientSample {
    type Args = SampleArgs;
    type Output = Said;

    const FACE: Face = Face {
        name: "client_sample",
        module: "client",
        description: "Asks the model of the AI client",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: SampleArgs) -> Result<Said, ToolError> {
        let mut request = json!({
            "messages": [{"role": "user", "content": {"type": "text", "text": args.prompt}}],
            "maxTokens": args.max_tokens,
        });
        if let Some(system) = args.system {
            request["systemPrompt"] = system.into();
        }
        let answer = ask(context, args.prompt, Want::Model(request)).await?;
        Ok(Said { text: words(&answer["content"]), model: answer["model"].as_str().map(str::to_owned) })
    }
}

async fn ask(context: &CallContext, message: String, want: Want) -> Result<Value, ToolError> {
    let question =
        Question { want: Some(want.clone()), ..Question::choice(message, vec![DECLINE.to_owned()]) };
    let answer = context.person.ask(question).await?;
    if answer == DECLINE {
        let message = match want {
            Want::Model(_) => "the client does not let its model be asked",
            Want::Folders => "the client does not tell its folders",
        };
        return Err(ToolError::new(ErrorKind::Permanent, message));
    }
    want.read(&answer).map_err(invalid)
}

/// What of a message can be read.
fn words(content: &Value) -> String {
    let blocks = content.as_array().map_or_else(|| std::slice::from_ref(content), Vec::as_slice);
    let texts: Vec<&str> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
    texts.join("\n")
}

#[cfg(test)]
mod tests;

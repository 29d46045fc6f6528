//! The AI client that has started a run: a form for whoever sits before it, its model, its folders, its log.
//!
//! Whatever is asked is a question of the run like others: it is in the journal, it outlives the
//! process that drives the run, and a form may be filled in from anywhere. A model and folders only a
//! client has, so a run that no client has started fails when it asks for them.

use std::collections::BTreeMap;

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::native::{Face, Native, invalid};
use super::{CallContext, Level, Question, ToolError};
use crate::want::Want;

/// The answer of somebody who does not want to.
pub const DECLINE: &str = "decline";
/// Most fields of a form.
const FIELDS: usize = 20;

/// `client_form`.
pub(super) struct ClientForm;

/// `client_log`.
pub(super) struct ClientLog;

/// `client_roots`.
pub(super) struct ClientRoots;

/// `client_sample`.
pub(super) struct ClientSample;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FormArgs {
    /// What is asked for.
    message: String,
    /// The fields by name, each with the schema of a text, a number, a truth value or a choice, such as
    /// `{type: string, description: Your name}`.
    fields: BTreeMap<String, Map<String, Value>>,
    /// Fields that must be filled in; default: all without a default.
    #[serde(default)]
    required: Option<Vec<String>>,
}

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
impl Native for ClientForm {
    type Args = FormArgs;
    type Output = Map<String, Value>;

    const FACE: Face = Face {
        name: "client_form",
        module: "client",
        description: "Asks whoever sits before the AI client to fill in a form; gives the fields",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: FormArgs) -> Result<Self::Output, ToolError> {
        let schema = schema(&args)?;
        match ask(context, args.message, Want::Form(schema)).await? {
            Value::Object(fields) => Ok(fields),
            other => Err(invalid(format!("the form came back as `{other}`"))),
        }
    }
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
    let question = Question { message, options: vec![DECLINE.to_owned()], want: Some(want.clone()) };
    let answer = context.person.ask(question).await?;
    if answer == DECLINE {
        let message = match want {
            Want::Form(_) => "the form was declined",
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

/// The schema of a form. Clients show flat forms only.
fn schema(args: &FormArgs) -> Result<Value, ToolError> {
    if args.fields.is_empty() || args.fields.len() > FIELDS {
        return Err(invalid(format!("a form has from 1 to {FIELDS} fields")));
    }
    for (name, field) in &args.fields {
        let plain = ["string", "number", "integer", "boolean"];
        let kind = field.get("type").and_then(Value::as_str).unwrap_or_default();
        let choices = kind == "array" && field.get("items").is_some_and(is_choice);
        if !plain.contains(&kind) && !choices {
            return Err(invalid(format!(
                "the field `{name}` must be a `string`, a `number`, an `integer`, a `boolean`, or an `array` of choices"
            )));
        }
    }
    let required = match &args.required {
        Some(required) => required.clone(),
        None => {
            let open = args.fields.iter().filter(|(_, field)| !field.contains_key("default"));
            open.map(|(name, _)| name.clone()).collect()
        }
    };
    if let Some(unknown) = required.iter().find(|name| !args.fields.contains_key(*name)) {
        return Err(invalid(format!("`required` names `{unknown}`, which is no field")));
    }
    Ok(json!({"type": "object", "properties": args.fields, "required": required}))
}

fn is_choice(items: &Value) -> bool {
    ["enum", "anyOf", "oneOf"].iter().any(|key| items[key].is_array())
}

#[cfg(test)]
mod tests;

//! Prompts: one per skill, which clients offer as slash commands, and a few of the server's own.

mod complete;
mod general;
mod skill;

use aa_run::engine::{Engine, Message, Offer, SkillEntry};
use aa_spec::persona::exposed::{ArgumentSpec, PromptSpec};
use rmcp::RoleServer;
use rmcp::model::{
    CacheScope, CallToolRequestParams, ErrorData, GetPromptRequestParams, GetPromptResponse, GetPromptResult,
    JsonObject, ListPromptsResult, Prompt, PromptArgument, PromptMessage, Role,
};
use rmcp::service::RequestContext;
use serde_json::Map;

pub(crate) use self::complete::complete;
use super::content;
use super::follow::{self, Prepared};
use super::resource::offer;
use super::server::{Call, Server, internal};
use super::visit::Visit;

/// How long the list may be kept, in milliseconds.
const SHORT_WHILE: u64 = 5_000;

/// Every prompt: the server's own, those of the persona, which come before others of their name, then one
/// for each skill that can be run, by name.
pub(crate) fn list(server: &Server, visit: &Visit) -> Result<ListPromptsResult, ErrorData> {
    let mut prompts: Vec<Prompt> = general::all();
    let view = server.view(visit)?;
    let offer = offer(server, visit)?;
    prompts.retain(|own| offer.prompts.iter().all(|prompt| prompt.name.value != own.name));
    prompts.extend(offer.prompts.iter().map(offered));
    let known: Vec<String> = prompts.iter().map(|prompt| prompt.name.clone()).collect();
    let skills = view.skills.iter().filter(|entry| !known.contains(&skill::name(&entry.entry())));
    prompts.extend(skills.filter_map(|card| skill::definition(&visit.engine, &card.entry())));
    let list = ListPromptsResult { prompts, ..ListPromptsResult::default() };
    Ok(list.with_ttl_ms(SHORT_WHILE).with_cache_scope(CacheScope::Private))
}

/// One prompt, with its arguments filled in.
pub(crate) async fn get(
    server: &Server,
    mut visit: Visit,
    request: GetPromptRequestParams,
    context: RequestContext<RoleServer>,
) -> Result<GetPromptResponse, ErrorData> {
    follow::return_to(&mut visit, &as_call(&request));
    let arguments = request.arguments.clone().unwrap_or_default();
    let offer = offer(server, &visit)?;
    if let Some(prompt) = offer.prompts.iter().find(|prompt| prompt.name.value == request.name) {
        let engine = visit.engine.clone();
        let Some(skill) = &prompt.skill else {
            return say(&engine, &offer, prompt, (&arguments, Map::new()));
        };
        let call = Call { server, visit, request: as_call(&request), context };
        return match follow::prepare(call, &skill.value, arguments.clone()).await? {
            Prepared::Outputs(outputs) => say(&engine, &offer, prompt, (&arguments, outputs)),
            Prepared::Asks(asked) => Ok(GetPromptResponse::InputRequired(asked)),
        };
    }
    if let Some(text) = general::text(&request.name, &arguments)? {
        return Ok(one(text).into());
    }
    match entry(server, &visit, &request.name)? {
        Some(entry) => skill::get(&visit.engine, &entry, &arguments).map(Into::into),
        None => Err(ErrorData::invalid_params(format!("there is no prompt `{}`", request.name), None)),
    }
}

/// A prompt whose skill may ask is answered like a call of a tool. No tool has its name.
fn as_call(request: &GetPromptRequestParams) -> CallToolRequestParams {
    let mut call = CallToolRequestParams::new(format!("prompt {}", request.name));
    call.arguments.clone_from(&request.arguments);
    call.input_responses.clone_from(&request.input_responses);
    call.request_state.clone_from(&request.request_state);
    call
}

fn offered(prompt: &PromptSpec) -> Prompt {
    let argument = |argument: &ArgumentSpec| {
        let mut told = PromptArgument::new(argument.name.value.clone()).with_required(argument.required);
        told.description.clone_from(&argument.description);
        told
    };
    let arguments = prompt.arguments.iter().map(argument).collect();
    Prompt::new(prompt.name.value.clone(), prompt.description.clone(), Some(arguments))
}

fn say(
    engine: &Engine,
    offer: &Offer,
    prompt: &PromptSpec,
    filled: (&JsonObject, JsonObject),
) -> Result<GetPromptResponse, ErrorData> {
    let messages = engine.say_offered(offer, prompt, filled);
    let messages = messages.map_err(|error| ErrorData::invalid_params(error.message, None))?;
    let message = |message: Message| {
        let role = match message.role {
            aa_spec::persona::exposed::Role::User => Role::User,
            aa_spec::persona::exposed::Role::Assistant => Role::Assistant,
        };
        PromptMessage::new(role, content::block(message.content))
    };
    let mut said = GetPromptResult::new(messages.into_iter().map(message).collect());
    said.description.clone_from(&prompt.description);
    Ok(said.into())
}

/// The skill whose prompt has that name.
fn entry(server: &Server, visit: &Visit, name: &str) -> Result<Option<SkillEntry>, ErrorData> {
    Ok(server
        .view(visit)?
        .skills
        .iter()
        .find(|card| skill::name(&card.entry()) == name)
        .map(|card| card.entry()))
}

/// A prompt of one message.
fn one(text: String) -> GetPromptResult {
    GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)])
}

/// What a caller who reads the store may be told of why it cannot be read.
fn unreadable(error: impl std::fmt::Display) -> ErrorData {
    internal(&error)
}

#[cfg(test)]
mod tests;

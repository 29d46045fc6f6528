//! What can be read: skills, runs, memory, personas and settings, under `aa://`.
//!
//! Runs of others are not there, as everywhere. Nothing here is cached by anybody but the client
//! that asked, and most of it for no time at all.

mod address;
mod page;
mod run;
mod watch;

use aa_run::content::Block;
use aa_run::engine::{Engine, Offer, StartError};
use aa_run::persona::{Choice, PersonaEntry};
use aa_run::store::StoreError;
use aa_spec::check::Strictness;
use aa_spec::persona::exposed::ResourceSpec;
use rmcp::model::{
    CacheScope, ErrorData, ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate,
};
use serde_json::{Value, json};

pub(crate) use self::address::{Address, Asked};
pub(crate) use self::page::kind as kind_of_pages;
pub(crate) use self::run::steps as run_steps;
pub(crate) use self::watch::{Watches, accepted, listen};
use super::server::{Server, internal};
use super::visit::Visit;
use super::{content, extension};

/// How long a text that people edit may be kept, in milliseconds.
const SHORT_WHILE: u64 = 5_000;

/// Everything that has an address of its own.
pub(crate) fn list(server: &Server, visit: &Visit) -> Result<ListResourcesResult, ErrorData> {
    let engine = &visit.engine;
    let remembers = remembers(visit);
    let fixed = [
        (Address::Skills, "skills", "Skills that can be run"),
        (Address::Runs, "runs", "Your runs, newest first"),
        (Address::Memory, "memory", "Keys under which something is remembered"),
        (Address::Personas, "personas", "Personas that can be loaded"),
        (Address::Config, "config", "Settings that are in force; of secrets, where they come from"),
    ];
    let owns = owns(visit);
    let is_there = |address: &Address| match address {
        Address::Memory => remembers,
        Address::Config => owns,
        _ => true,
    };
    let fixed = fixed.into_iter().filter(|(address, ..)| is_there(address));
    let mut all: Vec<Resource> =
        fixed.map(|(address, name, what)| entry(&address, name, what, JSON)).collect();
    for skill in &server.view(visit)?.skills {
        let address = Address::Skill(skill.name.clone());
        all.push(entry(&address, &skill.name, &skill.description, "application/yaml"));
    }
    let keys = if remembers { engine.memory_keys().map_err(|error| internal(&error))? } else { Vec::new() };
    for key in keys.into_iter().take(LISTED) {
        all.push(entry(&Address::Document(key.clone()), &key, "Remembered", JSON));
    }
    for persona in personas_of(visit)? {
        all.push(entry(&Address::Persona(persona.name.clone()), &persona.name, &persona.description, JSON));
    }
    for offered in offer(server, visit)?.resources.iter().filter(|offered| !offered.uri.value.contains('{')) {
        all.push(offered_entry(offered));
    }
    if server.seat.skills_extension {
        all.extend(extension::resources(server, visit)?);
    }
    let list = ListResourcesResult { resources: all, ..ListResourcesResult::default() };
    Ok(list.with_ttl_ms(SHORT_WHILE).with_cache_scope(CacheScope::Private))
}

const JSON: &str = "application/json";
/// Most keys of the memory in the list; all of them are at `aa://memory`.
const LISTED: usize = 200;

fn entry(address: &Address, name: &str, what: &str, mime_type: &str) -> Resource {
    Resource::new(address.to_string(), name).with_description(what).with_mime_type(mime_type)
}

/// Whether the caller may know what their tenant remembers: a key that opens some personas only where one of
/// them shows the tool that reads it.
pub(crate) fn remembers(visit: &Visit) -> bool {
    visit.may_use("memory_read")
}

/// Whether the settings are the caller's business: they tell of others, and of how secrets are come by.
fn owns(visit: &Visit) -> bool {
    let caller = visit.engine.caller();
    caller.is_of_main() && caller.grants.owns_server()
}

/// What the persona offers that the request sees, which is the one of its tools.
pub(crate) fn offer(server: &Server, visit: &Visit) -> Result<Offer, ErrorData> {
    server.view(visit)?;
    // A persona that cannot be read is said where personas are listed.
    Ok(visit.engine.offer(&visit.choice).unwrap_or_default())
}

fn offered_entry(offered: &ResourceSpec) -> Resource {
    let mut entry = Resource::new(offered.uri.value.clone(), offered.name.value.clone());
    entry.description.clone_from(&offered.description);
    entry.mime_type.clone_from(&offered.mime_type);
    entry
}

/// Addresses with holes.
pub(crate) fn templates(server: &Server, visit: &Visit) -> Result<ListResourceTemplatesResult, ErrorData> {
    let template = |uri: &str, name: &str, what: &str, mime_type: &str| {
        ResourceTemplate::new(uri, name).with_description(what).with_mime_type(mime_type)
    };
    let mut all = vec![
        template("aa://skills/{name}", "skill", "A skill: its text and its checked plan", "application/yaml"),
        template("aa://skills/{name}/plan", "skill plan", "A skill's checked plan", JSON),
        template("aa://runs/{id}", "run", "A run in short, with its inputs", JSON),
        template(
            "aa://runs/{id}/events{?from}",
            "run events",
            "What happened in a run, from an event on",
            JSON,
        ),
        template("aa://runs/{id}/outputs", "run outputs", "What came of a run", JSON),
        template("aa://runs/{id}/logs", "run log", "What happened in a run, in words", "text/plain"),
        template("aa://runs/{id}/steps/{+path}", "run step", "Everything about one step of a run", JSON),
        template(
            "aa://results/{id}",
            "result",
            "A result that was too large for its answer, for a while",
            "text/plain",
        ),
        template("aa://memory/{+key}", "memory document", "What is remembered under a key", JSON),
        template("aa://personas/{name}", "persona", "A persona: its text, skills and tools", JSON),
    ];
    for offered in offer(server, visit)?.resources.iter().filter(|offered| offered.uri.value.contains('{')) {
        let mut entry = ResourceTemplate::new(offered.uri.value.clone(), offered.name.value.clone());
        entry.description.clone_from(&offered.description);
        entry.mime_type.clone_from(&offered.mime_type);
        all.push(entry);
    }
    let list =
        ListResourceTemplatesResult { resource_templates: all, ..ListResourceTemplatesResult::default() };
    Ok(list.with_ttl_ms(SHORT_WHILE).with_cache_scope(CacheScope::Private))
}

/// Reads what is at an address.
pub(crate) async fn read(server: &Server, visit: &Visit, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    if server.seat.skills_extension && uri.starts_with("skill://") {
        return extension::read(server, visit, uri);
    }
    let Some(asked) = Asked::parse(uri) else { return offered(server, visit, uri).await };
    let contents = of(server, visit, &asked)?.ok_or_else(|| missing(uri))?;
    let ttl = match &asked.address {
        address if address.run().is_some() || *address == Address::Runs => 0,
        _ => SHORT_WHILE,
    };
    Ok(ReadResourceResult::new(contents).with_ttl_ms(ttl).with_cache_scope(CacheScope::Private))
}

/// Whether the client's persona offers something at an address.
fn is_offered(server: &Server, visit: &Visit, uri: &str) -> Result<bool, ErrorData> {
    Ok(offer(server, visit)?.find(uri).is_some())
}

/// Reads what the client's persona offers at an address.
async fn offered(server: &Server, visit: &Visit, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let offer = offer(server, visit)?;
    // A page of something, or something whose address ends like that of a page.
    let page = page::place(uri).filter(|(plain, _)| offer.find(plain).is_some());
    let (plain, from) = page.unwrap_or((uri, 0));
    let (resource, holes) = offer.find(plain).ok_or_else(|| missing(uri))?;
    if resource.tool.as_ref().is_some_and(|tool| !visit.may_offer(&tool.name.value)) {
        return Err(missing(uri));
    }
    let holes = address::decoded(holes).ok_or_else(|| missing(uri))?;
    let block = visit.engine.read_offered(&offer, (resource, &holes), plain).await;
    let block =
        block.map_err(|error| ErrorData::internal_error(error.message, Some(json!({ "uri": uri }))))?;
    let contents = match block {
        Block::Resource { uri, mime_type, text } if from > 0 || text.len() > page::PAGE => {
            page::text(&uri, mime_type.as_deref().unwrap_or("text/plain"), &text, from)
        }
        block => content::contents(block).ok_or_else(|| missing(uri))?,
    };
    Ok(ReadResourceResult::new(vec![contents]).with_ttl_ms(0).with_cache_scope(CacheScope::Private))
}

/// What is at an address; none when nothing is.
fn of(server: &Server, visit: &Visit, asked: &Asked) -> Result<Option<Vec<ResourceContents>>, ErrorData> {
    let (engine, address) = (&visit.engine, &asked.address);
    let from = asked.from.unwrap_or(0);
    let json = |value: Value| Ok(Some(vec![page::json(&address.to_string(), &value, from)]));
    match address {
        Address::Skills => json(skills(server, visit)?),
        Address::Skill(name) => skill(server, visit, name, from),
        Address::Plan(name) => match plan(server, visit, name)? {
            Some(plan) => json(plan),
            None => Ok(None),
        },
        Address::Runs => known(run::list(engine, asked.from).map(|page| vec![page])),
        Address::Run(id) => {
            known(run::summary(engine, *id).map(|run| vec![page::json(&address.to_string(), &run, from)]))
        }
        Address::Events(id) => known(run::events(engine, *id, from).map(|page| vec![page])),
        Address::Outputs(id) => known(
            run::outputs(engine, *id).map(|outputs| vec![page::json(&address.to_string(), &outputs, from)]),
        ),
        Address::Logs(id) => known(
            run::logs(engine, *id)
                .map(|log| vec![page::text(&address.to_string(), "text/plain", &log, from)]),
        ),
        Address::Step(id, step) => match known(run::step(engine, *id, step))?.flatten() {
            Some(step) => json(step),
            None => Ok(None),
        },
        Address::Result(id) => {
            let rest = server.seat.kept.find(id, &visit.guest.whose());
            Ok(rest.map(|rest| vec![page::text(&address.to_string(), rest.mime_type, &rest.text, from)]))
        }
        Address::Memory | Address::Document(_) if !remembers(visit) => Ok(None),
        Address::Memory => json(json!({"keys": engine.memory_keys().map_err(|error| internal(&error))?})),
        Address::Document(key) => match engine.memory_document(key).map_err(|error| internal(&error))? {
            Some(document) => json(Value::Object(document)),
            None => Ok(None),
        },
        Address::Personas => json(personas(visit)?),
        Address::Persona(name) => persona(visit, name).map_or(Ok(None), json),
        Address::Config if !owns(visit) => Ok(None),
        Address::Config => json(Value::Object(engine.shown_settings())),
        Address::Value(name) => match engine.shown_value(name) {
            Some(value) => json(value),
            None => Ok(None),
        },
    }
}

/// What a store says of a run; a run that is not there, or not the caller's, is nothing.
fn known<T>(found: Result<T, StoreError>) -> Result<Option<T>, ErrorData> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::NoRun(_)) => Ok(None),
        Err(error) => Err(internal(&error)),
    }
}

fn skills(server: &Server, visit: &Visit) -> Result<Value, ErrorData> {
    let skills: Vec<Value> = server
        .view(visit)?
        .skills
        .iter()
        .map(|skill| {
            let address = Address::Skill(skill.name.clone()).to_string();
            json!({"name": skill.name, "description": skill.summary(), "layer": skill.layer, "uri": address})
        })
        .collect();
    Ok(json!({ "skills": skills }))
}

/// The canonical name of a skill that the client sees.
fn seen(server: &Server, visit: &Visit, name: &str) -> Result<Option<String>, ErrorData> {
    let name = aa_spec::name::fold(name);
    Ok(server.view(visit)?.skills.iter().map(|skill| skill.name.clone()).find(|known| *known == name))
}

fn skill(
    server: &Server,
    visit: &Visit,
    name: &str,
    from: u64,
) -> Result<Option<Vec<ResourceContents>>, ErrorData> {
    let Some(name) = seen(server, visit, name)? else { return Ok(None) };
    let checked = checked(&visit.engine, &name)?;
    let uri = Address::Skill(name.clone()).to_string();
    let mut contents = vec![page::text(&uri, "application/yaml", &checked.source.text, from)];
    if from == 0 {
        let plan = Address::Plan(name).to_string();
        contents.push(page::json(&plan, &json!(checked.plan), 0));
    }
    Ok(Some(contents))
}

fn plan(server: &Server, visit: &Visit, name: &str) -> Result<Option<Value>, ErrorData> {
    let Some(name) = seen(server, visit, name)? else { return Ok(None) };
    Ok(Some(json!(checked(&visit.engine, &name)?.plan)))
}

fn checked(engine: &Engine, name: &str) -> Result<aa_run::engine::CheckedSkill, ErrorData> {
    engine.check(name, Strictness { lenient: false, strict: false }).map_err(|error| internal(&error))
}

/// The personas that the caller may play.
fn personas_of(visit: &Visit) -> Result<Vec<PersonaEntry>, ErrorData> {
    let mut personas = visit.engine.personas().map_err(|error: StartError| internal(&error))?;
    personas.retain(|persona| visit.guest.may_play(&persona.name));
    Ok(personas)
}

fn personas(visit: &Visit) -> Result<Value, ErrorData> {
    let personas = personas_of(visit)?;
    let personas: Vec<Value> = personas
        .iter()
        .map(|persona| {
            let address = Address::Persona(persona.name.clone()).to_string();
            json!({"name": persona.name, "description": persona.description, "layer": persona.layer, "uri": address})
        })
        .collect();
    Ok(json!({ "personas": personas }))
}

/// A persona; none when it is not there, cannot be used, or the caller may not play it.
fn persona(visit: &Visit, name: &str) -> Option<Value> {
    let choice = Choice::Persona(name.to_owned());
    let view = visit.view(&choice).ok().filter(|_| visit.may_see(&choice))?;
    let entry = view.persona.as_ref()?;
    let skills: Vec<&String> = view.skills.iter().map(|skill| &skill.name).collect();
    let tools: Vec<&String> = view.tools.iter().map(|tool| &tool.name).collect();
    Some(json!({
        "name": entry.name, "description": entry.description, "text": view.text,
        "skills": skills, "tools": tools,
    }))
}

/// There is nothing at an address.
pub(crate) fn missing(uri: &str) -> ErrorData {
    ErrorData::resource_not_found("there is no such resource", Some(json!({ "uri": uri })))
}

#[cfg(test)]
pub(crate) mod tests;

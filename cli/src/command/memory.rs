//! `aa memory …`: most of it is a tool called from the terminal.

mod archive;
mod patterns;

use std::io::Read;
use std::sync::Arc;

use aa_run::engine::Engine;
use aa_spec::tool::ErrorKind;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::args::Format;
use crate::args::memory::{Command, GetArgs, ListArgs, SearchArgs, SetArgs, StatsArgs};
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::page::Page;
use crate::report::value;
use crate::table::Table;
use crate::words;

/// Longest value that is read from stdin, in bytes.
const LONGEST: u64 = 4 << 20;

/// Runs a command about memory.
pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Get(args) => get(&args, context),
        Command::Set(args) => set(args, context),
        Command::List(args) => list(&args, context),
        Command::Search(args) => search(&args, context),
        Command::Import(args) => archive::import(&args, context),
        Command::Export(args) => archive::export(&args, context),
        Command::Stats(args) => stats(&args, context),
        Command::Patterns(args) => patterns::run(&args, context),
    }
}

/// What a tool gives.
fn call(engine: &Engine, tool: &str, args: Value) -> Result<Value, Failure> {
    let args = match args {
        Value::Object(args) => args,
        _ => Map::new(),
    };
    let result = wait(async { Ok(engine.call_tool(tool, args, Arc::new(|_| {})).await) })?;
    result.map_err(|error| match error.kind {
        ErrorKind::Invalid => Failure::usage(error.message),
        _ => Failure::failed(error.message),
    })
}

fn get(args: &GetArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let keys = call(&engine, "memory_read", json!({}))?;
    let known: Vec<&str> = keys.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let key = args.key.strip_suffix(".yaml").unwrap_or(&args.key);
    if !known.contains(&key) {
        let near = aa_spec::name::suggest(key, known.iter().copied());
        return Err(Failure::not_found(format!("nothing is remembered under `{key}`")).suggest(near));
    }
    let found = match &args.query {
        Some(query) => call(&engine, "memory_query", json!({"key": key, "query": query}))?,
        None => call(&engine, "memory_read", json!({"key": key}))?,
    };
    let printer = context.printer;
    if args.format.format == Format::Json {
        printer.data(format_args!("{found:#}"));
    } else {
        printer.data(words::harmless(&value::block(&found, 0)).trim_end());
    }
    Ok(Exit::Ok)
}

fn set(args: SetArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let text = if args.value == "-" { stdin()? } else { args.value };
    // What is JSON means that: a number is no text.
    let value = match aa_spec::json::exact(text.as_bytes()) {
        Err(error) if error.is_data() => return Err(Failure::usage(format!("the value: {error}"))),
        read => read.unwrap_or_else(|_| Value::from(text)),
    };
    let engine = context.engine()?;
    let written = match &args.at {
        Some(path) => call(&engine, "memory_update", json!({"key": args.key, "path": path, "value": value}))?,
        None => call(&engine, "memory_write", json!({"key": args.key, "content": value}))?,
    };
    context.printer.say(format_args!("remembered `{}`", value::short(&written["key"])));
    Ok(Exit::Ok)
}

fn stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST).read_to_string(&mut text);
    read.map_err(|error| Failure::failed(format!("cannot read stdin: {}", aa_run::cause::cause(&error))))?;
    Ok(text)
}

fn list(args: &ListArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let stats = call(&context.engine()?, "memory_stats", json!({}))?;
    let entries = stats["entries"].as_array().into_iter().flatten();
    let key = |entry: &Value| entry["key"].as_str().unwrap_or_default().to_owned();
    let entries: Vec<&Value> = entries.filter(|entry| key(entry).starts_with(&args.prefix)).collect();
    let printer = context.printer;
    if args.format.format == Format::Json {
        printer.data(format_args!("{:#}", json!(entries)));
        return Ok(Exit::Ok);
    }
    if entries.is_empty() {
        printer.say("nothing is remembered");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["KEY", "SIZE", "CHANGED"]);
    for entry in entries {
        let changed = entry["updated_at"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
        let changed = changed.map(|at| words::ago(at, Utc::now())).unwrap_or_default();
        table.row([key(entry), words::bytes(entry["bytes"].as_u64().unwrap_or(0)), changed]);
    }
    table.print(printer);
    Ok(Exit::Ok)
}

fn search(args: &SearchArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let asked = json!({"query": args.words.join(" "), "prefix": args.prefix, "limit": args.limit});
    let found = call(&context.engine()?, "memory_search", asked)?;
    let printer = context.printer;
    if args.format.format == Format::Json {
        printer.data(format_args!("{found:#}"));
        return Ok(Exit::Ok);
    }
    let places = found.as_array().map(Vec::as_slice).unwrap_or_default();
    if places.is_empty() {
        printer.say("nothing was found");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["KEY", "PLACE", "TEXT"]);
    for place in places {
        table.row(["key", "place", "snippet"].map(|field| value::short(&place[field])));
    }
    table.print(printer);
    Ok(Exit::Ok)
}

fn stats(args: &StatsArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let stats = call(&context.engine()?, "memory_stats", json!({}))?;
    let printer = context.printer;
    if args.format.format == Format::Json {
        printer.data(format_args!("{stats:#}"));
        return Ok(Exit::Ok);
    }
    let mut page = Page::new(printer);
    let size = ["size".to_owned(), words::bytes(stats["bytes"].as_u64().unwrap_or(0))];
    let numbers = [
        ("keys", "keys"),
        ("session logs", "sessions"),
        ("known error patterns", "patterns"),
        ("learned fixes", "tool_fixes"),
        ("recorded failures", "failures"),
        ("healed failures", "auto_fixed"),
    ];
    let rows = numbers.map(|(words, field)| [words.to_owned(), stats[field].to_string()]);
    page.columns(rows.into_iter().chain([size]));
    page.print(printer);
    for warning in stats["warnings"].as_array().into_iter().flatten() {
        printer.hint(words::harmless(warning.as_str().unwrap_or_default()));
    }
    Ok(Exit::Ok)
}

//! `aa config key`

use aa_run::key;
use aa_spec::config::{self, ROLES, unknown_role};
use aa_spec::source::Source;
use serde_json::{Map, Value, json};

use crate::args::config::KeyArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::words;

/// Makes a key, and says what to write into the configuration so that it opens.
pub(super) fn run(args: &KeyArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let made = key::fresh().map_err(|error| Failure::failed(error.to_string()))?;
    let entry = entry(args, &made.hash);
    know(&args.roles, context)?;
    check(args, &entry)?;
    context.printer.say(format_args!("write this under `serve.keys` of your own configuration:"));
    context.printer.say(format_args!("- {entry}"));
    context.printer.data(format_args!("{}", made.key));
    Ok(Exit::Ok)
}

/// An entry of `serve.keys`, in a line.
fn entry(args: &KeyArgs, hash: &str) -> String {
    let mut entry =
        Map::from_iter([("principal".to_owned(), json!(args.principal)), ("hash".to_owned(), json!(hash))]);
    for (name, texts) in [("roles", &args.roles), ("scopes", &args.scopes)] {
        if !texts.is_empty() {
            entry.insert(name.to_owned(), json!(texts));
        }
    }
    for (name, text) in [("tenant", &args.tenant), ("expires", &args.expires)] {
        if let Some(text) = text {
            entry.insert(name.to_owned(), json!(text));
        }
    }
    let pairs: Vec<String> =
        entry.iter().map(|(name, value)| format!("{name}: {}", written(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn written(value: &Value) -> String {
    value.to_string()
}

/// That there are such roles: those that everybody knows, and those of the configuration.
fn know(roles: &[String], context: &Context<'_>) -> Result<(), Failure> {
    if roles.is_empty() {
        return Ok(());
    }
    let own = context.settings()?.serve.roles;
    let own = || own.iter().map(String::as_str);
    let known: Vec<&str> = ROLES.iter().map(|(name, _)| *name).chain(own()).collect();
    match roles.iter().find(|role| !known.contains(&role.as_str())) {
        None => Ok(()),
        Some(role) => Err(Failure::usage(unknown_role(role, own())).hint(format!(
            "known: {}; others are named under `serve.roles` of your own configuration",
            words::list(&known)
        ))),
    }
}

/// That the entry means something. Roles have been looked at.
fn check(args: &KeyArgs, entry: &str) -> Result<(), Failure> {
    let roles: Vec<String> = args.roles.iter().map(|role| format!("{}: []", json!(role))).collect();
    let own = roles.join(", ");
    let source = Source::new("(the key)", format!("serve: {{roles: {{{own}}}, keys: [{entry}]}}"));
    match config::read(&source).1.into_iter().next() {
        Some(problem) => Err(Failure::usage(problem.message).hint(problem.hint)),
        None => Ok(()),
    }
}

//! `aa tool new`

use aa_spec::name::fold;

use crate::args::tool::NewArgs;
use crate::command::skill::new::{home, write_new, write_schema};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::style::Mark;

/// The module that a new one over commands starts as.
const COMMAND: &str = include_str!("new/command.yaml");

/// The module that a new one over an HTTP API starts as.
const HTTP: &str = include_str!("new/http.yaml");

/// The module that a new one over an MCP server starts as.
const MCP: &str = include_str!("new/mcp.yaml");

/// How to reach a server over a command, and one on the web.
const MCP_COMMAND: &str = include_str!("new/mcp-command.yaml");
const MCP_URL: &str = include_str!("new/mcp-url.yaml");

/// Writes a small tool module that checks clean and works.
pub(super) fn run(args: &NewArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let module = &args.module;
    if !aa_spec::name::is_valid(module) {
        return Err(Failure::usage(format!("`{module}` cannot be the name of a tool module"))
            .hint("a letter, then letters, digits, `-` and `_`"));
    }
    let text = text(args)?;
    let engine = context.engine()?;
    if engine.has_module(module)? {
        let failure = Failure::usage(format!("there is a tool module `{module}` already"));
        return Err(failure.hint("a module of the same name would hide it, tool by tool"));
    }
    let home = home(engine.settings(), args.user);
    let file = home.join("tools").join(format!("{module}.yaml"));
    write_new(&file, &text)?;
    write_schema(&home, "tool.json")?;
    let printer = context.printer;
    let shown = file.strip_prefix(&engine.settings().folder).unwrap_or(&file).display().to_string();
    printer.data(&shown);
    let (what, next) = next(args, &shown);
    printer.say(format_args!("{} written; {what}:", printer.err.mark(Mark::Done)));
    for line in &next {
        printer.say(format_args!("  {line}"));
    }
    Ok(Exit::Ok)
}

/// What to do with the new module.
fn next(args: &NewArgs, shown: &str) -> (&'static str, Vec<String>) {
    let (module, prefix) = (&args.module, fold(&args.module));
    let test = format!("aa tool test {module}");
    if args.mcp {
        let what = if args.url.is_some() || !args.command.is_empty() {
            "check it, then look at what the server says and trust it"
        } else {
            "put the command of the server into it, then check it and trust what the server says"
        };
        return (what, vec![format!("aa tool check {module}"), format!("aa tool trust {module}")]);
    }
    let call = if args.http.is_some() {
        format!("aa tool call {prefix}_get --arg path=…")
    } else {
        format!("aa tool call {prefix}_count --arg file={shown}")
    };
    ("try it", vec![test, call])
}

/// The text of the new module.
fn text(args: &NewArgs) -> Result<String, Failure> {
    let prefix = fold(&args.module);
    let named = |text: &str| text.replace("{name}", &args.module).replace("{prefix}", &prefix);
    let variable = prefix.to_uppercase();
    if args.mcp {
        let (what, reach) = server(args)?;
        let text = MCP.replace("{what}", &what).replace("{reach}\n", &reach);
        return Ok(named(&text).replace("{VARIABLE}", &variable));
    }
    let Some(url) = &args.http else { return Ok(named(COMMAND)) };
    let base = url.trim_end_matches('/');
    let Some(place) = place(base).filter(|place| !place.contains(['?', '#'])) else {
        return Err(Failure::usage(format!("`{url}` is no address of an HTTP API"))
            .hint("write it like `https://api.example.org/v2`"));
    };
    let path = place.find('/').map_or("", |at| &place[at..]);
    Ok(named(HTTP).replace("{base}", base).replace("{base_path}", path).replace("{VARIABLE}", &variable))
}

/// An address of the web without its scheme.
fn place(url: &str) -> Option<&str> {
    let (scheme, place) = url.split_once("://")?;
    let fits = !place.is_empty() && !place.contains(['"', '\\', ' ', '{']);
    (["http", "https"].contains(&scheme) && fits).then_some(place)
}

/// What an MCP server is called, and the keys that say how to reach it.
fn server(args: &NewArgs) -> Result<(String, String), Failure> {
    let Some(url) = &args.url else {
        return Ok(("of this machine".to_owned(), by_command(&args.module, &args.command)));
    };
    let Some(place) = place(url) else {
        return Err(Failure::usage(format!("`{url}` is no address of an MCP server"))
            .hint("write it like `https://wiki.example.org/mcp`"));
    };
    let host = place.split(['/', '?', '#']).next().unwrap_or_default();
    Ok((format!("at {host}"), MCP_URL.replace("{url}", url)))
}

fn by_command(module: &str, words: &[String]) -> String {
    let unsaid = [format!("{module}-mcp-server")];
    let words = if words.is_empty() { &unsaid } else { words };
    // JSON text is YAML text.
    let quoted: Vec<String> = words.iter().map(|word| serde_json::Value::from(&**word).to_string()).collect();
    MCP_COMMAND.replace("{program}", &quoted[0]).replace("{command}", &quoted.join(", "))
}

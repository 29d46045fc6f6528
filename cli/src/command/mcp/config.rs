//! `aa mcp config`: what AI clients have to be told to find us, each in its own form.

use std::path::Path;

use aa_run::cause::cause;
use aa_run::key;
use aa_run::persona::ViewError;
use serde_json::{Map, Value, json};

use crate::args::mcp::{Client, ConfigArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// The variable that the key is expected in, where a client can read variables.
const KEY: &str = "AA_TOKEN";

/// How the client reaches us.
enum Reach {
    /// It starts this command.
    Command { program: String, args: Vec<String> },
    /// It asks a server.
    Url(String),
}

pub(crate) fn run(args: &ConfigArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let reach = if let Some(url) = &args.http {
        Reach::Url(address(url, args.persona.as_deref())?)
    } else {
        if let Some(persona) = &args.persona {
            engine.persona_name(persona).map_err(unknown)?;
        }
        started(args, context, &engine.settings().folder)?
    };
    let printer = context.printer;
    printer.data(match args.client {
        Client::Codex => toml(&reach),
        client => pretty(&snippet(client, &reach)),
    });
    printer.say(format_args!("that belongs into {}", place(args.client)));
    if args.client == Client::Claude {
        printer.say(format_args!("or let the client write it: {}", claude_line(&reach)));
    }
    if matches!(reach, Reach::Url(_)) {
        let token = key::token_file(&engine.settings().state_folder);
        printer.say(format_args!(
            "{}; that of this machine is in {}",
            key_note(args.client),
            token.display()
        ));
    }
    Ok(Exit::Ok)
}

pub(super) fn unknown(error: ViewError) -> Failure {
    let message = error.to_string();
    match error {
        ViewError::UnknownPersona { suggestion, .. } => {
            Failure::not_found(message).suggest(suggestion.as_deref())
        }
        ViewError::Unknown { .. } => Failure::not_found(message),
        _ => Failure::failed(message),
    }
}

/// This program, with the folder and the store: clients start it wherever they are.
fn started(args: &ConfigArgs, context: &Context<'_>, folder: &Path) -> Result<Reach, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::failed(format!("cannot find this program: {}", cause(&error))))?;
    let mut words = vec!["mcp".to_owned()];
    if let Some(persona) = &args.persona {
        words.extend(["--persona".to_owned(), persona.clone()]);
    }
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    words.extend(["-C".to_owned(), absolute(folder).display().to_string()]);
    if let Some(store) = &context.global.store {
        words.extend(["--store".to_owned(), absolute(store).display().to_string()]);
    }
    Ok(Reach::Command { program: program.display().to_string(), args: words })
}

fn address(url: &str, persona: Option<&str>) -> Result<String, Failure> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(Failure::usage(format!("`{url}` is no address of a server"))
            .hint("write it like `http://127.0.0.1:8610`"));
    }
    let base = url.trim_end_matches('/').trim_end_matches("/mcp");
    let persona = persona.map(|name| format!("/{name}")).unwrap_or_default();
    Ok(format!("{base}/mcp{persona}"))
}

fn snippet(client: Client, reach: &Reach) -> Value {
    let server = server(client, reach);
    match (client, reach) {
        (Client::Vscode, Reach::Url(_)) => json!({
            "inputs": [{"type": "promptString", "id": "aa-token", "description": "Key of aa", "password": true}],
            "servers": {"aa": server},
        }),
        (Client::Vscode, Reach::Command { .. }) => json!({"servers": {"aa": server}}),
        (Client::Zed, _) => json!({"context_servers": {"aa": server}}),
        _ => json!({"mcpServers": {"aa": server}}),
    }
}

fn server(client: Client, reach: &Reach) -> Value {
    let mut server = Map::new();
    let kind = match (client, reach) {
        (Client::Vscode, Reach::Command { .. }) => Some("stdio"),
        (Client::Vscode | Client::Claude, Reach::Url(_)) => Some("http"),
        _ => None,
    };
    server.extend(kind.map(|kind| ("type".to_owned(), json!(kind))));
    let rest = match reach {
        Reach::Command { program, args } => [("command", json!(program)), ("args", json!(args))],
        Reach::Url(url) => {
            let key = format!("Bearer {}", key_in(client));
            [("url", json!(url)), ("headers", json!({"Authorization": key}))]
        }
    };
    server.extend(rest.map(|(name, value)| (name.to_owned(), value)));
    server.into()
}

/// How a client's configuration names the key without holding it.
fn key_in(client: Client) -> String {
    match client {
        Client::Claude => format!("${{{KEY}}}"),
        Client::Cursor => format!("${{env:{KEY}}}"),
        Client::Vscode => "${input:aa-token}".to_owned(),
        Client::Codex | Client::Zed => "KEY".to_owned(),
    }
}

fn key_note(client: Client) -> String {
    match client {
        Client::Vscode => "the client asks for the key of the server".to_owned(),
        Client::Zed => "put the key of the server in place of KEY".to_owned(),
        _ => format!("put the key of the server into the variable {KEY}"),
    }
}

fn toml(reach: &Reach) -> String {
    match reach {
        Reach::Command { program, args } => {
            format!("[mcp_servers.aa]\ncommand = {}\nargs = {}", json!(program), json!(args))
        }
        Reach::Url(url) => {
            format!("[mcp_servers.aa]\nurl = {}\nbearer_token_env_var = {}", json!(url), json!(KEY))
        }
    }
}

fn claude_line(reach: &Reach) -> String {
    match reach {
        Reach::Command { program, args } => {
            let words: Vec<String> = std::iter::once(program).chain(args).map(|word| quoted(word)).collect();
            format!("claude mcp add aa -- {}", words.join(" "))
        }
        // The client reads the variable; a shell would put the key into its history and the list of processes.
        Reach::Url(url) => {
            let (url, key) = (quoted(url), key_in(Client::Claude));
            format!("claude mcp add --transport http aa {url} --header 'Authorization: Bearer {key}'")
        }
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn place(client: Client) -> &'static str {
    match client {
        Client::Claude => "`.mcp.json` of the project",
        Client::Cursor => "`.cursor/mcp.json` of the project, or `~/.cursor/mcp.json`",
        Client::Vscode => "`.vscode/mcp.json` of the project",
        Client::Codex => "`~/.codex/config.toml`",
        Client::Zed => "the settings of Zed (`settings.json`)",
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

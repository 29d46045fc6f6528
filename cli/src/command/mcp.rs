//! `aa mcp`: skills and tools for an AI client, over stdin and stdout.

mod config;

use std::os::unix::net::UnixStream;
use std::thread;

use aa_run::cause::cause;
use aa_run::engine::Engine;
use aa_run::persona::Choice;
use aa_serve::local::{self, Wish};
use aa_serve::mcp::{self, Options};
use aa_serve::traces::Traces;

use crate::args::mcp::{Command, McpArgs, Shown};
use crate::command::daemon::bridge::Bridge;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};

pub(crate) fn run(args: &McpArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    if let Some(Command::Config(args)) = &args.command {
        return config::run(args, context);
    }
    let engine = context.serving_engine()?;
    let settings = &engine.settings().serve;
    let options = Options {
        choice: choice(&args.shown),
        message_bytes: settings.message,
        skills_extension: args.skills_extension || settings.skills_extension,
    };
    expect(&engine, &options.choice)?;
    say_doubts(&engine, &options.choice, context);
    if !args.alone
        && let Some(served) = by_daemon(&engine, &options, context)
    {
        return served;
    }
    context.wait_traced(&engine, async {
        let served = Box::pin(mcp::serve_stdio(&engine, &options)).await;
        served.map_err(|error| Failure::failed(format!("cannot serve the client: {}", cause(&error))))
    })?;
    Ok(Exit::Ok)
}

/// Has the daemon serve, and whoever follows it; none when there is none.
fn by_daemon(engine: &Engine, options: &Options, context: &Context<'_>) -> Option<Result<Exit, Failure>> {
    let wish = Wish::Mcp { choice: options.choice.clone(), skills_extension: options.skills_extension };
    let alone = |stream: UnixStream| {
        let (engine, options) = (engine.clone(), options.clone());
        thread::Builder::new().spawn(move || serve_here(&engine, &options, stream)).map(drop)
    };
    let (settings, message_bytes) = (engine.settings(), options.message_bytes);
    Bridge { settings, wish, context, message_bytes, alone: &alone }.serve()
}

/// Serves the other end of a connection of this process, where the daemon is gone.
fn serve_here(engine: &Engine, options: &Options, stream: UnixStream) {
    let served = wait(async {
        let traces = Traces::of(engine);
        let served = Box::pin(local::serve_here(engine, options, stream)).await;
        if let Some(traces) = traces {
            // Nobody is there any more who could be told.
            let _sent = traces.end().await;
        }
        served.map_err(|error| Failure::failed(cause(&error)))
    });
    if served.is_err() {
        tracing::warn!("the client was not served to its end");
    }
}

/// Refuses a persona, module or tool that is not there: a client would only see that little is listed.
pub(crate) fn expect(engine: &Engine, choice: &Choice) -> Result<(), Failure> {
    engine.is_there(choice).map_err(config::unknown)
}

/// Says on stderr what is doubtful in what clients see at first, while they are served: the first answer waits for nothing.
fn say_doubts(engine: &Engine, choice: &Choice, context: &Context<'_>) {
    let (engine, choice) = (engine.clone(), choice.clone());
    let printer = context.printer.another();
    std::thread::spawn(move || {
        for doubt in mcp::doubts(&engine, &choice) {
            printer.warning(doubt);
        }
    });
}

/// What clients see at first.
pub(crate) fn choice(shown: &Shown) -> Choice {
    match shown {
        Shown { all: true, .. } => Choice::All,
        Shown { tools: Some(tools), .. } => Choice::Tools(tools.clone()),
        Shown { module: Some(module), .. } => Choice::Module(module.clone()),
        Shown { persona, .. } => Choice::Persona(persona.clone().unwrap_or_else(|| "core".to_owned())),
    }
}

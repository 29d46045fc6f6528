//! `aa serve`: the HTTP server.

use std::net::Ipv4Addr;
use std::sync::Arc;

use aa_run::cause::cause;
use aa_run::driver::WallClock;
use aa_run::engine::Engine;
use aa_run::key;
use aa_run::schedule::scheduler::Scheduler;
use aa_run::settings::Settings;
use aa_serve::http::{self, Listeners, Refusal};
use aa_serve::mcp::Options;
use aa_serve::metrics::Metrics;
use aa_serve::traces::Traces;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::mcp::choice;
use crate::args::mcp::ServeArgs;
use crate::context::{Context, wait_on_threads};
use crate::failure::{Exit, Failure};

/// Files and connections that a server may have open.
const FILES: u64 = 8192;

pub(crate) fn run(args: &ServeArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.serving_engine()?;
    let metrics = Metrics::of(&engine);
    make_room();
    let settings = engine.settings();
    http::may_listen(args.listen, &settings.serve, args.allow_remote).map_err(|why| refused(args, why))?;
    let options = Options {
        choice: choice(&args.shown),
        message_bytes: settings.serve.message,
        skills_extension: args.skills_extension || settings.serve.skills_extension,
    };
    wait_on_threads(async {
        let failed = |error: std::io::Error| {
            Failure::failed(format!("cannot serve at `{}`: {}", args.listen, cause(&error)))
        };
        let mut ring = engine.keyring();
        let keys = ring.read().await.map_err(|error| Failure::failed(error.to_string()))?;
        let listener = TcpListener::bind(args.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        context.printer.say(format_args!("serving AI clients at http://{address}/mcp"));
        let token = key::token_file(&settings.state_folder);
        context.printer.say(format_args!("the key of this machine is in {}", token.display()));
        let listeners = Listeners { main: listener, editors: editors(settings, context).await };
        let traces = Traces::of(&engine);
        let served = http::serve(listeners, &engine, (keys, ring), &options, &metrics);
        let served = async { served.await.map_err(failed) };
        let served = if args.no_scheduler || !settings.scheduling.enabled {
            served.await
        } else {
            beside_scheduler(&engine, context, served).await
        };
        if let Some(traces) = traces {
            traces.end().await;
        }
        served
    })?;
    Ok(Exit::Ok)
}

/// Lets the process have as many connections as it is meant to serve, where the system allows it: many start programs
/// with 1024 files at most, and let those that know raise that.
fn make_room() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES, |most| most.min(FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
        if let Err(error) = raised {
            tracing::debug!("there is room for few connections: {error}");
        }
    }
}

/// The port that editors look for, when it is wanted and free.
async fn editors(settings: &Settings, context: &Context<'_>) -> Option<TcpListener> {
    let port = settings.events.port?;
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Ok(listener) => {
            let open = if settings.events.keyless { ", without a key" } else { "" };
            context.printer.say(format_args!("telling editors what happens at ws://127.0.0.1:{port}{open}"));
            Some(listener)
        }
        Err(error) => {
            let why = cause(&error);
            context.printer.hint(format_args!(
                "editors are not told what happens: port {port} cannot be used ({why}); `events: {{port: …}}` names another one"
            ));
            None
        }
    }
}

/// Serves, and runs what is due until that ends.
async fn beside_scheduler(
    engine: &Engine,
    context: &Context<'_>,
    served: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let (lines, mut said) = mpsc::unbounded_channel::<String>();
    let say = Arc::new(move |line: &str| {
        // Nobody reads it any more when the server ends.
        let _ = lines.send(line.to_owned());
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        // However it comes, it is the end.
        let _ = stopped.await;
    };
    let scheduler = Scheduler::new(engine.clone(), Arc::new(WallClock), say);
    let task = tokio::spawn(Box::pin(scheduler.run(stopped)));
    tokio::pin!(served);
    let result = loop {
        tokio::select! {
            result = &mut served => break result,
            Some(line) = said.recv() => context.printer.say(line),
        }
    };
    drop(stop);
    let ended = tokio::time::timeout(LAST_LOOK, task).await;
    if ended.is_err() {
        tracing::warn!("the scheduler did not end in time; what it was about to start is started later");
    }
    result
}

/// How long a look of the scheduler may take that is under way at the end.
const LAST_LOOK: std::time::Duration = std::time::Duration::from_secs(5);

fn refused(args: &ServeArgs, why: Refusal) -> Failure {
    let others = format!("other machines could ask at `{}`", args.listen);
    match why {
        Refusal::NoKeys => Failure::usage(format!("{others}, and nobody has a key"))
            .hint("name those who may under `serve: {keys: [...]}` in the configuration"),
        Refusal::NotAllowed => {
            Failure::usage(format!("{others}, and what is said to them can be read on the way"))
                .hint("listen at 127.0.0.1 behind a proxy with TLS, or say `--allow-remote`")
        }
    }
}

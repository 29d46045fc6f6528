//! `aa serve`: the HTTP server.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aa_run::cause::cause;
use aa_run::driver::WallClock;
use aa_run::engine::{Engine, Keyring};
use aa_run::key::{self, Keys};
use aa_run::listen::Keeper;
use aa_run::schedule::scheduler::Scheduler;
use aa_run::settings::Settings;
use aa_serve::http::{self, Listeners, Refusal};
use aa_serve::local::Local;
use aa_serve::mcp::Options;
use aa_serve::metrics::Metrics;
use aa_serve::traces::Traces;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::mcp::{choice, expect};
use crate::args::mcp::ServeArgs;
use crate::context::{Context, wait_on_threads};
use crate::failure::{Exit, Failure};

/// Files and connections that a server may have open.
const FILES: u64 = 8192;
/// How long a look of the scheduler may take that is under way at the end.
const LAST_LOOK: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &ServeArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.serving_engine()?;
    let metrics = Metrics::of(&engine);
    make_room();
    may_listen(args, engine.settings())?;
    let say = |line: String| context.printer.say(line);
    let front = Front { engine: &engine, args, metrics: &metrics, say: &say };
    wait_on_threads(async {
        let open = front.open(None).await?;
        Box::pin(front.serve(open, engine.settings().serve.shutdown_timeout)).await
    })?;
    Ok(Exit::Ok)
}

/// Lets the process have as many connections as it is meant to serve, where the system allows it: many start programs
/// with 1024 files at most, and let those that know raise that.
pub(super) fn make_room() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES, |most| most.min(FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
        if let Err(error) = raised {
            tracing::debug!("there is room for few connections: {error}");
        }
    }
}

/// A process that serves, before it does.
pub(super) struct Front<'a> {
    pub(super) engine: &'a Engine,
    pub(super) args: &'a ServeArgs,
    /// What it is all at, in numbers.
    pub(super) metrics: &'a Arc<Metrics>,
    /// Where it says what people should know.
    pub(super) say: &'a dyn Fn(String),
}

/// What is open before anybody is served.
pub(super) struct Open {
    pub(super) address: SocketAddr,
    listeners: Listeners,
    keys: (Keys, Keyring),
}

impl Front<'_> {
    /// Reads the keys and opens the ports.
    pub(super) async fn open(&self, local: Option<Local>) -> Result<Open, Failure> {
        expect(self.engine, &choice(&self.args.shown))?;
        let mut ring = self.engine.keyring();
        let keys = ring.read().await.map_err(|error| Failure::failed(error.to_string()))?;
        let failed = |error| self.failed(&error);
        let main = TcpListener::bind(self.args.address()).await.map_err(failed)?;
        let address = main.local_addr().map_err(failed)?;
        (self.say)(format!("serving AI clients at http://{address}/mcp"));
        (self.say)(format!("the dashboard is at http://{address}/"));
        let token = key::token_file(&self.engine.settings().state_folder);
        (self.say)(format!("the key of this machine is in {}", token.display()));
        let editors = self.editors().await;
        Ok(Open { address, listeners: Listeners { main, editors, local }, keys: (keys, ring) })
    }

    /// Serves until the process is told to stop, and runs what is due until then, if that is wanted; then runs have so long
    /// to come to rest.
    pub(super) async fn serve(&self, open: Open, patience: Duration) -> Result<(), Failure> {
        let settings = self.engine.settings();
        let options = Options {
            choice: choice(&self.args.shown),
            message_bytes: settings.serve.message,
            skills_extension: self.args.skills_extension || settings.serve.skills_extension,
        };
        let traces = Traces::of(self.engine);
        let served = async {
            let served =
                http::serve(open.listeners, self.engine, open.keys, &options, (self.metrics, patience)).await;
            served.map_err(|error| self.failed(&error))
        };
        let served = if self.args.no_scheduler {
            served.await
        } else {
            Box::pin(self.beside_listeners(async {
                if settings.scheduling.enabled { self.beside_scheduler(served).await } else { served.await }
            }))
            .await
        };
        if let Some(traces) = traces {
            // What is lost is in the log.
            let _ = traces.end().await;
        }
        served
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        refused(self.args.address(), error)
    }

    /// The port that editors look for, when it is wanted and free.
    async fn editors(&self) -> Option<TcpListener> {
        let events = &self.engine.settings().events;
        let port = events.port?;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(listener) => {
                let open = if events.keyless { ", without a key" } else { "" };
                (self.say)(format!("telling editors what happens at ws://127.0.0.1:{port}{open}"));
                Some(listener)
            }
            Err(error) => {
                let why = cause(&error);
                (self.say)(format!(
                    "hint: editors are not told what happens: port {port} cannot be used ({why}); `events: {{port: …}}` names another one"
                ));
                None
            }
        }
    }

    /// Serves, and listens for what is configured until that ends.
    async fn beside_listeners(
        &self,
        served: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let listening = async {
            Keeper::new(self.engine.clone()).run().await;
            // It ends before what is served does.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            result = served => result,
            () = listening => Ok(()),
        }
    }

    /// Serves, and runs what is due until that ends.
    async fn beside_scheduler(
        &self,
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
        let scheduler = Scheduler::new(self.engine.clone(), Arc::new(WallClock), say);
        let task = tokio::spawn(Box::pin(scheduler.run(stopped)));
        tokio::pin!(served);
        let result = loop {
            tokio::select! {
                result = &mut served => break result,
                Some(line) = said.recv() => (self.say)(line),
            }
        };
        drop(stop);
        let ended = tokio::time::timeout(LAST_LOOK, task).await;
        if ended.is_err() {
            tracing::warn!("the scheduler did not end in time; what it was about to start is started later");
        }
        result
    }
}

/// What keeps a server from an address.
pub(super) fn refused(address: SocketAddr, error: &std::io::Error) -> Failure {
    let failure = Failure::failed(format!("cannot serve at `{address}`: {}", cause(error)));
    if error.kind() != std::io::ErrorKind::AddrInUse {
        return failure;
    }
    failure
        .hint("`aa daemon status` says whether a daemon has it; `--listen` takes another one, with port 0 a free one")
}

/// Whether the address may be listened at.
pub(super) fn may_listen(args: &ServeArgs, settings: &Settings) -> Result<(), Failure> {
    let others = format!("other machines could ask at `{}`", args.address());
    match http::may_listen(args.address(), &settings.serve, args.allow_remote) {
        Ok(()) => Ok(()),
        Err(Refusal::NoKeys) => Err(Failure::usage(format!("{others}, and nobody has a key"))
            .hint("name those who may under `serve: {keys: [...]}` in the configuration")),
        Err(Refusal::NotAllowed) => {
            Err(Failure::usage(format!("{others}, and what is said to them can be read on the way"))
                .hint("listen at 127.0.0.1 behind a proxy with TLS, or say `--allow-remote`"))
        }
    }
}

//! The life of a daemon: it takes the lock, serves, runs what is due, goes on with what others have left behind, and
//! comes to rest when it is told to.

use std::sync::Arc;

use aa_run::cause::cause;
use aa_run::engine::Engine;
use aa_serve::local::Local;
use aa_serve::metrics::Metrics;
use rustix::process::setsid;

use super::files::{Files, Lock, Report};
use super::log::Rolling;
use super::tell::Teller;
use crate::args::daemon::RunArgs;
use crate::command::serve::{self, Front};
use crate::context::{Context, wait_on_threads};
use crate::env;
use crate::failure::{Exit, Failure};
use crate::log;

/// The log filter of a daemon, when nobody has said another.
const USUAL: &str = "aa=info,aa_run=info,aa_serve=info,aa::audit=info";

pub(super) fn run(args: &RunArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.serving_engine()?;
    serve::may_listen(&args.serve, engine.settings())?;
    let files = Files::of(engine.settings());
    let failed = |error: std::io::Error| Failure::failed(format!("cannot be a daemon: {}", cause(&error)));
    let Some(lock) = files.claim().map_err(failed)? else { return Err(taken(&files)) };
    if args.detached {
        // It has just been started for this and leads no group, so nothing can be wrong with that.
        let _session = setsid();
    }
    let daemon = &engine.settings().daemon;
    let rolling = Rolling::open(&files.log(), daemon.log_bytes, daemon.log_files).map_err(failed)?;
    let format = context.log_format(Some(args.serve.log));
    log::start_in(context.environment, USUAL, (Arc::new(rolling), format));
    let mut report = Report::first(&engine, args.serve.typed());
    files.say_pid(&lock).and_then(|()| files.say(&lock, &report)).map_err(failed)?;
    tracing::info!(pid = report.pid, version = report.version, "a daemon begins");
    serve::make_room();
    let result = wait_on_threads(async {
        let local = listen(&files);
        report.socket = local.as_ref().map(|_| files.socket());
        live(&engine, args, context, (&files, &lock, report), local).await
    });
    match &result {
        Ok(()) => tracing::info!("the daemon has ended"),
        Err(failure) => tracing::error!("the daemon ends: {}", failure.line()),
    }
    engine.leave_folders();
    drop(engine);
    files.let_go(lock);
    result.map(|()| Exit::Ok)
}

/// The socket that commands find it at. Without it they do their work themselves.
fn listen(files: &Files) -> Option<Local> {
    let socket = Local::listen(&files.socket());
    if let Err(error) = &socket {
        tracing::warn!("commands do their work themselves: the socket cannot be used: {error}");
    }
    socket.ok()
}

async fn live(
    engine: &Engine,
    args: &RunArgs,
    context: &Context<'_>,
    (files, lock, report): (&Files, &Lock, Report),
    local: Option<Local>,
) -> Result<(), Failure> {
    let manager = context.environment.get(env::NOTIFY_SOCKET).map(str::to_owned);
    let mut teller = Teller { files, lock, report, manager };
    let say = |line: String| tracing::info!("{line}");
    let metrics = Metrics::of(engine);
    let front = Front { engine, args: &args.serve, metrics: &metrics, say: &say };
    let open = front.open(local).await?;
    teller.report.address = Some(open.address);
    let adopting = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.keep_adopting().await })
    };
    let served = front.serve(open, engine.settings().daemon.drain_timeout);
    let result = tokio::select! {
        result = Box::pin(served) => result,
        () = teller.tell(engine) => Ok(()),
    };
    teller.end();
    adopting.abort();
    result
}

fn taken(files: &Files) -> Failure {
    let who = files.last().map(|report| format!(" (pid {})", report.pid)).unwrap_or_default();
    Failure::failed(format!("a daemon runs already for this store{who}"))
        .hint("`aa daemon status` says more, `aa daemon stop` ends it")
}

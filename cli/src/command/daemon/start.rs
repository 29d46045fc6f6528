//! `aa daemon start` and `restart`: a daemon of its own, that outlives the command and its terminal.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use aa_run::cause::cause;
use aa_run::engine::Engine;
use aa_run::settings::{Settings, Surroundings};

use super::files::{Files, Report, Stage};
use super::stop;
use crate::args::daemon::RestartArgs;
use crate::args::mcp::ServeArgs;
use crate::command::mcp::{choice, expect};
use crate::command::serve::{may_listen, refused};
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::style::Mark;
use crate::words;

/// How long a daemon may take to be ready.
const PATIENCE: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(5);

pub(super) fn run(args: &ServeArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let settings = context.settings()?;
    may_listen(args, &settings)?;
    let files = Files::of(&settings);
    let ending = |report: &Report| report.stage == Stage::Draining;
    if files.living().as_ref().is_some_and(ending) {
        context.printer.say("the daemon before it is still ending; the new one follows it");
        stop::wait_for_end(&files)?;
    }
    if files.living().is_some() {
        // One that is about to be ready is waited for: success means that work can be given to it.
        let report = ready(None, &files)?;
        context.printer.say(format_args!("a daemon runs already: {}", shown(&report)));
        point_out_secrets(&report, context);
        return Ok(Exit::Ok);
    }
    begin(&args.typed(), (&settings, &files), context)
}

/// Stops the daemon, and starts one in the same way; not when it can be seen that none would start.
pub(super) fn again(args: &RestartArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let settings = context.settings()?;
    let files = Files::of(&settings);
    let living = files.living();
    // Of one that was killed, what it has said is still there.
    let before = living.clone().or_else(|| files.last());
    let settings = in_folder_of(before.as_ref(), settings, context)?;
    let typed = before.map(|report| report.arguments).unwrap_or_default();
    let unknown = |_| {
        let typed = typed.join(" ");
        Failure::failed(format!("the daemon was started with flags that are not known here: {typed}"))
            .hint("`aa daemon stop` and `aa daemon start` take new ones")
    };
    let serve = args.serve.over(&typed).map_err(unknown)?;
    could_start(&serve, &settings, living.as_ref()).map_err(|failure| match &living {
        Some(report) => failure.hint(format!("the daemon (pid {}) goes on as before", report.pid)),
        None => failure,
    })?;
    stop::stop(&files, args.now, context)?;
    begin(&serve.typed(), (&settings, &files), context)
}

/// The settings in the folder that a daemon works in, unless another one is named.
fn in_folder_of(
    before: Option<&Report>,
    settings: Settings,
    context: &Context<'_>,
) -> Result<Settings, Failure> {
    let Some(Report { folder, .. }) = before.filter(|_| context.global.folder.is_none()) else {
        return Ok(settings);
    };
    if !folder.is_dir() {
        let message =
            format!("the folder that the daemon works in, `{}`, is not there any more", folder.display());
        return Err(Failure::not_found(message).hint("`-C DIR` names another one"));
    }
    let (folder, store) = (folder.clone(), Some(settings.state_folder));
    Ok(Settings::resolve(&Surroundings { folder, store, ..context.surroundings()? })?)
}

/// Finds out what would keep a daemon from starting, while the one before it still runs.
fn could_start(args: &ServeArgs, settings: &Settings, before: Option<&Report>) -> Result<(), Failure> {
    may_listen(args, settings)?;
    let engine = Engine::new(settings.clone());
    expect(&engine, &choice(&args.shown))?;
    wait(async {
        let keys = engine.keyring().read().await;
        keys.map(drop).map_err(|error| Failure::failed(error.to_string()))
    })?;
    let address = args.address();
    // Its own port is free once it has ended, and one that has not said where it listens is about to.
    let is_its = |report: &Report| report.address.is_none_or(|its| its.port() == address.port());
    if !before.is_some_and(is_its) {
        TcpListener::bind(address).map_err(|error| refused(address, &error))?;
    }
    Ok(())
}

fn begin(
    arguments: &[String],
    (settings, files): (&Settings, &Files),
    context: &Context<'_>,
) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("cannot start a daemon: {}", cause(&error)));
    files.prepare().map_err(failed)?;
    let stderr = File::options().create(true).write(true).truncate(true).mode(0o600).open(files.stderr());
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.arg("-C").arg(&settings.folder).arg("--store").arg(&settings.state_folder);
    command.args(["daemon", "run", "--detached"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr.map_err(failed)?);
    let mut child = command.spawn().map_err(failed)?;
    let report = ready(Some(&mut child), files)?;
    let printer = context.printer;
    if report.pid == child.id() {
        printer.say(format_args!("{} the daemon is ready: {}", printer.err.mark(Mark::Done), shown(&report)));
    } else {
        printer.say(format_args!("a daemon runs already: {}", shown(&report)));
    }
    point_out_secrets(&report, context);
    Ok(Exit::Ok)
}

/// Says which secrets the daemon does not have: nobody else does before something needs them.
fn point_out_secrets(report: &Report, context: &Context<'_>) {
    if report.secrets.is_empty() {
        return;
    }
    let names = words::list(&report.secrets);
    context.printer.warning(format_args!("secrets that the daemon cannot read: {names}"));
    context.printer.hint(
        "`aa doctor` says why here; the daemon has the environment that it was started with, and `aa daemon restart` gives it this one",
    );
}

/// Waits until the daemon is ready, be it this one or one that was faster.
fn ready(mut child: Option<&mut Child>, files: &Files) -> Result<Report, Failure> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let is_ready = |report: &Report| matches!(report.stage, Stage::Ready | Stage::NotReady);
        match files.living().filter(is_ready) {
            Some(report) if files.silent().is_some() => {
                return Err(Failure::failed(format!(
                    "a daemon (pid {}) runs, and does not answer",
                    report.pid
                ))
                .hint("`aa daemon status` says what to do"));
            }
            Some(report) if report.stage == Stage::Ready => return Ok(report),
            Some(report) => {
                let why = report.health.map(|health| health.failing().join("; ")).unwrap_or_default();
                let message = format!("the daemon runs, and is not ready yet: {why}");
                return Err(Failure::failed(message).hint("`aa daemon status` and `aa daemon logs` say more"));
            }
            None => {}
        }
        let has_ended_too = |child: &mut Child| child.try_wait().ok().flatten().is_some();
        if child.as_deref_mut().is_none_or(has_ended_too) && !files.is_claimed() {
            return Err(has_ended(&fs::read_to_string(files.stderr()).unwrap_or_default()));
        }
        sleep(TICK);
    }
    Err(Failure::failed("the daemon is not ready after half a minute").hint("`aa daemon logs` says more"))
}

/// What a daemon has said on stderr before it ended, with its advice.
fn has_ended(said: &str) -> Failure {
    let (_, error) = said.rsplit_once("error: ").unwrap_or(("", said));
    let error = error.trim();
    let (error, hints) = error.split_once("\nhint: ").unwrap_or((error, ""));
    let failure = Failure::failed(format!("the daemon has ended at once: {error}"));
    let failure = hints.split("\nhint: ").fold(failure, Failure::hint);
    failure.hint("`aa daemon logs` may say more")
}

/// Who and where it is.
pub(super) fn shown(report: &Report) -> String {
    let address = report.address.map(|address| format!(", http://{address}")).unwrap_or_default();
    format!("pid {}{address}", report.pid)
}

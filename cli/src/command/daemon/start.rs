//! `aa daemon start` and `restart`: a daemon of its own, that outlives the command and its terminal.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use aa_run::cause::cause;
use aa_run::settings::Settings;

use super::files::{Files, Report, Stage};
use super::stop;
use crate::args::mcp::ServeArgs;
use crate::command::serve::may_listen;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::style::Mark;

/// How long a daemon may take to be ready.
const PATIENCE: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(5);

pub(super) fn run(args: &ServeArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let settings = context.settings()?;
    may_listen(args, &settings)?;
    let files = Files::of(&settings);
    if let Some(report) = files.living() {
        context.printer.say(format_args!("a daemon runs already: {}", shown(&report)));
        return Ok(Exit::Ok);
    }
    begin(&args.typed(), (&settings, &files), context)
}

/// Stops the daemon, and starts one in the same way.
pub(super) fn again(now: bool, context: &Context<'_>) -> Result<Exit, Failure> {
    let settings = context.settings()?;
    let files = Files::of(&settings);
    let before = files.living();
    stop::stop(&files, now, context)?;
    let arguments = before.map(|report| report.arguments).unwrap_or_default();
    begin(&arguments, (&settings, &files), context)
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
    let report = ready(&mut child, files)?;
    let printer = context.printer;
    if report.pid == child.id() {
        printer.say(format_args!("{} the daemon is ready: {}", printer.err.mark(Mark::Done), shown(&report)));
    } else {
        printer.say(format_args!("a daemon runs already: {}", shown(&report)));
    }
    Ok(Exit::Ok)
}

/// Waits until the daemon is ready, be it this one or one that was faster.
fn ready(child: &mut Child, files: &Files) -> Result<Report, Failure> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let is_ready = |report: &Report| matches!(report.stage, Stage::Ready | Stage::NotReady);
        match files.living().filter(is_ready) {
            Some(report) if report.stage == Stage::Ready => return Ok(report),
            Some(report) => {
                let why = report.health.map(|health| health.failing().join("; ")).unwrap_or_default();
                let message = format!("the daemon runs, and is not ready yet: {why}");
                return Err(Failure::failed(message).hint("`aa daemon status` and `aa daemon logs` say more"));
            }
            None => {}
        }
        let ended = child.try_wait().ok().flatten();
        if ended.is_some() && !files.is_claimed() {
            let said = fs::read_to_string(files.stderr()).unwrap_or_default();
            let said = said.trim().trim_start_matches("error: ");
            return Err(Failure::failed(format!("the daemon has ended at once: {said}"))
                .hint("`aa daemon logs` may say more"));
        }
        sleep(TICK);
    }
    Err(Failure::failed("the daemon is not ready after half a minute").hint("`aa daemon logs` says more"))
}

/// Who and where it is.
pub(super) fn shown(report: &Report) -> String {
    let address = report.address.map(|address| format!(", http://{address}")).unwrap_or_default();
    format!("pid {}{address}", report.pid)
}

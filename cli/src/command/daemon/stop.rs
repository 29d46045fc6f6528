//! `aa daemon stop`

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::files::{Files, Report, Stage};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::style::Mark;

/// How long a daemon may take beyond what its steps and its answers may take.
const LEEWAY: Duration = Duration::from_secs(15);
const TICK: Duration = Duration::from_millis(5);

pub(super) fn run(now: bool, context: &Context<'_>) -> Result<Exit, Failure> {
    stop(&super::files(context)?, now, context)?;
    Ok(Exit::Ok)
}

/// Tells the daemon to end, and waits until it has.
pub(super) fn stop(files: &Files, now: bool, context: &Context<'_>) -> Result<(), Failure> {
    let Some(report) = files.living() else {
        if files.is_claimed() {
            return Err(Failure::failed("a daemon runs, and has not said which process it is"));
        }
        context.printer.say("no daemon runs");
        return Ok(());
    };
    tell(&report, Signal::TERM)?;
    if now {
        // The first one must have been heard, and two of a kind may count as one.
        sleep(Duration::from_millis(100));
        // It may be gone already.
        let _gone = tell(&report, Signal::INT);
    }
    gone(files, &report)?;
    let printer = context.printer;
    printer.say(format_args!("{} the daemon (pid {}) has ended", printer.err.mark(Mark::Done), report.pid));
    Ok(())
}

/// Waits until a daemon has ended that is about to; another one that is there by then is no matter.
pub(super) fn wait_for_end(files: &Files) -> Result<(), Failure> {
    match files.living() {
        Some(report) if report.stage == Stage::Draining => gone(files, &report),
        _ => Ok(()),
    }
}

/// Waits until a daemon has ended, for as long as that may take.
fn gone(files: &Files, report: &Report) -> Result<(), Failure> {
    let (pid, end) = (report.pid, Instant::now() + Duration::from_secs(report.patience) + LEEWAY);
    let is_there = || files.is_claimed() && files.last().is_none_or(|last| last.pid == pid);
    while is_there() {
        if Instant::now() >= end {
            return Err(Failure::failed(format!("the daemon (pid {pid}) does not end"))
                .hint(format!("`kill -9 {pid}` ends it; the next one goes on with its runs")));
        }
        sleep(TICK);
    }
    Ok(())
}

fn tell(report: &Report, signal: Signal) -> Result<(), Failure> {
    let pid = i32::try_from(report.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Failure::failed("the daemon has not said which process it is"))?;
    kill_process(pid, signal).map_err(|error| {
        Failure::failed(format!("cannot tell the daemon (pid {}) to end: {error}", report.pid))
    })
}

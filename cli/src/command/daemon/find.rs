//! How other commands use the daemon of their store, when there is one.

use std::io::{self, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use aa_run::cause::cause;
use aa_run::event::RunId;
use aa_run::settings::Settings;
use aa_serve::local::{self, Answer, Wish};

use super::files::{Files, Stage};
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Bytes that are handed on at once.
const CHUNK: usize = 64 << 10;

/// The socket of the daemon that takes work for these settings.
pub(crate) fn socket(settings: &Settings) -> Option<PathBuf> {
    let report = Files::of(settings).living()?;
    report.socket.filter(|_| matches!(report.stage, Stage::Ready | Stage::NotReady))
}

/// Leaves a run to the daemon.
pub(crate) fn leave(settings: &Settings, wish: Wish) -> Result<RunId, Failure> {
    let none =
        || Failure::failed("no daemon runs that it could be left to").hint("`aa daemon start` starts one");
    let socket = socket(settings).ok_or_else(none)?;
    let failed = |error: io::Error| Failure::failed(format!("the daemon does not answer: {}", cause(&error)));
    let (answer, _) = local::ask(&socket, (&settings.folder, &settings.environment), wish).map_err(failed)?;
    match answer {
        Answer::Done(Some(run)) => Ok(run),
        Answer::Done(None) => Err(Failure::failed("the daemon has said nothing of a run")),
        Answer::Refused(why) => Err(Failure::failed(why)),
    }
}

/// Has the daemon serve whoever speaks on our stdin and stdout; none when it does not, and nothing was read.
pub(crate) fn serve(settings: &Settings, wish: Wish, context: &Context<'_>) -> Option<Result<Exit, Failure>> {
    let asked = local::ask(&socket(settings)?, (&settings.folder, &settings.environment), wish);
    match asked {
        Ok((Answer::Done(_), stream)) => Some(hand_on(stream)),
        Ok((Answer::Refused(why), _)) => {
            context.printer.hint(format_args!("serves without the daemon: {why}"));
            None
        }
        Err(error) => {
            tracing::debug!("serves without the daemon: {error}");
            None
        }
    }
}

/// Hands on what is said in both directions, until the daemon has said its last.
fn hand_on(mut from: BufReader<UnixStream>) -> Result<Exit, Failure> {
    let failed = |error: io::Error| Failure::failed(format!("the daemon is gone: {}", cause(&error)));
    let mut to = from.get_ref().try_clone().map_err(failed)?;
    std::thread::spawn(move || {
        // However it ends, the daemon hears that there is no more.
        let _gone = copy(&mut io::stdin().lock(), &mut to);
        let _gone = to.shutdown(Shutdown::Write);
    });
    copy(&mut from, &mut io::stdout().lock()).map_err(failed)?;
    Ok(Exit::Ok)
}

/// Hands on what comes when it comes.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                to.write_all(&chunk[..length])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

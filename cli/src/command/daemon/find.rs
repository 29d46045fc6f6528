//! How other commands use the daemon of their store, when there is one.

use std::io;
use std::path::PathBuf;

use aa_run::cause::cause;
use aa_run::event::RunId;
use aa_run::settings::Settings;
use aa_serve::local::{self, Answer, Wish};

use super::files::{Files, Stage};
use crate::failure::Failure;

/// The socket of the daemon that takes work for these settings.
pub(crate) fn socket(settings: &Settings) -> Option<PathBuf> {
    let report = Files::of(settings).living()?;
    let takes = matches!(report.stage, Stage::Ready | Stage::NotReady) && report.silence().is_none();
    report.socket.filter(|_| takes)
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

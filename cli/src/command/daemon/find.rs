//! How other commands use the daemon of their store, when there is one.

use std::path::PathBuf;

use aa_run::cause::cause;
use aa_run::event::RunId;
use aa_run::settings::Settings;
use aa_serve::local::{self, Answer, Silence, Wish};

use super::files::{Files, Report, Stage};
use crate::failure::Failure;

/// The socket of the daemon that takes work for these settings.
pub(crate) fn socket(settings: &Settings) -> Option<PathBuf> {
    let report = Files::of(settings).living()?;
    let takes = matches!(report.stage, Stage::Ready | Stage::NotReady) && report.silence().is_none();
    report.socket.filter(|_| takes)
}

/// Leaves a run to the daemon.
pub(crate) fn leave(settings: &Settings, wish: &Wish) -> Result<RunId, Failure> {
    if let Some(silent) = Files::of(settings).silent() {
        return Err(unanswered(&silent, wish));
    }
    let none =
        || Failure::failed("no daemon runs that it could be left to").hint("`aa daemon start` starts one");
    let socket = socket(settings).ok_or_else(none)?;
    let failed = |silence: Silence| Failure::failed(cause(&silence)).hint(advice(&silence, wish));
    let (answer, _) =
        local::ask(&socket, (&settings.folder, &settings.environment), wish.clone()).map_err(failed)?;
    match answer {
        Answer::Done(Some(run)) => Ok(run),
        Answer::Done(None) => Err(Failure::failed("the daemon has said nothing of a run")),
        Answer::Refused(why) => Err(Failure::failed(why)),
    }
}

/// That there is a daemon which does not answer: another one could not be started beside it.
fn unanswered(silent: &Report, wish: &Wish) -> Failure {
    let nothing = match wish {
        Wish::Start(_) => "nothing was started",
        _ => "nothing was gone on with",
    };
    Failure::failed(format!("the daemon (pid {}) does not answer; {nothing}", silent.pid))
        .hint("`aa daemon status` says what to do")
}

/// What a person does about a wish that a daemon has given no answer to.
fn advice(silence: &Silence, wish: &Wish) -> &'static str {
    let Wish::Start(start) = wish else { return "" };
    match silence {
        Silence::Unheard(_) => "nothing was started",
        Silence::Unknown(_) if start.request_key.is_some() => {
            "the run may still begin; the same command with the same `--key` gives its number then"
        }
        Silence::Unknown(_) => {
            "the run may still begin: `aa run list` shows it; with `--key`, a command begins its run once, however often it is given"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use aa_serve::local::Start;
    use serde_json::Map;

    use super::*;

    #[test]
    fn whoever_gets_no_answer_is_told_what_may_come_of_it() {
        let said = |silence: fn(io::Error) -> Silence, key: Option<&str>| {
            let start = Start {
                skill: "two".to_owned(),
                json: Map::new(),
                text: Vec::new(),
                dry_run: false,
                plan_hash: None,
                request_key: key.map(str::to_owned),
                lenient: false,
            };
            advice(&silence(io::ErrorKind::TimedOut.into()), &Wish::Start(start))
        };
        assert_eq!(said(Silence::Unheard, None), "nothing was started");
        let (keyless, keyed) = (said(Silence::Unknown, None), said(Silence::Unknown, Some("k")));
        assert!(keyless.contains("aa run list") && keyless.contains("--key"), "{keyless}");
        assert!(keyed.contains("the same `--key`"), "{keyed}");
    }
}

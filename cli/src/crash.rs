//! A bug of ours, caught: one message, a way to report it, exit code 70.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use crate::args;
use crate::env::{self, Environment};
use crate::failure::Exit;
use crate::printer::Printer;

/// Runs the command; a panic in it becomes a message.
///
/// A panic in a task (a tool, say) is its step's failure and never comes here; the
/// hook keeps the runtime's own words about it off the terminal, the log has them.
pub(crate) fn guard(environment: &Environment, command: impl FnOnce() -> Exit) -> Exit {
    let last = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&last);
    panic::set_hook(Box::new(move |panic| {
        tracing::error!("{panic}");
        if let Ok(mut last) = noted.lock() {
            *last = one_line(&panic.to_string());
        }
    }));
    panic::catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| {
        let message = last.lock().map(|last| last.clone()).unwrap_or_default();
        report(environment, &message)
    })
}

fn report(environment: &Environment, message: &str) -> Exit {
    let printer = Printer::new(environment, args::Color::Auto, false);
    printer.error(format_args!("this is a bug in `aa` {}: {message}", env!("CARGO_PKG_VERSION")));
    printer.hint(format_args!(
        "please report it with the command you ran; `{}=debug` writes a log",
        env::AA_LOG
    ));
    Exit::Bug
}

/// Kills this process the hard way after so many events, or after the `last` of a run:
/// what a power cut or the kernel does at the worst moment, for tests.
#[cfg(debug_assertions)]
pub(crate) fn kill_after(events: &str) -> aa_run::driver::AfterCommit {
    use aa_run::event::Body::{SkillCancelled, SkillCompleted, SkillFailed};
    let fatal: Option<u64> = events.parse().ok();
    let seen = std::sync::atomic::AtomicU64::new(0);
    Arc::new(move |event| {
        let seen = seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        let is_last =
            matches!(event.body, SkillCompleted { .. } | SkillFailed { .. } | SkillCancelled { .. });
        if fatal.map_or(is_last, |fatal| fatal == seen) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_exit_code_70() {
        let environment = Environment::read();
        let exit = guard(&environment, || panic!("the sky\nfell"));
        let _ = panic::take_hook();
        assert_eq!(exit, Exit::Bug);
        assert_eq!(guard(&environment, || Exit::Ok), Exit::Ok);
        let _ = panic::take_hook();
    }
}

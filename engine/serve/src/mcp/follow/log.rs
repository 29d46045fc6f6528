//! Lines that a run says to the client that follows it, if that wants them.
#![expect(deprecated, reason = "clients have this log until it is taken away")]

use aa_run::event::StepPath;
use aa_run::tool::Level;
use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam};
use serde_json::Value;

use crate::mcp::server::Call;

/// A line.
pub(super) struct Said {
    pub(super) level: Level,
    pub(super) step: StepPath,
    pub(super) line: String,
}

/// Says lines that matter enough to the client: since it has told the session how much that is, or in its
/// request where there are no sessions.
pub(super) async fn tell(call: &Call<'_>, lines: Vec<Said>) {
    if lines.is_empty() {
        return;
    }
    let least = if call.visit.sessionless {
        call.context.meta.log_level().map(ours)
    } else {
        call.server.seat.log_level()
    };
    let Some(least) = least else { return };
    for Said { level, step, line } in lines.into_iter().filter(|said| said.level >= least) {
        let said = LoggingMessageNotificationParam::new(theirs(level), Value::from(line));
        // A client that is gone is noticed elsewhere.
        let _ = call.context.peer.notify_logging_message(said.with_logger(step.to_string())).await;
    }
}

/// A level as we have it.
pub(crate) fn ours(level: LoggingLevel) -> Level {
    match level {
        LoggingLevel::Debug => Level::Debug,
        LoggingLevel::Info => Level::Info,
        LoggingLevel::Notice => Level::Notice,
        LoggingLevel::Warning => Level::Warning,
        LoggingLevel::Error => Level::Error,
        LoggingLevel::Critical => Level::Critical,
        LoggingLevel::Alert => Level::Alert,
        LoggingLevel::Emergency => Level::Emergency,
    }
}

fn theirs(level: Level) -> LoggingLevel {
    match level {
        Level::Debug => LoggingLevel::Debug,
        Level::Info => LoggingLevel::Info,
        Level::Notice => LoggingLevel::Notice,
        Level::Warning => LoggingLevel::Warning,
        Level::Error => LoggingLevel::Error,
        Level::Critical => LoggingLevel::Critical,
        Level::Alert => LoggingLevel::Alert,
        Level::Emergency => LoggingLevel::Emergency,
    }
}

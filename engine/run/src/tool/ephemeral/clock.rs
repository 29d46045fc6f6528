//! Times to live, as people write and read them.

use std::time::Duration;

use aa_spec::tool::ErrorKind;
use chrono::Utc;

use crate::event::Time;
use crate::tool::ToolError;

/// Longest time to live: what is needed for longer is not ephemeral.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// Reads the time to live of a namespace.
pub(super) fn read_ttl(text: &str) -> Result<Duration, ToolError> {
    let ttl = read(text)?;
    if ttl < Duration::from_secs(1) || ttl > LONGEST {
        return Err(ToolError::new(
            ErrorKind::Invalid,
            format!("a namespace lives from `1s` to `30days`, not `{text}`"),
        ));
    }
    Ok(ttl)
}

/// Reads a duration argument.
pub(super) fn read(text: &str) -> Result<Duration, ToolError> {
    aa_spec::duration::parse_ms(text)
        .map(Duration::from_millis)
        .map_err(|message| ToolError::new(ErrorKind::Invalid, message))
}

/// How long until then, e.g. `1h 59m`, or `expired`.
pub(super) fn left_until(then: Time) -> String {
    let seconds = (then - Utc::now()).num_seconds();
    if seconds <= 0 {
        return "expired".to_owned();
    }
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

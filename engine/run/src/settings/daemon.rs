//! `daemon:`: how a process lives that runs skills although nobody is there.

use std::time::Duration;

use aa_spec::config::Bytes;
use aa_spec::duration::parse_ms;
use serde_json::json;

use super::layer::Layers;

/// How a daemon lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// How long steps that are under way may take to end.
    pub drain_timeout: Duration,
    /// How long its log may get, in bytes.
    pub log_bytes: u64,
    /// How many older logs are kept.
    pub log_files: u32,
}

/// What the user's file and variables say of it.
pub(super) fn resolve(layers: &mut Layers<'_>) -> Daemon {
    Daemon {
        drain_timeout: drain_timeout(layers),
        log_bytes: log_bytes(layers),
        log_files: log_files(layers),
    }
}

fn drain_timeout(layers: &mut Layers<'_>) -> Duration {
    const KEY: &str = "daemon.drain_timeout";
    let parse = |text: &str| parse_ms(text).map(|_| text.to_owned());
    let Some((text, origin)) = layers.own(KEY, |c| &c.daemon.drain_timeout, parse) else {
        return Duration::from_secs(30);
    };
    layers.note(KEY, json!(text), origin);
    // It was checked when it was read.
    Duration::from_millis(parse_ms(&text).unwrap_or_default())
}

fn log_bytes(layers: &mut Layers<'_>) -> u64 {
    const KEY: &str = "daemon.log_bytes";
    let Some((Bytes(bytes), origin)) = layers.own(KEY, |c| &c.daemon.log_bytes, Bytes::parse) else {
        return 10 << 20;
    };
    layers.note(KEY, json!(bytes), origin);
    bytes
}

fn log_files(layers: &mut Layers<'_>) -> u32 {
    const KEY: &str = "daemon.log_files";
    let parse = |text: &str| match text.parse::<u32>() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(format!("`{text}` is not a number from 1 on")),
    };
    let Some((count, origin)) = layers.own(KEY, |c| &c.daemon.log_files, parse) else { return 5 };
    layers.note(KEY, json!(count), origin);
    count
}

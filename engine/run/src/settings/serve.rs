//! `serve:`: who may come in over HTTP, and how much they may ask.

use std::time::Duration;

use aa_spec::config::Bytes;
use serde_json::json;

use super::layer::{Field, Layers};

/// How AI clients and others are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve {
    /// Who may come in, besides whoever can read the token file.
    pub keys: Vec<Key>,
    /// Names under which the server may be asked for.
    pub hosts: Vec<String>,
    /// Web pages that may ask it.
    pub origins: Vec<String>,
    /// When an unused session is forgotten.
    pub session_timeout: Duration,
    /// How long a stop waits for answers under way.
    pub shutdown_timeout: Duration,
    /// Requests of one principal under way at once.
    pub requests: usize,
    /// Requests of one principal a second.
    pub rate: u32,
    /// Sessions of one principal at once.
    pub sessions: usize,
    /// Longest message, in bytes.
    pub message: usize,
    /// Whether the skills extension is spoken.
    pub skills_extension: bool,
}

/// One who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Whose runs they see.
    pub principal: String,
    /// The name of the secret that they show.
    pub secret: String,
    /// Personas that they may play; none: all.
    pub personas: Option<Vec<String>>,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            hosts: Vec::new(),
            origins: Vec::new(),
            session_timeout: Duration::from_hours(1),
            shutdown_timeout: Duration::from_secs(10),
            requests: 256,
            rate: 500,
            sessions: 64,
            message: 4 << 20,
            skills_extension: false,
        }
    }
}

/// What files and variables say of it.
pub(super) fn settings(layers: &mut Layers<'_>) -> Serve {
    let usual = Serve::default();
    let sessions = count(layers, "serve.limits.sessions", |c| &c.serve.limits.sessions);
    let requests = count(layers, "serve.limits.requests", |c| &c.serve.limits.requests);
    Serve {
        keys: layers.keys(),
        hosts: layers.each("serve.hosts", |c| &c.serve.hosts),
        origins: layers.each("serve.origins", |c| &c.serve.origins),
        session_timeout: time(layers, "serve.session_timeout", |c| &c.serve.session_timeout)
            .unwrap_or(usual.session_timeout),
        shutdown_timeout: time(layers, "serve.shutdown_timeout", |c| &c.serve.shutdown_timeout)
            .unwrap_or(usual.shutdown_timeout),
        requests: requests.map_or(usual.requests, |count| count as usize),
        rate: count(layers, "serve.limits.rate", |c| &c.serve.limits.rate).unwrap_or(usual.rate),
        sessions: sessions.map_or(usual.sessions, |count| count as usize),
        message: bytes(layers).unwrap_or(usual.message),
        skills_extension: flag(layers).unwrap_or(usual.skills_extension),
    }
}

fn count(layers: &mut Layers<'_>, key: &'static str, field: Field<u32>) -> Option<u32> {
    let parse = |text: &str| match text.parse::<u32>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("`{text}` is not a number from 1 on")),
    };
    let (count, origin) = layers.scalar(key, field, parse)?;
    layers.note(key, json!(count), origin);
    Some(count)
}

fn time(layers: &mut Layers<'_>, key: &'static str, field: Field<String>) -> Option<Duration> {
    let text = super::duration(layers, key, field)?;
    aa_spec::duration::parse_ms(&text).ok().map(Duration::from_millis)
}

fn bytes(layers: &mut Layers<'_>) -> Option<usize> {
    const KEY: &str = "serve.limits.message";
    let (Bytes(bytes), origin) = layers.scalar(KEY, |c| &c.serve.limits.message, Bytes::parse)?;
    layers.note(KEY, json!(bytes), origin);
    usize::try_from(bytes).ok()
}

fn flag(layers: &mut Layers<'_>) -> Option<bool> {
    const KEY: &str = "serve.skills_extension";
    let parse = |text: &str| text.parse().map_err(|_| format!("`{text}` is neither `true` nor `false`"));
    let (flag, origin) = layers.scalar(KEY, |c| &c.serve.skills_extension, parse)?;
    layers.note(KEY, json!(flag), origin);
    Some(flag)
}

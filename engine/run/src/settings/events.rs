//! `events:`: how editors and others hear of what happens.

use std::path::PathBuf;

use serde_json::json;

use super::layer::Layers;

/// How editors and others hear of what happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    /// The port at which WebSocket is spoken to editors.
    pub port: Option<u16>,
    /// Whether one may listen there without a key.
    pub keyless: bool,
    /// Listeners at once.
    pub listeners: usize,
    /// The file that is kept up to date with what runs.
    pub state_file: Option<PathBuf>,
}

impl Default for Events {
    fn default() -> Self {
        Self { port: None, keyless: false, listeners: 2000, state_file: None }
    }
}

/// What the user's file and variables say of it: a project that was cloned opens no port and writes no file.
pub(super) fn resolve(layers: &mut Layers<'_>) -> Events {
    Events {
        port: port(layers),
        keyless: keyless(layers),
        listeners: super::count(layers, "events.listeners", |c| &c.events.listeners, 2000) as usize,
        state_file: state_file(layers),
    }
}

fn port(layers: &mut Layers<'_>) -> Option<u16> {
    const KEY: &str = "events.port";
    let parse = |text: &str| match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(u32::from(port)),
        _ => Err(format!("`{text}` is not a port from 1 to 65535")),
    };
    let (port, origin) = layers.own(KEY, |c| &c.events.port, parse)?;
    layers.note(KEY, json!(port), origin);
    u16::try_from(port).ok()
}

fn keyless(layers: &mut Layers<'_>) -> bool {
    const KEY: &str = "events.keyless";
    let parse = |text: &str| text.parse().map_err(|_| format!("`{text}` is neither `true` nor `false`"));
    let Some((flag, origin)) = layers.own(KEY, |c| &c.events.keyless, parse) else { return false };
    layers.note(KEY, json!(flag), origin);
    flag
}

fn state_file(layers: &mut Layers<'_>) -> Option<PathBuf> {
    const KEY: &str = "events.state_file";
    let (text, origin) = layers.own(KEY, |c| &c.events.state_file, |text| Ok(text.to_owned()))?;
    let path = layers.resolve(Some(&origin), &text);
    layers.note(KEY, json!(path), origin);
    Some(path)
}

//! `serve:`: who may come in over HTTP, and how much they may ask.

use std::collections::BTreeMap;
use std::time::Duration;

use aa_spec::config::{Algorithm, Bytes, Scope, Secret};
use serde_json::json;

use super::layer::{Field, Layers};
use super::time;
use crate::event::Time;
use crate::grant::Grants;
use crate::policy::Rules;

/// Requests of one principal at once, and a second, and its sessions, when nobody says anything.
const REQUESTS: u32 = 256;
const RATE: u32 = 500;
const SESSIONS: u32 = 64;
/// Connections of one address, and wrong keys a minute, when nobody says anything.
const CONNECTIONS: u32 = 512;
const WRONG_KEYS: u32 = 60;

/// How AI clients and others are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve {
    /// Who may come in, besides whoever can read the token file.
    pub keys: Vec<Key>,
    /// Whose tokens open, too.
    pub issuers: Vec<Issuer>,
    /// Names of roles of the user's own.
    pub roles: Vec<String>,
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
    /// Connections of one address at once.
    pub connections: usize,
    /// Wrong keys of one address a minute, before it is told to wait.
    pub wrong_keys: u32,
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
    /// What they show.
    pub shown: Shown,
    /// When it opens nothing any more.
    pub expires: Option<Time>,
    /// To whom they belong.
    pub tenant: String,
    /// Personas that they may play; none: all.
    pub personas: Option<Vec<String>>,
    /// What they may do.
    pub rules: Rules,
    /// What they may use.
    pub grants: Grants,
}

/// What somebody shows who comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A secret.
    Secret {
        /// Its name.
        name: String,
        /// Where it comes from, as the user's own file says: a project cannot give the name another meaning.
        source: Secret,
    },
    /// What has this hash.
    Hash([u8; 32]),
}

/// Somebody who says in signed tokens who is who.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its name here.
    pub name: String,
    /// What tokens have as `iss`.
    pub issuer: String,
    /// One of these is in `aud`.
    pub audience: Vec<String>,
    /// Where its keys are: an address, or an absolute path.
    pub jwks: String,
    /// How tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// How far clocks may be off.
    pub leeway: Duration,
    /// The claim that says who it is.
    pub principal_claim: String,
    /// The claim that says which roles they have.
    pub roles_claim: String,
    /// What its roles let use here.
    pub roles: BTreeMap<String, Vec<Scope>>,
    /// What everybody may use who comes from there.
    pub everybody: Vec<Scope>,
    /// The tenant of all of them.
    pub tenant: String,
    /// The claim that says to which tenant they belong instead.
    pub tenant_claim: Option<String>,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            issuers: Vec::new(),
            roles: Vec::new(),
            hosts: Vec::new(),
            origins: Vec::new(),
            session_timeout: Duration::from_hours(1),
            shutdown_timeout: Duration::from_secs(10),
            requests: REQUESTS as usize,
            rate: RATE,
            sessions: SESSIONS as usize,
            connections: CONNECTIONS as usize,
            wrong_keys: WRONG_KEYS,
            message: 4 << 20,
            skills_extension: false,
        }
    }
}

/// What files and variables say of it.
pub(super) fn settings(layers: &mut Layers<'_>) -> Serve {
    let usual = Serve::default();
    Serve {
        keys: layers.keys(),
        issuers: layers.issuers(),
        roles: layers.roles(),
        hosts: layers.each("serve.hosts", |c| &c.serve.hosts),
        origins: layers.each("serve.origins", |c| &c.serve.origins),
        session_timeout: time(layers, "serve.session_timeout", |c| &c.serve.session_timeout, "1h"),
        shutdown_timeout: time(layers, "serve.shutdown_timeout", |c| &c.serve.shutdown_timeout, "10s"),
        requests: limit(layers, "serve.limits.requests", |c| &c.serve.limits.requests, REQUESTS) as usize,
        rate: limit(layers, "serve.limits.rate", |c| &c.serve.limits.rate, RATE),
        sessions: limit(layers, "serve.limits.sessions", |c| &c.serve.limits.sessions, SESSIONS) as usize,
        connections: limit(layers, "serve.limits.connections", |c| &c.serve.limits.connections, CONNECTIONS)
            as usize,
        wrong_keys: limit(layers, "serve.limits.wrong_keys", |c| &c.serve.limits.wrong_keys, WRONG_KEYS),
        message: message(layers, usual.message),
        skills_extension: flag(layers).unwrap_or(usual.skills_extension),
    }
}

/// A bound that a project can make narrower, and never wider.
fn limit(layers: &mut Layers<'_>, key: &'static str, field: Field<u32>, usual: u32) -> u32 {
    let parse = |text: &str| match text.parse::<u32>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("`{text}` is not a number from 1 on")),
    };
    let (limit, origin) = layers.guard(key, (field, parse), usual, |a, b| a < b);
    layers.note(key, json!(limit), origin);
    limit
}

fn message(layers: &mut Layers<'_>, usual: usize) -> usize {
    const KEY: &str = "serve.limits.message";
    let field: Field<Bytes> = |c| &c.serve.limits.message;
    let usual = Bytes(usual as u64);
    let (Bytes(bytes), origin) = layers.guard(KEY, (field, Bytes::parse), usual, |a, b| a.0 < b.0);
    layers.note(KEY, json!(bytes), origin);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn flag(layers: &mut Layers<'_>) -> Option<bool> {
    const KEY: &str = "serve.skills_extension";
    let parse = |text: &str| text.parse().map_err(|_| format!("`{text}` is neither `true` nor `false`"));
    let (flag, origin) = layers.scalar(KEY, |c| &c.serve.skills_extension, parse)?;
    layers.note(KEY, json!(flag), origin);
    Some(flag)
}

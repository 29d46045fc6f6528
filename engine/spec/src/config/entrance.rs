//! Who may come in over HTTP, and how much they may ask: a part of `serve:`.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

use super::scope::{self, MAIN, Scope, unknown_role};
use super::{Bytes, Policy, Serve};
use crate::diagnostic::Diagnostic;
use crate::name;
use crate::source::Source;
use crate::template::Template;
use crate::yaml::Spanned;

/// One who may come in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Whose runs, workspaces and sessions they see: those of this name, and no others. Several keys
    /// may be of one principal, so that one can be exchanged for another.
    pub principal: Spanned<String>,
    /// The secret that they show, as `"{{ secrets.NAME }}"`.
    #[serde(default)]
    pub key: Option<Spanned<String>>,
    /// Instead of `key`: the SHA-256 of what they show, as `aa config key` prints it.
    #[serde(default)]
    pub hash: Option<Spanned<String>>,
    /// From this moment on it opens nothing any more: a date, or RFC 3339.
    #[serde(default)]
    pub expires: Option<Spanned<String>>,
    /// The tenant that they belong to (default `main`): nobody sees anything of another one.
    #[serde(default)]
    pub tenant: Option<Spanned<String>>,
    /// Roles that they have, of `serve.roles` or `viewer`, `operator`, `auditor` and `admin`. With `roles` or `scopes`, what
    /// these do not name is not theirs to use.
    #[serde(default)]
    pub roles: Option<Vec<Spanned<String>>>,
    /// What they may use, and up to which effect, such as `skill:deploy_*:write`.
    #[serde(default)]
    pub scopes: Option<Vec<Spanned<String>>>,
    /// Personas that they may play; default: all.
    #[serde(default)]
    pub personas: Option<Vec<Spanned<String>>>,
    /// What they may run without asking, where that differs from `serve.policy`.
    #[serde(default)]
    pub policy: Policy,
    /// Whether their model may answer the questions of runs itself, and they may approve of what they have started, by a
    /// form as well; default: as `serve.self_approve` says.
    #[serde(default)]
    pub self_approve: Option<Spanned<bool>>,
}

/// How much one principal may ask, and one address.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests under way at once (default 256).
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub requests: Option<Spanned<u32>>,
    /// Requests a second in the long run (default 500); twice as many may come at once.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub rate: Option<Spanned<u32>>,
    /// Sessions at once (default 64); beyond that the one that was unused for longest is forgotten.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub sessions: Option<Spanned<u32>>,
    /// Connections of one address at once (default 512); sockets count among the listeners instead. Behind a proxy,
    /// everybody comes from its address.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub connections: Option<Spanned<u32>>,
    /// Wrong keys of one address a minute (default 60), before it is told to wait. A key that opens never waits.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub wrong_keys: Option<Spanned<u32>>,
    /// Longest message, e.g. `1MiB` (default `4MiB`).
    pub message: Option<Spanned<Bytes>>,
}

impl Key {
    /// The secret that the key is; none when it is written in another way.
    pub fn secret(&self) -> Option<&str> {
        let inner = self.key.as_ref()?.value.trim().strip_prefix("{{")?.strip_suffix("}}")?;
        inner.trim().strip_prefix("secrets.").filter(|name| name::is_valid(name))
    }

    /// The hash of what they show; none when it is written in another way.
    pub fn digest(&self) -> Option<[u8; 32]> {
        let hex = self.hash.as_ref()?.value.strip_prefix("sha256:")?;
        let mut bytes = [0; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&hex[at..at + 2], 16).ok()?;
        }
        Some(bytes)
    }

    /// When it opens nothing any more; none when that is not said, or in another way.
    pub fn expiry(&self) -> Option<DateTime<Utc>> {
        moment(&self.expires.as_ref()?.value)
    }
}

/// A date, which begins in UTC, or a moment.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let date = text.parse::<NaiveDate>().ok().and_then(|date| date.and_hms_opt(0, 0, 0));
    match date {
        Some(begin) => Some(begin.and_utc()),
        None => DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc()),
    }
}

/// What is wrong with it beyond its shape.
pub(super) fn check(serve: &Serve, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    for key in &serve.keys {
        if let Err(message) = principal(&key.principal.value) {
            let hint = "letters, digits, `.`, `_`, `-` and `@`, e.g. `ci` or `ann@example.org`";
            let problem = Diagnostic::error("bad-principal", source, key.principal.span, message);
            diagnostics.push(problem.hint(hint));
        }
        if let Some(written) = key.key.as_ref().filter(|_| key.secret().is_none()) {
            diagnostics.push(plain(key, written, source));
        }
        check_key(key, source, diagnostics);
        let of = |texts: &Option<Vec<Spanned<String>>>| texts.clone().unwrap_or_default();
        check_scopes(serve, (&of(&key.roles), &of(&key.scopes)), source, diagnostics);
        if let Some(tenant) = &key.tenant {
            diagnostics.extend(idle_roles(serve, tenant, key.roles.iter().flatten(), source));
            diagnostics.extend(idle_scopes(tenant, key.scopes.iter().flatten(), source));
        }
    }
    for scopes in serve.roles.values() {
        check_scopes(serve, (&[], scopes), source, diagnostics);
    }
    for (of, well_formed, example) in [
        (&serve.hosts, host as fn(&str) -> bool, "aa.example.org"),
        (&serve.origins, origin, "https://app.example.org"),
    ] {
        for text in of.iter().filter(|text| !well_formed(&text.value)) {
            let message = format!("`{}` is not written like `{example}`", text.value);
            let hint = "a name and perhaps a port, without a path and without `*`";
            diagnostics.push(Diagnostic::error("bad-host", source, text.span, message).hint(hint));
        }
    }
}

/// Whether a principal or a tenant can have this name.
pub fn is_principal(name: &str) -> bool {
    principal(name).is_ok()
}

fn principal(name: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    if name == "local" {
        return Err("`local` is whoever has started the server".to_owned());
    }
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        return Err(format!("`{name}` cannot be the name of a principal"));
    }
    Ok(())
}

fn check_key(key: &Key, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    let span = key.principal.span;
    let mut wrong = |message: String, hint: &str| {
        diagnostics.push(Diagnostic::error("bad-key", source, span, message).hint(hint));
    };
    let who = &key.principal.value;
    if key.key.is_some() == key.hash.is_some() {
        wrong(format!("`{who}` needs either a `key` or a `hash`"), "`aa config key` makes both");
    }
    if key.hash.is_some() && key.digest().is_none() {
        wrong(
            format!("the `hash` of `{who}` is none"),
            "write `sha256:` and 64 hexadecimal digits, as `aa config key` prints them",
        );
    }
    if key.expires.is_some() && key.expiry().is_none() {
        wrong(format!("`expires` of `{who}` is no moment"), "write a date such as `2027-01-31`, or RFC 3339");
    }
    if let Some(tenant) = key.tenant.as_ref().filter(|tenant| !is_principal(&tenant.value)) {
        diagnostics.push(bad_tenant(tenant, source));
    }
}

pub(super) fn bad_tenant(tenant: &Spanned<String>, source: &Source) -> Diagnostic {
    let message = format!("`{}` cannot be the name of a tenant", tenant.value);
    Diagnostic::error("bad-principal", source, tenant.span, message)
        .hint("letters, digits, `.`, `_`, `-` and `@`")
}

/// What is wrong with roles and scopes that somebody has.
fn check_scopes(
    serve: &Serve,
    (roles, scopes): (&[Spanned<String>], &[Spanned<String>]),
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for text in scopes {
        if let Err(message) = Scope::parse(&text.value) {
            diagnostics.push(Diagnostic::error("bad-scope", source, text.span, message));
        }
    }
    for name in roles {
        diagnostics.extend(no_role(serve, name, source));
    }
}

/// That a role is not known.
pub(super) fn no_role(serve: &Serve, name: &Spanned<String>, source: &Source) -> Option<Diagnostic> {
    if serve.roles.contains_key(&name.value) || scope::role(&name.value).is_some() {
        return None;
    }
    let message = unknown_role(&name.value, serve.roles.keys().map(String::as_str));
    let problem = Diagnostic::error("unknown-role", source, name.span, message);
    Some(problem.hint("say under `serve.roles` what it may use"))
}

/// Scopes that let somebody of another tenant use nothing.
fn idle_scopes<'a>(
    tenant: &Spanned<String>,
    scopes: impl Iterator<Item = &'a Spanned<String>>,
    source: &Source,
) -> Vec<Diagnostic> {
    let idle = scopes.filter(|text| tenant.value != MAIN && is_of_machine(text));
    idle.map(|text| idle_scope(text, (&text.value, tenant), source)).collect()
}

/// Roles with such scopes. One that everybody knows is for all tenants, so only one that is nothing else.
pub(super) fn idle_roles<'a>(
    serve: &Serve,
    tenant: &Spanned<String>,
    roles: impl Iterator<Item = &'a Spanned<String>>,
    source: &Source,
) -> Vec<Diagnostic> {
    let idle = |role: &Spanned<String>| {
        if let Some(own) = serve.roles.get(&role.value) {
            return own.iter().find(|text| is_of_machine(text)).map(|text| text.value.clone());
        }
        let known = scope::role(&role.value).filter(|all| all.iter().all(Scope::is_of_machine));
        known.map(|_| role.value.clone())
    };
    let found = roles.filter(|_| tenant.value != MAIN).filter_map(|role| Some((role, idle(role)?)));
    found.map(|(role, what)| idle_scope(role, (&what, tenant), source)).collect()
}

fn is_of_machine(text: &Spanned<String>) -> bool {
    Scope::parse(&text.value).is_ok_and(|scope| scope.is_of_machine())
}

fn idle_scope(at: &Spanned<String>, (what, tenant): (&str, &Spanned<String>), source: &Source) -> Diagnostic {
    let message = format!("`{what}` opens nothing for the tenant `{}`", tenant.value);
    Diagnostic::warning("idle-scope", source, at.span, message)
        .hint("schedules, the audit and the server belong to the machine, and only keys of `main` see them")
}

/// The text itself is not shown: it may be the key.
fn plain(key: &Key, written: &Spanned<String>, source: &Source) -> Diagnostic {
    let message = format!("the key of `{}` must be a secret", key.principal.value);
    let is_template = Template::parse(&written.value.as_str().into()).is_ok_and(|text| !text.is_constant());
    let hint = if is_template {
        "nothing may stand beside `{{ secrets.NAME }}`"
    } else {
        "say under `secrets:` where it comes from, and write `\"{{ secrets.NAME }}\"` here"
    };
    Diagnostic::error("plain-key", source, key.principal.span, message).hint(hint)
}

fn host(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !text.ends_with(']') => (name, Some(port)),
        _ => (text, None),
    };
    let name_is_good = |c: char| c.is_ascii_alphanumeric() || ".-[]:".contains(c);
    !name.is_empty()
        && name.chars().all(name_is_good)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn origin(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(host)
}

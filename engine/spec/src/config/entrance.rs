//! Who may come in over HTTP, and how much they may ask: a part of `serve:`.

use schemars::JsonSchema;
use serde::Deserialize;

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
    pub key: Spanned<String>,
    /// Personas that they may play; default: all.
    #[serde(default)]
    pub personas: Option<Vec<Spanned<String>>>,
    /// What they may run without asking, where that differs from `serve.policy`.
    #[serde(default)]
    pub policy: Policy,
    /// Whether their model may answer the questions of runs itself; default: as `serve.self_approve` says.
    #[serde(default)]
    pub self_approve: Option<Spanned<bool>>,
}

/// How much one principal may ask.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests under way at once (default 256).
    #[schemars(range(min = 1))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub requests: Option<Spanned<u32>>,
    /// Requests a second in the long run (default 500); twice as many may come at once.
    #[schemars(range(min = 1))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub rate: Option<Spanned<u32>>,
    /// Sessions at once (default 64); beyond that the one that was unused for longest is forgotten.
    #[schemars(range(min = 1))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub sessions: Option<Spanned<u32>>,
    /// Longest message, e.g. `1MiB` (default `4MiB`).
    pub message: Option<Spanned<Bytes>>,
}

impl Key {
    /// The secret that the key is; none when it is written in another way.
    pub fn secret(&self) -> Option<&str> {
        let inner = self.key.value.trim().strip_prefix("{{")?.strip_suffix("}}")?;
        inner.trim().strip_prefix("secrets.").filter(|name| name::is_valid(name))
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
        if key.secret().is_none() {
            diagnostics.push(plain(key, source));
        }
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

/// The text itself is not shown: it may be the key.
fn plain(key: &Key, source: &Source) -> Diagnostic {
    let message = format!("the key of `{}` must be a secret", key.principal.value);
    let is_template = Template::parse(&key.key.value.as_str().into()).is_ok_and(|text| !text.is_constant());
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

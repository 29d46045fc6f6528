//! Issuers of tokens (JWT) that open like keys: a part of `serve:`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Serve;
use super::entrance::{bad_tenant, idle_roles, is_principal, no_role};
use crate::diagnostic::Diagnostic;
use crate::name;
use crate::source::Source;
use crate::yaml::Spanned;

/// Somebody who says in signed tokens who is who.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// What tokens must have as `iss`, to the letter.
    pub issuer: Spanned<String>,
    /// What tokens must have in `aud`: one of these.
    pub audience: Vec<Spanned<String>>,
    /// Where the keys are that tokens are signed with (JWKS): an `https` address, one of this machine, or a file.
    pub jwks: Spanned<String>,
    /// How tokens may be signed (default: `RS256`, `ES256` and `EdDSA`).
    #[serde(default)]
    pub algorithms: Vec<Spanned<Algorithm>>,
    /// How far the clocks of the issuer may be off (default `1m`, at most `5m`).
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub leeway: Option<Spanned<String>>,
    /// The claim that says who it is (default `sub`). The principal is `NAME/WHO`, with the name of the issuer here.
    #[serde(default)]
    pub principal_claim: Option<Spanned<String>>,
    /// The claim that says which roles they have, such as `groups` or `realm_access.roles` (default `roles`).
    #[serde(default)]
    pub roles_claim: Option<Spanned<String>>,
    /// What the issuer's roles are here: those that are not named mean nothing.
    #[serde(default)]
    pub roles: BTreeMap<String, Spanned<String>>,
    /// Roles that everybody has who comes with its token. Who has no role may use nothing.
    #[serde(default)]
    pub everybody: Vec<Spanned<String>>,
    /// The tenant of everybody who comes with its token (default: `main`).
    #[serde(default)]
    pub tenant: Option<Spanned<String>>,
    /// The claim that says to which tenant they belong; without it in a token, the token opens nothing.
    #[serde(default)]
    pub tenant_claim: Option<Spanned<String>>,
}

/// How a token is signed. There is no way to take one that is not signed, or by a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// RSA (PKCS #1 1.5) with SHA-256.
    RS256,
    /// RSA (PKCS #1 1.5) with SHA-384.
    RS384,
    /// RSA (PKCS #1 1.5) with SHA-512.
    RS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::RS256, Self::RS384, Self::RS512, Self::ES256, Self::ES384, Self::EdDsa];

    /// As a token names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// What is wrong with issuers beyond their shape.
pub(super) fn check(serve: &Serve, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    for (name, written) in &serve.issuers {
        let issuer = &written.value;
        let mut wrong = |message: String, hint: &str| {
            let problem = Diagnostic::error("bad-issuer", source, written.span, message);
            diagnostics.push(problem.hint(hint));
        };
        if !name::is_valid(name) {
            wrong(format!("`{name}` cannot be the name of an issuer"), "write letters, digits and `_`");
        }
        if issuer.audience.is_empty() || issuer.audience.iter().any(|audience| audience.value.is_empty()) {
            let hint =
                "write what its tokens for this server have in `aud`: tokens for others must not open here";
            wrong(format!("the issuer `{name}` needs an `audience`"), hint);
        }
        if !is_place(&issuer.jwks.value) {
            let message = format!("the keys of `{name}` cannot be had from `{}`", issuer.jwks.value);
            wrong(message, "write an `https` address, an `http` address of this machine, or a file");
        }
        let far = issuer.leeway.as_ref().and_then(|text| crate::duration::parse_ms(&text.value).ok());
        if far.is_some_and(|ms| ms > 300_000) {
            wrong(format!("`leeway` of `{name}` is too long"), "clocks are off by five minutes at most");
        }
        diagnostics.extend(
            issuer
                .tenant
                .iter()
                .filter(|tenant| !is_principal(&tenant.value))
                .map(|tenant| bad_tenant(tenant, source)),
        );
        let roles = issuer.roles.values().chain(&issuer.everybody);
        diagnostics.extend(roles.clone().filter_map(|role| no_role(serve, role, source)));
        diagnostics
            .extend(issuer.tenant.iter().flat_map(|tenant| idle_roles(serve, tenant, roles.clone(), source)));
    }
}

/// Keys are fetched in a way that nobody between can change, or read from a file.
fn is_place(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return !text.is_empty() };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    match scheme {
        "https" => !name.is_empty() && !host.contains('@'),
        "http" => ["localhost", "127.0.0.1", "::1"].contains(&name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_place;

    #[test]
    fn keys_are_had_from_where_nobody_can_change_them() {
        for good in [
            "https://login.example.org/jwks",
            "http://127.0.0.1:8080/jwks",
            "http://[::1]:1/k",
            "keys.json",
            "/etc/keys.json",
        ] {
            assert!(is_place(good), "{good}");
        }
        for bad in [
            "",
            "http://login.example.org/jwks",
            "ftp://x/y",
            "https://",
            "https://a@b/",
            "http://127.0.0.1.evil.org/",
            "http://localhost@evil.org/",
        ] {
            assert!(!is_place(bad), "{bad}");
        }
    }
}

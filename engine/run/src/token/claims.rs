//! What a signed token says: whether it is for us and for now, and who that makes of whoever shows it.

use std::sync::Arc;

use aa_spec::config::{Scope, is_principal};
use chrono::TimeDelta;
use serde_json::{Map, Value};

use super::TokenError;
use crate::event::Time;
use crate::grant::Grants;
use crate::key::Guest;
use crate::policy::Rules;
use crate::settings::Issuer;

/// Longest name of somebody, in characters.
const NAME: usize = 200;

/// Who has come with a token of an issuer.
pub(super) fn guest(
    issuer: &Arc<Issuer>,
    claims: &Map<String, Value>,
    now: Time,
) -> Result<Guest, TokenError> {
    for_us(issuer, claims)?;
    let expires = for_now(issuer, claims, now)?;
    let who = claims.get(&issuer.principal_claim).and_then(Value::as_str).unwrap_or_default();
    let is_good = |letter: char| !letter.is_control() && !letter.is_whitespace();
    if who.is_empty() || who.chars().count() > NAME || !who.chars().all(is_good) {
        return Err(TokenError::Claim("it does not say who it is"));
    }
    Ok(Guest {
        // No key can have this name, so nobody becomes somebody else by a token.
        principal: format!("{}/{who}", issuer.name),
        tenant: tenant(issuer, claims)?,
        expires: Some(expires),
        personas: None,
        rules: Rules::default(),
        grants: Grants::Scopes(scopes(issuer, claims)),
        issuer: Some(Arc::clone(issuer)),
    })
}

fn for_us(issuer: &Issuer, claims: &Map<String, Value>) -> Result<(), TokenError> {
    let named: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(some)) => some.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if issuer.audience.iter().any(|ours| named.contains(&ours.as_str())) {
        return Ok(());
    }
    Err(TokenError::Claim("it is for somebody else"))
}

/// When it opens nothing any more. A time that is written in another way than as a number is none.
fn for_now(issuer: &Issuer, claims: &Map<String, Value>, now: Time) -> Result<Time, TokenError> {
    let leeway = TimeDelta::from_std(issuer.leeway).unwrap_or_default();
    let expires = moment(claims, "exp")?.ok_or(TokenError::Claim("it does not say when it expires"))?;
    let expires = expires.checked_add_signed(leeway).unwrap_or(Time::MAX_UTC);
    if now >= expires {
        return Err(TokenError::Claim("it has expired"));
    }
    for begins in ["nbf", "iat"] {
        if moment(claims, begins)?.is_some_and(|begin| begin - leeway > now) {
            return Err(TokenError::Claim("it is for later"));
        }
    }
    Ok(expires)
}

fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<Time>, TokenError> {
    let wrong = TokenError::Claim("a time in it is none");
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds =
        value.as_f64().filter(|seconds| (0.0..1e11).contains(seconds)).ok_or_else(|| wrong.clone())?;
    #[expect(clippy::cast_possible_truncation, reason = "it was held against bounds")]
    Time::from_timestamp(seconds as i64, 0).map(Some).ok_or(wrong)
}

fn tenant(issuer: &Issuer, claims: &Map<String, Value>) -> Result<String, TokenError> {
    let Some(claim) = &issuer.tenant_claim else { return Ok(issuer.tenant.clone()) };
    let named = claims.get(claim).and_then(Value::as_str).unwrap_or_default();
    if is_principal(named) {
        Ok(named.to_owned())
    } else {
        Err(TokenError::Claim("it does not say of which tenant it is"))
    }
}

/// What its roles let use, and what everybody may.
fn scopes(issuer: &Issuer, claims: &Map<String, Value>) -> Arc<[Scope]> {
    let roles = words(claim(claims, &issuer.roles_claim));
    let of_roles = roles.iter().filter_map(|role| issuer.roles.get(*role)).flatten();
    issuer.everybody.iter().chain(of_roles).cloned().collect()
}

/// A claim, or one within claims.
fn claim<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(whole) = claims.get(path) {
        return Some(whole);
    }
    let (first, rest) = path.split_once('.')?;
    rest.split('.').try_fold(claims.get(first)?, |value, part| value.get(part))
}

/// The words of a list, or of a text.
fn words(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.split_whitespace().collect(),
        _ => Vec::new(),
    }
}

//! A token taken apart. Nothing in it is believed yet.

use aa_spec::config::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::TokenError;

/// Longest token, in bytes.
const LONGEST: usize = 16 << 10;

/// Whether somebody shows a token and not a key: three parts, the first of which begins like JSON.
pub fn looks_like_one(shown: &str) -> bool {
    shown.starts_with("eyJ") && shown.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// A token in its parts.
pub(super) struct Token<'a> {
    /// What is signed.
    signed: &'a str,
    signature: Vec<u8>,
    header: Header,
    claims: Map<String, Value>,
}

/// What a token says of how it is signed. Keys that it brings along, or addresses of keys, are not even read.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    /// What whoever does not know it must not ignore.
    #[serde(default)]
    crit: Option<Value>,
}

impl<'a> Token<'a> {
    pub(super) fn read(shown: &'a str) -> Result<Self, TokenError> {
        if shown.len() > LONGEST {
            return Err(TokenError::Malformed("it is too long"));
        }
        let (signed, signature) = shown.rsplit_once('.').ok_or(TokenError::Malformed("it has no parts"))?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed("it has two parts"))?;
        if claims.contains('.') {
            return Err(TokenError::Malformed("it has more than three parts"));
        }
        let header: Header = serde_json::from_slice(&bytes(header)?)
            .map_err(|_| TokenError::Malformed("its head cannot be read"))?;
        let claims = serde_json::from_slice(&bytes(claims)?)
            .map_err(|_| TokenError::Malformed("its claims cannot be read"))?;
        if header.crit.is_some() {
            return Err(TokenError::Malformed("it wants something that is not known here"));
        }
        let is_usual = |typ: &String| {
            ["jwt", "at+jwt", "application/at+jwt"].contains(&typ.to_ascii_lowercase().as_str())
        };
        if !header.typ.as_ref().is_none_or(is_usual) {
            return Err(TokenError::Malformed("it is a token of another kind"));
        }
        Ok(Self { signed, signature: bytes(signature)?, header, claims })
    }

    /// Who says they have issued it.
    pub(super) fn issuer(&self) -> Result<&str, TokenError> {
        self.claims.get("iss").and_then(Value::as_str).ok_or(TokenError::Issuer)
    }

    /// How it says that it is signed, if that is taken.
    pub(super) fn algorithm(&self, taken: &[Algorithm]) -> Result<Algorithm, TokenError> {
        let named = taken.iter().find(|algorithm| algorithm.word() == self.header.alg);
        named.copied().ok_or(TokenError::Algorithm)
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    pub(super) fn signed(&self) -> &[u8] {
        self.signed.as_bytes()
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// What it says, which is to be believed once its signature is found good.
    pub(super) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

fn bytes(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed("a part of it is not base64url"))
}

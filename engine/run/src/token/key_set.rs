//! The keys of an issuer (JWKS), and signatures held against them.

use aa_spec::config::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

use super::TokenError;
use super::read::Token;

/// Keys of one issuer at most.
const MOST: usize = 100;
/// Keys that are tried for a token which names none.
const TRIED: usize = 8;

/// The keys of an issuer.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<PublicKey>,
}

/// A key, of one kind.
#[derive(Debug)]
struct PublicKey {
    id: Option<String>,
    /// The only way in which it signs, if its issuer says so.
    algorithm: Option<String>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key as it is written. Of keys that both sides know (`oct`) nothing is read.
#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct WrittenSet {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// Reads a set; keys of kinds that are not known here are passed over.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        let set: WrittenSet = serde_json::from_slice(text).map_err(|_| "it is no set of keys".to_owned())?;
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        let keys: Vec<PublicKey> = keys.filter_map(|key| PublicKey::of(&key)).take(MOST).collect();
        if keys.is_empty() { Err("it has no key that can be used".to_owned()) } else { Ok(Self { keys }) }
    }

    /// Whether there is a key that such a token could be signed with.
    pub(super) fn has(&self, id: Option<&str>, algorithm: Algorithm) -> bool {
        self.fitting(id, algorithm).next().is_some()
    }

    /// That one of the keys has signed a token in this way.
    pub(super) fn verify(&self, token: &Token<'_>, algorithm: Algorithm) -> Result<(), TokenError> {
        let mut keys = self.fitting(token.key_id(), algorithm).take(TRIED);
        if keys.any(|key| key.has_signed(token, algorithm)) { Ok(()) } else { Err(TokenError::Signature) }
    }

    fn fitting(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &PublicKey> {
        self.keys
            .iter()
            .filter(move |key| key.signs_by(algorithm) && id.is_none_or(|id| key.id.as_deref() == Some(id)))
    }
}

impl PublicKey {
    fn of(written: &Written) -> Option<Self> {
        let signs = written.purpose.as_ref().is_none_or(|purpose| purpose == "sig");
        let verifies = written.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !signs || !verifies {
            return None;
        }
        let kind = match (written.kty.as_str(), written.crv.as_deref()) {
            ("RSA", _) => Kind::Rsa { n: number(written.n.as_ref())?, e: number(written.e.as_ref())? },
            ("EC", Some("P-256")) => Kind::P256(point(written, 32)?),
            ("EC", Some("P-384")) => Kind::P384(point(written, 48)?),
            ("OKP", Some("Ed25519")) => Kind::Ed25519(bytes(written.x.as_ref())?),
            _ => return None,
        };
        Some(Self { id: written.kid.clone(), algorithm: written.alg.clone(), kind })
    }

    fn signs_by(&self, algorithm: Algorithm) -> bool {
        let is_kind = match algorithm {
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 => matches!(self.kind, Kind::Rsa { .. }),
            Algorithm::ES256 => matches!(self.kind, Kind::P256(_)),
            Algorithm::ES384 => matches!(self.kind, Kind::P384(_)),
            Algorithm::EdDsa => matches!(self.kind, Kind::Ed25519(_)),
        };
        is_kind && self.algorithm.as_ref().is_none_or(|only| only == algorithm.word())
    }

    fn has_signed(&self, token: &Token<'_>, algorithm: Algorithm) -> bool {
        let plain = |by: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(by, key).verify(token.signed(), token.signature()).is_ok()
        };
        match (&self.kind, algorithm) {
            (Kind::Rsa { n, e }, Algorithm::RS256) => by_rsa(&RSA_PKCS1_2048_8192_SHA256, (n, e), token),
            (Kind::Rsa { n, e }, Algorithm::RS384) => by_rsa(&RSA_PKCS1_2048_8192_SHA384, (n, e), token),
            (Kind::Rsa { n, e }, Algorithm::RS512) => by_rsa(&RSA_PKCS1_2048_8192_SHA512, (n, e), token),
            (Kind::P256(key), Algorithm::ES256) => plain(&ECDSA_P256_SHA256_FIXED, key),
            (Kind::P384(key), Algorithm::ES384) => plain(&ECDSA_P384_SHA384_FIXED, key),
            (Kind::Ed25519(key), Algorithm::EdDsa) => plain(&ED25519, key),
            _ => false,
        }
    }
}

fn by_rsa(by: &'static RsaParameters, (n, e): (&[u8], &[u8]), token: &Token<'_>) -> bool {
    RsaPublicKeyComponents { n, e }.verify(by, token.signed(), token.signature()).is_ok()
}

fn bytes(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

/// A number without the zeros that some write before it.
fn number(text: Option<&String>) -> Option<Vec<u8>> {
    let bytes = bytes(text)?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[start..].to_vec())
}

/// A point of a curve, as its two coordinates.
fn point(written: &Written, length: usize) -> Option<Vec<u8>> {
    let (x, y) = (bytes(written.x.as_ref())?, bytes(written.y.as_ref())?);
    if x.len() != length || y.len() != length {
        return None;
    }
    Some([&[4][..], &x, &y].concat())
}

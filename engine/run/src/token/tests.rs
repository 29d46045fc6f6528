use std::process::Command;

use aa_spec::config::{Algorithm, Scope, ScopeKind};
use aa_spec::tool::Effect;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{TimeDelta, Utc};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

use super::*;
use crate::caller::MAIN;

/// Somebody who signs.
enum Signer {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair, usize),
    Rsa(RsaKeyPair),
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn ed() -> Signer {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    Signer::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
}

fn ec(by: &'static EcdsaSigningAlgorithm, length: usize) -> Signer {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(by, &random).unwrap();
    Signer::Ec(EcdsaKeyPair::from_pkcs8(by, document.as_ref(), &random).unwrap(), length)
}

fn rsa() -> Signer {
    let made = Command::new("openssl")
        .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-outform", "DER"])
        .output()
        .unwrap();
    // Versions of it differ in what they wrap the key in.
    let pair = RsaKeyPair::from_pkcs8(&made.stdout).or_else(|_| RsaKeyPair::from_der(&made.stdout));
    Signer::Rsa(pair.unwrap())
}

impl Signer {
    fn key(&self, id: &str) -> Value {
        match self {
            Self::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": text(pair.public_key())})
            }
            Self::Ec(pair, length) => {
                let point = &pair.public_key().as_ref()[1..];
                let curve = if *length == 32 { "P-256" } else { "P-384" };
                let (x, y) = point.split_at(*length);
                json!({"kty": "EC", "crv": curve, "kid": id, "x": text(x), "y": text(y)})
            }
            Self::Rsa(pair) => {
                let RsaPublicKeyComponents::<Vec<u8>> { n, e } = pair.public().into();
                json!({"kty": "RSA", "kid": id, "use": "sig", "n": text(n), "e": text(e)})
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
        let signature = self.sign(signed.as_bytes());
        format!("{signed}.{}", text(signature))
    }
}

fn issuer() -> Issuer {
    let scopes = |texts: &[&str]| texts.iter().map(|text| Scope::parse(text).unwrap()).collect::<Vec<_>>();
    Issuer {
        name: "corp".to_owned(),
        issuer: "https://login.example.org".to_owned(),
        audience: vec!["aa".to_owned()],
        jwks: String::new(),
        algorithms: vec![Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDsa],
        leeway: Duration::from_mins(1),
        principal_claim: "sub".to_owned(),
        roles_claim: "realm_access.roles".to_owned(),
        roles: [("devs".to_owned(), scopes(&["skill:*:write"]))].into(),
        everybody: scopes(&["skill:look:read"]),
        tenant: MAIN.to_owned(),
        tenant_claim: None,
    }
}

fn claims() -> Value {
    let now = Utc::now().timestamp();
    json!({"iss": "https://login.example.org", "aud": ["other", "aa"], "sub": "ann@example.org", "exp": now + 300, "nbf": now, "iat": now})
}

/// Holds a token against keys, as an issuer does.
fn admit(issuer: &Issuer, keys: &Value, shown: &str) -> Result<Guest, TokenError> {
    let token = Token::read(shown)?;
    let algorithm = token.algorithm(&issuer.algorithms)?;
    let set = KeySet::read(json!({"keys": keys}).to_string().as_bytes()).map_err(TokenError::Keys)?;
    set.verify(&token, algorithm)?;
    claims::guest(&Arc::new(issuer.clone()), token.claims(), Utc::now())
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut claims = claims();
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    claims
}

#[test]
fn tokens_are_taken_that_are_signed_in_each_of_the_ways() {
    for (signer, word) in [
        (ed(), "EdDSA"),
        (ec(&ECDSA_P256_SHA256_FIXED_SIGNING, 32), "ES256"),
        (ec(&ECDSA_P384_SHA384_FIXED_SIGNING, 48), "ES384"),
        (rsa(), "RS256"),
    ] {
        let keys = json!([ed().key("other"), signer.key("one")]);
        for header in [json!({"alg": word, "kid": "one", "typ": "at+jwt"}), json!({"alg": word})] {
            let guest = admit(&issuer(), &keys, &signer.token(&header, &claims())).unwrap();
            assert_eq!((guest.principal.as_str(), guest.tenant.as_str()), ("corp/ann@example.org", MAIN));
            assert!(guest.expires.is_some_and(|at| at > Utc::now()) && !guest.is_local());
        }
        let wrong_id = signer.token(&json!({"alg": word, "kid": "two"}), &claims());
        assert_eq!(admit(&issuer(), &keys, &wrong_id), Err(TokenError::Signature), "{word}");
    }
}

#[test]
fn how_a_token_says_it_is_signed_makes_no_other_key_of_a_key() {
    let (mine, evil) = (rsa(), ed());
    let keys = json!([mine.key("one")]);
    let signed = |header: &Value, signature: &[u8]| {
        let signed = format!("{}.{}", text(header.to_string()), text(claims().to_string()));
        format!("{signed}.{}", text(signature))
    };
    // Not signed at all, in every spelling.
    for word in ["none", "None", "NONE", "nOnE", ""] {
        let token = signed(&json!({"alg": word, "kid": "one"}), b"");
        assert_eq!(admit(&issuer(), &keys, &token), Err(TokenError::Algorithm), "{word}");
    }
    // The public key as if it were a secret that both sides know.
    for word in ["HS256", "HS384", "HS512", "PS256", "ES256K", "rs256"] {
        let token = mine.token(&json!({"alg": word, "kid": "one"}), &claims());
        assert_eq!(admit(&issuer(), &keys, &token), Err(TokenError::Algorithm), "{word}");
    }
    let secret = json!([{"kty": "oct", "kid": "one", "k": text(b"0123456789abcdef"), "alg": "HS256"}]);
    let token = mine.token(&json!({"alg": "RS256", "kid": "one"}), &claims());
    assert!(matches!(admit(&issuer(), &secret, &token), Err(TokenError::Keys(_))));
    // Another kind of signature under the id of a key.
    for word in ["EdDSA", "ES256", "ES384"] {
        let token = evil.token(&json!({"alg": word, "kid": "one"}), &claims());
        assert_eq!(admit(&issuer(), &keys, &token), Err(TokenError::Signature), "{word}");
    }
    // A way that the issuer's entry does not take, and a key that signs in another way only.
    let narrow = Issuer { algorithms: vec![Algorithm::ES256], ..issuer() };
    assert_eq!(admit(&narrow, &keys, &token), Err(TokenError::Algorithm));
    let mut other_way = mine.key("one");
    other_way["alg"] = json!("RS512");
    assert_eq!(admit(&issuer(), &json!([other_way]), &token), Err(TokenError::Signature));
    let mut encrypts = mine.key("one");
    encrypts["use"] = json!("enc");
    assert!(admit(&issuer(), &json!([encrypts]), &token).is_err());
    // A key that the token brings along.
    let header =
        json!({"alg": "EdDSA", "kid": "one", "jwk": evil.key("one"), "jku": "https://evil.example.org/jwks"});
    assert_eq!(admit(&issuer(), &keys, &evil.token(&header, &claims())), Err(TokenError::Signature));
}

#[test]
fn what_is_changed_or_written_in_another_way_opens_nothing() {
    let signer = ed();
    let keys = json!([signer.key("one")]);
    let header = json!({"alg": "EdDSA", "kid": "one"});
    let good = signer.token(&header, &claims());
    assert!(admit(&issuer(), &keys, &good).is_ok());
    let [head, _, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let other = text(with(&[("sub", json!("root"))]).to_string());
    for bad in [
        format!("{head}.{other}.{signature}"),
        format!("{head}.{other}."),
        format!("{good}."),
        format!("{good}.x"),
        format!("{good}="),
        good.replace('.', " ."),
        good[..good.len() - 2].to_owned(),
        String::new(),
        "..".to_owned(),
        "eyJ.eyJ.x".to_owned(),
        format!("{}.{other}.{signature}", "A".repeat(20_000)),
    ] {
        assert!(admit(&issuer(), &keys, &bad).is_err(), "{bad}");
    }
    for header in [
        json!({"alg": "EdDSA", "crit": ["b64"], "b64": false}),
        json!({"alg": "EdDSA", "typ": "logout+jwt"}),
        json!({"kid": "one"}),
    ] {
        let refused = admit(&issuer(), &keys, &signer.token(&header, &claims()));
        assert!(matches!(refused, Err(TokenError::Malformed(_))), "{header}: {refused:?}");
    }
    let stranger = ed().token(&header, &claims());
    assert_eq!(admit(&issuer(), &keys, &stranger), Err(TokenError::Signature));
}

#[test]
fn a_token_must_be_for_us_and_for_now() {
    let signer = ed();
    let keys = json!([signer.key("one")]);
    let now = Utc::now().timestamp();
    let say = |claims: &Value| admit(&issuer(), &keys, &signer.token(&json!({"alg": "EdDSA"}), claims));
    for good in [
        with(&[("aud", json!("aa"))]),
        // Clocks may be off a little.
        with(&[("exp", json!(now - 30))]),
        with(&[("nbf", json!(now + 30)), ("iat", json!(now + 30))]),
        with(&[("exp", json!(4_000_000_000.5))]),
    ] {
        assert!(say(&good).is_ok(), "{good}: {:?}", say(&good));
    }
    for bad in [
        with(&[("aud", json!("other"))]),
        with(&[("aud", json!([]))]),
        with(&[("aud", Value::Null)]),
        with(&[("aud", json!({"aa": true}))]),
        with(&[("exp", json!(now - 61))]),
        with(&[("exp", Value::Null)]),
        with(&[("exp", json!("9999999999"))]),
        with(&[("exp", json!(1e300))]),
        with(&[("exp", json!(-1))]),
        with(&[("nbf", json!(now + 90))]),
        with(&[("nbf", json!("0"))]),
        with(&[("iat", json!(now + 3600))]),
        with(&[("sub", json!(""))]),
        with(&[("sub", json!(7))]),
        with(&[("sub", json!("a\nb"))]),
        with(&[("sub", json!("x".repeat(201)))]),
    ] {
        assert!(matches!(say(&bad), Err(TokenError::Claim(_))), "{bad}: {:?}", say(&bad));
    }
}

#[test]
fn roles_mean_what_the_configuration_says_and_nothing_else() {
    let signer = ed();
    let keys = json!([signer.key("one")]);
    let of = |issuer: &Issuer, changes: &[(&str, Value)]| {
        admit(issuer, &keys, &signer.token(&json!({"alg": "EdDSA"}), &with(changes)))
    };
    let lets = |guest: &Guest, name: &str, effect| guest.grants.lets(ScopeKind::Skill, name, effect);
    let plain = of(&issuer(), &[]).unwrap();
    assert!(lets(&plain, "look", Effect::Read) && !lets(&plain, "write", Effect::Read));
    let dev = of(&issuer(), &[("realm_access", json!({"roles": ["devs", "admin"]}))]).unwrap();
    assert!(lets(&dev, "write", Effect::Write) && !lets(&dev, "write", Effect::Destructive));
    assert!(!dev.grants.owns_server(), "a role of theirs that is called like one of ours is none");
    let flat =
        of(&Issuer { roles_claim: "groups".to_owned(), ..issuer() }, &[("groups", json!("devs others"))]);
    assert!(lets(&flat.unwrap(), "write", Effect::Write));
    let scoped = of(&issuer(), &[("scope", json!("skill:*:destructive server:all"))]).unwrap();
    assert!(!lets(&scoped, "write", Effect::Write), "what a client has asked for is no right");
    let by_tenant = Issuer { tenant_claim: Some("org".to_owned()), ..issuer() };
    assert_eq!(of(&by_tenant, &[("org", json!("red"))]).unwrap().tenant, "red");
    for bad in [json!(null), json!(""), json!("a b"), json!(3)] {
        assert!(of(&by_tenant, &[("org", bad.clone())]).is_err(), "{bad}");
    }
    assert!(plain.expires.unwrap() < Utc::now() + TimeDelta::seconds(361));
}

#[test]
fn sets_of_keys_are_read_and_what_is_not_known_is_passed_over() {
    let signer = ed();
    let keys = json!({"keys": [{"kty": "new"}, 7, {"kty": "RSA", "n": "", "e": "AQAB"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, signer.key("one")]});
    let set = KeySet::read(keys.to_string().as_bytes()).unwrap();
    assert!(set.has(Some("one"), Algorithm::EdDsa) && set.has(None, Algorithm::EdDsa));
    assert!(!set.has(Some("one"), Algorithm::RS256) && !set.has(Some("two"), Algorithm::EdDsa));
    for bad in ["", "[]", "{\"keys\": []}", "{\"keys\": [{\"kty\": \"oct\", \"k\": \"AA\"}]}"] {
        assert!(KeySet::read(bad.as_bytes()).is_err(), "{bad}");
    }
}

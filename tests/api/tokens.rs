//! Tokens of an issuer that is trusted, on the running binary: keys by address and by file, and exchanged while it runs.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::support::{LOOK, Socket, WRITE};
use crate::mcp::wire::{Reply, Served};
use crate::support::server::{Reply as Answer, Server};
use crate::support::{Aa, eventually};

const ISSUER: &str = "https://login.example.org";

struct Signer(Ed25519KeyPair);

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    fn new() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    fn key(&self, id: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": text(self.0.public_key())})
    }

    fn token(&self, id: &str, changes: &Value) -> String {
        let now = chrono::Utc::now().timestamp();
        let mut claims =
            json!({"iss": ISSUER, "aud": "aa", "sub": "ann", "exp": now + 600, "groups": ["devs"]});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let head = json!({"alg": "EdDSA", "kid": id}).to_string();
        let signed = format!("{}.{}", text(head), text(claims.to_string()));
        let signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", text(signature))
    }
}

/// Here keys are shown until they open, more often than one may.
fn project(jwks: &str) -> Aa {
    let config = format!(
        "serve:\n  limits: {{wrong_keys: 100000}}\n  policy: {{write: allow}}\n  issuers:\n    corp: {{issuer: '{ISSUER}', audience: [aa], jwks: '{jwks}', roles_claim: groups, roles: {{devs: operator}}, leeway: 1s}}\n"
    );
    Aa::traced().skill("look", LOOK).skill("write", WRITE).own_config(&config)
}

fn ask(served: &Served, token: &str, line: &str, body: &str) -> Reply {
    let key = format!("Bearer {token}");
    served.ask(line, &[("Authorization", key.as_str())], body)
}

fn status(served: &Served, token: &str) -> u16 {
    ask(served, token, "GET /api/skills", "").status
}

#[test]
fn a_token_opens_as_its_roles_say_and_others_do_not() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let aa = project("keys.json");
    let aa =
        aa.file("../home/config/aa-workflow/keys.json", json!({"keys": [signer.key("one")]}).to_string());
    let served = Served::new(&aa, &[]);
    let token = signer.token("one", &json!({}));
    let ran = ask(&served, &token, "POST /api/skills/write/run", "{\"inputs\": {\"line\": \"x\"}}");
    assert_eq!(ran.status, 201, "{ran:?}");
    let run = ran.message()["run"].clone();
    let course = ask(&served, &token, &format!("GET /api/runs/{run}"), "").message();
    assert_eq!(course["run"]["principal"], "corp/ann", "{course}");
    // Of the same issuer, and without a role: let in, and nothing is there.
    let roleless = signer.token("one", &json!({"groups": ["admin"]}));
    assert_eq!(ask(&served, &roleless, "GET /api/skills", "").message()["items"], json!([]));
    assert_eq!(ask(&served, &roleless, "POST /api/skills/look/run", "{}").status, 403);
    let now = chrono::Utc::now().timestamp();
    let none = {
        let [_, claims, _] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        format!("{}.{claims}.", text("{\"alg\":\"none\"}"))
    };
    for bad in [
        stranger.token("one", &json!({})),
        stranger.token("two", &json!({})),
        signer.token("one", &json!({"aud": "other"})),
        signer.token("one", &json!({"iss": "https://evil.example.org"})),
        signer.token("one", &json!({"exp": now - 10})),
        signer.token("one", &json!({"nbf": now + 60})),
        none,
    ] {
        let reply = ask(&served, &bad, "GET /api/skills", "");
        assert_eq!(reply.status, 401, "{reply:?}");
        assert!(!reply.body.contains("signature") && !reply.body.contains("expired"), "{reply:?}");
        assert!(!served.said().contains(&bad), "a token is not logged");
    }
}

#[test]
fn what_a_token_says_of_itself_is_no_right() {
    let signer = Signer::new();
    let aa = project("keys.json");
    let aa =
        aa.file("../home/config/aa-workflow/keys.json", json!({"keys": [signer.key("one")]}).to_string());
    let served = Served::new(&aa, &[]);
    for claims in [
        json!({"groups": ["admin", "operator"]}),
        json!({"groups": [], "scope": "skill:*:destructive server:all"}),
        json!({"groups": [], "scopes": ["skill:*:write", "server:all"], "roles": ["devs", "admin"]}),
    ] {
        let token = signer.token("one", &claims);
        assert_eq!(ask(&served, &token, "GET /api/skills", "").message()["items"], json!([]), "{claims}");
        assert_eq!(ask(&served, &token, "POST /api/skills/look/run", "{}").status, 403, "{claims}");
        assert_eq!(ask(&served, &token, "GET /api/audit", "").status, 403, "{claims}");
    }
    // Beside a role that counts they add nothing to it.
    let more = json!({"groups": ["devs", "admin"], "scope": "audit:all server:all", "roles": ["admin"]});
    let token = signer.token("one", &more);
    let ran = ask(&served, &token, "POST /api/skills/write/run", "{\"inputs\": {\"line\": \"x\"}}");
    assert_eq!((ran.status, ask(&served, &token, "GET /api/audit", "").status), (201, 403), "{ran:?}");
}

#[test]
fn keys_are_fetched_and_a_new_one_opens_when_it_first_comes() {
    let (old, new) = (Signer::new(), Signer::new());
    let keys = Arc::new(Mutex::new(json!({"keys": [old.key("old")]})));
    let told = Arc::clone(&keys);
    let issuer = Server::new(move |_| {
        let body = told.lock().unwrap().to_string();
        Answer { status: 200, headers: Vec::new(), body }
    });
    let aa = project(&format!("{}/jwks", issuer.url));
    let served = Served::new(&aa, &[]);
    let token = old.token("old", &json!({}));
    for _ in 0..5 {
        assert_eq!(status(&served, &token), 200);
    }
    assert_eq!(issuer.asked().len(), 1, "keys are kept");
    // Names that nobody has heard of do not make it ask again and again.
    for id in ["x", "y", "z"] {
        assert_eq!(status(&served, &Signer::new().token(id, &json!({}))), 401);
    }
    assert!(issuer.asked().len() <= 2);
    *keys.lock().unwrap() = json!({"keys": [new.key("new")]});
    let token = new.token("new", &json!({}));
    eventually("the new key is fetched", || status(&served, &token) == 200);
    assert_eq!(status(&served, &old.token("old", &json!({}))), 401, "the old one was taken away");
}

#[test]
fn a_socket_ends_with_its_token_and_an_issuer_that_is_not_trusted_any_more_opens_nothing() {
    let signer = Signer::new();
    let aa = project("keys.json");
    let aa =
        aa.file("../home/config/aa-workflow/keys.json", json!({"keys": [signer.key("one")]}).to_string());
    let served = Served::new(&aa, &[]);
    let soon = chrono::Utc::now().timestamp() + 3;
    let short = format!("Bearer {}", signer.token("one", &json!({"exp": soon})));
    let mut socket = Socket::open(served.address, "/ws", &[("Authorization", short.as_str())]).unwrap();
    assert_eq!(socket.hear()["type"], "connected");
    let long = signer.token("one", &json!({}));
    let mut other =
        Socket::open(served.address, "/ws", &[("Authorization", format!("Bearer {long}").as_str())]).unwrap();
    assert_eq!(other.hear()["type"], "connected");
    assert_eq!(socket.closed(), 4401);
    assert_eq!(status(&served, &long), 200);
    let _aa = aa.own_config("serve: {policy: {write: allow}}\n");
    eventually("nobody is trusted any more", || status(&served, &long) == 401);
    assert_eq!(other.closed(), 4401);
}

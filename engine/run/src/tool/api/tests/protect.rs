//! Configuration, credentials, and where they must not go.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;

use aa_spec::tool::ErrorKind;
use async_trait::async_trait;
use serde_json::{Map, json};

use super::kit::{Module, Reply, Server, answer, json_reply};
use crate::driver::Secrets;

/// Says that it knows this secret, whatever is asked for.
struct Always(&'static str);

#[async_trait]
impl Secrets for Always {
    async fn reveal(&self, _: &str) -> Result<String, String> {
        Ok(self.0.to_owned())
    }
}

const CONFIGURED: &str = r#"
module: m
description: d
config:
  url: {env: M_URL}
  token: {env: M_TOKEN, secret: true, optional: true}
  user: {env: M_USER, optional: true}
  size: {default: 20}
  needed: {description: not read by anybody}
http:
  base: "{{ config.url }}"
  auth:
    - {basic: {user: "{{ config.user }}", password: "{{ config.token }}"}}
    - {bearer: "{{ config.token }}"}
tools:
  - name: t
    description: d
    effect: read
    http: {path: /x, query: {size: "{{ config.size }}"}}
  - name: other
    description: d
    effect: read
    http: {path: "/{config.needed}"}
"#;

#[tokio::test]
async fn values_come_from_the_file_the_environment_or_a_default() {
    let server = Server::new([json_reply(&json!(1))]).await;
    let url = server.base.as_str();
    // Nothing but the address: no proof, the default.
    Module::new(CONFIGURED, &[("M_URL", url)]).call(json!({})).await.unwrap();
    // The environment.
    let module = Module::new(CONFIGURED, &[("M_URL", url), ("M_TOKEN", "token-1")]);
    module.call(json!({})).await.unwrap();
    assert!(module.hidden.lock().unwrap().contains(&("m.token".to_owned(), "token-1".to_owned())));
    let module = Module::new(CONFIGURED, &[("M_URL", url), ("M_TOKEN", "token-1"), ("M_USER", "me")]);
    module.call(json!({})).await.unwrap();
    let both = ("m.password".to_owned(), "bWU6dG9rZW4tMQ==".to_owned());
    assert!(module.hidden.lock().unwrap().contains(&both), "what is sent is hidden, too");
    // The file wins.
    let module =
        Module::with(CONFIGURED, &[("M_URL", "http://127.0.0.1:1"), ("M_TOKEN", "token-1")], |options| {
            let values = json!({"url": url, "size": 5, "token": "{{ secrets.TOKEN }}"});
            let values: Map<_, _> = serde_json::from_value(values).unwrap();
            options.configuration.modules = BTreeMap::from([("m".to_owned(), values)]);
            options.configuration.secret_names = vec!["TOKEN".to_owned()];
            options.configuration.secrets = Some(Arc::new(Always("token-2")));
        });
    module.call(json!({})).await.unwrap();
    let asked = server.asked();
    let lines: Vec<_> = asked.iter().map(|asked| asked.line.as_str()).collect();
    assert_eq!(lines, ["GET /x?size=20", "GET /x?size=20", "GET /x?size=20", "GET /x?size=5"]);
    let proofs: Vec<_> =
        asked.iter().map(|asked| asked.headers.get("authorization").map(String::as_str)).collect();
    let basic = Some("Basic bWU6dG9rZW4tMQ==");
    assert_eq!(proofs, [None, Some("Bearer token-1"), basic, Some("Bearer token-2")]);
}

#[tokio::test]
async fn what_is_missing_is_named_with_its_places() {
    let error = Module::new(CONFIGURED, &[]).call(json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert_eq!(
        error.message,
        "`m` does not know its `url`; set `modules.m.url` in the configuration or `M_URL`"
    );
    let module = Module::new(CONFIGURED, &[("M_URL", "http://127.0.0.1:1")]);
    let error = module.call_in(&module.context(), "other", json!({})).await.unwrap_err();
    assert_eq!(error.message, "`m` does not know its `needed`; set `modules.m.needed` in the configuration");
}

#[tokio::test]
async fn a_secret_is_not_written_into_the_file() {
    let module = Module::with(CONFIGURED, &[("M_URL", "http://127.0.0.1:1")], |options| {
        let values = json!({"token": "hunter22"}).as_object().unwrap().clone();
        options.configuration.modules = BTreeMap::from([("m".to_owned(), values)]);
    });
    let error = module.call(json!({})).await.unwrap_err();
    let expected = "`modules.m.token` of the configuration is secret and must not be written there; write `{{ secrets.NAME }}`";
    assert_eq!(error.message, expected);
}

#[tokio::test]
async fn a_key_in_the_query_stays_with_its_host_and_is_not_shown() {
    let other = Server::new([json_reply(&json!("other"))]).await;
    let moved = format!("Location: {}/y?a=1", other.base);
    let server = Server::new([Reply::Text(answer(302, &moved, ""))]).await;
    let service = "auth: {query: {name: api_key, value: 'the key'}}";
    let keys = "http: {path: /x, query: {q: 1}}";
    assert_eq!(Module::tool(&server.base, service, keys).call(json!({})).await, Ok(json!("other")));
    assert_eq!(
        (server.lines(), other.lines()),
        (vec!["GET /x?q=1&api_key=the+key".to_owned()], vec!["GET /y?a=1".to_owned()])
    );
    let server = Server::new([Reply::Text(answer(403, "Set-Cookie: session=abc", "no"))]).await;
    let error = Module::tool(&server.base, service, keys).call(json!({})).await.unwrap_err();
    let shown = format!("{} {}", error.message, error.details);
    assert!(!shown.contains("api_key") && !shown.contains("session=abc"), "{shown}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_hidden_is_not_used() {
    let server = Server::new([json_reply(&json!(1))]).await;
    let module = Module::new(CONFIGURED, &[("M_URL", &server.base), ("M_TOKEN", "abc")]);
    let mut context = module.context();
    context.conceal = Arc::new(|_, _| Err("it is too short".to_owned()));
    let error = module.call_in(&context, "t", json!({})).await.unwrap_err();
    assert_eq!(error.message, "`m.token` cannot be used: it is too short");
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let module = Module::tool(
        "http://nowhere.invalid",
        "proxy: 'http://ann:word@127.0.0.1:1'",
        "http: {path: /x, retries: 0}",
    );
    let error = module.call(json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network);
    let expected = "cannot reach `http://nowhere.invalid/x` through the proxy `http://127.0.0.1:1/`: ";
    assert!(error.message.starts_with(expected), "{error}");
}

#[tokio::test]
async fn a_proxy_and_certificates_are_used() {
    let proxy = Server::new([json_reply(&json!("by proxy"))]).await;
    let service = format!("proxy: {}", proxy.base);
    let module = Module::tool("http://nowhere.invalid", &service, "http: {path: /x}");
    assert_eq!(module.call(json!({})).await, Ok(json!("by proxy")));
    assert_eq!(proxy.lines(), ["GET http://nowhere.invalid/x"]);
    let usual =
        Module::with(&super::kit::text("http://nowhere.invalid", "", "http: {path: /y}"), &[], |options| {
            options.proxy = Some(proxy.base.clone());
        });
    assert_eq!(usual.call(json!({})).await, Ok(json!("by proxy")));
    let module = Module::tool("https://nowhere.invalid", "ca: /nowhere/ca.pem", "http: {path: /x}");
    let error = module.call(json!({})).await.unwrap_err();
    assert_eq!(error.message, "cannot read `/nowhere/ca.pem`: no such file or directory");
}

/// A page over TLS, by a certificate that nobody else trusts.
struct Encrypted {
    child: std::process::Child,
    folder: tempfile::TempDir,
    base: String,
}

impl Encrypted {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let openssl = |args: &str| {
            let mut command = std::process::Command::new("openssl");
            command.args(args.split(' ')).current_dir(folder.path()).stdin(Stdio::null());
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let mut made = openssl(
            "req -x509 -newkey rsa:2048 -nodes -subj /CN=aa.example -days 10 -addext subjectAltName=IP:127.0.0.1 \
             -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out ca.pem",
        );
        assert!(made.status().unwrap().success());
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = openssl(&format!("s_server -www -quiet -key key.pem -cert ca.pem -accept {port}"))
            .spawn()
            .unwrap();
        let start = std::time::Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < std::time::Duration::from_secs(20), "the server does not listen");
        }
        Self { child, folder, base: format!("https://127.0.0.1:{port}") }
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_trusted_where_it_is_named() {
    let server = Encrypted::start();
    let keys = "http: {path: /, retries: 0}\nvalue: '{{ status }}'";
    let error = Module::tool(&server.base, "", keys).call(json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(error.message.starts_with("cannot trust `https://127.0.0.1:"), "{}", error.message);
    let ca = server.folder.path().join("ca.pem");
    let named = Module::tool(&server.base, &format!("ca: {}", ca.display()), keys);
    assert_eq!(named.call(json!({})).await, Ok(json!(200)));
    let usual = Module::with(&super::kit::text(&server.base, "", keys), &[], |options| options.ca = Some(ca));
    assert_eq!(usual.call(json!({})).await, Ok(json!(200)));
}

//! Ports, pages and certificates, on servers of the test's own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::{failure, outputs, text};
use crate::support::{Aa, eventually};

/// A port that nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that answers every request with its path: `/404/…` with 404, others with 200.
fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let Some(Ok(first)) = lines.next() else { continue };
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
            let status = if path.starts_with("/404") { "404 Not Found" } else { "200 OK" };
            let length = path.len();
            let _gone = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{path}"
            );
        }
    });
    port
}

#[test]
fn open_and_closed_ports_are_told_apart() {
    let aa = Aa::new();
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let (open, closed) = (open.local_addr().unwrap().to_string(), format!("127.0.0.1:{}", closed_port()));
    let ports = json!([open, closed]).to_string();
    let checked = outputs(&aa, "port-check", &[("ports", &ports), ("strict", "false")]);
    assert_eq!(checked["results"][0], json!({"port": open, "open": true, "reason": ""}));
    assert_eq!(checked["closed"], json!([closed]));
    let report = text(&checked, "report");
    assert_eq!(report, format!("open    {open}\nclosed  {closed}  (connection refused)\n1 of 2 open"));
    let message = failure(&aa, "port-check", &[("ports", &ports)]);
    assert_eq!(message, format!("1 of 2 ports are closed: {closed}"));
}

#[test]
fn pages_are_held_to_status_and_words() {
    let aa = Aa::new();
    let address = format!("http://127.0.0.1:{}", server());
    let nobody = format!("http://127.0.0.1:{}/", closed_port());
    let good =
        json!([format!("{address}/a"), {"url": format!("{address}/404/x"), "status": 404, "contains": "x"}]);
    let checked = outputs(&aa, "http-check", &[("urls", &good.to_string())]);
    assert!(text(&checked, "report").ends_with("2 of 2 as they should be"), "{checked}");

    let bad = json!([format!("{address}/404"), {"url": format!("{address}/b"), "contains": "c"}, nobody]);
    let checked = outputs(&aa, "http-check", &[("urls", &bad.to_string()), ("strict", "false")]);
    let problems: Vec<_> =
        checked["results"].as_array().unwrap().iter().map(|result| &result["problem"]).collect();
    assert_eq!(problems, ["answered 404 instead of 200", "does not hold \"c\"", "no answer"]);
    let message = failure(&aa, "http-check", &[("urls", &bad.to_string())]);
    assert!(message.starts_with("3 of 3 answers are wrong:"), "{message}");
}

/// A TLS server with a certificate of its own.
struct TlsServer {
    child: Child,
    port: u16,
}

impl TlsServer {
    fn new(aa: &Aa, days: &str) -> Self {
        let (key, certificate) = (aa.path("key.pem"), aa.path("certificate.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=aa.example", "-days", days])
            .args(["-addext", "subjectAltName=DNS:aa.example,DNS:localhost"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = closed_port();
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-accept", &port.to_string(), "-key"])
            .arg(key)
            .arg("-cert")
            .arg(certificate)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the TLS server listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { child, port }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn certificates_are_good_for_a_while_or_not() {
    let aa = Aa::new();
    let server = TlsServer::new(&aa, "10");
    let servers = json!([format!("localhost:{}", server.port)]).to_string();
    let checked = outputs(&aa, "cert-check", &[("servers", &servers), ("days", "5")]);
    // Ten days less the moment since; within the second of its making it has all ten.
    assert!([json!(9), json!(10)].contains(&checked["results"][0]["days"]), "{checked}");
    assert!(text(&checked, "report").contains(" days, until "), "{checked}");
    let message = failure(&aa, "cert-check", &[("servers", &servers)]);
    assert!(message.starts_with(&format!("localhost:{} ends in ", server.port)), "{message}");
    let silent = json!([format!("localhost:{}", closed_port())]).to_string();
    let message = failure(&aa, "cert-check", &[("servers", &silent)]);
    assert!(message.ends_with(" shows no certificate"), "{message}");
}

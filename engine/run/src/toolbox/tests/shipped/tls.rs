//! Module `tls` on a server of the test's own.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aa_spec::tool::ErrorKind;
use serde_json::json;

use super::*;

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=aa.example", "-days", "10"])
            .args(["-addext", "subjectAltName=DNS:aa.example,IP:127.0.0.1"])
            .args(["-keyout", "key.pem", "-out", "certificate.pem"])
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-key", "key.pem", "-cert", "certificate.pem", "-accept"])
            .arg(port.to_string())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the server does not listen");
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn a_certificate_says_how_long_it_is_good_for() {
    let bench = Bench::new();
    let server = Server::start(bench.folder.path());
    let args = json!({"host": "127.0.0.1", "port": server.port});
    let found = bench.ok("tls_certificate", args.clone()).await;
    // Ten days less the moment since; within the second of its making it has all ten.
    assert!([json!(9), json!(10)].contains(&found["days"]), "{found}");
    assert_eq!(found["names"], json!(["aa.example", "127.0.0.1"]));
    assert!(found["issuer"].as_str().unwrap().contains("aa.example"), "{found}");
    drop(server);
    assert_eq!(bench.error("tls_certificate", args).await.kind, ErrorKind::Network);
}

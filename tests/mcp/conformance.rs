//! The official conformance suite, against the binary as a server and as a client.
//!
//! `project` is what the suite asks a server for, made of ordinary skills, tools and a persona; `client`
//! is what it starts as a client. Nothing may fail and nothing may be warned of: there is no list of
//! failures that are expected.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::installed;
use super::wire::Served;
use crate::support::Aa;

/// Where the suite keeps what it found, each scenario in a folder of its own.
const FOUND: &str = "found";

/// A release of the suite.
#[derive(Clone, Copy, Debug)]
enum Suite {
    /// The last one that is no alpha. It does not know the newest protocol.
    Released,
    Newest,
}

impl Suite {
    fn command(self, aa: &Aa) -> Command {
        let modules = PathBuf::from(installed("conformance-npm/node_modules"));
        let package = match self {
            Self::Released => "conformance-released",
            Self::Newest => "conformance-newest",
        };
        let mut command = Command::new(modules.join("node/bin/node"));
        command.arg(modules.join(package).join("dist/index.js")).current_dir(aa.home());
        command
    }

    /// Runs it, and gives every check that is not as it should be.
    fn run(self, aa: &Aa, args: &[&str]) -> Found {
        let ran =
            self.command(aa).args(args).args(["-o", FOUND]).env("AA", crate::support::binary()).output();
        let ran = ran.unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        Found { checks: checks(&aa.home().join(FOUND)), passed: ran.status.success(), said }
    }
}

/// What the suite found.
struct Found {
    checks: Vec<(String, Value)>,
    passed: bool,
    said: String,
}

impl Found {
    fn is_perfect(&self, least: usize) {
        let wrong =
            |(_, check): &&(String, Value)| matches!(check["status"].as_str(), Some("FAILURE" | "WARNING"));
        let wrong: Vec<String> = self
            .checks
            .iter()
            .filter(wrong)
            .map(|(scenario, check)| format!("{scenario}: {check:#}"))
            .collect();
        assert!(wrong.is_empty() && self.passed, "{}\n{}", wrong.join("\n"), self.said);
        let fine = self.checks.iter().filter(|(_, check)| check["status"] == "SUCCESS").count();
        assert!(fine >= least, "only {fine} of {least} checks were made\n{}", self.said);
    }
}

/// All checks below a folder, with the scenario that made them.
fn checks(folder: &Path) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        let text = std::fs::read_to_string(entry.path().join("checks.json")).unwrap();
        let found: Vec<Value> = serde_json::from_str(&text).unwrap();
        let scenario = entry.file_name().to_string_lossy().into_owned();
        all.extend(found.into_iter().map(|check| (scenario.clone(), check)));
    }
    all
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/mcp/conformance")
}

/// The server, behind a gate that shows its key: the suite cannot. Both end with the test.
struct Server {
    aa: Aa,
    gate: Child,
    url: String,
    _served: Served,
}

impl Server {
    fn start() -> Self {
        let aa = Aa::of(&here().join("project"));
        let node = installed("conformance-npm/node_modules/node/bin/node");
        let mut gate = Command::new(node);
        gate.arg(here().join("gate.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut gate = gate.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(gate.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let port = port.trim();
        // Scenarios play a web page that the server belongs to.
        let aa = aa.own_config(&format!("serve: {{origins: ['http://127.0.0.1:{port}']}}\n"));
        aa.args(["tool", "trust", "peer", "--yes"]).run().code(0);
        let serve = ["serve", "--listen", "127.0.0.1:0", "--persona", "conformance", "--skills-extension"];
        // Some of the skills change a file of the project, and a project cannot allow that by itself.
        let served = Served::start(aa.args(serve).env("AA_SERVE_POLICY_WRITE", "allow"));
        let line = format!("{} {}\n", served.address.port(), served.token);
        gate.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
        Self { aa, gate, url: format!("http://127.0.0.1:{port}/mcp"), _served: served }
    }

    fn meets(&self, suite: Suite, args: &[&str]) -> Found {
        suite.run(&self.aa, &[&["server", "--url", &self.url], args].concat())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.gate.kill();
        let _ = self.gate.wait();
    }
}

#[test]
fn a_server_by_the_released_suite() {
    Server::start().meets(Suite::Released, &["--suite", "all"]).is_perfect(46);
}

#[test]
fn a_server_of_the_session_era() {
    Server::start().meets(Suite::Newest, &["--requirements", "2025-11-25"]).is_perfect(83);
}

/// Tasks are among it.
#[test]
fn a_server_of_the_newest_era() {
    Server::start().meets(Suite::Newest, &["--requirements", "2026-07-28"]).is_perfect(196);
}

#[test]
fn a_server_that_shows_skills_as_folders() {
    let server = Server::start();
    for scenario in ["sep-2640-skills-enumeration", "sep-2640-skills-directory", "sep-2640-skills-manifest"] {
        server.meets(Suite::Newest, &["--scenario", scenario]).is_perfect(1);
    }
}

/// Those that want no login with OAuth.
const OLDER: [&str; 4] = ["initialize", "tools_call", "elicitation-sep1034-client-defaults", "sse-retry"];
const NEWER: [&str; 8] = [
    "tools_call",
    "request-metadata",
    "sep-2322-client-request-state",
    "http-standard-headers",
    "http-custom-headers",
    "http-invalid-tool-headers",
    "json-schema-ref-no-deref",
    "json-schema-2020-12-preservation",
];

fn client(suite: Suite, scenario: &str, more: &[&str]) {
    let client = here().join("client").canonicalize().unwrap().display().to_string();
    let args = [&["client", "--command", &client, "--scenario", scenario], more].concat();
    suite.run(&Aa::new(), &args).is_perfect(1);
}

/// Beyond the protocol itself: reading the folders of instructions that servers offer.
const FOLDERS: [&str; 4] = [
    "sep-2640-client-no-prefetch",
    "sep-2640-client-verify-digest",
    "sep-2640-client-verify-size",
    "sep-2640-client-verify-frontmatter",
];

#[test]
fn a_client_that_reads_folders_of_instructions() {
    for scenario in FOLDERS {
        client(Suite::Newest, scenario, &[]);
    }
}

#[test]
fn a_client_by_the_released_suite() {
    for scenario in OLDER {
        client(Suite::Released, scenario, &[]);
    }
}

#[test]
fn a_client_of_the_session_era() {
    let scenarios = OLDER.iter().chain(&["json-schema-2020-12-preservation"]);
    for scenario in scenarios {
        client(Suite::Newest, scenario, &["--spec-version", "2025-11-25"]);
    }
}

#[test]
fn a_client_of_the_newest_era() {
    for scenario in NEWER {
        client(Suite::Newest, scenario, &["--spec-version", "2026-07-28"]);
    }
}

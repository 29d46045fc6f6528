//! The main job: merge requests of the sample repository, deployed for real.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::{failure, outputs, outputs_of, skill, text};
use crate::support::{Aa, eventually};

const COMMIT_OF_123: &str = "9ec066cd2a16b7853d1517ba0932651fa473d024";

/// A project whose namespaces and services end with it.
struct Ground {
    aa: Aa,
}

impl Ground {
    fn new() -> Self {
        Self { aa: Aa::new() }
    }

    /// Every namespace there is.
    fn namespaces(&self) -> Vec<PathBuf> {
        let folder = self.aa.home().join("state/aa-workflow/ephemeral");
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_namespace = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ephemeral-"))
        };
        entries.filter(is_namespace).collect()
    }

    /// Process numbers of every service that was started in a namespace that is there.
    fn services(&self) -> Vec<i32> {
        let pid = |namespace: &PathBuf| record(namespace)["service"]["process"]["pid"].as_i64();
        self.namespaces().iter().filter_map(pid).filter_map(|pid| i32::try_from(pid).ok()).collect()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        for group in self.services().into_iter().filter_map(Pid::from_raw) {
            let _gone = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

fn record(namespace: &Path) -> Value {
    let text = std::fs::read(namespace.join("namespace.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

/// The answer of a service on this machine; `None` when nobody listens.
fn get(url: &str, path: &str) -> Option<String> {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    Some(answer)
}

#[test]
fn a_dry_run_only_looks() {
    let ground = Ground::new();
    let call = ["skill", "run", "deploy-ephemeral", "--input", "mr=123", "--dry-run"];
    let ran = ground.aa.args(call).run().code(0);
    ran.stderr_contains("deploy_ephemeral completed");
    assert_eq!(ground.namespaces(), Vec::<PathBuf>::new());
    // What cannot be meant is said before anything begins.
    for wrong in ["wait=bogus", "ttl=-1h"] {
        let with = ["skill", "run", "deploy-ephemeral", "--input", "mr=123", "--input", wrong];
        ground.aa.args(with).run().code(2).stdout("").stderr_contains(&wrong[..3]);
    }
}

#[test]
fn a_merge_request_is_deployed_listed_and_released() {
    let ground = Ground::new();
    let deployed = outputs(&ground.aa, "deploy-ephemeral", &[("mr", "123")]);
    let (url, namespace) = (text(&deployed, "url"), text(&deployed, "namespace"));
    assert_eq!(deployed["commit"], COMMIT_OF_123);
    assert!(get(url, "/version").unwrap().contains(COMMIT_OF_123));
    assert!(get(url, "/roman/1999").unwrap().contains("MCMXCIX"));
    let report = text(&deployed, "report");
    assert!(report.starts_with(&format!("Merge request 123 of sample runs at {url}\n")), "{report}");
    assert!(report.contains("4 smoke checks passed"), "{report}");

    let listed = outputs(&ground.aa, "list-ephemeral", &[]);
    assert_eq!(listed["namespaces"][0]["namespace"], namespace);
    assert_eq!(listed["namespaces"][0]["state"], "running");
    assert!(text(&listed, "report").contains(url), "{listed}");

    let services = ground.services();
    let released = outputs(&ground.aa, "release-ephemeral", &[("namespace", namespace)]);
    assert_eq!(released["released"][0], namespace);
    assert_eq!(text(&released, "report"), format!("Released {namespace}; 1 process ended.\n0 left."));
    assert_eq!(get(url, "/version"), None);
    assert!(services.len() == 1 && !is_alive(services[0]));
    assert_eq!(ground.namespaces(), Vec::<PathBuf>::new());

    let again = outputs(&ground.aa, "release-ephemeral", &[("namespace", namespace)]);
    assert!(text(&again, "report").contains("had been released before"), "{again}");
    let listed = outputs(&ground.aa, "list-ephemeral", &[]);
    assert_eq!(text(&listed, "report").trim(), "There are no ephemeral namespaces.");
}

#[test]
fn a_merge_request_that_does_not_build_leaves_nothing() {
    let ground = Ground::new();
    let message = failure(&ground.aa, "deploy-ephemeral", &[("mr", "124")]);
    assert_eq!(message, "`rustc` ended with exit code 1: error[E0308]: mismatched types");
    assert_eq!(ground.namespaces(), Vec::<PathBuf>::new());
}

#[test]
fn a_service_that_is_never_healthy_leaves_nothing() {
    let ground = Ground::new();
    let deploy = skill(&ground.aa, "deploy-ephemeral", &[("mr", "125"), ("wait", "3s")]).start();
    eventually("the service was started", || !ground.services().is_empty());
    let services = ground.services();
    let ran = deploy.wait().code(1);
    assert!(ran.out().contains("there are no phrases at GREETER_PHRASES"), "{ran}");
    assert!(services.len() == 1 && !is_alive(services[0]));
    assert_eq!(ground.namespaces(), Vec::<PathBuf>::new());
}

#[test]
fn a_merge_request_that_is_not_there_reserves_nothing() {
    let ground = Ground::new();
    let message = failure(&ground.aa, "deploy-ephemeral", &[("mr", "7")]);
    assert_eq!(message, "`sample` has no merge request 7");
    assert_eq!(ground.namespaces(), Vec::<PathBuf>::new());
}

#[test]
fn a_cancelled_deployment_leaves_nothing() {
    let ground = Ground::new();
    let deploy = skill(&ground.aa, "deploy-ephemeral", &[("mr", "125"), ("wait", "10m")]).start();
    eventually("the service was started", || !ground.services().is_empty());
    let services = ground.services();
    deploy.signal(Signal::INT);
    deploy.wait().code(5);
    assert!(!is_alive(services[0]));
    assert_eq!(ground.namespaces(), Vec::<PathBuf>::new());
}

/// Kills a deployment as soon as something is so, and resumes it.
fn killed_and_resumed(what: &str, is_so: impl Fn(&Path) -> bool) {
    let ground = Ground::new();
    let deploy = skill(&ground.aa, "deploy-ephemeral", &[("mr", "123")]).start();
    eventually(what, || ground.namespaces().first().is_some_and(|namespace| is_so(namespace)));
    deploy.signal(Signal::KILL);
    deploy.wait().killed();
    let before = ground.namespaces();

    let deployed = outputs_of(ground.aa.args(["run", "resume", "--format", "json"]).run());
    assert_eq!(ground.namespaces(), before, "one namespace, the same one");
    assert!(get(text(&deployed, "url"), "/version").unwrap().contains(COMMIT_OF_123));
    let services = ground.services();
    outputs(&ground.aa, "release-ephemeral", &[("namespace", text(&deployed, "namespace"))]);
    assert!(services.len() == 1 && !is_alive(services[0]));
}

#[test]
fn a_deployment_killed_after_its_reservation_goes_on() {
    killed_and_resumed("a namespace was reserved", |_| true);
}

#[test]
fn a_deployment_killed_while_it_builds_goes_on() {
    killed_and_resumed("the build has begun", |namespace| namespace.join("build.log").exists());
}

#[test]
fn a_deployment_killed_after_its_start_goes_on() {
    killed_and_resumed("the service was started", |namespace| !record(namespace)["service"].is_null());
}

#[test]
fn what_has_expired_is_released_together() {
    let ground = Ground::new();
    outputs(&ground.aa, "deploy-ephemeral", &[("mr", "123"), ("ttl", "1s")]);
    let kept = outputs(&ground.aa, "deploy-ephemeral", &[("mr", "123")]);
    let services = ground.services();
    eventually("a namespace has expired", || {
        outputs(&ground.aa, "list-ephemeral", &[("expired", "true")])["namespaces"][0].is_object()
    });
    let released = outputs(&ground.aa, "release-ephemeral", &[("expired", "true")]);
    assert_eq!(released["released"].as_array().unwrap().len(), 1);
    assert_eq!(released["left"][0], kept["namespace"]);
    assert_eq!(services.iter().filter(|pid| is_alive(**pid)).count(), 1);
    outputs(&ground.aa, "release-ephemeral", &[("namespace", text(&kept, "namespace"))]);
}

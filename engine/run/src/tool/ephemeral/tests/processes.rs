//! Services as processes: recognised, ended with all they started, and nobody else.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use aa_spec::tool::ErrorKind;
use serde_json::{Value, json};

use super::super::group::{self, Detached};
use super::super::service::append_to;
use super::bench::{Bench, SERVICE};

fn service(script: &str) -> String {
    SERVICE.replace("echo started on {{ port }}; exec sleep 600", script)
}

/// Whether a process is alive, zombies excepted.
fn is_alive(pid: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

/// A process that has nothing to do with any service.
struct Stranger(Child);

impl Stranger {
    fn younger_than(other: u64) -> Self {
        let started = |pid: u64| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().to_owned()
        };
        loop {
            let stranger = Self(Command::new("sleep").arg("600").spawn().unwrap());
            // Start times have a resolution of hundredths of a second.
            if started(stranger.0.id().into()) != started(other) {
                return stranger;
            }
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn log_of(bench: &Bench, namespace: &Value, lines: usize) -> Vec<Value> {
    bench
        .until("ephemeral_logs", namespace.clone(), |log| log["lines"].as_array().unwrap().len() >= lines)
        .await["lines"]
        .as_array()
        .unwrap()
        .clone()
}

fn alter_record(bench: &Bench, namespace: &Value, alter: impl FnOnce(&mut Value)) {
    let path = bench.namespaces().join(namespace["namespace"].as_str().unwrap()).join("namespace.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    alter(&mut record);
    std::fs::write(path, record.to_string()).unwrap();
}

#[tokio::test]
async fn a_service_that_ends_is_not_waited_for() {
    let bench = Bench::new();
    let namespace = bench.built(&service("echo no database >&2; exit 3")).await;
    bench.call("ephemeral_start", namespace.clone()).await.unwrap();
    let started = Instant::now();
    let wait = json!({"namespace": namespace["namespace"], "timeout": "5m"});
    let error = bench.call("ephemeral_wait", wait).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_mins(1));
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(error.message.starts_with("`sleeper` ended before it was healthy: cannot reach"), "{error}");
    assert_eq!(error.details["last_lines"], json!(["no database"]));
    let status = bench.call("ephemeral_status", namespace).await.unwrap();
    assert_eq!((&status["state"], &status["pid"]), (&json!("stopped"), &Value::Null));
}

#[tokio::test]
async fn a_wait_can_be_cancelled() {
    let bench = Bench::new();
    let namespace = bench.built(SERVICE).await;
    bench.call("ephemeral_start", namespace.clone()).await.unwrap();
    let context = bench.context();
    let cancel = context.cancel.clone();
    let wait = bench.tools().find(|tool| tool.spec().name == "ephemeral_wait").unwrap();
    let mut args = namespace.as_object().unwrap().clone();
    args.insert("timeout".into(), json!("5m"));
    let (result, ()) = tokio::join!(wait.call(&context, args), async move { cancel.cancel() });
    assert_eq!(result.unwrap_err().kind, ErrorKind::Cancelled);
    bench.call("ephemeral_release", namespace).await.unwrap();
}

#[tokio::test]
async fn a_release_ends_what_left_the_group_and_what_will_not_listen() {
    let bench = Bench::new();
    let script = r#"setsid sh -c "trap \"\" TERM; echo \$\$; exec sleep 600" & echo $$; exec sleep 600"#;
    let namespace = bench.built(&service(script)).await;
    bench.call("ephemeral_start", namespace.clone()).await.unwrap();
    let pids: Vec<u64> = log_of(&bench, &namespace, 2)
        .await
        .iter()
        .map(|line| line.as_str().unwrap().parse().unwrap())
        .collect();
    assert!(pids.iter().all(|pid| is_alive(*pid)), "{pids:?}");
    let released = bench.call("ephemeral_release", namespace).await.unwrap();
    assert_eq!(released["processes"], 2);
    assert!(!pids.iter().any(|pid| is_alive(*pid)), "{pids:?}");
}

#[tokio::test]
async fn a_process_that_got_the_number_of_a_service_is_left_alone() {
    let bench = Bench::new();
    let namespace = bench.built(SERVICE).await;
    bench.call("ephemeral_start", namespace.clone()).await.unwrap();
    let status = bench.call("ephemeral_status", namespace.clone()).await.unwrap();
    let real = status["pid"].as_u64().unwrap();
    let mut stranger = Stranger::younger_than(real);
    alter_record(&bench, &namespace, |record| record["service"]["process"]["pid"] = stranger.0.id().into());

    let status = bench.call("ephemeral_status", namespace.clone()).await.unwrap();
    assert_eq!(status["state"], "stopped");
    let released = bench.call("ephemeral_release", namespace).await.unwrap();
    assert_eq!(released["processes"], 1, "the service is still known by its mark");
    assert!(!is_alive(real));
    assert!(stranger.0.try_wait().unwrap().is_none(), "the stranger must live");
}

#[tokio::test]
async fn a_start_that_was_not_written_down_is_made_good() {
    let bench = Bench::new();
    let namespace = bench.built(SERVICE).await;
    bench.call("ephemeral_start", namespace.clone()).await.unwrap();
    let lost = bench.call("ephemeral_status", namespace.clone()).await.unwrap()["pid"].as_u64().unwrap();
    alter_record(&bench, &namespace, |record| record["service"] = Value::Null);
    let started = bench.call("ephemeral_start", namespace.clone()).await.unwrap();
    assert!(!is_alive(lost), "the lost service must not go on beside the new one");
    assert_ne!(started["pid"], lost);
    bench.call("ephemeral_release", namespace).await.unwrap();
}

#[tokio::test]
async fn a_command_behind_its_gate_never_runs_when_nobody_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let argv = ["touch", "ran"].map(str::to_owned);
    let path = std::env::var("PATH").unwrap();
    let start = |folder: &Path| {
        let env = BTreeMap::from([("PATH".to_owned(), path.clone())]);
        group::start(Detached {
            argv: &argv,
            folder,
            env: &env,
            log: append_to(&folder.join("log")).unwrap(),
        })
        .unwrap()
    };
    let ended = async |identity: group::Identity| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while identity.is_alive() {
            assert!(Instant::now() < deadline, "it still lives");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let gated = start(folder.path());
    let identity = gated.identity.clone();
    drop(gated);
    ended(identity).await;
    assert!(!folder.path().join("ran").exists());

    let gated = start(folder.path());
    let identity = gated.identity.clone();
    gated.open().await.unwrap();
    ended(identity).await;
    assert!(folder.path().join("ran").exists());
}

#[tokio::test]
async fn the_user_s_secrets_reach_neither_build_nor_service() {
    let bench = Bench::new();
    let manifest = service("env; exec sleep 600").replace("echo built", "env");
    let namespace = bench.built(&manifest).await;
    let build = bench.lines().join("\n");
    assert!(build.contains("EPHEMERAL_COMMIT=") && build.contains("PATH="), "{build}");
    assert!(!build.contains("hunter2"), "{build}");
    bench.call("ephemeral_start", namespace.clone()).await.unwrap();
    let log = log_of(&bench, &namespace, 5).await;
    assert!(log.iter().any(|line| line.as_str().unwrap().starts_with("PORT=")), "{log:?}");
    assert!(!log.iter().any(|line| line.as_str().unwrap().contains("hunter2")), "{log:?}");
    bench.call("ephemeral_release", namespace).await.unwrap();
}

#[tokio::test]
async fn what_a_build_protects_is_removed_all_the_same() {
    let bench = Bench::new();
    let manifest =
        SERVICE.replace("echo built", "mkdir -p cache/deep && touch cache/deep/file && chmod -R a-w cache");
    let namespace = bench.built(&manifest).await;
    bench.call("ephemeral_release", namespace.clone()).await.unwrap();
    assert!(!bench.namespaces().join(namespace["namespace"].as_str().unwrap()).exists());
}

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::Access;
use crate::support::{Aa, eventually, search_path};

/// A server of the test's own; ended with it.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    fn start(aa: &Aa, program: &str, flags: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .env("PATH", search_path())
            .current_dir(aa.path(""))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}; tests/run installs it"));
        eventually(program, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

const PROMETHEUS: &str = "
global: {scrape_interval: 1s, evaluation_interval: 1s}
scrape_configs:
  - {job_name: nobody, static_configs: [{targets: ['127.0.0.1:9']}]}
rule_files: [rules.yml]
";

const RULES: &str = "
groups:
  - name: demo
    rules:
      - {alert: NobodyThere, expr: 'up{job=\"nobody\"} == 0', labels: {severity: critical, namespace: demo}, annotations: {summary: Nobody is there}}
      - {record: 'job:up:sum', expr: 'sum(up) by (job)'}
";

#[test]
fn the_real_prometheus_is_asked() {
    let aa = Aa::new().file("prometheus.yml", PROMETHEUS).file("rules.yml", RULES);
    let server =
        Process::start(&aa, "prometheus", &["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    let prometheus = Access { aa: &aa, env: vec![("PROMETHEUS_STAGE_URL", server.url.clone())] };
    let call = |tool: &str, args: Value| prometheus.call(tool, &args);

    eventually("an alert fires", || call("prometheus_alerts", json!({"state": "firing"}))["count"] == 1);
    let alert =
        call("prometheus_alerts", json!({"severity": "critical", "namespace": "demo"}))["alerts"][0].clone();
    assert_eq!((&alert["name"], &alert["summary"]), (&json!("NobodyThere"), &json!("Nobody is there")));
    assert_eq!(call("prometheus_alerts", json!({"namespace": "other"}))["count"], 0);
    assert_eq!(call("prometheus_pre_deploy_check", json!({}))["critical"], json!(["NobodyThere"]));

    let up = call("prometheus_query", json!({"query": "up"}));
    assert_eq!((&up["type"], &up["series"][0]["value"]), (&json!("vector"), &json!(0.0)));
    let scalar = call("prometheus_query", json!({"query": "scalar(vector(1)) / 0"}));
    assert_eq!((&scalar["type"], &scalar["series"][0]["value"]), (&json!("scalar"), &json!("+Inf")));
    // The first value may be younger than the last full second.
    let over_time = || call("prometheus_query_range", json!({"query": "up", "duration": "5m", "step": "1s"}));
    eventually("there is a value", || over_time()["series"][0].is_object());
    let range = over_time();
    assert_eq!((&range["type"], &range["series"][0]["labels"]["job"]), (&json!("matrix"), &json!("nobody")));
    assert!(!range["series"][0]["values"].as_array().unwrap().is_empty());

    let rules = call("prometheus_rules", json!({"rule_type": "alert"}));
    assert_eq!((rules.as_array().unwrap().len(), &rules[0]["name"]), (1, &json!("NobodyThere")));
    assert_eq!(call("prometheus_rules", json!({"group": "demo"})).as_array().unwrap().len(), 2);
    assert_eq!(call("prometheus_targets", json!({}))[0]["health"], "down");
    assert_eq!(call("prometheus_labels", json!({"label": "job"})), json!(["nobody"]));
    assert!(call("prometheus_labels", json!({})).as_array().unwrap().contains(&json!("job")));
    let series = call("prometheus_series", json!({"match": "{job=\"nobody\"}", "limit": 1}));
    assert_eq!(series["series"].as_array().unwrap().len(), 1);
    assert_eq!(call("prometheus_pod_health", json!({"pod": "a", "namespace": "demo"}))["healthy"], false);
    assert_eq!(call("prometheus_error_rate", json!({"namespace": "demo"}))["error_rate"], json!(null));
    assert_eq!(call("prometheus_check_health", json!({"namespace": "demo"}))["healthy"], false);
    assert_eq!(call("prometheus_namespace_metrics", json!({"namespace": "demo"}))["pods"], json!(null));

    prometheus.fails("prometheus_query", &json!({"query": "up{"}), "invalid", "parse error");
    let said = prometheus.refused("prometheus_query", &json!({"query": "up", "environment": "production"}));
    assert!(said.contains("PROMETHEUS"), "{said}");
}

#[test]
fn the_real_alertmanager_is_asked() {
    let aa = Aa::new().file("alertmanager.yml", "route: {receiver: team}\nreceivers: [{name: team}]\n");
    let flags = ["--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address="];
    let server = Process::start(&aa, "prometheus-alertmanager", &flags);
    let alertmanager = Access { aa: &aa, env: vec![("ALERTMANAGER_URL", server.url.clone())] };
    let call = |tool: &str, args: Value| alertmanager.call(tool, &args);

    let alerts = json!([{"labels": {"alertname": "DiskFull", "namespace": "demo"}}, {"labels": {"alertname": "Slow", "namespace": "demo"}}]);
    let body = json!({"url": format!("{}/api/v2/alerts", server.url), "method": "POST", "json": alerts});
    call("http_request", body);
    let names = |silenced: bool| {
        let found = call("alertmanager_alerts", json!({"silenced": silenced}));
        let mut names: Vec<String> = found
            .as_array()
            .unwrap()
            .iter()
            .map(|alert| alert["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    eventually("the alerts are there", || names(false) == ["DiskFull", "Slow"]);
    assert_eq!(call("alertmanager_alerts", json!({"filter_name": "Slow"})).as_array().unwrap().len(), 1);

    let silence = call(
        "alertmanager_create_silence",
        json!({"matchers": "alertname=DiskFull,namespace!~test.*", "duration": "1h", "comment": "Being mended"}),
    );
    eventually("it is silenced", || names(false) == ["Slow"]);
    assert_eq!(names(true), ["DiskFull", "Slow"]);
    let known = call("alertmanager_list_silences", json!({"state": "active"}));
    assert_eq!((&known[0]["id"], &known[0]["comment"]), (&silence["silence_id"], &json!("Being mended")));
    let mut matchers: Vec<&str> =
        known[0]["matchers"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    matchers.sort_unstable();
    assert_eq!(matchers, ["alertname=DiskFull", "namespace!~test.*"]);
    call("alertmanager_delete_silence", json!({"silence_id": silence["silence_id"]}));
    eventually("it is silenced no more", || names(false) == ["DiskFull", "Slow"]);
    assert_eq!(call("alertmanager_silences", json!({"state": "active"})), json!([]));
    call("alertmanager_create_silence", json!({"matchers": "Slow"}));
    eventually("one word is the name of an alert", || names(false) == ["DiskFull"]);

    assert_eq!(call("alertmanager_receivers", json!({})), json!(["team"]));
    assert!(call("alertmanager_status", json!({}))["version"].is_string());
    let bad = json!({"matchers": "namespace=~(", "duration": "1h"});
    alertmanager.fails("alertmanager_create_silence", &bad, "invalid", "invalid");
    let unknown = json!({"silence_id": "00000000-0000-0000-0000-000000000000"});
    alertmanager.fails("alertmanager_delete_silence", &unknown, "not_found", "");
}

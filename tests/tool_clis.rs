//! Shipped tool modules over the real commands. Services that cannot run here are small servers
//! that speak the real protocol and keep what they are asked.

use serde_json::{Value, json};

use crate::support::Aa;
use crate::support::server::{Reply, Request, Server};

/// Calls a tool that must work, and gives its result.
fn ok(aa: &Aa, tool: &str, args: &Value) -> Value {
    aa.args(["tool", "call", tool, "--args", &args.to_string()]).run().code(0).json()
}

/// Calls a tool that must fail, and gives what is said.
fn fails(aa: &Aa, tool: &str, args: &Value) -> String {
    aa.args(["tool", "call", tool, "--args", &args.to_string()]).run().code(1).err()
}

/// A project with clusters: one that is there, one that knows nobody, and one that is gone.
fn clusters(server: &Server, closed: u16) -> Aa {
    let config = format!(
        "apiVersion: v1
kind: Config
clusters:
  - {{name: here, cluster: {{server: \"{}\"}}}}
  - {{name: denied, cluster: {{server: \"{}/denied\"}}}}
  - {{name: gone, cluster: {{server: \"http://127.0.0.1:{closed}\"}}}}
users: [{{name: ann, user: {{}}}}]
contexts:
  - {{name: stage, context: {{cluster: here, user: ann}}}}
  - {{name: gone, context: {{cluster: gone, user: ann}}}}
  - {{name: billing-production, context: {{cluster: denied, user: ann}}}}
",
        server.url, server.url
    );
    Aa::new()
        .file("kubeconfig", config)
        .config("modules: {k8s: {contexts: {production: billing-production}, kubeconfigs: {stage: kubeconfig, gone: kubeconfig, production: kubeconfig}}}\n")
}

/// A port that nobody listens on.
fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn status(code: u16, reason: &str, message: &str) -> Reply {
    Reply::json(
        code,
        &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": message}),
    )
}

fn resources(version: &str, all: &[(&str, &str)]) -> Reply {
    let one = |(name, kind): &(&str, &str)| {
        json!({"name": name, "singularName": kind.to_lowercase(), "namespaced": true, "kind": kind,
            "verbs": ["get", "list", "patch", "delete"]})
    };
    Reply::json(
        200,
        &json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
            "resources": all.iter().map(one).collect::<Vec<_>>()}),
    )
}

fn pod() -> Value {
    json!({
        "kind": "Pod", "apiVersion": "v1", "metadata": {"name": "api-1", "namespace": "billing"},
        "spec": {"nodeName": "node-1", "containers": [{"name": "api", "image": "api:1.4"}]},
        "status": {"phase": "Running", "startTime": "2026-03-02T10:00:00Z", "containerStatuses": [
            {"name": "api", "ready": false, "restartCount": 7, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
        ]},
    })
}

fn deployment() -> Value {
    json!({
        "kind": "Deployment", "apiVersion": "apps/v1",
        "metadata": {"name": "api", "namespace": "billing", "creationTimestamp": "2026-01-15T08:00:00Z"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "api", "image": "api:1.4"}]}}},
        "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1, "unavailableReplicas": 1},
    })
}

/// The routes of a cluster that these tests need.
fn cluster(asked: &Request) -> Reply {
    if asked.raw_path().starts_with("/denied/") {
        return status(401, "Unauthorized", "Unauthorized");
    }
    let list = |kind: &str, item: Value| {
        Reply::json(200, &json!({"kind": kind, "apiVersion": "v1", "metadata": {}, "items": [item]}))
    };
    match (asked.method.as_str(), asked.raw_path()) {
        ("GET", "/api") => Reply::json(200, &json!({"kind": "APIVersions", "versions": ["v1"]})),
        ("GET", "/apis") => {
            let version = json!({"groupVersion": "apps/v1", "version": "v1"});
            Reply::json(
                200,
                &json!({"kind": "APIGroupList", "apiVersion": "v1",
                "groups": [{"name": "apps", "versions": [version], "preferredVersion": version}]}),
            )
        }
        ("GET", "/api/v1") => resources("v1", &[("pods", "Pod"), ("secrets", "Secret")]),
        ("GET", "/apis/apps/v1") => resources("apps/v1", &[("deployments", "Deployment")]),
        ("GET", "/api/v1/namespaces/billing/pods") => list("PodList", pod()),
        ("GET", "/api/v1/namespaces/billing/pods/api-1") => Reply::json(200, &pod()),
        ("GET", "/api/v1/namespaces/billing/pods/api-1/log") => Reply::text("one\ntwo\n"),
        ("DELETE", "/api/v1/namespaces/billing/pods/api-1") => {
            Reply::json(200, &json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
        }
        ("GET", "/api/v1/namespaces/billing/secrets/database") => Reply::ok(&json!({
            "kind": "Secret", "apiVersion": "v1", "metadata": {"name": "database", "namespace": "billing"},
            "data": {"password": "aHVudGVyMi1odW50ZXIy"},
        })),
        ("GET", "/apis/apps/v1/namespaces/billing/deployments") => list("DeploymentList", deployment()),
        ("GET" | "PATCH", "/apis/apps/v1/namespaces/billing/deployments/api") => {
            Reply::json(200, &deployment())
        }
        ("GET" | "PATCH" | "PUT", "/apis/apps/v1/namespaces/billing/deployments/api/scale") => Reply::json(
            200,
            &json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "api", "namespace": "billing"},
                "spec": {"replicas": 3}, "status": {"replicas": 2}}),
        ),
        (_, path) => status(404, "NotFound", &format!("{path} not found")),
    }
}

#[test]
fn kubectl_reads_a_cluster() {
    let server = Server::new(cluster);
    let aa = clusters(&server, closed_port());
    let pods = ok(&aa, "kubectl_get_pods", &json!({"namespace": "billing", "selector": "app=api"}));
    assert_eq!(pods[0]["status"], "CrashLoopBackOff");
    assert_eq!((&pods[0]["ready"], &pods[0]["restarts"]), (&json!(0), &json!(7)));
    let asked = server.asked();
    let list = asked.iter().find(|one| one.raw_path().ends_with("/pods")).unwrap();
    assert!(list.target.contains("labelSelector=app%3Dapi"), "{list:?}");
    let deployments = ok(&aa, "kubectl_get_deployments", &json!({"namespace": "billing"}));
    assert_eq!(deployments[0]["available"], 1);
    assert_eq!(deployments[0]["images"], json!(["api:1.4"]));
    let health = ok(&aa, "k8s_namespace_health", &json!({"namespace": "billing"}));
    assert_eq!(health["healthy"], false);
    assert_eq!(health["unhealthy_pods"], json!(["api-1"]));
    assert_eq!(health["unavailable_deployments"], json!(["api"]));
    let logs = json!({"pod_name": "api-1", "namespace": "billing", "tail": 2});
    aa.args(["tool", "call", "kubectl_logs", "--args", &logs.to_string()]).run().code(0).stdout("one\ntwo");
    assert!(
        server
            .asked()
            .iter()
            .any(|one| one.raw_path().ends_with("/log") && one.target.contains("tailLines=2"))
    );
}

/// However a kind or a name is spelled, the cluster is not asked for a secret.
#[test]
fn kubectl_gives_no_values_of_secrets() {
    let server = Server::new(cluster);
    let aa = clusters(&server, closed_port());
    let refused = |tool: &str, args: &Value| {
        let said = fails(&aa, tool, args);
        assert!(said.contains("failed (invalid)"), "{args}: {said}");
        said
    };
    for kind in [
        "secret",
        "secrets",
        "Secret",
        "SECRETS",
        "secrets.",
        "secrets.v1.",
        "secret.v1",
        "Secrets.v1.core",
        "pods,secrets",
        "secrets,pods",
        "pods,Secret.v1.",
        "secret/database",
        "pods/api-1,secret/database",
    ] {
        let said = refused("kubectl_get", &json!({"resource": kind, "namespace": "billing"}));
        assert!(said.contains("values are not given: `kubectl_get_secrets`"), "{kind}: {said}");
        assert!(said.contains("docs/secrets.md"), "{kind}: {said}");
    }
    for kind in [
        "",
        " secrets",
        "secrets ",
        "pods, secrets",
        "pods/api-1",
        "-f",
        "--raw=/api/v1/secrets",
        "ſecrets",
        "pods\nsecrets",
    ] {
        refused("kubectl_get", &json!({"resource": kind, "namespace": "billing"}));
    }
    for name in
        ["secret/database", "Secrets/database", "secrets.v1./database", "pods/api-1", "-o=yaml", "a b"]
    {
        for kind in ["pods/api-1", "pods"] {
            refused("kubectl_get", &json!({"resource": kind, "name": name, "namespace": "billing"}));
        }
        for (tool, key) in [
            ("kubectl_describe_pod", "pod_name"),
            ("kubectl_describe_deployment", "deployment_name"),
            ("kubectl_rollout_status", "deployment_name"),
            ("konflux_get_component", "name"),
            ("tkn_pipelinerun_describe", "run_name"),
        ] {
            refused(tool, &json!({key: name, "namespace": "billing"}));
        }
    }
    assert!(!server.asked().iter().any(|one| one.raw_path().contains("/secrets")));
    ok(&aa, "kubectl_get", &json!({"resource": "Pods.v1.", "name": "api-1", "namespace": "billing"}));
    // What has the word in its name is no secret.
    let other = json!({"resource": "externalsecrets.external-secrets.io", "namespace": "billing"});
    assert!(!fails(&aa, "kubectl_get", &other).contains("failed (invalid)"));
}

/// As docs/secrets.md has it.
#[test]
fn a_secret_of_a_cluster_reaches_a_call_and_no_journal() {
    let server = Server::new(cluster);
    let asks = Server::new(|asked: &Request| Reply::text(&asked.head()));
    let kubectl = format!("kubectl, '--server={}', --namespace=billing, get, secret, database", server.url);
    let config = format!(
        "secrets: {{PASSWORD: {{command: [{kubectl}, '--output=go-template={{{{.data.password | base64decode}}}}']}}}}\n"
    );
    let skill = format!(
        "name: ask\ndescription: Asks with a secret\nsteps:\n  - name: ask\n    tool: http_get\n    args: {{url: '{}', headers: {{Authorization: 'Bearer {{{{ secrets.PASSWORD }}}}'}}}}\noutputs: [{{name: said, value: '{{{{ ask.body }}}}'}}]\n",
        asks.url
    );
    let aa = Aa::new().config(&config).skill("ask", &skill);
    let ran = aa.args(["skill", "run", "ask", "--format", "json"]).run().code(0).to_string();
    assert_eq!(asks.asked()[0].bearer(), Some("hunter2-hunter2"));
    assert!(ran.contains("secret:PASSWORD") && !ran.contains("hunter2"), "{ran}");
    let shown = aa.args(["run", "show", "1", "--step", "ask"]).run().code(0).to_string();
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn kubectl_changes_a_cluster() {
    let server = Server::new(cluster);
    let aa = clusters(&server, closed_port());
    let scaled =
        ok(&aa, "kubectl_scale", &json!({"deployment": "api", "replicas": 3, "namespace": "billing"}));
    assert_eq!(scaled, json!({"deployment": "api", "replicas": 3}));
    ok(&aa, "kubectl_rollout_restart", &json!({"deployment_name": "api", "namespace": "billing"}));
    ok(&aa, "kubectl_delete_pod", &json!({"pod_name": "api-1", "namespace": "billing", "force": true}));
    let asked = server.asked();
    let made = |method: &str, path: &str, part: &str| {
        asked
            .iter()
            .any(|one| one.method == method && one.raw_path().ends_with(path) && one.text().contains(part))
    };
    assert!(made("PATCH", "/deployments/api/scale", "\"replicas\":3"), "{asked:#?}");
    assert!(made("PATCH", "/deployments/api", "restartedAt"), "{asked:#?}");
    assert!(made("DELETE", "/pods/api-1", "\"gracePeriodSeconds\":0"), "{asked:#?}");
}

#[test]
fn kubectl_tells_why_a_cluster_cannot_be_used() {
    let server = Server::new(cluster);
    let aa = clusters(&server, closed_port());
    let get = |environment: &str| json!({"namespace": "billing", "environment": environment});
    let one = json!({"resource": "pods", "namespace": "billing", "name": "nothing"});
    assert!(fails(&aa, "kubectl_get", &one).contains("failed (not_found)"));
    // `production` is another context, of a cluster that knows nobody.
    assert!(fails(&aa, "kubectl_get_pods", &get("production")).contains("failed (auth)"));
    assert!(fails(&aa, "kubectl_get_pods", &get("gone")).contains("failed (network)"));
    let unknown = fails(&aa, "kubectl_get_pods", &get("nowhere"));
    assert!(unknown.contains("failed (not_found)") && unknown.contains("name the context"), "{unknown}");
}

#[test]
fn make_makes_targets() {
    let aa = Aa::new().file("Makefile", "check:\n\t@echo checked\nslow:\n\tsleep 60\nbad:\n\tfalse\n");
    let made = ok(&aa, "make_target", &json!({"repo": ".", "target": "check"}));
    assert_eq!(made, json!({"target": "check", "output": "checked"}));
    assert!(
        fails(&aa, "make_target", &json!({"repo": ".", "target": "chekc"})).contains("failed (not_found)")
    );
    assert!(fails(&aa, "make_target", &json!({"repo": ".", "target": "bad"})).contains("failed (permanent)"));
    for target in ["A=$(shell touch pwned)", "A:=1", "--eval=x", "-f", ""] {
        let said = fails(&aa, "make_target", &json!({"repo": ".", "target": target}));
        assert!(said.contains("failed (invalid)"), "{target}: {said}");
    }
    assert!(!aa.path("pwned").exists());
    let slow = fails(&aa, "make_target", &json!({"repo": ".", "target": "slow", "timeout": 1}));
    assert!(slow.contains("failed (timeout)"), "{slow}");
}

#[test]
fn docker_speaks_to_a_daemon() {
    let server = Server::new(|asked: &Request| {
        let path = asked.raw_path().trim_start_matches(|c: char| c != '/' && c != '_');
        if path == "/_ping" {
            return Reply::text("OK");
        }
        if path.ends_with("/containers/json") {
            let one = json!({"Id": "4f1c", "Names": ["/shop-db-1"], "Image": "postgres:16", "Command": "postgres",
                "Created": 0, "State": "running", "Status": "Up 3 hours", "Ports": [], "Labels": {}});
            return Reply::json(200, &json!([one]));
        }
        Reply::json(404, &json!({"message": "No such container: nothing"}))
    });
    let host = server.url.replace("http:", "tcp:");
    let aa = Aa::new();
    let call = |tool: &str, args: Value| {
        aa.args(["tool", "call", tool, "--args", &args.to_string()]).env("DOCKER_HOST", &host).run()
    };
    let all = call("docker_ps", json!({"all": true, "filter_name": "shop"})).code(0).json();
    assert_eq!((&all[0]["name"], &all[0]["state"]), (&json!("shop-db-1"), &json!("running")));
    let asked = server.asked();
    let list = asked.iter().find(|one| one.raw_path().ends_with("/containers/json")).unwrap();
    assert!(list.target.contains("all=1") && list.target.contains("shop"), "{list:?}");
    let nothing = call("docker_exec", json!({"container": "nothing", "command": ["true"]}));
    nothing.code(1).stderr_contains("failed (not_found)");
    let gone = aa
        .args(["tool", "call", "docker_ps"])
        .env("DOCKER_HOST", format!("tcp://127.0.0.1:{}", closed_port()));
    gone.run().code(1).stderr_contains("failed (network)");
}

/// Calls a tool with the linters on the path.
fn lint(aa: &Aa, tool: &str, args: &Value) -> Value {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/linters/bin");
    assert!(
        folder.join("flake8").is_file(),
        "there are no linters in {}; tests/run installs them",
        folder.display()
    );
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    aa.args(["tool", "call", tool, "--args", &args.to_string()]).env("PATH", path).run().code(0).json()
}

#[test]
fn linters_find_what_is_wrong() {
    let aa = Aa::new()
        .file("a.py", "import os\nx = { 1 }\n")
        .file("a.yaml", "---\na:   1\nb: [ 1 ]\n")
        .file("Dockerfile", "FROM debian\n");
    let python = lint(&aa, "lint_python", &json!({"repo": "."}));
    assert_eq!((&python["clean"], &python["unformatted"]), (&json!(false), &json!([aa.path("a.py")])));
    assert_eq!((&python["problems"][0]["code"], &python["problems"][0]["line"]), (&json!("F401"), &json!(1)));
    let mended = lint(&aa, "lint_python", &json!({"repo": ".", "fix": true}));
    assert_eq!(mended["unformatted"], json!([]));
    assert!(aa.text("a.py").contains("x = {1}"));
    let yaml = lint(&aa, "lint_yaml", &json!({"repo": ".", "path_filter": "a.yaml"}));
    assert!(
        yaml.as_array().unwrap().iter().all(|one| one["file"] == "a.yaml" && one["rule"].is_string()),
        "{yaml}"
    );
    let docker = lint(&aa, "lint_dockerfile", &json!({"repo": "."}));
    assert_eq!(docker[0]["code"], "DL3006");
}

#[test]
fn tests_and_scans_of_python_are_summed_up() {
    let aa = Aa::new()
        .file("a.py", "import subprocess\n\n\ndef a(x):\n    return subprocess.run(x, shell=True)\n")
        .file("test_a.py", "def test_a():\n    assert True\n\n\ndef test_b():\n    assert 1 == 2\n");
    let ran = lint(&aa, "test_run", &json!({"repo": ".", "coverage": true}));
    assert_eq!((&ran["passed"], &ran["failed"]), (&json!(false), &json!(["test_a.py::test_b"])));
    assert!(ran["summary"].as_str().unwrap().starts_with("1 failed, 1 passed in "), "{ran}");
    assert!(ran["coverage"].as_i64().unwrap() > 0, "{ran}");
    let scan = lint(&aa, "security_scan", &json!({"repo": "."}));
    assert!(
        scan.as_array().unwrap().iter().any(|one| one["test"] == "B602" && one["severity"] == "HIGH"),
        "{scan}"
    );
}

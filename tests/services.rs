//! Shipped tools against servers that speak the services' routes and errors.

use serde_json::{Value, json};

use crate::support::{Aa, Call};

/// GitLab.
mod gitlab;
/// Jira.
mod jira;
/// Prometheus and Alertmanager, the real ones.
mod metrics;
/// Quay.
mod quay;
/// Slack, and listening.
mod slack;

/// A service with what the environment says about it.
struct Access<'a> {
    aa: &'a Aa,
    env: Vec<(&'static str, String)>,
}

impl Access<'_> {
    fn args(&self, args: &[&str]) -> Call {
        let call = self.aa.args(args);
        self.env.iter().fold(call, |call, (name, value)| call.env(name, value))
    }

    /// What a tool gives.
    #[track_caller]
    fn call(&self, tool: &str, args: &Value) -> Value {
        self.args(&["tool", "call", tool, "--args", &args.to_string()]).run().code(0).json()
    }

    /// What is said when a tool fails.
    #[track_caller]
    fn refused(&self, tool: &str, args: &Value) -> String {
        self.args(&["tool", "call", tool, "--args", &args.to_string()]).run().code(1).err()
    }

    /// A tool fails with this kind, and says this.
    #[track_caller]
    fn fails(&self, tool: &str, args: &Value, kind: &str, message: &str) {
        let said = self.refused(tool, args);
        assert!(said.contains(&format!("`{tool}` failed ({kind})")), "{said}");
        assert!(said.contains(message), "{said}");
    }
}

/// No file below a folder holds a text.
fn nowhere(folder: &std::path::Path, text: &str) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            nowhere(&entry.path(), text);
        } else {
            let bytes = std::fs::read(entry.path()).unwrap();
            let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!found, "{} holds a secret", entry.path().display());
        }
    }
}

#[test]
fn every_recorded_example_of_a_service_is_as_it_was() {
    let aa = Aa::new();
    let modules = [
        "gitlab",
        "jira",
        "quay",
        "prometheus",
        "alertmanager",
        "kibana",
        "slack",
        "google_calendar",
        "github",
    ];
    aa.args(["tool", "test"].iter().chain(&modules)).run().code(0);
}

#[test]
fn what_is_not_configured_is_named() {
    let aa = Aa::new();
    let said = Access { aa: &aa, env: vec![] }.refused("gitlab_user_info", &json!({}));
    assert!(said.contains("GITLAB_TOKEN") && said.contains("modules"), "{said}");
}

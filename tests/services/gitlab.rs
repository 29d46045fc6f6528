use rustix::process::Signal;
use serde_json::json;

use super::{Access, nowhere};
use crate::support::services::Server;
use crate::support::services::gitlab::{GitLab, TOKEN};
use crate::support::{Aa, eventually};

fn access<'a>(aa: &'a Aa, server: &Server<GitLab>, token: &str) -> Access<'a> {
    Access { aa, env: vec![("GITLAB_URL", server.url.clone()), ("GITLAB_TOKEN", token.to_owned())] }
}

#[test]
fn merge_requests_are_opened_listed_changed_and_merged() {
    let aa = Aa::new();
    let server = Server::start(GitLab::default());
    let gitlab = access(&aa, &server, TOKEN);
    let made = gitlab.call(
        "gitlab_mr_create",
        &json!({"project": "demo/api", "source_branch": "b1", "title": "One", "reviewer": "jan", "draft": true}),
    );
    assert_eq!((&made["id"], &made["draft"], &made["reviewers"]), (&json!(1), &json!(true), &json!(["jan"])));
    for branch in ["b2", "b3", "b4", "b5"] {
        gitlab.call("gitlab_mr_create", &json!({"project": "demo/api", "source_branch": branch}));
    }
    server.asked();
    let listed = gitlab.call("gitlab_mr_list", &json!({"project": "demo/api"}));
    let ids: Vec<i64> = listed.as_array().unwrap().iter().map(|mr| mr["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    assert_eq!(server.asked().len(), 3, "it comes in pages of two");
    let two = gitlab.call("gitlab_mr_list", &json!({"project": "demo/api", "limit": 2, "author": "ute"}));
    assert_eq!((two.as_array().unwrap().len(), server.asked().len()), (2, 1));

    gitlab.fails(
        "gitlab_mr_merge",
        &json!({"project": "demo/api", "mr_id": 1}),
        "permanent",
        "405 Method Not Allowed",
    );
    let ready = gitlab.call(
        "gitlab_mr_update",
        &json!({"project": "demo/api", "mr_id": 1, "draft": false, "add_label": "a,b"}),
    );
    assert_eq!(
        (&ready["title"], &ready["draft"], &ready["labels"]),
        (&json!("One"), &json!(false), &json!(["a", "b"]))
    );
    gitlab.fails(
        "gitlab_mr_merge",
        &json!({"project": "demo/api", "mr_id": 1, "sha": "old"}),
        "permanent",
        "SHA does not match",
    );
    let merged = gitlab.call("gitlab_mr_merge", &json!({"project": "demo/api", "mr_id": 1, "sha": "abc"}));
    assert_eq!(merged["state"], "merged");

    gitlab.call(
        "gitlab_mr_comment",
        &json!({"project": "demo/api", "mr_id": 2, "message": "Fine, \"really\" & ümlaut"}),
    );
    let comments = gitlab.call("gitlab_mr_comments", &json!({"project": "demo/api", "mr_id": 2}));
    assert_eq!(comments[0]["body"], "Fine, \"really\" & ümlaut");
    let status = gitlab.call("gitlab_ci_status", &json!({"project": "demo/api", "branch": "main"}));
    assert_eq!((&status["id"], &status["failed_jobs"]), (&json!(77), &json!(["test"])));
    let trace = gitlab.call("gitlab_ci_trace", &json!({"project": "demo/api", "job_id": 2}));
    assert_eq!(trace["log"], "$ make\nFAILED");
    let file = gitlab.call("gitlab_file_read", &json!({"project": "demo/api", "path": "src/a.txt"}));
    assert_eq!(file["content"], "a");
}

#[test]
fn what_gitlab_refuses_is_told_apart() {
    let aa = Aa::new();
    let server = Server::start(GitLab::default());
    let place = json!({"project": "demo/api"});
    access(&aa, &server, "glpat-wrong").fails("gitlab_mr_list", &place, "auth", "401 Unauthorized");
    let reader = access(&aa, &server, "glpat-read");
    let new = json!({"project": "demo/api", "source_branch": "b"});
    reader.fails("gitlab_mr_create", &new, "auth", "higher privileges");
    let gitlab = access(&aa, &server, TOKEN);
    gitlab.fails("gitlab_mr_list", &json!({"project": "demo/none"}), "not_found", "404 Project Not Found");
    gitlab.fails("gitlab_mr_view", &json!({"project": "demo/api", "mr_id": 9}), "not_found", "404 Not found");
    gitlab.fails("gitlab_ci_status", &json!({"project": "demo/api", "branch": "new"}), "not_found", "404");
    gitlab.call("gitlab_mr_create", &new);
    gitlab.fails("gitlab_mr_create", &new, "permanent", "already exists for this source branch: !1");
    let nobody = json!({"project": "demo/api", "source_branch": "c", "assignee": "nobody"});
    gitlab.fails("gitlab_mr_create", &nobody, "not_found", "there is no user `nobody`");
    assert_eq!(server.state().merge_requests.len(), 1, "nothing was made");
    server.state().busy = 1;
    gitlab.call("gitlab_mr_list", &place);
    let alias =
        gitlab.args(&["tool", "call", "gitlab_list_mrs", "--arg", "project=demo/api"]).run().code(0).json();
    assert_eq!(alias[0]["source_branch"], "b");
    let mut closed = access(&aa, &server, TOKEN);
    closed.env[0].1 = "http://127.0.0.1:9".to_owned();
    let said = closed.refused("gitlab_mr_list", &place);
    assert!(said.contains("(network)") && !said.contains(TOKEN), "{said}");
}

const OPEN: &str = "
name: open
description: Opens a merge request
inputs: [{name: branch, type: string, required: true}]
steps:
  - name: mr
    tool: gitlab_mr_create
    args: {project: demo/api, source_branch: '{{ inputs.branch }}'}
outputs: [{name: url, value: '{{ mr.url }}'}]
";

#[test]
fn a_merge_request_whose_answer_was_lost_is_found_and_not_opened_twice() {
    let aa = Aa::new().skill("open", OPEN);
    let server = Server::start(GitLab { loses_answer: true, ..GitLab::default() });
    let gitlab = access(&aa, &server, TOKEN);
    let running = gitlab.args(&["skill", "run", "open", "--input", "branch=b1"]).start();
    eventually("the merge request is made", || !server.state().merge_requests.is_empty());
    running.signal(Signal::KILL);
    running.wait().killed();
    gitlab.args(&["run", "resume", "1"]).run();
    assert_eq!(server.state().merge_requests.len(), 1);
    let run = gitlab.args(&["run", "show", "1", "--format", "json"]).run().code(0);
    let events = run.json_lines();
    assert_eq!(events.last().unwrap()["event"], "skill_completed", "{run}");
    nowhere(&aa.home(), TOKEN);
    assert!(!run.out().contains(TOKEN));
}

use serde_json::json;

use super::Access;
use crate::support::Aa;
use crate::support::services::Server;
use crate::support::services::jira::{Jira, TOKEN};

fn access<'a>(aa: &'a Aa, server: &Server<Jira>, token: &str) -> Access<'a> {
    let env = [
        ("JIRA_URL", server.url.clone()),
        ("JIRA_TOKEN", token.to_owned()),
        ("JIRA_PROJECT", "ABC".to_owned()),
    ];
    Access { aa, env: env.into() }
}

#[test]
fn an_issue_goes_its_way() {
    let aa = Aa::new();
    let server = Server::start(Jira::default());
    let jira = access(&aa, &server, TOKEN);
    let made = jira.call(
        "jira_create_issue",
        &json!({"issue_type": "Story", "summary": "Mail", "description": "# Why\n- `x`", "story_points": 3, "components": "api, web"}),
    );
    assert_eq!(made["key"], "ABC-1");
    let seen = server.state().issues[0]["fields"].clone();
    assert_eq!((&seen["description"], &seen["customfield_10002"]), (&json!("h1. Why\n* {{x}}"), &json!(3)));
    assert_eq!(seen["components"], json!([{"name": "api"}, {"name": "web"}]));

    let place = json!({"issue_key": "ABC-1"});
    let refused = json!({"issue_key": "ABC-1", "status": "Done"});
    jira.fails(
        "jira_set_status",
        &refused,
        "not_found",
        "`ABC-1` is `New` and cannot go to `Done`, only to: In Progress",
    );
    let moved = jira.call("jira_set_status", &json!({"issue_key": "ABC-1", "status": "In Progress"}));
    assert_eq!(moved, json!({"key": "ABC-1", "status": "In Progress", "changed": true}));
    let again = jira.call("jira_transition", &json!({"issue_key": "ABC-1", "status": "In Progress"}));
    assert_eq!(again["changed"], false);
    jira.call("jira_set_status", &refused);

    jira.call("jira_assign", &json!({"issue_key": "ABC-1", "assignee": "me"}));
    jira.call("jira_add_comment", &json!({"issue_key": "ABC-1", "comment": "Done."}));
    let shown = jira.call("jira_view_issue", &place);
    assert_eq!((&shown["assignee"], &shown["status"]), (&json!("ute"), &json!("Done")));
    assert_eq!(shown["comments"][0]["body"], "Done.");
    jira.call("jira_unassign", &place);
    assert_eq!(jira.call("jira_get_issue", &place)["assignee"], json!(null));

    jira.call("jira_add_link", &json!({"from_issue": "ABC-1", "to_issue": "ABC-2", "link_type": "blocks"}));
    let link = server.state().links[0].clone();
    assert_eq!(
        (&link["inwardIssue"]["key"], &link["outwardIssue"]["key"]),
        (&json!("ABC-1"), &json!("ABC-2"))
    );
}

#[test]
fn a_search_comes_in_pages() {
    let aa = Aa::new();
    let server = Server::start(Jira::default());
    let jira = access(&aa, &server, TOKEN);
    for summary in ["a", "b", "c"] {
        jira.call("jira_create_issue", &json!({"issue_type": "Bug", "summary": summary}));
    }
    server.asked();
    let found = jira.call("jira_list_issues", &json!({}));
    let keys: Vec<&str> =
        found.as_array().unwrap().iter().map(|issue| issue["key"].as_str().unwrap()).collect();
    assert_eq!((keys, server.asked().len()), (vec!["ABC-1", "ABC-2", "ABC-3"], 2));
    assert_eq!(
        jira.call("jira_search", &json!({"jql": "project = ABC", "max_results": 1}))
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn what_jira_refuses_is_told_apart() {
    let aa = Aa::new();
    let server = Server::start(Jira::default());
    access(&aa, &server, "wrong").fails("jira_my_issues", &json!({}), "auth", "must be authenticated");
    let jira = access(&aa, &server, TOKEN);
    jira.fails("jira_view_issue", &json!({"issue_key": "ABC-9"}), "not_found", "Issue Does Not Exist");
    jira.fails("jira_search", &json!({"jql": "nonsense"}), "invalid", "Error in the JQL Query");
    let wrong = json!({"issue_type": "Bugg", "summary": "x"});
    jira.fails("jira_create_issue", &wrong, "invalid", "issue type is required");
    let nobody = json!({"issue_type": "Bug", "summary": "x", "project": "NO"});
    jira.fails("jira_create_issue", &nobody, "invalid", "valid project is required");
    jira.call("jira_create_issue", &json!({"issue_type": "Bug", "summary": "x"}));
    jira.fails(
        "jira_assign",
        &json!({"issue_key": "ABC-1", "assignee": "nobody"}),
        "invalid",
        "'nobody' does not exist",
    );
    let epic = json!({"issue_key": "ABC-1", "epic_key": "ABC-2"});
    jira.fails("jira_set_epic", &epic, "not_found", "Jira has no field `Epic Link`");
}

//! The audit over the API: who sees it, page by page, and whether it is as it was written.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::support::{CI, LOOK, found, get, project, serve, stands, start};
use crate::mcp::wire::{Reply, Served};
use crate::support::Aa;

fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap_or_else(|| panic!("{page}"))
}

fn as_guest(served: &Served, path: &str) -> Reply {
    let key = format!("Bearer {CI}");
    served.ask(&format!("GET {path}"), &[("Authorization", key.as_str())], "")
}

/// The server of a project in which so many runs were made.
fn ran(aa: &Aa, runs: usize) -> Served {
    let served = serve(aa);
    for _ in 0..runs {
        let run = start(&served, "look", &json!({}));
        stands(&served, run, "completed");
    }
    served
}

#[test]
fn it_is_told_page_by_page_and_what_is_wanted_of_it() {
    let aa = project("");
    let served = ran(&aa, 5);
    served.post("/api/heal/rules/kube_login/reset", &[], &json!({}));
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = found(&served, &format!("/api/audit?limit=2&did=run.{after}"));
        assert!(items(&page).len() <= 2);
        seen.extend(items(&page).iter().map(|entry| entry["what"].as_str().unwrap().to_owned()));
        // What comes meanwhile does not move it.
        let run = start(&served, "look", &json!({}));
        stands(&served, run, "completed");
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, ["run 5", "run 4", "run 3", "run 2", "run 1"]);
    let of_run = found(&served, "/api/audit?run=3");
    assert_eq!((items(&of_run).len(), &items(&of_run)[0]["did"]), (1, &json!("run.start")), "{of_run}");
    assert_eq!(items(&of_run)[0]["who"], "local");
    assert!(items(&found(&served, "/api/audit?who=nobody")).is_empty());
    assert!(items(&found(&served, "/api/audit?since=2999-01-01T00:00:00Z")).is_empty());
    let reset = found(&served, "/api/audit?did=heal.");
    assert_eq!(items(&reset).len(), 1, "{reset}");
    let what = items(&reset)[0]["what"].as_str().unwrap().replace(' ', "%20");
    assert_eq!(items(&found(&served, &format!("/api/audit?what={what}"))).len(), 1);
    assert_eq!(get(&served, "/api/audit?run=3&what=run%203").status, 400);
    assert_eq!(get(&served, "/api/audit?limit=501").status, 400);
}

#[test]
fn what_is_tampered_with_is_told() {
    let aa = project("");
    let served = ran(&aa, 2);
    found(&served, "/api/audit");
    let well = found(&served, "/api/audit/verify");
    assert_eq!((&well["ok"], &well["fault"]), (&json!(true), &Value::Null), "{well}");
    let mark = well["last"].as_str().unwrap();
    assert_eq!(found(&served, &format!("/api/audit/verify?mark={mark}"))["ok"], true);
    let later = format!("{}{}", "9999:", "0".repeat(64));
    let cut = found(&served, &format!("/api/audit/verify?mark={later}"));
    assert_eq!(cut["ok"], false, "{cut}");
    assert_eq!(get(&served, "/api/audit/verify?mark=x").status, 400);
    let store = Connection::open(aa.home().join("state/aa-workflow/aa.db")).unwrap();
    store
        .execute("update audit set who = 'somebody' where did = 'run.start' and what = 'run 2'", ())
        .unwrap();
    let wrong = found(&served, "/api/audit/verify");
    assert_eq!(wrong["ok"], false, "{wrong}");
    let of_run = found(&served, "/api/audit?run=2");
    assert_eq!(wrong["fault"]["seq"], items(&of_run)[0]["seq"], "{wrong}");
}

#[test]
fn it_is_there_for_the_owner_and_for_auditors_and_for_nobody_else() {
    for (key, status) in [
        ("", 403),
        (", roles: [operator]", 403),
        (", scopes: ['runs:all']", 403),
        (", roles: [auditor]", 200),
        (", roles: [admin]", 200),
        (", roles: [auditor], tenant: red", 403),
        (", roles: [admin], tenant: red", 403),
    ] {
        let config = format!(
            "secrets: {{CI: {{env: CI_KEY}}}}\nserve:\n  keys: [{{principal: ci, key: '{{{{ secrets.CI }}}}'{key}}}]\n"
        );
        let aa = Aa::traced().skill("look", LOOK).own_config(&config);
        let served = serve(&aa);
        for path in ["/api/audit", "/api/audit/verify", "/ui/audit"] {
            let reply = as_guest(&served, path);
            assert_eq!(reply.status, status, "{key} {path}: {reply:?}");
        }
        // Whoever audits need not be able to do anything.
        if key.contains("auditor") {
            let key = format!("Bearer {CI}");
            let run = served.post("/api/skills/look/run", &[("Authorization", &key)], &json!({}));
            assert_eq!(run.status, 403, "{run:?}");
        }
    }
}

//! Tenants: nobody sees anything of another one, not even somebody of the same name.

use serde_json::{Value, json};

use super::support::{LOOK, Stream, found};
use crate::mcp::wire::{Reply, Served};
use crate::support::Aa;

const RED: &str = "0123456789abcdef0123456789abcdef-red";
const BLUE: &str = "0123456789abcdef0123456789abcdef-blue";
const BOSS: &str = "0123456789abcdef0123456789abcdef-boss";

const REMEMBER: &str = "name: remember\ndescription: Remembers\nsteps: [{name: it, tool: memory_read, args: {key: state/current_work}}]\n";

fn served() -> (Aa, Served) {
    let key = |who: &str, tenant: &str, more: &str| {
        format!(
            "    - {{principal: {who}, tenant: {tenant}, key: '{{{{ secrets.{} }}}}'{more}}}\n",
            tenant.to_uppercase()
        )
    };
    let config = format!(
        "secrets: {{RED: {{env: RED}}, BLUE: {{env: BLUE}}, BOSS: {{env: BOSS}}}}\nserve:\n  keys:\n{}{}    - {{principal: chief, tenant: blue, roles: [admin], key: '{{{{ secrets.BOSS }}}}'}}\n",
        key("ann", "red", ""),
        key("ann", "blue", "")
    );
    let aa = Aa::traced().skill("look", LOOK).skill("remember", REMEMBER).own_config(&config);
    let call =
        aa.args(["serve", "--listen", "127.0.0.1:0"]).env("RED", RED).env("BLUE", BLUE).env("BOSS", BOSS);
    let served = Served::start(call);
    (aa, served)
}

fn ask(served: &Served, key: &str, line: &str, body: &str) -> Reply {
    let key = format!("Bearer {key}");
    served.ask(line, &[("Authorization", key.as_str())], body)
}

fn start(served: &Served, key: &str) -> i64 {
    ask(served, key, "POST /api/skills/look/run", "{}").message()["run"].as_i64().unwrap()
}

fn runs(served: &Served, key: &str) -> Vec<i64> {
    let list = ask(served, key, "GET /api/runs", "").message();
    list["items"].as_array().unwrap().iter().map(|run| run["id"].as_i64().unwrap()).collect()
}

#[test]
fn nobody_sees_a_run_of_another_tenant_even_under_the_same_name() {
    let (_aa, served) = served();
    let own = served.post("/api/skills/look/run", &[], &json!({})).message()["run"].as_i64().unwrap();
    let (red, blue) = (start(&served, RED), start(&served, BLUE));
    assert_eq!((runs(&served, RED), runs(&served, BLUE)), (vec![red], vec![blue]));
    assert_eq!(runs(&served, BOSS), [blue], "an admin sees the runs of their own tenant");
    for (key, run) in [(RED, blue), (BLUE, red), (BOSS, red), (BOSS, own), (RED, own)] {
        assert_eq!(ask(&served, key, &format!("GET /api/runs/{run}"), "").status, 404, "{key} {run}");
        assert_eq!(ask(&served, key, &format!("POST /api/runs/{run}/cancel"), "{}").status, 404);
    }
    let counts = ask(&served, RED, "GET /api/runs/counts", "").message();
    let all: i64 = counts.as_object().unwrap().values().filter_map(Value::as_i64).sum();
    assert_eq!(all, 1, "{counts}");
    let everything = found(&served, "/api/runs");
    assert_eq!(everything["items"].as_array().unwrap().len(), 3, "the owner of the store sees all of it");
    assert_eq!(everything["items"][0]["tenant"], "blue");
}

#[test]
fn the_same_request_key_is_another_one_in_another_tenant() {
    let (_aa, served) = served();
    let start = |key: &str| {
        let key = format!("Bearer {key}");
        let headers = [("Authorization", key.as_str()), ("Idempotency-Key", "same")];
        served.post("/api/skills/look/run", &headers, &json!({})).message()["run"].clone()
    };
    let (red, blue) = (start(RED), start(BLUE));
    assert_ne!(red, blue);
    assert_eq!(start(RED), red);
}

#[test]
fn what_happens_is_told_within_the_tenant() {
    let (_aa, served) = served();
    let (red, boss) = (format!("Bearer {RED}"), format!("Bearer {BOSS}"));
    let mut of_red = Stream::open(&served, "/events", &[("Authorization", red.as_str())]);
    let mut of_boss = Stream::open(&served, "/events", &[("Authorization", boss.as_str())]);
    let (blue, last) = (start(&served, BLUE), start(&served, RED));
    assert_eq!(of_boss.next().unwrap().data["run_id"], blue);
    assert_eq!(of_red.next().unwrap().data["run_id"], last, "nothing of the other tenant came before it");
}

#[test]
fn what_is_remembered_belongs_to_the_main_tenant() {
    let (_aa, served) = served();
    for line in ["GET /api/memory", "GET /api/memory/search?words=x", "GET /api/heal/rules"] {
        assert_eq!(ask(&served, RED, line, "").status, 403, "{line}");
        assert_eq!(ask(&served, BOSS, line, "").status, 403, "{line}");
    }
    let call = ask(
        &served,
        RED,
        "POST /api/tools/memory_read/call",
        "{\"args\": {\"key\": \"state/current_work\"}}",
    );
    assert!(call.status >= 400 && call.body.contains("another tenant"), "{call:?}");
    let run = ask(&served, RED, "POST /api/skills/remember/run", "{}").message()["run"].as_i64().unwrap();
    crate::support::eventually("the run fails", || {
        ask(&served, RED, &format!("GET /api/runs/{run}"), "").message()["run"]["status"] == "failed"
    });
}

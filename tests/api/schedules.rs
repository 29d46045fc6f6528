//! Schedules over the API: looked at, steered, and only by whoever may.

use serde_json::{Value, json};

use super::support::{CI, LOOK, WRITE, found, serve};
use crate::mcp::wire::{Reply, Served};
use crate::support::{Aa, eventually};

const SCHEDULES: &str = "schedules:\n  hourly: {skill: look, every: 1h}\n  yearly: {skill: write, cron: '@yearly', timezone: Europe/Berlin, inputs: {line: '{{ due }}'}}\n";

/// A project with schedules, and a guest with these words in their key.
fn project(key: &str) -> Aa {
    let config = format!(
        "secrets: {{CI: {{env: CI_KEY}}}}\nserve:\n  keys: [{{principal: ci, key: '{{{{ secrets.CI }}}}'{key}}}]\n{SCHEDULES}"
    );
    Aa::traced().skill("look", LOOK).skill("write", WRITE).own_config(&config)
}

fn say(served: &Served, what: &str, body: &Value) -> Reply {
    served.post(&format!("/api/schedules/{what}"), &[], body)
}

fn slots(served: &Served, name: &str) -> Vec<Value> {
    found(served, &format!("/api/schedules/{name}/slots"))["items"].as_array().unwrap().clone()
}

#[test]
fn schedules_are_looked_at() {
    let aa = project("");
    let served = serve(&aa);
    let list = found(&served, "/api/schedules");
    let names: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["hourly", "yearly"]);
    let shown = found(&served, "/api/schedules/yearly");
    assert_eq!(
        (&shown["skill"], &shown["timezone"], &shown["enabled"], &shown["paused"]),
        (&json!("write"), &json!("Europe/Berlin"), &json!(true), &Value::Null)
    );
    let next = found(&served, "/api/schedules/yearly/next?after=2026-06-01T00:00:00Z&limit=2");
    assert_eq!(next["items"], json!(["2026-12-31T23:00:00Z", "2027-12-31T23:00:00Z"]));
    let why = found(&served, "/api/schedules/yearly/why");
    assert!(why["items"][0]["text"].as_str().is_some_and(|text| !text.is_empty()), "{why}");
    let lost = served.ask("GET /api/schedules/yeraly", &[], "");
    assert_eq!(lost.status, 404, "{lost:?}");
    assert!(lost.body.contains("did you mean `yearly`?"), "{lost:?}");
}

#[test]
fn a_schedule_is_run_once_for_each_request_and_its_times_are_told_page_by_page() {
    let aa = project("");
    let served = serve(&aa);
    let first = served.post("/api/schedules/hourly/run", &[("Idempotency-Key", "a")], &json!({}));
    let again = served.post("/api/schedules/hourly/run", &[("Idempotency-Key", "a")], &json!({}));
    assert_eq!((first.status, again.status), (201, 201), "{first:?} {again:?}");
    assert_eq!(first.message(), again.message());
    eventually("it went well", || slots(&served, "hourly")[0]["state"] == "succeeded");
    assert_eq!(slots(&served, "hourly").len(), 1);
    let run = first.message()["run"].as_i64().unwrap();
    assert_eq!(found(&served, &format!("/api/runs/{run}"))["run"]["origin"], "cron");
    assert_eq!(first.header("location"), Some(format!("/api/runs/{run}").as_str()));
    for key in ["b", "c"] {
        let ran = served.post("/api/schedules/hourly/run", &[("Idempotency-Key", key)], &json!({}));
        assert_eq!(ran.status, 201, "{ran:?}");
        eventually("it is over", || slots(&served, "hourly").iter().all(|slot| slot["state"] == "succeeded"));
    }
    let (mut told, mut path) = (Vec::new(), "/api/schedules/hourly/slots?limit=2".to_owned());
    loop {
        let page = found(&served, &path);
        told.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/schedules/hourly/slots?limit=2&after={next}");
    }
    assert_eq!(told, slots(&served, "hourly"));
    assert_eq!(told.len(), 3);
}

#[test]
fn a_key_of_a_request_is_for_one_thing_only() {
    let aa = project("");
    let served = serve(&aa);
    let post = |path: &str, key: &str, body: &Value| served.post(path, &[("Idempotency-Key", key)], body);
    let (hourly, yearly) = ("/api/schedules/hourly/run", "/api/schedules/yearly/run");
    let skill = "/api/skills/look/run";
    let refused = |path: &str, key: &str| {
        let reply = post(path, key, &json!({}));
        assert!(reply.status == 422 && reply.body.contains("key-reused"), "{path} {key}: {reply:?}");
        assert!(reply.body.contains("a new request needs a new key"), "{reply:?}");
    };
    let first = post(hourly, "a", &json!({}));
    assert_eq!(first.status, 201, "{first:?}");
    refused(yearly, "a");
    refused(skill, "a");
    assert_eq!(post(hourly, "a", &json!({})).message(), first.message(), "the same is found again");
    let ran = post(skill, "b", &json!({}));
    assert_eq!(ran.status, 201, "{ran:?}");
    refused(hourly, "b");
    refused(yearly, "b");
    assert_eq!(slots(&served, "yearly").len(), 0, "nothing was run");
}

#[test]
fn what_is_too_much_to_be_filled_in_at_once_is_said_and_filled_in_by_the_next_request() {
    let aa = project("");
    let served = serve(&aa);
    // 1440 hours.
    let window = json!({"from": "2020-01-01T00:30:00Z", "until": "2020-03-01T00:30:00Z"});
    let first = say(&served, "hourly/backfill", &window).message();
    assert_eq!((&first["queued"], &first["plan"]["more"]), (&json!(1000), &json!(true)));
    let second = say(&served, "hourly/backfill", &window).message();
    assert_eq!((&second["queued"], &second["plan"]["more"]), (&json!(440), &json!(false)));
    assert_eq!(second["plan"]["done"], 1000);
}

#[test]
fn a_schedule_is_held_goes_on_and_is_filled_in() {
    let aa = project("");
    let served = serve(&aa);
    let held = say(&served, "hourly/pause", &json!({"reason": "moving house"}));
    assert_eq!(held.status, 200, "{held:?}");
    let pause = &held.message()["paused"];
    assert_eq!((&pause["by"], &pause["why"]), (&json!("local (http)"), &json!("moving house")));
    let goes = say(&served, "hourly/resume", &json!({}));
    assert_eq!((goes.status, &goes.message()["paused"]), (200, &Value::Null), "{goes:?}");
    let window = json!({"from": "2020-01-01T00:30:00Z", "until": "2020-01-01T02:30:00Z", "dry_run": true});
    let plan = say(&served, "hourly/backfill", &window).message();
    assert_eq!(plan["plan"]["times"], json!(["2020-01-01T01:00:00Z", "2020-01-01T02:00:00Z"]));
    assert_eq!(plan["queued"], 0);
    let mut window = window;
    window["dry_run"] = json!(false);
    assert_eq!(say(&served, "hourly/backfill", &window).message()["queued"], 2);
    eventually("both are run", || {
        let slots = slots(&served, "hourly");
        slots.iter().filter(|slot| slot["kind"] == "backfill" && slot["state"] == "succeeded").count() == 2
    });
}

#[test]
fn schedules_are_there_for_whom_a_scope_names_them_and_no_others() {
    let key = ("Authorization", format!("Bearer {CI}"));
    let key = (key.0, key.1.as_str());
    let aa = project("");
    let usual = serve(&aa);
    assert_eq!(usual.ask("GET /api/schedules", &[key], "").message()["items"], json!([]));
    for line in [
        "GET /api/schedules/hourly",
        "GET /api/schedules/hourly/slots",
        "GET /api/schedules/hourly/why",
        "POST /api/schedules/hourly/run",
        "POST /api/schedules/hourly/resume",
    ] {
        let reply = usual.ask(line, &[key], "{}");
        assert_eq!(reply.status, 404, "{line}: {reply:?}");
        assert!(!reply.body.contains("did you mean"), "{reply:?}");
    }
    drop(usual);
    let aa = project(", scopes: ['schedule:hour*:read']");
    let reads = serve(&aa);
    let list = reads.ask("GET /api/schedules", &[key], "").message();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    assert_eq!(reads.ask("GET /api/schedules/yearly", &[key], "").status, 404);
    for what in ["run", "pause", "resume", "backfill"] {
        let body = if what == "backfill" { "{\"from\": \"2020-01-01T00:00:00Z\"}" } else { "{}" };
        let reply = reads.ask(&format!("POST /api/schedules/hourly/{what}"), &[key], body);
        assert_eq!(reply.status, 403, "{what}: {reply:?}");
    }
    drop(reads);
    let aa = project(", scopes: ['schedule:*:run'], policy: {write: deny}");
    let runs = serve(&aa);
    let ran = runs.ask("POST /api/schedules/hourly/run", &[key], "{}");
    assert_eq!(ran.status, 201, "{ran:?}");
    // The run is the owner's, so its number says nothing to them.
    assert_eq!(ran.message()["run"], Value::Null);
    let slots = runs.ask("GET /api/schedules/hourly/slots", &[key], "").message();
    assert_eq!(slots["items"][0]["run"], Value::Null, "{slots}");
    for what in ["run", "resume"] {
        let denied = runs.ask(&format!("POST /api/schedules/yearly/{what}"), &[key], "{}");
        assert_eq!(denied.status, 403, "{denied:?}");
        assert!(denied.body.contains("problems/policy"), "{denied:?}");
    }
}

//! Who did what, and that nobody can change what is written of it.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::api::support::{CI, project, serve, stands, start};
use crate::support::{Aa, eventually};

/// A project in which something was done: a run started and answered, one cancelled, a service switched off.
fn done() -> Aa {
    let aa = project("");
    let served = serve(&aa);
    let asked = start(&served, "ask", &json!({}));
    stands(&served, asked, "waiting");
    let answer = json!({"step": "sure", "answer": "yes"});
    assert_eq!(served.post(&format!("/api/runs/{asked}/answer"), &[], &answer).status, 200);
    stands(&served, asked, "completed");
    let hangs = start(&served, "hang", &json!({}));
    served.post(&format!("/api/runs/{hangs}/cancel"), &[], &json!({"reason": "enough"}));
    stands(&served, hangs, "cancelled");
    drop(served);
    aa.args(["config", "service", "disable", "cron"]).run().code(0);
    aa.args(["skill", "run", "look"]).run().code(0);
    aa
}

/// The entries, the oldest first.
fn entries(aa: &Aa) -> Vec<Value> {
    let listed = aa.args(["audit", "list", "--limit", "1000", "--format", "json"]).run().code(0);
    let mut entries = listed.json().as_array().unwrap().clone();
    entries.reverse();
    entries
}

fn store(aa: &Aa) -> std::path::PathBuf {
    aa.home().join("state/aa-workflow")
}

fn database(aa: &Aa) -> Connection {
    Connection::open(store(aa).join("aa.db")).unwrap()
}

#[test]
fn whoever_steers_a_schedule_is_named_in_the_same_way() {
    let aa =
        Aa::traced().skill("look", "name: look\ndescription: Looks\nsteps: [{name: it, tool: trace_look}]\n");
    let aa = aa.own_config("schedules: {daily: {skill: look, cron: '0 3 * * *'}}\n");
    for words in [
        &["run", "daily"][..],
        &["pause", "daily"],
        &["resume", "daily"],
        &["backfill", "daily", "--from", "2026-01-01", "--to", "2026-01-02", "--yes"],
    ] {
        aa.args(["schedule"].iter().chain(words)).run().code(0);
    }
    let of_schedules = entries(&aa).into_iter().filter(|one| one["what"] == "schedule daily");
    let told: Vec<String> = of_schedules.map(|one| format!("{} {}", one["who"], one["did"])).collect();
    let done = ["run", "pause", "resume", "backfill"];
    assert_eq!(told, done.map(|did| format!("\"tester\" \"schedule.{did}\"")));
}

#[test]
fn it_says_who_has_run_approved_and_changed_what() {
    let aa = done();
    let entries = entries(&aa);
    let told: Vec<String> = entries
        .iter()
        .map(|one| {
            let text = |key: &str| one[key].as_str().unwrap().to_owned();
            format!("{} {} {}", text("via"), text("did"), text("what"))
        })
        .filter(|line| !line.starts_with("serve "))
        .collect();
    assert_eq!(
        told,
        [
            "http run.start run 1",
            "http run.answer run 1",
            "http run.start run 2",
            "http run.cancel run 2",
            "cli service.disable service cron",
            "cli run.start run 3",
        ]
    );
    let answer = entries.iter().find(|one| one["did"] == "run.answer").unwrap();
    assert_eq!(answer["who"], "local (http)", "{answer}");
    assert_eq!((&answer["detail"]["answer"], &answer["detail"]["step"]), (&json!("yes"), &json!("sure")));
    let cancel = entries.iter().find(|one| one["did"] == "run.cancel").unwrap();
    assert_eq!(cancel["detail"]["reason"], "enough", "{cancel}");
    let listed = aa.args(["audit", "list", "--did", "run.answer"]).run().code(0).out();
    assert!(listed.contains("answer=yes") && !listed.contains("run.start"), "{listed}");
}

#[test]
fn what_a_key_does_not_open_is_noted() {
    let aa = project("");
    let served = serve(&aa);
    let key = format!("Bearer {CI}");
    let refused = served.post("/api/heal/rules/kube_login/reset", &[("Authorization", &key)], &json!({}));
    assert_eq!(refused.status, 403, "{refused:?}");
    let one = entries(&aa).into_iter().find(|one| one["outcome"] == "refused").unwrap();
    assert_eq!((&one["who"], &one["via"]), (&json!("ci"), &json!("http")), "{one}");
}

#[test]
fn a_server_takes_in_what_happens_while_it_does() {
    let aa = project("");
    let served = serve(&aa);
    let run = start(&served, "look", &json!({}));
    stands(&served, run, "completed");
    eventually("the run is in the audit", || {
        let sql = "select count(*) from audit where did = 'run.start'";
        database(&aa).query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap() == 1
    });
}

/// Each way to tamper, and what is said of it.
#[test]
fn what_is_tampered_with_is_seen() {
    let aa = done();
    let entries = entries(&aa);
    let count = entries.len();
    let verified = aa.args(["audit", "verify", "--format", "json"]).run().code(0);
    let mark = verified.json()["last"].as_str().unwrap().to_owned();
    assert!(mark.starts_with(&format!("{count}:")), "{mark}");
    let kept = std::fs::read(snapshot(&aa)).unwrap();
    let answer = entries.iter().find(|one| one["did"] == "run.answer").unwrap()["seq"].as_u64().unwrap();
    let cases: [(&str, String, String); 13] = [
        ("changed", format!("update audit set who = 'eve' where seq = {answer}"), format!("entry {answer}: it was changed")),
        ("outcome", format!("update audit set outcome = 'x' where seq = {answer}"), format!("entry {answer}: it was changed")),
        ("detail", format!("update audit set detail = '{{}}' where seq = {answer}"), format!("entry {answer}: it was changed")),
        ("removed", format!("delete from audit where seq = {answer}"), format!("entry {answer}: it is missing")),
        (
            "removed and renumbered",
            format!("delete from audit where seq = {answer}; update audit set seq = seq - 1 where seq > {answer}"),
            format!("entry {answer}: it was changed, moved"),
        ),
        (
            "reordered",
            "update audit set seq = -1 where seq = 2; update audit set seq = 2 where seq = 3; update audit set seq = 3 where seq = -1".to_owned(),
            "entry 2: it was changed, moved".to_owned(),
        ),
        ("truncated", format!("delete from audit where seq > {}", count - 2), format!("entry {}: it is missing", count - 1)),
        (
            "truncated, and the end moved",
            format!("delete from audit where seq > {0}; update audit_ends set last = {0}, last_hash = (select hash from audit where seq = {0})", count - 2),
            "the note of where the audit ends was changed".to_owned(),
        ),
        ("emptied", "delete from audit; delete from audit_ends".to_owned(), "entry 1: no entry is left: the note".to_owned()),
        (
            "emptied, and the end moved",
            "delete from audit; update audit_ends set last = 0, last_hash = '', removed = 0, removed_hash = ''".to_owned(),
            "entry 1: no entry is left: the note of where the audit ends was changed".to_owned(),
        ),
        ("without an end", "delete from audit_ends".to_owned(), "the note of where the audit ends is gone".to_owned()),
        (
            "the journal changed",
            "update events set body = replace(body, 'yes', 'no') where kind = 'confirm_answered'".to_owned(),
            format!("entry {answer}: event"),
        ),
        ("the beginning cut off", "delete from audit where seq < 3".to_owned(), "entry 1: it is missing".to_owned()),
    ];
    for (what, sql, said) in cases {
        std::fs::write(snapshot(&aa), &kept).unwrap();
        database(&aa).execute_batch(&sql).unwrap();
        let verified = aa.args(["audit", "verify"]).run().code(1);
        assert!(verified.err().contains(&said), "{what}: {}", verified.err());
        // What is written after that does not make it good.
        aa.args(["config", "service", "enable", "cron"]).run().code(0);
        aa.args(["audit", "verify"]).run().code(1);
    }
    // All is gone, and with it what tells that there was something: only what was noted elsewhere still does.
    std::fs::write(snapshot(&aa), &kept).unwrap();
    database(&aa).execute_batch("delete from audit; delete from audit_ends").unwrap();
    let begun = store(&aa).join("audit.begun");
    let text = std::fs::read(&begun).unwrap();
    std::fs::remove_file(&begun).unwrap();
    aa.args(["audit", "verify"]).run().code(0);
    aa.args(["audit", "verify", "--mark", &mark]).run().code(1).stderr_contains("was noted");
    std::fs::write(&begun, text).unwrap();
    std::fs::write(snapshot(&aa), &kept).unwrap();
    aa.args(["audit", "verify", "--mark", &mark]).run().code(0);
    // Who has no key cannot check, and cannot write what passes.
    std::fs::remove_file(store(&aa).join("audit.key")).unwrap();
    let told = aa.args(["audit", "verify", "--format", "json"]).run().code(1).json();
    assert_eq!((&told["ok"], &told["fault"]["seq"]), (&json!(false), &json!(1)), "{told}");
    assert!(told["fault"]["problem"].as_str().unwrap().contains("`audit.key`, is not there"), "{told}");
    assert!(!store(&aa).join("audit.key").exists(), "looking makes no key");
    aa.args(["config", "service", "disable", "cron"]).run().code(0);
    aa.args(["audit", "verify"]).run().code(1).stderr_contains("entry 1: it was changed");
}

/// The database in one file, with nothing left in its log.
fn snapshot(aa: &Aa) -> std::path::PathBuf {
    let path = store(aa).join("aa.db");
    let db = Connection::open(&path).unwrap();
    db.query_row("pragma wal_checkpoint(truncate)", (), |_| Ok(())).unwrap();
    drop(db);
    for log in ["aa.db-wal", "aa.db-shm"] {
        let _none = std::fs::remove_file(store(aa).join(log));
    }
    path
}

#[test]
fn old_entries_go_and_what_is_left_still_holds() {
    let aa = done();
    let count = entries(&aa).len();
    let aa = aa.own_config("audit: {keep: 1ms}\nsecrets: {CI: {env: CI_KEY}}\nserve: {keys: [{principal: ci, key: '{{ secrets.CI }}'}]}\n");
    let served = serve(&aa);
    eventually("entries are removed", || {
        let sql = "select count(*) from audit where seq <= ?";
        database(&aa).query_row(sql, [i64::try_from(count).unwrap()], |row| row.get::<_, i64>(0)).unwrap()
            == 0
    });
    drop(served);
    aa.args(["audit", "verify"]).run().code(0).stderr_contains("were removed for their age");
    let shortened = entries(&aa).into_iter().find(|one| one["did"] == "audit.shorten").unwrap();
    assert!(shortened["detail"]["entries"].as_u64().unwrap() >= count as u64, "{shortened}");
}

//! Schedules on the running binary: each time once in however many processes, and people who are told.

/// Times that came while nobody was there.
mod absence;
/// Channels that do not answer.
mod channels;
/// Signed requests, and files that change.
mod hooks;

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::mcp::wire::Served;
use crate::support::server::{Reply, Server};
use crate::support::{Aa, Ran, eventually};

const TICK: &str = "\
name: tick
description: Leaves a line
inputs:
  - {name: due, type: string, default: none}
steps:
  - {name: it, tool: note, args: {text: '{{ inputs.due }}'}}
";

const TOOLS: &str = "\
module: probe
description: Leaves lines in the file `log`
tools:
  - name: note
    description: Notes a text
    effect: write
    input: {text: {type: string}}
    run: [sh, -c, 'text=$(cat); echo \"$text\" >> log']
    stdin: '{{ text }}'
  - name: fail
    description: Fails
    effect: write
    input: {}
    run: [sh, -c, 'exit 3']
";

const FAIL: &str = "name: broken\ndescription: Fails\nsteps:\n  - {name: it, tool: fail}\n";

/// A project, and schedules of its user.
fn with(config: &str) -> Aa {
    let aa = Aa::new().tools("probe", TOOLS).skill("tick", TICK).skill("broken", FAIL);
    let folder = aa.home().join("config/aa-workflow");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.yaml"), config).unwrap();
    aa
}

fn schedule(aa: &Aa, args: &[&str]) -> Ran {
    aa.args(["schedule"].iter().chain(args)).run()
}

fn slots(aa: &Aa, name: &str) -> Vec<Value> {
    let shown = schedule(aa, &["show", name, "--limit", "1000", "--format", "json"]).code(0).json();
    shown["slots"].as_array().unwrap().clone()
}

fn lines(aa: &Aa) -> Vec<String> {
    aa.text("log").lines().map(str::to_owned).collect()
}

#[test]
fn several_servers_run_each_time_once_although_they_are_killed() {
    let aa = with(
        "schedules:\n  tick: {skill: tick, every: 1s, overlap: allow, catch_up: {window: 1m, runs: all}, inputs: {due: '{{ due }}'}}\n",
    );
    let mut first = Served::new(&aa, &[]);
    let second = Served::new(&aa, &[]);
    eventually("three times are run", || lines(&aa).len() >= 3);
    first.signal(Signal::KILL);
    assert!(first.ended().is_none_or(|code| code != 0));
    let third = Served::new(&aa, &[]);
    let so_far = lines(&aa).len();
    eventually("it goes on", || lines(&aa).len() >= so_far + 3);
    schedule(&aa, &["pause", "tick", "--reason", "enough"]).code(0);
    // A run that was killed while its tool ran is in doubt: it is not repeated by itself, but waits for a person.
    let waiting = || {
        let runs = aa.args(["run", "list", "--status", "waiting", "--format", "json"]).run().code(0).json();
        runs.as_array().unwrap().iter().map(|run| run["id"].clone()).collect::<Vec<_>>()
    };
    let is_over = |slot: &Value, waiting: &[Value]| match slot["state"].as_str().unwrap() {
        "ready" | "claimed" => false,
        "running" => waiting.contains(&slot["run"]),
        _ => true,
    };
    eventually("nothing is under way", || {
        let waiting = waiting();
        slots(&aa, "tick").iter().all(|slot| is_over(slot, &waiting))
    });
    drop((second, third));
    let (mut ran, all) = (lines(&aa), slots(&aa, "tick"));
    let count = ran.len();
    ran.sort();
    ran.dedup();
    assert_eq!(ran.len(), count, "each time once");
    assert!(all.iter().all(|slot| slot["attempt"] == 1 || slot["state"] == "skipped"), "{all:#?}");
    let doubtful = all.iter().filter(|slot| slot["state"] == "running");
    let doubtful = doubtful.map(|slot| slot["due"].as_str().unwrap().to_owned());
    let seconds = |due: String| chrono::DateTime::parse_from_rfc3339(&due).unwrap().timestamp();
    let mut due: Vec<i64> = ran.iter().cloned().chain(doubtful).map(seconds).collect();
    due.sort_unstable();
    due.dedup();
    assert!(due.windows(2).all(|pair| pair[1] - pair[0] == 1), "no time is lost: {due:?} {all:#?}");
    let why = schedule(&aa, &["why", "tick"]).code(0);
    why.stdout_contains("it is held by tester: enough").stdout_contains("went well");
}

#[test]
fn schedules_are_listed_shown_and_explained() {
    let aa = with(
        "schedules:\n  nightly: {skill: tick, cron: '30 2 * * *', timezone: Europe/Berlin}\n  lost: {skill: nothing, every: 1h}\n",
    );
    let list = schedule(&aa, &["list", "--format", "json"]).code(0).json();
    assert_eq!(list[1]["name"], "nightly");
    assert_eq!(list[1]["trigger"], "cron `30 2 * * *` in Europe/Berlin");
    assert_eq!(list[0]["problems"], json!(["there is no skill `nothing`"]));
    schedule(&aa, &["list"]).code(0).stdout_contains("nightly").stderr_contains("no scheduler runs");
    let next = ["next", "nightly", "--after", "2026-10-24", "--count", "3"];
    let next = schedule(&aa, &[&next[..], &["--format", "json"]].concat()).code(0).json();
    let local: Vec<&str> =
        next.as_array().unwrap().iter().map(|time| time["local"].as_str().unwrap()).collect();
    assert_eq!(
        local,
        ["2026-10-24 02:30:00 +02:00", "2026-10-25 02:30:00 +02:00", "2026-10-26 02:30:00 +01:00"]
    );
    schedule(&aa, &["why", "nightly"]).code(0).stdout_contains("no scheduler has ever seen it");
    schedule(&aa, &["show", "nightl"]).code(4).stderr_contains("did you mean `nightly`?");
    let run = schedule(&aa, &["run", "nightly"]).code(0);
    drop(run);
    assert_eq!(lines(&aa), ["none"]);
    schedule(&aa, &["show", "nightly"]).code(0).stdout_contains("succeeded");
    schedule(&aa, &["why", "nightly"]).code(0).stdout_contains("(by hand): run 1 went well");
    let plan = ["backfill", "nightly", "--from", "2026-11-01", "--to", "2026-11-03"];
    let plan = schedule(&aa, &[&plan[..], &["--format", "json"]].concat()).code(0).json();
    assert_eq!(plan["plan"]["times"], json!(["2026-11-01T01:30:00Z", "2026-11-02T01:30:00Z"]));
    for (from, to, wrong) in [
        ("2026-11-03", "2026-11-01", "`--to` is before `--from`"),
        ("2999-01-01", "2999-02-01", "`--from` is in the future"),
    ] {
        schedule(&aa, &["backfill", "nightly", "--from", from, "--to", to]).code(2).stderr_contains(wrong);
    }
}

#[test]
fn a_schedule_without_a_zone_does_not_run_by_a_variable_that_names_none() {
    let aa = with(
        "schedules:\n  loose: {skill: tick, cron: '0 3 * * *'}\n  bound: {skill: tick, cron: '0 3 * * *', timezone: Europe/Berlin}\n",
    );
    let list = |zone: &str| aa.args(["schedule", "list"]).env("TZ", zone).run().code(0);
    list("America/New_York")
        .stdout_contains("cron `0 3 * * *` in America/New_York")
        .stderr("hint: no scheduler runs, so nothing is run by itself; `aa daemon start` starts one\n");
    list("Foo/Bar")
        .stdout_contains("cron `0 3 * * *` in Europe/Berlin")
        .stderr_contains("`loose` does not run: ")
        .stderr_contains("it names no `timezone`, and the variable `TZ` is `Foo/Bar`, which is none");
    let check = aa.args(["config", "check"]).env("TZ", "Foo/Bar").run().code(3);
    check.stderr_contains("error[bad-zone]").stderr_contains("config.yaml:2:");
    let shown = aa.args(["schedule", "show", "bound"]).env("TZ", "Foo/Bar").run().code(0);
    shown.stdout_contains("  zone     Europe/Berlin\n");
}

const WRONG: &str = "\
schedules:
  lost: {skill: tock, every: 1h}
  typo: {skill: tick, every: 1h, inputs: {dua: x}}
  type: {skill: tick, every: 1h, inputs: {due: [1]}}
  asks: {skill: tick, poll: {tool: note, args: {text: x}}}
  nobody: {skill: tick, every: 1h, persona: nobody}
  short: {skill: tick, every: 1h, timeout: 0s}
  past: {skill: tick, at: '2020-01-01T00:00:00Z'}
  fine: {skill: tick, every: 1h}
";

#[test]
fn what_a_schedule_names_is_checked_before_it_is_due() {
    let of_skill = TICK.replace("name: tick\n", "name: own\nschedule: {every: 1h, inputs: {dua: x}}\n");
    let aa = with(WRONG).skill("own", &of_skill);
    let checked = aa.args(["config", "check", "--format", "json"]).run().code(3).json();
    let found: Vec<(&str, u64)> = checked
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["code"].as_str().unwrap(), one["line"].as_u64().unwrap_or_default()))
        .collect();
    for (code, line) in [
        ("unknown-skill", 2),
        ("unknown-input", 3),
        ("bad-argument", 4),
        ("poll-effect", 5),
        ("unknown-persona", 6),
        ("bad-duration", 7),
        ("never-due", 8),
    ] {
        assert!(found.iter().any(|(of, at)| *of == code && [0, line].contains(at)), "{code}: {checked:#}");
    }
    assert_eq!(found.len(), 7, "{checked:#}");
    aa.args(["config", "check"]).run().code(3).stderr_contains("hint: did you mean `tick`?");
    let skill = aa.args(["skill", "check", "own"]).run().code(3);
    skill.stderr_contains("error[unknown-input]: skill `own` has no input `dua`");
    let list = schedule(&aa, &["list"]).code(0);
    assert_eq!(list.out().matches("has errors").count(), 7, "{}", list.out());
    list.stderr_contains(
        "config.yaml:3: skill `tick` has no input `dua` [unknown-input]; did you mean `due`?",
    );
    schedule(&aa, &["show", "own"]).code(0).stdout_contains("has errors").stdout_contains("own.yaml:2: ");
    let shown = schedule(&aa, &["show", "typo", "--format", "json"]).code(0).json();
    assert_eq!(shown["schedule"]["faults"][0]["code"], "unknown-input", "{shown:#}");
    let served = Served::new(&aa, &[]);
    eventually("it is said in the log", || {
        served.said().contains("there is no skill `tock` [unknown-skill]")
    });
}

#[test]
fn a_project_cannot_have_anything_run_before_somebody_lets_it() {
    let aa =
        with("schedules: {}\n").config("schedules:\n  mine: {skill: tick, every: 1s, inputs: {due: x}}\n");
    let served = Served::new(&aa, &[]);
    eventually("it is seen", || schedule(&aa, &["why", "mine"]).out().contains("let it run yet"));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(lines(&aa), [""; 0]);
    schedule(&aa, &["resume", "mine"]).code(0);
    eventually("it runs", || !lines(&aa).is_empty());
    drop(served);
}

#[test]
fn services_are_switched_while_everything_runs() {
    let aa = with("schedules:\n  tick: {skill: tick, every: 1s, inputs: {due: x}}\n");
    let served = Served::new(&aa, &[]);
    eventually("it runs", || !lines(&aa).is_empty());
    aa.args(["config", "service", "disable", "scheduler"]).run().code(0);
    aa.args(["config", "service", "list"]).run().code(0).stdout_contains("off");
    std::thread::sleep(Duration::from_secs(2));
    let before = lines(&aa).len();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(lines(&aa).len(), before);
    schedule(&aa, &["why", "tick"]).stdout_contains("the service `scheduler` is off");
    aa.args(["config", "service", "enable", "scheduler"]).run().code(0);
    eventually("it runs again", || lines(&aa).len() > before);
    aa.args(["config", "service", "disable", "nothing"]).run().code(1).stderr_contains("there is no service");
    drop(served);
}

const HOOK: &str = "\
secrets: {KEY: {env: HOOK_KEY}}
schedules:
  push:
    skill: tick
    webhook: {secret: '{{ secrets.KEY }}', delivery: X-Delivery, condition: body.ref == 'main'}
    inputs: {due: '{{ body.text }}'}
  timed:
    skill: tick
    webhook: {secret: '{{ secrets.KEY }}', header: X-Signature, timestamp: X-Time, tolerance: 1m}
    inputs: {due: '{{ body.text }}'}
";

fn hmac(key: &str, text: &str) -> String {
    let script =
        "import hmac,sys;print(hmac.new(sys.argv[1].encode(),sys.argv[2].encode(),'sha256').hexdigest())";
    let ran =
        Command::new("python3").args(["-c", script, key, text]).stderr(Stdio::inherit()).output().unwrap();
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

#[test]
fn signed_requests_set_schedules_off_and_others_do_not() {
    let aa = with(HOOK);
    let call = aa.args(["serve", "--listen", "127.0.0.1:0"]).env("HOOK_KEY", "the secret of both");
    let served = Served::start(call);
    let post = |path: &str, headers: &[(&str, &str)], body: &Value| {
        let headers: Vec<_> = [("Authorization", "")].iter().chain(headers).copied().collect();
        served.post(path, &headers, body).status
    };
    let body = json!({"ref": "main", "text": "first"});
    let good = format!("sha256={}", hmac("the secret of both", &body.to_string()));
    let signed = |more: &[(&str, &str)]| {
        let headers: Vec<_> = [("X-Hub-Signature-256", good.as_str())].iter().chain(more).copied().collect();
        post("/hooks/push", &headers, &body)
    };
    assert_eq!(post("/hooks/push", &[], &body), 401);
    let wrong = format!("sha256={}", hmac("another secret", &body.to_string()));
    assert_eq!(post("/hooks/push", &[("X-Hub-Signature-256", &wrong)], &body), 401);
    assert_eq!(post("/hooks/nothing", &[("X-Hub-Signature-256", &good)], &body), 401);
    assert_eq!(signed(&[("X-Delivery", "1")]), 202);
    // The same again, and the same signature under another number.
    assert_eq!(signed(&[("X-Delivery", "1")]), 200);
    assert_eq!(signed(&[("X-Delivery", "2")]), 200);
    let other = json!({"ref": "side", "text": "second"});
    let good = format!("sha256={}", hmac("the secret of both", &other.to_string()));
    assert_eq!(post("/hooks/push", &[("X-Hub-Signature-256", &good)], &other), 200);
    eventually("it is run once", || lines(&aa) == ["first"]);
    let now = chrono::Utc::now().timestamp();
    for (sent, status) in [(now, 202), (now - 120, 401), (now + 120, 401)] {
        let body = json!({"text": sent.to_string()});
        let signature = hmac("the secret of both", &format!("{sent}.{body}"));
        let headers = [("X-Signature", signature.as_str()), ("X-Time", &*sent.to_string())];
        assert_eq!(post("/hooks/timed", &headers, &body), status, "{}", sent - now);
    }
    let long = json!({"text": "x".repeat(2 << 20)});
    assert_eq!(post("/hooks/push", &[("X-Hub-Signature-256", &good)], &long), 413);
    eventually("it is run", || lines(&aa).len() == 2);
    schedule(&aa, &["pause", "push"]).code(0);
    let late = json!({"ref": "main", "text": "late"});
    let good = hmac("the secret of both", &late.to_string());
    assert_eq!(post("/hooks/push", &[("X-Hub-Signature-256", &good)], &late), 503);
    assert!(!served.said().contains("the secret of both"));
}

#[test]
fn a_signed_request_that_the_skill_cannot_be_run_with_is_told_so() {
    let count = "name: count\ndescription: Counts\ninputs:\n  - {name: n, type: integer, default: 1}\nsteps:\n  - {name: it, tool: note, args: {text: 'n={{ inputs.n }}'}}\n";
    let config = "\
secrets: {KEY: {env: HOOK_KEY}}
schedules:
  count: {skill: count, webhook: {secret: '{{ secrets.KEY }}'}, inputs: {n: '{{ body.n }}'}}
  maybe: {skill: count, webhook: {secret: '{{ secrets.KEY }}'}, inputs: {n: '{{ body.n or none }}'}}
";
    let aa = with(config).skill("count", count);
    let call = aa.args(["serve", "--listen", "127.0.0.1:0"]).env("HOOK_KEY", "the secret of both");
    let served = Served::start(call);
    let post = |name: &str, body: &str| {
        let signature = hmac("the secret of both", body);
        let headers = [("Authorization", ""), ("X-Hub-Signature-256", signature.as_str())];
        served.ask(&format!("POST /hooks/{name}"), &headers, body)
    };
    for (body, said) in [
        (r#"{"n": "many"}"#, "input `n`"),
        (r#"{"m": 2}"#, "`n` is `{{ body.n }}`, and there is no such value"),
        ("n=2", "`n` is `{{ body.n }}`, and there is no such value"),
    ] {
        let refused = post("count", body);
        assert!(refused.status == 422 && refused.body.contains(said), "{body}: {refused:?}");
    }
    assert_eq!(post("count", r#"{"n": 7}"#).status, 202);
    assert_eq!(post("maybe", r#"{"m": 2}"#).status, 202);
    eventually("both are run", || lines(&aa).len() == 2);
    let mut ran = lines(&aa);
    ran.sort();
    assert_eq!(ran, ["n=1", "n=7"]);
}

#[test]
fn people_are_told_of_failures_and_of_how_that_went() {
    let server = Server::new(|request| {
        let slack = request.path.last().is_some_and(|last| last == "chat.postMessage");
        let body = if slack { r#"{"ok": true}"# } else { "{}" };
        Reply { status: 200, headers: vec![], body: body.to_owned() }
    });
    let config = format!(
        "\
secrets: {{KEY: {{env: KEY}}, HOOK: {{env: HOOK}}}}
notify:
  channels:
    plain: {{webhook: {{url: '{0}/alerts', secret: '{{{{ secrets.KEY }}}}'}}}}
    incoming: {{slack: {{webhook: '{{{{ secrets.HOOK }}}}'}}}}
    bot: {{slack: {{token: '{{{{ secrets.KEY }}}}', channel: '#ops', api: '{0}/api'}}}}
    gone: {{webhook: {{url: 'http://127.0.0.1:1/x'}}}}
    here: {{terminal: {{}}}}
  default: [plain, incoming, bot, gone, here]
schedules:
  bad: {{skill: broken, at: '{1}'}}
",
        server.url,
        (chrono::Utc::now() + chrono::TimeDelta::seconds(4)).to_rfc3339()
    );
    let aa = with(&config);
    let call = aa.args(["serve", "--listen", "127.0.0.1:0"]).env("KEY", "a key of ours");
    let served = Served::start(call.env("HOOK", format!("{}/services/T0/B0", server.url)));
    eventually("three were told", || server.asked().len() >= 3 && served.said().contains("bad failed"));
    let seen = server.asked();
    let to = |path: &str| seen.iter().find(|request| request.target == path).unwrap();
    let plain = to("/alerts");
    let text = String::from_utf8(plain.body.clone()).unwrap();
    let signature = format!("sha256={}", hmac("a key of ours", &text));
    assert_eq!(plain.headers["x-hub-signature-256"], signature);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["title"], "bad failed");
    assert!(String::from_utf8_lossy(&to("/services/T0/B0").body).contains("*bad failed*"));
    let bot = to("/api/chat.postMessage");
    assert_eq!(bot.headers["authorization"], "Bearer a key of ours");
    assert!(String::from_utf8_lossy(&bot.body).contains("#ops"));
    eventually("the failure to tell is seen", || {
        served.said().contains("nobody could be told by the channel `gone`")
    });
    let notices = schedule(&aa, &["notices", "--format", "json"]).code(0).json();
    let state = |channel: &str| {
        let found = notices.as_array().unwrap().iter().find(|notice| notice["channel"] == channel).unwrap();
        found["state"].clone()
    };
    assert_eq!((state("plain"), state("here")), (json!("sent"), json!("sent")));
    assert_ne!(state("gone"), json!("sent"));
}

/// A mail server of `PyPI` that prints what it gets; `more` are its flags.
fn mail_server(aa: &Aa, more: &[&str]) -> (std::process::Child, u16) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/mail/bin/python");
    let place = format!("127.0.0.1:{port}");
    let child = Command::new(python)
        .args(["-u", "-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Debugging", "stdout", "-l", &place])
        .args(more)
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(aa.path("mails")).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .expect("tests/servers/install has been run");
    eventually("the mail server listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    (child, port)
}

fn news_by_mail(aa: &Aa, port: u16, more: &str) {
    let folder = aa.home().join("config/aa-workflow");
    std::fs::create_dir_all(&folder).unwrap();
    let config = format!(
        "schedules: {{bad: {{skill: broken, every: 1h}}}}\nnotify:\n  channels: {{ann: {{email: {{server: '127.0.0.1:{port}', from: aa@example.org, to: [ann@example.org, ben@example.org], {more}}}}}}}\n  default: [ann]\n"
    );
    std::fs::write(folder.join("config.yaml"), config).unwrap();
}

#[test]
fn people_are_told_by_mail() {
    let aa = with("");
    let (mut server, port) = mail_server(&aa, &[]);
    news_by_mail(&aa, port, "security: none");
    let served = Served::new(&aa, &[]);
    schedule(&aa, &["run", "bad"]);
    eventually("a mail has come", || aa.text("mails").contains("Subject: [aa] "));
    let mail = aa.text("mails");
    for wanted in [
        "From: aa@example.org",
        "To: ann@example.org, ben@example.org",
        "Auto-Submitted: auto-generated",
        "bad",
    ] {
        assert!(mail.contains(wanted), "{wanted}: {mail}");
    }
    eventually("it is noted", || {
        let notices = schedule(&aa, &["notices", "--format", "json"]).code(0).json();
        notices[0]["state"] == "sent"
    });
    drop(served);
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn mail_goes_out_in_tls_or_not_at_all() {
    let aa = with("");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"])
        .args([
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .current_dir(aa.path(""))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let (key, cert) = (aa.path("key.pem").display().to_string(), aa.path("cert.pem").display().to_string());
    let (mut server, port) = mail_server(&aa, &["--tlscert", &cert, "--tlskey", &key]);
    // Nobody has said that this certificate is to be trusted.
    news_by_mail(&aa, port, "security: starttls");
    let served = Served::new(&aa, &[]);
    schedule(&aa, &["run", "bad"]);
    eventually("it is said why no mail was sent", || {
        served.said().contains("its certificate is not trusted")
    });
    assert!(!aa.text("mails").contains("Subject"), "{}", aa.text("mails"));
    drop(served);
    let config = aa.home().join("config/aa-workflow/config.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}http: {{ca: '{cert}'}}\n")).unwrap();
    let _served = Served::new(&aa, &[]);
    eventually("the mail has come, in TLS", || aa.text("mails").contains("Subject: [aa] "));
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_schedule_that_is_run_by_hand_where_nobody_can_answer_leaves_its_question() {
    let asks = "name: asks\ndescription: Asks\nsteps: [{name: sure, confirm: {message: Really?}}]\n";
    let aa = with("schedules: {ask: {skill: asks, every: 1h}}\n").skill("asks", asks);
    schedule(&aa, &["run", "ask"]).code(6).stderr_contains("aa run answer 1 sure");
    aa.args(["run", "answer", "1", "sure", "approve"]).run().code(0);
}

#[test]
fn what_waits_for_a_person_is_told_once_however_often_a_server_starts() {
    let asks = "name: asks\ndescription: Asks\nsteps: [{name: sure, confirm: {message: Really?}}]\n";
    let unsure = "name: unsure\ndescription: Is killed\nsteps: [{name: it, tool: die}]\n";
    // It takes the process with it that has started it.
    let die = "module: fatal\ndescription: Ends\ntools: [{name: die, description: Ends, effect: write, input: {}, run: [sh, -c, 'kill -9 $PPID; sleep 1']}]\n";
    let config = "notify: {channels: {here: {terminal: {}}}, default: [here]}\nschedules: {ask: {skill: asks, every: 1h}, doubt: {skill: unsure, every: 1h}}\n";
    let aa = with(config).skill("asks", asks).skill("unsure", unsure).tools("fatal", die);
    schedule(&aa, &["run", "ask"]).code(6);
    schedule(&aa, &["run", "doubt"]).killed();
    let told = || schedule(&aa, &["notices", "--format", "json"]).code(0).json().as_array().unwrap().len();
    let why =
        || schedule(&aa, &["why", "doubt", "--format", "json"]).code(0).json()["waiting"]["since"].clone();
    let mut since = Value::Null;
    for start in 0..3 {
        let served = Served::start(aa.args(["serve", "--listen", "127.0.0.1:0"]));
        eventually("both have been told of", || told() >= 2);
        // Long enough to look again.
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(told(), 2, "{}\n{}", served.said(), schedule(&aa, &["notices", "--format", "json"]).out());
        if start == 0 {
            since = why();
        }
        assert_eq!(why(), since);
        drop(served);
    }
}

//! What is sent to the dashboard and comes back, without a browser.

use serde_json::json;

use super::support::{page, project, serve, waits};
use crate::api::support::{CI, LOOK, get, stands, start};
use crate::mcp::wire::{Reply, Served};
use crate::support::Aa;

/// Asks with the key of the guest.
fn as_guest(served: &Served, line: &str, body: &str) -> Reply {
    let key = format!("Bearer {CI}");
    let kind = "application/x-www-form-urlencoded";
    served.ask(line, &[("Authorization", &key), ("Accept", "text/html"), ("Content-Type", kind)], body)
}

#[test]
fn pages_load_nothing_but_our_own_style_and_script() {
    let aa = project();
    let served = serve(&aa);
    let run = start(&served, "look", &json!({}));
    stands(&served, run, "completed");
    for path in ["/ui", "/ui/runs", &format!("/ui/runs/{run}"), "/ui/skills/look", "/ui/nothing", "/ui/login"]
    {
        let reply = get(&served, path);
        let policy = reply.header("content-security-policy").unwrap_or_default().to_owned();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(reply.header("x-frame-options"), Some("deny"), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        for bad in ["<style", " style=", "onclick=", "javascript:"] {
            assert!(!reply.body.contains(bad), "{path} has {bad}");
        }
        let scripts = reply.body.matches("<script").count();
        assert_eq!((scripts, reply.body.matches("<script src=\"/ui/assets/").count()), (1, 1), "{path}");
    }
}

#[test]
fn style_and_script_are_kept_for_as_long_as_they_are_the_same() {
    let aa = project();
    let served = serve(&aa);
    let body = page(&served, "/ui");
    let address = body.split("href=\"").find(|part| part.contains("style.css")).unwrap();
    let address = address.split('"').next().unwrap();
    let reply = get(&served, address);
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/css; charset=utf-8")));
    assert!(reply.header("cache-control").unwrap().contains("immutable"));
    let old = get(&served, "/ui/assets/0/style.css");
    assert_eq!((old.status, old.header("cache-control")), (200, Some("no-store")));
    assert_eq!(get(&served, "/ui/assets/0/other.css").status, 404);
}

#[test]
fn whoever_asks_for_the_server_is_sent_to_the_dashboard() {
    let aa = project();
    let served = serve(&aa);
    let reply = served.ask("GET /", &[("Authorization", "")], "");
    assert_eq!((reply.status, reply.header("location")), (303, Some("/ui")));
    let reply =
        served.ask("GET /ui/runs?status=failed", &[("Authorization", ""), ("Accept", "text/html")], "");
    assert_eq!(
        (reply.status, reply.header("location")),
        (303, Some("/ui/login?next=%2fui%2fruns%3fstatus%3dfailed"))
    );
    let form = |proxy: &str| {
        served.ask("GET /ui/login", &[("Authorization", ""), ("X-Forwarded-For", proxy)], "").body
    };
    assert!(form("").contains("serve.token") && !form("192.0.2.7").contains("serve.token"));
    // Programs are told what they are told everywhere.
    assert_eq!(served.ask("GET /ui/runs", &[("Authorization", "")], "").status, 401);
}

#[test]
fn runs_and_schedules_of_others_are_not_there() {
    let aa = project();
    let served = serve(&aa);
    let run = start(&served, "story", &json!({}));
    waits(&served, run);
    let own = as_guest(&served, "GET /ui/runs", "");
    assert!(own.status == 200 && !own.body.contains(&format!("/ui/runs/{run}\"")), "{own:?}");
    for path in [
        format!("/ui/runs/{run}"),
        format!("/ui/runs/{run}/changes?from=0"),
        format!("/ui/runs/{run}/compare"),
    ] {
        assert_eq!(as_guest(&served, &format!("GET {path}"), "").status, 404, "{path}");
    }
    for act in ["cancel", "answer", "resume", "retry", "undo", "resolve"] {
        let reply =
            as_guest(&served, &format!("POST /ui/runs/{run}/{act}"), "step=gate&answer=yes&resolution=fail");
        assert_eq!(reply.status, 404, "{act}: {reply:?}");
    }
    let listed = as_guest(&served, "GET /ui/schedules", "");
    assert!(listed.status == 200 && !listed.body.contains("often"), "{listed:?}");
    assert_eq!(as_guest(&served, "GET /ui/schedules/often", "").status, 404);
    let audit = as_guest(&served, "GET /ui/audit", "");
    assert!(audit.status == 403 && !audit.body.contains("href=\"/ui/audit\""), "{audit:?}");
    assert_eq!(as_guest(&served, "POST /ui/audit/verify", "").status, 403);
    for path in [
        "/ui/schedules/often/pause",
        "/ui/schedules/often/run",
        "/ui/health/services/poll",
        "/ui/health/heal/x/reset",
    ] {
        let reply = as_guest(&served, &format!("POST {path}"), "");
        assert!([403, 404, 409].contains(&reply.status), "{path}: {reply:?}");
    }
    let overview = as_guest(&served, "GET /ui", "");
    assert!(overview.status == 200 && !overview.body.contains("seldom"), "{overview:?}");
}

#[test]
fn schedules_are_there_for_whom_a_scope_names_them() {
    let scopes = "skill:look:read', 'schedule:often:run', 'schedule:seldom:read";
    let aa = Aa::traced().skill("look", LOOK).own_config(&format!(
        "secrets: {{CI: {{env: CI_KEY}}}}\nserve:\n  keys: [{{principal: ci, key: '{{{{ secrets.CI }}}}', scopes: ['{scopes}']}}]\nschedules:\n  often: {{skill: look, every: 1h}}\n  seldom: {{skill: look, every: 90d}}\n  secret: {{skill: look, every: 1h}}\n",
    ));
    let served = serve(&aa);
    let listed = as_guest(&served, "GET /ui/schedules", "").body;
    assert!(listed.contains("schedule-often") && listed.contains("schedule-seldom"), "{listed}");
    for page in [&listed, &as_guest(&served, "GET /ui", "").body] {
        assert!(page.contains("often") && !page.contains("secret"), "{page}");
    }
    assert_eq!(as_guest(&served, "GET /ui/schedules/secret", "").status, 404);
    assert_eq!(as_guest(&served, "POST /ui/schedules/secret/run", "").status, 404);
    let seldom = as_guest(&served, "GET /ui/schedules/seldom", "");
    assert!(seldom.status == 200 && !seldom.body.contains("Run now"), "{seldom:?}");
    assert_eq!(as_guest(&served, "POST /ui/schedules/seldom/pause", "why=x").status, 403);
    assert!(as_guest(&served, "GET /ui/schedules/often", "").body.contains("Run now"));
    let ran = as_guest(&served, "POST /ui/schedules/often/run", "");
    // The run is the owner's: what has become of the time is told, its number is not.
    assert_eq!((ran.status, ran.header("location")), (303, Some("/ui/schedules/often")), "{ran:?}");
    stands(&served, 1, "completed");
    assert_eq!(as_guest(&served, "GET /ui/runs/1", "").status, 404);
    let run = page(&served, "/ui/runs/1");
    assert!(run.contains("href=\"/ui/schedules/often#slot-"), "{run}");
}

#[test]
fn a_schedule_whose_run_waits_says_so_and_one_that_is_wrong_says_where() {
    let ask = "name: ask\ndescription: Asks\nsteps: [{name: sure, confirm: {message: sure?, options: ['yes', 'no']}}]\n";
    let aa = Aa::traced().skill("ask", ask).own_config(
        "schedules:\n  asking: {skill: ask, every: 90d}\n  wrong: {skill: ask, every: 90d, inputs: {x: 1}}\n",
    );
    let served = serve(&aa);
    let ran = served.post("/api/schedules/asking/run", &[], &json!({}));
    assert_eq!(ran.status, 201, "{ran:?}");
    stands(&served, 1, "waiting");
    let list = page(&served, "/ui/schedules");
    assert!(list.contains("waiting for you") && list.contains("badge is-broken"), "{list}");
    let shown = page(&served, "/ui/schedules/asking");
    assert!(shown.contains("<a href=\"/ui/runs/1\">Run 1</a> waits for a person since"), "{shown}");
    let wrong = page(&served, "/ui/schedules/wrong");
    assert!(wrong.contains("config.yaml:3: skill ") && wrong.contains("unknown-input"), "{wrong}");
}

#[test]
fn what_changes_something_is_called_once_and_only_after_it_was_shown() {
    let aa = project();
    let served = serve(&aa);
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let shown = served.ask("POST /ui/tools/trace_write/call", &[kind], "input.line=x");
    assert!(shown.status == 200 && shown.body.contains("Yes, call it"), "{shown:?}");
    assert!(!aa.path("trace").exists(), "nothing has happened");
    let key = shown.body.split("name=\"key\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let body = format!("inputs=%7B%22line%22%3A%22x%22%7D&key={key}");
    let called: Vec<_> = (0..2)
        .map(|_| {
            let reply = served.ask("POST /ui/tools/trace_write/run", &[kind], &body);
            reply.header("location").unwrap_or_else(|| panic!("{reply:?}")).to_owned()
        })
        .collect();
    assert_eq!(called, ["/ui/runs/1", "/ui/runs/1"]);
    stands(&served, 1, "completed");
    assert_eq!(aa.text("trace"), "x\n");
    for (tool, body, status) in [
        ("trace_wriet/call", "", 404),
        ("trace_write/run", "inputs=x", 400),
        ("trace_write/run", "inputs=%7B%7D", 409),
        ("trace_write/call", "", 200),
    ] {
        let reply = served.ask(&format!("POST /ui/tools/{tool}"), &[kind], body);
        assert_eq!(reply.status, status, "{tool}: {reply:?}");
    }
    assert_eq!(aa.text("trace"), "x\n");
}

#[test]
fn the_health_page_has_what_an_operator_wants_to_know() {
    let aa = project();
    let served = serve(&aa);
    let run = start(&served, "story", &json!({}));
    waits(&served, run);
    let health = page(&served, "/ui/health");
    for id in ["calls", "running", "asking", "queue", "late", "breakers", "requests", "notices", "healed"] {
        assert!(health.contains(&format!("id=\"figure-{id}\"")), "{id}: {health}");
    }
    for text in ["Ready", "Up for", "MiB", concat!("<dd>", env!("CARGO_PKG_VERSION"))] {
        assert!(health.contains(text), "{text}: {health}");
    }
    let guest = as_guest(&served, "GET /ui/health", "").body;
    assert!(!guest.contains("figure-") && !guest.contains("Up for"), "{guest}");
}

#[test]
fn files_of_this_machine_are_no_skills() {
    let aa = project().file("secret.yaml", "name: secret\ndescription: x\nsteps: []\n");
    let served = serve(&aa);
    let path = aa.path("secret.yaml").display().to_string().replace('/', "%2F");
    for line in [
        format!("GET /ui/skills/{path}"),
        format!("GET /ui/skills/{path}/run"),
        "GET /ui/skills/secret.yaml".to_owned(),
        format!("GET /api/skills/{path}/source"),
        "GET /api/skills/secret.yaml/source".to_owned(),
    ] {
        let reply = as_guest(&served, &line, "");
        assert_eq!(reply.status, 404, "{line}: {reply:?}");
    }
}

#[test]
fn what_is_not_there_is_said_on_a_page() {
    let aa = project();
    let served = serve(&aa);
    for (path, status, text) in [
        ("/ui/runs/999", 404, "no run 999"),
        ("/ui/runs/x", 404, ""),
        ("/ui/skills/lok", 404, "did you mean"),
        ("/ui/tools/git_lgo", 404, "did you mean"),
        ("/ui/personas/developper", 404, "there is no persona"),
        ("/ui/schedules/oftn", 404, "there is no schedule"),
        ("/ui/nothing/at/all", 404, "there is no page"),
        ("/ui/skills/broken/run", 422, "trace_lok"),
    ] {
        let reply = get(&served, path);
        assert_eq!(reply.status, status, "{path}: {reply:?}");
        assert!(reply.body.contains("<nav") && reply.body.contains(text), "{path}: {}", reply.body);
    }
}

#[test]
fn an_answer_counts_once_and_late_ones_are_told_so() {
    let aa = project();
    let served = serve(&aa);
    let run = start(&served, "story", &json!({}));
    waits(&served, run);
    let answer = |text: &str| {
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        let body = format!("step=gate&answer={text}&next=%2F%2Fevil.example.org");
        served.ask(&format!("POST /ui/runs/{run}/answer"), &[kind], &body)
    };
    let reply = answer("yes");
    // Only pages of the dashboard are gone back to.
    assert_eq!((reply.status, reply.header("location")), (303, Some(format!("/ui/runs/{run}").as_str())));
    let late = answer("no");
    assert_eq!(late.status, 409, "{late:?}");
    stands(&served, run, "completed");
}

#[test]
fn whoever_clicks_twice_starts_one_run() {
    let aa = project();
    let served = serve(&aa);
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let plan = served.ask("POST /ui/skills/look/plan", &[kind], "input.note=x");
    let field = |name: &str| {
        let rest = plan.body.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let body = format!("inputs=%7B%22note%22%3A%22x%22%7D&plan={}&key={}", field("plan"), field("key"));
    let started: Vec<String> = (0..2)
        .map(|_| {
            served.ask("POST /ui/skills/look/run", &[kind], &body).header("location").unwrap().to_owned()
        })
        .collect();
    assert_eq!(started[0], started[1]);
    // A plan that nobody has seen is not run.
    let other =
        served.ask("POST /ui/skills/look/run", &[kind], "inputs=%7B%7D&plan=0123456789abcdef&key=other");
    assert_eq!(other.status, 409, "{other:?}");
}

/// Signs in as a browser does; gives the value of its cookie.
fn signed_in(served: &Served, key: &str) -> String {
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let own = format!("http://{}", served.address);
    let more = [kind, ("Authorization", ""), ("Origin", own.as_str())];
    let reply = served.ask("POST /ui/login", &more, &format!("shown={key}"));
    let cookie = reply.header("set-cookie").unwrap_or_else(|| panic!("{reply:?}"));
    cookie.split('=').nth(1).unwrap().split(';').next().unwrap().to_owned()
}

/// Asks with a cookie and no key, from a page of the dashboard.
fn with_cookie(served: &Served, line: &str, value: &str) -> u16 {
    let own = format!("http://{}", served.address);
    from_page(served, line, value, &[("Origin", own.as_str())]).status
}

/// Asks with a cookie and no key, from a page that the browser says this of.
fn from_page(served: &Served, line: &str, value: &str, said: &[(&str, &str)]) -> Reply {
    let cookie = format!("aa_session_{}={value}", served.address.port());
    let usual = [("Cookie", cookie.as_str()), ("Authorization", ""), ("Accept", "text/html")];
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let more: Vec<_> = usual.into_iter().chain([kind]).chain(said.iter().copied()).collect();
    served.ask(line, &more, "")
}

#[test]
fn only_pages_of_the_same_host_and_port_send_anything() {
    let aa = project();
    let served = serve(&aa);
    let mine = signed_in(&served, &served.token);
    let (own, port) = (format!("http://{}", served.address), served.address.port());
    let (same, site) = (("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "same-site"));
    let neighbours = [
        format!("http://127.0.0.1:{}", port ^ 1),
        "http://127.0.0.1".to_owned(),
        format!("http://localhost:{port}"),
        "null".to_owned(),
    ];
    let mut foreign: Vec<Vec<(&str, &str)>> =
        neighbours.iter().map(|origin| vec![("Origin", origin.as_str())]).collect();
    foreign.extend([
        vec![],
        vec![site],
        vec![site, ("Origin", &own)],
        vec![("Sec-Fetch-Site", "cross-site")],
    ]);
    let sent = ["/ui/skills/look/plan", "/ui/schedules/often/pause", "/ui/logout"];
    for said in &foreign {
        for path in sent {
            let reply = from_page(&served, &format!("POST {path}"), &mine, said);
            assert_eq!(reply.status, 403, "{path} {said:?}: {reply:?}");
        }
    }
    // The cookie is good, and nothing has come of all that.
    for said in [vec![("Origin", own.as_str())], vec![("Origin", own.as_str()), same]] {
        let reply = from_page(&served, "POST /ui/skills/look/plan", &mine, &said);
        assert_eq!(reply.status, 200, "{said:?}: {reply:?}");
    }
    let often = get(&served, "/api/schedules/often").message();
    assert_eq!(often["paused"], json!(null), "{often}");
}

#[test]
fn a_browser_stays_signed_in_when_the_server_is_started_anew() {
    let aa = project();
    let served = serve(&aa);
    let (mine, guests) = (signed_in(&served, &served.token), signed_in(&served, CI));
    assert_eq!(with_cookie(&served, "GET /ui/runs", &mine), 200);
    drop(served);
    let served = serve(&aa);
    assert_eq!(with_cookie(&served, "GET /ui/runs", &mine), 200);
    assert_eq!(
        (with_cookie(&served, "GET /ui/audit", &mine), with_cookie(&served, "GET /ui/audit", &guests)),
        (200, 403)
    );
    for bad in
        ["0".repeat(64), mine.replace(|letter: char| letter != '0', "1"), String::new(), "x".to_owned()]
    {
        assert_eq!(with_cookie(&served, "GET /ui/runs", &bad), 303, "{bad}");
    }
    // What is kept is neither what was shown nor what the browser has.
    let folder = aa.home().join("state/aa-workflow");
    for file in ["aa.db", "aa.db-wal"] {
        let kept = std::fs::read(folder.join(file)).unwrap_or_default();
        for secret in [&*served.token, CI, &mine, &guests] {
            assert!(!kept.windows(secret.len()).any(|part| part == secret.as_bytes()), "{file}");
        }
    }
    assert_eq!(with_cookie(&served, "POST /ui/logout", &mine), 303);
    drop(served);
    // Whoever can write the store cannot make a session last longer, or open it without the cookie.
    let store = rusqlite::Connection::open(folder.join("aa.db")).unwrap();
    assert_eq!(store.query_row("select count(*) from browsers", (), |row| row.get::<_, i64>(0)).unwrap(), 1);
    store.execute("update browsers set began = began + 1", ()).unwrap();
    let served = serve(&aa);
    assert_eq!(with_cookie(&served, "GET /ui/runs", &mine), 303, "it was signed out");
    assert_eq!(with_cookie(&served, "GET /ui/runs", &guests), 303, "it is not what was kept");
    store.execute("update browsers set began = began - 1", ()).unwrap();
    assert_eq!(with_cookie(&served, "GET /ui/runs", &guests), 200);
    drop(served);
    // Another key of the store opens none of them.
    std::fs::remove_file(folder.join("seal.key")).unwrap();
    let served = serve(&aa);
    assert_eq!(with_cookie(&served, "GET /ui/runs", &guests), 303, "sealed with another key");
}

#[test]
fn what_an_address_asks_for_and_is_not_there_is_said() {
    let aa = project();
    let served = serve(&aa);
    for (path, text) in [
        ("/ui/runs?status=bogus", "must be one of"),
        ("/ui/runs?status=faild", "did you mean <code>failed</code>?"),
        ("/ui/runs?origin=moon", "must be one of"),
        ("/ui/runs?age=eon", "must be one of"),
        ("/ui/runs?before=x", "must be the number of a run"),
        ("/ui/audit?run=zz", "must be the number of a run"),
        ("/ui/audit?did=nothing.", "must be one of"),
        ("/ui/skills/look/run?like=zz", "must be the number of a run"),
    ] {
        let reply = get(&served, path);
        assert_eq!(reply.status, 400, "{path}: {reply:?}");
        assert!(reply.body.contains("<nav") && reply.body.contains(text), "{path}: {}", reply.body);
    }
    for path in
        ["/ui/runs?status=&origin=&age=", "/ui/runs?status=interrupted&status=failed", "/ui/audit?run=%237"]
    {
        page(&served, path);
    }
}

#[test]
fn a_run_is_compared_with_an_earlier_one_and_that_is_on_the_left() {
    let aa = project();
    let served = serve(&aa);
    let bad = json!({"inputs": {"bad": true}});
    let run = || {
        let run = start(&served, "moody", &bad);
        stands(&served, run, "failed");
        run
    };
    let (first, second, third) = (run(), run(), run());
    let compare = |of: i64, with: &str| get(&served, &format!("/ui/runs/{of}/compare{with}"));
    let none = compare(first, "").body;
    assert!(none.contains("There is no earlier run of it.") && !none.contains("<select"), "{none}");
    // None of them went well: the newest of the earlier ones is taken, and no later one.
    let shown = compare(second, "").body;
    assert!(shown.contains(&format!("Before, in #{first}")), "{shown}");
    assert!(
        shown.contains(&format!("After, in #{second}")) && !shown.contains(&format!("#{third}")),
        "{shown}"
    );
    assert_eq!(compare(third, &format!("?with={first}")).status, 200);
    for with in [format!("?with={third}"), format!("?with={second}"), "?with=zz".to_owned()] {
        assert_eq!(compare(second, &with).status, 400, "{with}");
    }
}

/// A skill that destroys something, and texts with code in them.
const EXTRA: &str = "\
module: extra
description: Destroys
tools:
  - {name: extra_destroy, description: Destroys `what` it is given, effect: destructive, input: {what: {type: string, description: 'Such as `all`'}}, run: [sh, -c, 'echo \"`gone`\" >&2', sh]}
  - {name: extra_say, description: Says, effect: read, input: {}, run: [sh, -c, 'echo heard \\`it\\` >&2; exit 3', sh]}
";
const RUIN: &str = "name: ruin\ndescription: Calls `extra_destroy`\ninputs: [{name: what, type: string, default: all, description: 'What `extra_destroy` gets'}]\nsteps: [{name: d, tool: extra_destroy, args: {what: '{{ inputs.what }}'}}]\n";
const SAID: &str = "name: said\ndescription: Says\nsteps: [{name: s, tool: extra_say}]\n";

#[test]
fn an_approval_is_a_list_and_what_destroys_looks_dangerous() {
    let aa = project().tools("extra", EXTRA).skill("ruin", RUIN);
    let served = serve(&aa);
    let run = start(&served, "ruin", &json!({}));
    waits(&served, run);
    let shown = page(&served, &format!("/ui/runs/{run}"));
    for part in [
        "0 of 1 step<",
        "<strong>d</strong>",
        "<code>extra_destroy</code> <code class=\"args\">{&quot;what&quot;:&quot;all&quot;}</code>",
        "<button class=\"danger\" name=\"answer\" value=\"approve\">",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(shown.find("id=\"asked\"").unwrap() < shown.find("id=\"graph\"").unwrap(), "{shown}");
    assert!(!shown.contains("- d (destructive)"), "{shown}");
    assert!(page(&served, "/ui").contains("<button class=\"danger\" name=\"answer\" value=\"approve\">"));
}

#[test]
fn code_in_texts_of_the_engine_is_code() {
    let aa = project().tools("extra", EXTRA).skill("ruin", RUIN).skill("said", SAID);
    let served = serve(&aa);
    let run = start(&served, "said", &json!({}));
    stands(&served, run, "failed");
    for (path, code) in [
        ("/ui/skills/ruin/run".to_owned(), "What <code>extra_destroy</code> gets"),
        ("/ui/skills/ruin".to_owned(), "Calls <code>extra_destroy</code>"),
        ("/ui/tools/extra_destroy".to_owned(), "Such as <code>all</code>"),
        ("/ui/tools".to_owned(), "Destroys <code>what</code> it is given"),
        (format!("/ui/runs/{run}?view=log"), "<code>sh</code> ended with exit code 3: heard <code>it</code>"),
    ] {
        let shown = page(&served, &path);
        assert!(shown.contains(code), "{path}: {shown}");
    }
}

#[test]
fn tools_are_folded_by_module_and_what_is_searched_for_is_open() {
    let aa = project();
    let served = serve(&aa);
    let folded = page(&served, "/ui/tools");
    assert!(folded.matches("<details class=\"card module\"").count() > 10, "{folded}");
    assert!(!folded.contains(" open>") && folded.contains("id=\"module-say\""), "{folded}");
    let found = page(&served, "/ui/tools?q=say_word");
    assert!(found.contains("id=\"module-say\" open>") && !found.contains("say_maybe"), "{found}");
}

//! Traces as a collector gets them, and W3C context from callers and to services.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::api::support::{project, stands, start};
use crate::mcp::wire::{Piped, Served, call, modern, modern_headers};
use crate::support::server::{Reply, Server};
use crate::support::{Aa, eventually};

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A span, read as strictly as the protocol has it.
#[derive(Clone, Debug)]
struct Span {
    trace: String,
    id: String,
    parent: Option<String>,
    name: String,
    kind: u64,
    began: u64,
    ended: u64,
    about: BTreeMap<String, Value>,
    failed: bool,
}

fn attributes(of: &Value) -> BTreeMap<String, Value> {
    let one = |one: &Value| {
        let (kind, value) = one["value"].as_object().unwrap().iter().next().unwrap();
        let value = match kind.as_str() {
            "intValue" => json!(value.as_str().unwrap().parse::<i64>().unwrap()),
            "stringValue" | "boolValue" => value.clone(),
            other => panic!("{other}"),
        };
        (one["key"].as_str().unwrap().to_owned(), value)
    };
    of["attributes"].as_array().unwrap().iter().map(one).collect()
}

fn hex(of: &Value, length: usize) -> String {
    let text = of.as_str().unwrap();
    assert!(text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
    assert!(text.bytes().any(|byte| byte != b'0'), "{text}");
    text.to_owned()
}

fn span(of: &Value) -> Span {
    let time = |key: &str| of[key].as_str().unwrap().parse::<u64>().unwrap();
    let known = [
        "traceId",
        "spanId",
        "parentSpanId",
        "name",
        "kind",
        "startTimeUnixNano",
        "endTimeUnixNano",
        "attributes",
        "status",
    ];
    assert!(of.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{of}");
    Span {
        trace: hex(&of["traceId"], 32),
        id: hex(&of["spanId"], 16),
        parent: of.get("parentSpanId").map(|parent| hex(parent, 16)),
        name: of["name"].as_str().unwrap().to_owned(),
        kind: of["kind"].as_u64().filter(|kind| (1..=5).contains(kind)).unwrap(),
        began: time("startTimeUnixNano"),
        ended: time("endTimeUnixNano"),
        about: attributes(of),
        failed: of["status"]["code"] == 2,
    }
}

fn said(status: u16, body: &str) -> Reply {
    Reply { status, headers: vec![("content-type", "application/json".to_owned())], body: body.to_owned() }
}

/// A collector: it takes what is sent to it, and what it has got so far.
struct Collector(Server);

impl Collector {
    /// One that answers the first requests with an error.
    fn after(failures: usize) -> Self {
        let asked = AtomicUsize::new(0);
        Self(Server::new(move |_| {
            let status = if asked.fetch_add(1, Ordering::Relaxed) < failures { 503 } else { 200 };
            said(status, "{}")
        }))
    }

    fn good() -> Self {
        Self::after(0)
    }

    fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for request in self.0.asked() {
            assert_eq!(request.line(), "POST /v1/traces");
            let body = request.json().unwrap();
            for resource in body["resourceSpans"].as_array().unwrap() {
                let about = attributes(&resource["resource"]);
                assert_eq!(about["service.name"], "aa-test");
                assert!(about.contains_key("service.version") && about.contains_key("service.instance.id"));
                for scope in resource["scopeSpans"].as_array().unwrap() {
                    assert_eq!(scope["scope"]["name"], "aa");
                    spans.extend(scope["spans"].as_array().unwrap().iter().map(span));
                }
            }
        }
        spans
    }

    /// The spans of the run of a number, when all of it has come.
    fn of_run(&self, run: i64) -> Vec<Span> {
        let mut trace = None;
        eventually("the run's trace has come", || {
            let root = self.spans().into_iter().find(|span| span.about.get("aa.run") == Some(&json!(run)));
            trace = root.map(|root| root.trace);
            trace.is_some()
        });
        self.spans().into_iter().filter(|span| Some(&span.trace) == trace.as_ref()).collect()
    }
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:#?}"))
}

fn traced(collector: &Collector, more: &str) -> Aa {
    project(&format!("traces: {{endpoint: '{}', service: aa-test{more}}}\n", collector.0.url))
}

fn serve(aa: &Aa) -> Served {
    crate::api::support::serve(aa)
}

#[test]
fn a_run_is_a_trace_of_steps_and_calls() {
    let collector = Collector::good();
    let nested = "name: outer\ndescription: O\nsteps:\n  - {name: inner, skill: look, args: {note: x}}\n  - {name: fan, foreach: [1, 2], tool: trace_look}\n";
    let aa = traced(&collector, "").skill("outer", nested);
    let served = serve(&aa);
    let run = start(&served, "outer", &json!({}));
    stands(&served, run, "completed");
    let spans = collector.of_run(run);
    let root = named(&spans, "run outer");
    assert_eq!((root.parent.as_ref(), root.kind, root.failed), (None, 1, false));
    assert_eq!(root.about["aa.skill"], "outer");
    let (inner, see) = (named(&spans, "step inner"), named(&spans, "step inner/see"));
    assert_eq!(inner.parent.as_ref(), Some(&root.id));
    assert_eq!(see.parent.as_ref(), Some(&inner.id));
    let item = named(&spans, "step fan[1]");
    assert_eq!(item.parent.as_ref(), Some(&named(&spans, "step fan").id));
    let calls: Vec<&Span> = spans.iter().filter(|span| span.name == "call trace_look").collect();
    assert_eq!(calls.len(), 3, "{spans:#?}");
    assert!(calls.iter().all(|call| call.kind == 3 && call.about["aa.tool"] == "trace_look"));
    assert!(calls.iter().any(|call| call.parent.as_ref() == Some(&see.id)));
    let mut ids: Vec<&String> = spans.iter().map(|span| &span.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), spans.len(), "each span has a number of its own");
    for span in &spans {
        assert!(span.began <= span.ended && root.began <= span.began && span.ended <= root.ended, "{span:?}");
    }
}

#[test]
fn failures_and_attempts_are_told_apart_and_nothing_that_was_said_is_told() {
    let collector = Collector::good();
    let tries = "name: tries\ndescription: T\nsteps: [{name: again, tool: trace_fail, args: {message: no luck}, retry: {attempts: 2, delay: 1ms, on: [permanent]}}]\n";
    let aa = traced(&collector, "").skill("tries", tries);
    let served = serve(&aa);
    let run = start(&served, "tries", &json!({}));
    stands(&served, run, "failed");
    let spans = collector.of_run(run);
    let calls: Vec<_> = spans.iter().filter(|span| span.name == "call trace_fail").collect();
    assert_eq!(calls.iter().map(|call| &call.about["aa.attempt"]).collect::<Vec<_>>(), [1, 2]);
    assert!(calls.iter().all(|call| call.parent.as_ref() == Some(&named(&spans, "step again").id)));
    let run = start(&served, "fail", &json!({}));
    stands(&served, run, "failed");
    let spans = collector.of_run(run);
    for name in ["run fail", "step break", "call trace_fail"] {
        let span = named(&spans, name);
        assert!(span.failed, "{span:?}");
        assert_eq!(span.about["error.type"], "permanent");
    }
    let sent: String = collector.0.asked().iter().map(crate::support::server::Request::text).collect();
    assert!(!sent.contains("no luck"), "{sent}");
}

#[test]
fn callers_over_http_and_mcp_find_their_trace_again() {
    let collector = Collector::good();
    let aa = traced(&collector, "");
    let served = serve(&aa);
    let reply = served.post("/api/skills/look/run", &[("traceparent", CALLER)], &json!({}));
    assert_eq!(reply.status, 201, "{reply:?}");
    let root = collector.of_run(reply.message()["run"].as_i64().unwrap());
    let root = named(&root, "run look").clone();
    assert_eq!(root.trace, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((root.parent.as_deref(), root.kind), (Some("00f067aa0ba902b7"), 2));
    assert_eq!(root.about["aa.request"].as_str().map(str::len), Some(32), "{root:?}");

    let other = CALLER.replace("4bf9", "aaaa");
    let mut call = modern(7, "skill_run", &json!({"skill_name": "look", "inputs": {}}));
    call["params"]["_meta"]["traceparent"] = json!(other);
    let reply = served.post("/mcp", &modern_headers("skill_run"), &call);
    assert_eq!(reply.status, 200, "{reply:?}");
    let run = reply.message()["result"]["_meta"]["aa/run"].as_i64().unwrap();
    let spans = collector.of_run(run);
    assert_eq!(named(&spans, "run look").trace, "aaaa2f3577b34da6a3ce929d0e0e4736");
    // What is no traceparent is not taken over.
    let reply = served.post("/api/skills/look/run", &[("traceparent", "00-xyz")], &json!({}));
    let run = reply.message()["run"].as_i64().unwrap();
    assert_eq!(named(&collector.of_run(run), "run look").parent, None);
}

#[test]
fn services_are_told_of_the_call_that_reaches_them() {
    let (collector, service) = (Collector::good(), Server::new(|_| said(200, "{\"ok\": true}")));
    let module = format!(
        "module: shop\ndescription: Shop\nhttp: {{base: '{}'}}\ntools: [{{name: shop_get, description: Gets, effect: read, http: {{path: /item}}}}]\n",
        service.url
    );
    let aa = traced(&collector, "")
        .tools("shop", &module)
        .skill("buy", "name: buy\ndescription: Buys\nsteps: [{name: get, tool: shop_get}]\n");
    let served = serve(&aa);
    let run = start(&served, "buy", &json!({}));
    stands(&served, run, "completed");
    let spans = collector.of_run(run);
    let call = named(&spans, "call shop_get");
    let told = service.asked()[0].headers.get("traceparent").cloned();
    assert_eq!(told, Some(format!("00-{}-{}-01", call.trace, call.id)));
    drop(served);
    // Nobody traces: nothing is told.
    let aa = project("")
        .tools("shop", &module)
        .skill("buy", "name: buy\ndescription: Buys\nsteps: [{name: get, tool: shop_get}]\n");
    aa.args(["skill", "run", "buy"]).run().code(0);
    assert_eq!(service.asked().len(), 2);
    assert_eq!(service.asked()[1].headers.get("traceparent"), None);
}

#[test]
fn commands_and_mcp_servers_are_told_of_the_call_that_reaches_them() {
    let collector = Collector::good();
    let told = "module: told\ndescription: Told\ntools: [{name: told_trace, description: Says it, effect: read, input: {}, run: [sh, -c, 'echo \"$TRACEPARENT\"'], result: text}]\n";
    let twin = format!(
        "module: twin\ndescription: Itself\nmcp:\n  command: {}\n  start_timeout: 20s\n  default_effect: read\n",
        json!([crate::support::binary(), "mcp", "--all"])
    );
    let aa = traced(&collector, "").tools("told", told).tools("twin", &twin).skill(
        "both",
        "name: both\ndescription: Both\nsteps:\n  - {name: command, tool: told_trace}\n  - {name: server, tool: twin_look}\n",
    );
    aa.args(["tool", "trust", "twin", "--yes"]).run().code(0);
    let served = serve(&aa);
    let run = start(&served, "both", &json!({}));
    stands(&served, run, "completed");
    let spans = collector.of_run(run);
    let parent = |call: &Span| format!("00-{}-{}-01", call.trace, call.id);
    let shown = |run: i64| aa.args(["run", "show", &run.to_string(), "--format", "json"]).run().code(0).out();
    let command = parent(named(&spans, "call told_trace"));
    assert!(shown(run).contains(&format!("\"{command}\"")), "{command}: {}", shown(run));
    // The server is an `aa` on the same store: what it was told stands in the run that it started.
    let server = parent(named(&spans, "call twin_look"));
    assert!(shown(run + 1).contains(&format!("\"{server}\"")), "{server}: {}", shown(run + 1));
}

#[test]
fn a_caller_decides_whether_its_trace_is_kept() {
    let collector = Collector::good();
    let aa = traced(&collector, ", percent: 1");
    let served = serve(&aa);
    let dropped = CALLER.replace("-01", "-00").replace("4bf9", "bbbb");
    for _ in 0..5 {
        assert_eq!(served.post("/api/skills/look/run", &[("traceparent", &dropped)], &json!({})).status, 201);
    }
    let kept = served.post("/api/skills/look/run", &[("traceparent", CALLER)], &json!({}));
    collector.of_run(kept.message()["run"].as_i64().unwrap());
    assert!(collector.spans().iter().all(|span| !span.trace.starts_with("bbbb")));
}

#[test]
fn a_collector_that_fails_is_asked_again_and_keeps_no_run_waiting() {
    let collector = Collector::after(1);
    let aa = traced(&collector, "");
    let served = serve(&aa);
    let run = start(&served, "look", &json!({}));
    stands(&served, run, "completed");
    eventually("it was asked again", || collector.0.asked().len() >= 2);
    // Nobody is there at all.
    let aa = project("traces: {endpoint: 'http://127.0.0.1:9', service: aa-test}\n");
    let mut served = serve(&aa);
    let run = start(&served, "look", &json!({}));
    stands(&served, run, "completed");
    served.signal(rustix::process::Signal::TERM);
    assert_eq!(served.ended(), Some(0));
    assert!(served.said().contains("collector"), "{}", served.said());
}

#[test]
fn what_is_left_is_sent_at_the_end() {
    let collector = Collector::good();
    let aa = traced(&collector, "");
    let mut served = serve(&aa);
    let run = start(&served, "look", &json!({}));
    stands(&served, run, "completed");
    served.signal(rustix::process::Signal::TERM);
    assert_eq!(served.ended(), Some(0));
    assert!(collector.spans().iter().any(|span| span.about.get("aa.run") == Some(&json!(run))));
}

#[test]
fn a_command_sends_its_run_and_belongs_to_the_trace_of_whoever_started_it() {
    let collector = Collector::good();
    let aa = traced(&collector, "");
    aa.args(["skill", "run", "look"]).env("TRACEPARENT", CALLER).run().code(0);
    // It has sent everything before it ended.
    let spans = collector.spans();
    let root = named(&spans, "run look");
    assert_eq!(root.trace, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((root.parent.as_deref(), &root.about["aa.origin"]), (Some("00f067aa0ba902b7"), &json!("cli")));
    assert_eq!(named(&spans, "step see").parent.as_ref(), Some(&root.id));
    // What is no traceparent is not taken over, and no reason to stop.
    aa.args(["skill", "run", "fail"]).env("TRACEPARENT", "00-xyz").run().code(1);
    let spans = collector.spans();
    let root = named(&spans, "run fail");
    assert_eq!((root.parent.as_ref(), root.failed), (None, true));
}

#[test]
fn a_command_says_what_its_collector_has_not_got() {
    let aa = project("traces: {endpoint: 'http://127.0.0.1:9', service: aa-test}\n");
    let ran = aa.args(["skill", "run", "look"]).run().code(0);
    assert!(ran.err().contains("hint: the collector of traces has not got all of it"), "{ran}");
    // The first spans are lost, the last ones are not.
    let collector = Collector::after(3);
    let many = "name: many\ndescription: M\nsteps: [{name: fan, foreach: '{{ range(400) }}', tool: echo}]\n";
    let ran = traced(&collector, "").skill("many", many).args(["skill", "run", "many", "-q"]).run().code(0);
    assert!(ran.err().contains("hint: the collector of traces has not got all of it"), "{ran}");
    assert!(!collector.spans().is_empty());
}

#[test]
fn a_server_on_stdin_sends_its_runs() {
    let collector = Collector::good();
    let aa = traced(&collector, "");
    let mut client = Piped::greeted(aa.args(["mcp"]));
    client.say(&call(2, "skill_run", &json!({"skill_name": "look", "inputs": {}})));
    let run = client.answer(2)["result"]["_meta"]["aa/run"].as_i64().unwrap();
    client.close();
    assert_eq!(client.ended().0, Some(0));
    let spans = collector.of_run(run);
    assert_eq!(named(&spans, "run look").about["aa.origin"], "mcp");
}

//! MCP servers as tool modules: real public ones, and a hostile one where that is needed.
//! Below it: `aa` as an MCP server.

mod clients;
mod config;
mod conformance;
mod elsewhere;
mod guides;
mod keys;
mod load;
mod lone;
mod mistakes;
mod personas;
mod promises;
mod questions;
mod schedules;
mod security;
mod servers;
mod stdio;
pub(crate) mod wire;

mod calls;

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::server::{Reply, Server};
use crate::support::terminal::Terminal;
use crate::support::{Aa, Ran, eventually};

/// Where `tests/run` has put the public servers.
pub(crate) fn installed(program: &str) -> String {
    // The binary is in a folder of the target folder.
    let target = Path::new(env!("CARGO_BIN_EXE_aa")).ancestors().nth(2).unwrap();
    let path = target.join("tools").join(program);
    assert!(path.exists(), "{} is not there; `tests/run` installs it", path.display());
    path.display().to_string()
}

fn npm(program: &str) -> String {
    installed(&format!("npm/node_modules/.bin/{program}"))
}

fn python(program: &str) -> String {
    installed(&format!("python/bin/{program}"))
}

fn hostile() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/mcp/server.py");
    path.canonicalize().unwrap().display().to_string()
}

/// A project with one module over a server; `more` are further lines of `mcp`.
fn over(module: &str, command: &[&str], more: &str) -> Aa {
    let command = serde_json::to_string(command).unwrap();
    let text = format!(
        "module: {module}\ndescription: A server\nmcp:\n  command: {command}\n  start_timeout: 2m\n{more}"
    );
    Aa::new().tools(module, &text)
}

fn call(aa: &Aa, tool: &str, args: &Value) -> Ran {
    aa.args(["tool", "call", tool, "--args", &args.to_string()]).run()
}

/// Trusts what the server of a module says.
fn trust(aa: &Aa, module: &str) {
    aa.args(["tool", "trust", module, "--yes"]).run().code(0);
}

/// The names of a module's tools.
fn listed(aa: &Aa, module: &str) -> Vec<String> {
    trust(aa, module);
    let tools = aa.args(["tool", "list", "--module", module, "--format", "json"]).run().code(0).json();
    tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn everything() {
    let aa = over("every", &[&npm("mcp-server-everything"), "stdio"], "");
    assert!(listed(&aa, "every").contains(&"every_get_sum".to_owned()));
    call(&aa, "every_echo", &json!({"message": "hello"})).code(0).stdout("Echo: hello");
    let weather = call(&aa, "every_get_structured_content", &json!({"location": "Chicago"})).code(0).json();
    assert!(weather["temperature"].is_number(), "{weather}");
    let long = json!({"duration": 1, "steps": 2});
    let ran = call(&aa, "every_trigger_long_running_operation", &long).code(0);
    ran.stderr_contains("1 of 2").stderr_contains("2 of 2");
    call(&aa, "every_echo", &json!({"massage": "hello"})).code(1).stderr_contains("unknown key `massage`");
}

#[test]
fn filesystem() {
    let aa = Aa::new();
    let folder = aa.path("").canonicalize().unwrap().display().to_string();
    let command = serde_json::to_string(&[&npm("mcp-server-filesystem"), &folder]).unwrap();
    let more = "tools: {read_text_file: {effect: read}}";
    let aa = aa
        .tools("fs", &format!("module: fs\ndescription: Files\nmcp: {{command: {command}, start_timeout: 2m, {more}}}\n"))
        .file("note.txt", "a note\n")
        .skill(
            "reads",
            "name: reads\ndescription: Reads\nsteps:\n  - {name: read, tool: fs_read_text_file, args: {path: note.txt}}\noutputs: [{name: text, value: '{{ read.content }}'}]\n",
        );
    // Nothing of a project is started because somebody looks at it.
    aa.args(["skill", "check", "reads"]).run().code(3).stderr_contains("`aa tool trust fs` asks it");
    aa.args(["skill", "run", "reads"]).run().code(3).stderr_contains("`aa tool trust fs` asks it");
    aa.args(["tool", "list"]).run().code(0).stderr_contains("`aa tool trust fs` asks its server");
    let unknown = aa.args(["tool", "list", "--module", "fs"]).run().code(4);
    unknown.stderr_contains("the tools of `fs` are not known");
    trust(&aa, "fs");
    aa.args(["skill", "run", "reads"]).run().code(0).stdout_contains("a note");
    // What was seen once is known without the server.
    let elsewhere = aa.args(["skill", "check", "reads"]).env("PATH", "/nonexistent").run();
    elsewhere.code(0);
    let wrong = "name: wrong\ndescription: Wrong\nsteps:\n  - {name: read, tool: fs_read_text_file, args: {pth: note.txt}}\n";
    let aa = aa.skill("wrong", wrong);
    aa.args(["skill", "check", "wrong"]).run().code(3).stderr_contains("unknown-argument");
    let outside = call(&aa, "fs_read_text_file", &json!({"path": "/etc/passwd"})).code(1);
    outside.stderr_contains("outside allowed directories");
}

#[test]
fn memory() {
    let aa = Aa::new();
    let file = aa.path("graph.json").display().to_string();
    let command = npm("mcp-server-memory");
    let text = format!(
        "module: graph\ndescription: A graph\nmcp:\n  command: ['{command}']\n  env: {{MEMORY_FILE_PATH: '{file}'}}\n  start_timeout: 2m\n"
    );
    let aa = aa.tools("graph", &text);
    let entity = json!({"entities": [{"name": "aa", "entityType": "tool", "observations": ["is here"]}]});
    call(&aa, "graph_create_entities", &entity).code(0);
    let graph = call(&aa, "graph_read_graph", &json!({})).code(0).json();
    assert_eq!(graph["entities"][0]["observations"][0], "is here", "{graph}");
}

#[test]
fn sequential_thinking() {
    let aa = over("think", &[&npm("mcp-server-sequential-thinking")], "");
    let thought =
        json!({"thought": "first", "nextThoughtNeeded": false, "thoughtNumber": 1, "totalThoughts": 1});
    let result = call(&aa, "think_sequentialthinking", &thought).code(0).json();
    assert_eq!(result["thoughtNumber"], 1, "{result}");
}

#[test]
fn git() {
    let aa = over("repos", &[&python("mcp-server-git")], "");
    let git =
        "git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m 'a first one'";
    aa.script(git).run().code(0);
    let folder = aa.path("").display().to_string();
    call(&aa, "repos_git_log", &json!({"repo_path": folder})).code(0).stdout_contains("a first one");
    call(&aa, "repos_git_log", &json!({"repo_path": "/nowhere"})).code(1);
}

#[test]
fn time() {
    let aa = over("clock", &[&python("mcp-server-time")], "");
    let now = call(&aa, "clock_get_current_time", &json!({"timezone": "Europe/Prague"})).code(0);
    now.stdout_contains("Europe/Prague");
    call(&aa, "clock_get_current_time", &json!({"timezone": "Nowhere/City"}))
        .code(1)
        .stderr_contains("Nowhere");
}

#[test]
fn fetch() {
    let aa = over("page", &[&python("mcp-server-fetch")], "");
    let names = listed(&aa, "page");
    assert_eq!(names, ["page_fetch"]);
    call(&aa, "page_fetch", &json!({"url": "no address"})).code(1);
}

#[test]
fn sqlite() {
    let aa = Aa::new();
    let file = aa.path("x.db").display().to_string();
    let command = installed("python-older/bin/mcp-server-sqlite");
    let text = format!(
        "module: base\ndescription: A base\nmcp:\n  command: ['{command}', --db-path, '{file}']\n  start_timeout: 2m\n"
    );
    let aa = aa.tools("base", &text);
    call(&aa, "base_create_table", &json!({"query": "create table t (a integer)"})).code(0);
    call(&aa, "base_write_query", &json!({"query": "insert into t values (42)"})).code(0);
    call(&aa, "base_read_query", &json!({"query": "select a from t"})).code(0).stdout_contains("42");
}

#[test]
fn kubernetes() {
    let aa = Aa::new().file(
        "kubeconfig",
        "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n\
         contexts: [{name: c, context: {cluster: c, user: u}}]\ncurrent-context: c\nusers: [{name: u, user: {}}]\n",
    );
    let command = npm("kubernetes-mcp-server");
    let file = aa.path("kubeconfig").display().to_string();
    let text = format!(
        "module: kube\ndescription: A cluster\nmcp:\n  command: ['{command}', --kubeconfig, '{file}']\n  start_timeout: 2m\n"
    );
    let aa = aa.tools("kube", &text);
    assert!(listed(&aa, "kube").contains(&"kube_pods_list".to_owned()));
    call(&aa, "kube_configuration_view", &json!({})).code(0).stdout_contains("127.0.0.1:1");
    call(&aa, "kube_pods_list", &json!({})).code(1);
}

/// A server over HTTP; killed at the end of the test.
struct Web {
    child: Child,
    port: String,
}

impl Web {
    fn start() -> Self {
        let script = PathBuf::from(hostile()).with_file_name("web.py");
        let mut child = Command::new(python("python")).arg(script).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, port: port.trim().to_owned() }
    }

    fn module(&self, token: &str) -> Aa {
        let text = format!(
            "module: web\ndescription: A service\nmcp:\n  url: http://127.0.0.1:{}/mcp\n  auth: {{bearer: {token}}}\n  start_timeout: 2m\n",
            self.port
        );
        Aa::new().tools("web", &text)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn streamable_http() {
    let web = Web::start();
    let aa = web.module("let-me-in");
    assert_eq!(call(&aa, "web_add", &json!({"a": 1, "b": 2})).code(0).json(), json!({"total": 3}));
    call(&aa, "web_fail", &json!({"why": "no luck"})).code(1).stderr_contains("Error executing tool fail");
    let stranger = web.module("wrong-token");
    let ran = call(&stranger, "web_add", &json!({"a": 1, "b": 2})).code(4);
    assert!(ran.err().contains("the server of `web` cannot be reached: Auth required"), "{ran}");
    drop(web);
    call(&aa, "web_add", &json!({"a": 1, "b": 2}))
        .code(1)
        .stderr_contains("the server of `web` cannot be reached");
}

/// A server over HTTP that dies in the middle of each call, after a part of the stream that could be gone on with.
fn dying() -> Server {
    let result =
        |id: &Value, result: Value| Reply::ok(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
    Server::taking(move |request, mut stream| {
        let Some(message) = request.json() else { return };
        let id = message["id"].clone();
        match message["method"].as_str().unwrap_or_default() {
            "initialize" => {
                let info = json!({"name": "dying", "version": "1"});
                let said = json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info});
                result(&id, said).send(stream);
            }
            "tools/list" => {
                let tool = json!({"name": "wait", "inputSchema": {"type": "object"}});
                result(&id, json!({"tools": [tool]})).send(stream);
            }
            "tools/call" => {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
                let said = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}});
                write!(stream, "{head}id: 1\ndata: {said}\n\n").unwrap();
            }
            method if method.starts_with("notifications/") => Reply::json(202, &Value::Null).send(stream),
            method => {
                let error = json!({"code": -32601, "message": format!("no `{method}`")});
                Reply::ok(&json!({"jsonrpc": "2.0", "id": id, "error": error})).send(stream);
            }
        }
    })
}

#[test]
fn a_server_over_http_that_dies_in_a_call_is_noticed_soon_and_as_such() {
    let server = dying();
    let text =
        format!("module: web\ndescription: A service\nmcp:\n  url: {}/mcp\n  timeout: 2m\n", server.url);
    let aa = Aa::new().tools("web", &text);
    let begun = Instant::now();
    let ran = call(&aa, "web_wait", &json!({})).code(1);
    ran.stderr_contains("failed (network)");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

/// What a server gets, and what nobody else may see: not on a command line, in a journal, in a log at trace
/// level or in the text of an error.
#[test]
fn what_proves_to_a_server_who_asks_is_nowhere_to_be_seen() {
    const SECRET: &str = "let-me-in";
    let web = Web::start();
    let skill = "name: look
description: Looks around
steps:
  - {name: seen, tool: shop_look}
  - {name: slow, tool: shop_slow, args: {seconds: 1}}
  - {name: fail, tool: shop_fail, on_error: continue}
  - {name: added, tool: web_add, args: {a: 1, b: 2}}
  - {name: sorry, tool: web_fail, args: {why: no luck}, on_error: continue}
outputs: [{name: seen, value: '{{ seen }}'}]
";
    let config = "config: {token: {env: SHOP_TOKEN, secret: true}}\n";
    let more =
        format!("  env: {{TOKEN: '{{{{ config.token }}}}'}}\n  tools: {{look: {{result: json}}}}\n{config}");
    let module = format!(
        "module: web\ndescription: A service\nmcp:\n  url: http://127.0.0.1:{}/mcp\n  auth: {{bearer: '{{{{ config.token }}}}'}}\n  start_timeout: 2m\n{config}",
        web.port
    );
    let aa = over("shop", &["python3", &hostile()], &more).tools("web", &module).skill("look", skill);
    let ask = |args: &[&str]| aa.args(args).env("SHOP_TOKEN", SECRET).env("AA_LOG", "trace");
    let mut said = String::new();
    for module in ["shop", "web"] {
        said += &ask(&["tool", "trust", module, "--yes"]).run().code(0).to_string();
    }
    let running = ask(&["skill", "run", "look", "--format", "json"]).start();
    eventually("the server is busy", || aa.args(["run", "show", "1"]).run().out().contains("slow"));
    let lines = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = lines.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let shown = lines.filter(|line| line.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()));
    assert_eq!(shown.count(), 0, "a command line shows it");
    let ran = running.wait().code(0);
    let done = ran.json_lines().into_iter().find(|event| event["event"] == "skill_completed").unwrap();
    assert!(
        done["outputs"]["seen"]["env"]["TOKEN"].as_str().unwrap().contains("secret:"),
        "it got one: {done}"
    );
    said += &ran.to_string();
    for args in [&["run", "show", "1"][..], &["tool", "debug", "web_fail"], &["tool", "debug", "shop_look"]] {
        said += &ask(args).run().to_string();
    }
    said += &ask(&["tool", "call", "shop_look"]).run().code(0).to_string();
    drop(web);
    said += &ask(&["tool", "call", "web_add", "--args", "{\"a\": 1, \"b\": 2}"]).run().code(1).to_string();
    assert!(said.contains("TRACE") && !said.contains(SECRET), "{said}");
    let mut files = vec![aa.home()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
            assert!(!found, "{} holds it", path.display());
        }
    }
}

const ASK: &str = "\
name: drops
description: Drops a table
steps: [{name: drop, tool: shop_ask, timeout: 2m}]
outputs: [{name: said, value: '{{ drop }}'}]
";

fn shop(era: &str) -> Aa {
    let aa = over("shop", &["python3", &hostile(), "--era", era], "").skill("drops", ASK);
    trust(&aa, "shop");
    aa
}

#[test]
fn what_a_server_asks_is_answered_from_elsewhere() {
    for era in ["older", "newer"] {
        let aa = shop(era);
        let running = aa.args(["skill", "run", "drops", "--format", "json"]).start();
        eventually("the question was asked", || aa.args(["run", "answer", "1", "drop", "yes"]).run().is_ok());
        let events = running.wait().code(0).json_lines();
        let asked = events.iter().find(|event| event["event"] == "confirm_requested").unwrap();
        assert_eq!(asked["message"], "`shop` asks: Drop the table? (sure)");
        assert!(events.iter().any(|event| event["event"] == "confirm_answered" && event["answer"] == "yes"));
        let done = events.iter().find(|event| event["event"] == "skill_completed").unwrap();
        assert!(done["outputs"]["said"].as_str().unwrap().contains("accept"), "{done}");
    }
}

#[test]
fn what_a_server_asks_is_asked_at_the_terminal() {
    let aa = shop("newer");
    let mut terminal = Terminal::start(aa.args(["skill", "run", "drops"]).command());
    terminal.shows("`shop` asks: Drop the table? (sure)").shows("answer [");
    terminal.type_line("no");
    terminal.code(0).shows("completed in");
    let mut terminal = Terminal::start(aa.args(["tool", "call", "shop_ask"]).command());
    terminal.shows("`shop` asks: Drop the table? (sure)").shows("answer [");
    terminal.type_line("yes");
    terminal.code(0).shows("accept");
    let refused = aa.args(["tool", "call", "shop_ask"]).run().code(1);
    refused.stderr_contains("nobody is there to answer: `shop` asks: Drop the table?");
}

#[test]
fn a_question_that_nobody_answers_fails_the_step_in_time() {
    let aa = over("shop", &["python3", &hostile()], "").skill("drops", &ASK.replace("2m", "4s"));
    trust(&aa, "shop");
    let ran = aa.args(["skill", "run", "drops", "--format", "json"]).run().code(1);
    let events = ran.json_lines();
    let failed = events.iter().find(|event| event["event"] == "step_failed").unwrap();
    assert_eq!(failed["error"]["kind"], "timeout", "{failed}");
    assert_eq!(failed["error"]["message"], "nobody answered in time what `shop` asks");
}

#[test]
fn debugging_a_tool_shows_what_is_trusted_and_what_its_server_says_now() {
    let files = tempfile::tempdir().unwrap();
    let words = files.path().join("words").display().to_string();
    let script = files.path().join("server.py").display().to_string();
    std::fs::copy(hostile(), &script).unwrap();
    let aa = over("shop", &["python3", &script, "--words", &words], "");
    trust(&aa, "shop");
    let debug = || aa.args(["tool", "debug", "shop_echo", "--format", "json"]).run().code(0).json();
    let same = debug();
    assert_eq!((&same["server"]["tool"], &same["server"]["now"]), (&json!("echo"), &json!({"says": "same"})));
    assert_eq!(same["server"]["definition"]["hints"]["readOnly"], true);
    assert_eq!(same["diagnosis"], json!([]));
    let shown = aa.args(["tool", "debug", "shop_echo"]).run().code(0).out();
    assert!(shown.contains("calls it `echo`") && shown.contains("says the same now"), "{shown}");

    std::fs::write(&words, "and sends your files to everybody").unwrap();
    let other = debug();
    assert_eq!(other["server"]["now"]["says"], "other");
    assert_eq!(
        other["server"]["now"]["definition"]["description"],
        "Says the same and sends your files to everybody"
    );
    assert_eq!(other["diagnosis"][0]["cause"], "not_trusted");
    let shown = aa.args(["tool", "debug", "shop_echo"]).run().code(0).out();
    assert!(shown.contains("+  \"description\": \"Says the same and sends your files"), "{shown}");
    assert!(shown.contains("`aa tool trust shop` shows all that has changed"), "{shown}");

    std::fs::write(&words, "gone").unwrap();
    assert_eq!(debug()["server"]["now"], json!({"says": "gone"}));
    std::fs::remove_file(&script).unwrap();
    assert_eq!(debug()["server"]["now"]["says"], "nothing");
    // A tool that is no server's has no such part.
    let own = aa.args(["tool", "debug", "git_log", "--format", "json"]).run().code(0).json();
    assert_eq!(own.get("server"), None);
}

#[test]
fn changed_tools_are_held_back_until_they_are_trusted() {
    let words = tempfile::NamedTempFile::new().unwrap();
    let aa = over("shop", &["python3", &hostile(), "--words", words.path().to_str().unwrap()], "");
    call(&aa, "shop_echo", &json!({"text": "a"})).code(0).stdout("a");
    std::fs::write(words.path(), "and tells everybody").unwrap();
    let held = call(&aa, "shop_echo", &json!({"text": "a"})).code(1);
    held.stderr_contains("`aa tool trust shop` shows what has changed");
    let unasked = aa.args(["tool", "trust", "shop"]).run().code(1);
    unasked
        .stdout_contains("-  \"description\": \"Says the same \"")
        .stdout_contains("+  \"description\": \"Says the same and tells everybody\"")
        .stderr_contains("nobody can be asked");
    let mut terminal = Terminal::start(aa.args(["tool", "trust", "shop"]).command());
    terminal.shows("trust what the server says now (1 tool changed)?");
    terminal.type_line("yes");
    terminal.code(0).shows("`shop` is trusted: 1 tool changed");
    call(&aa, "shop_echo", &json!({"text": "b"})).code(0).stdout("b");
    aa.args(["tool", "trust", "shop"]).run().code(0).stderr_contains("says what is trusted");
    aa.args(["tool", "trust", "shep"]).run().code(4).stderr_contains("did you mean `shop`?");
}

#[test]
fn the_doctor_knows_servers_and_starts_none() {
    let aa = over("shop", &["python3", &hostile()], "");
    aa.args(["doctor"]).run().stdout_contains("`shop` over `python3`, not asked yet");
    trust(&aa, "shop");
    aa.args(["doctor"]).run().stdout_contains("tools trusted");
}

#[test]
fn a_killed_aa_leaves_no_server_behind() {
    let aa = over("shop", &["python3", &hostile()], "  tools: {hang: {effect: read}}\n")
        .skill("hangs", "name: hangs\ndescription: Hangs\nsteps: [{name: look, tool: shop_look}, {name: hang, tool: shop_hang, needs: [look]}]\n");
    trust(&aa, "shop");
    let running = aa.args(["skill", "run", "hangs", "--format", "json"]).start();
    let pid = || {
        let events = aa.args(["run", "show", "1", "--format", "json"]).run();
        let text = events.out();
        let at = text.find("\\\"pid\\\": ")? + 9;
        let digits: String = text[at..].chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok()
    };
    let mut server = None;
    eventually("the server has told its number", || {
        server = pid();
        server.is_some()
    });
    running.signal(rustix::process::Signal::KILL);
    let server = server.unwrap();
    eventually("the server has ended", || {
        let state = std::fs::read_to_string(format!("/proc/{server}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z")
    });
}

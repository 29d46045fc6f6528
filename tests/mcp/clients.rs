//! Clients that others have written, over stdio and HTTP, driving the real binary.

mod inspector;
mod restart;
mod switch;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};

use super::installed;
use crate::support::{Aa, PATIENCE, eventually};

/// A client of somebody else, and how it finds out which protocol to speak.
#[derive(Clone, Copy, Debug)]
enum Client {
    /// The SDK for Python.
    Python(&'static str),
    /// `FastMCP`.
    FastMcp(&'static str),
    /// The SDK for TypeScript, first or second.
    TypeScript(u8, &'static str),
}

const CLIENTS: [Client; 7] = [
    Client::Python("auto"),
    Client::Python("legacy"),
    Client::FastMcp("auto"),
    Client::FastMcp("legacy"),
    Client::TypeScript(1, "legacy"),
    Client::TypeScript(2, "auto"),
    Client::TypeScript(2, "legacy"),
];

const GREET: &str = "\
name: greet
description: Greets somebody
inputs:
  - {name: who, type: string, required: true, description: Whom to greet}
  - {name: tone, type: string, enum: [warm, cool], default: warm}
steps:
  - {name: hold, wait: 1ms}
outputs:
  - {name: said, value: 'hello {{ inputs.who }}'}
";

const FAILS: &str = "name: fails\ndescription: Fails\nsteps: [{name: look, tool: trace_fail}]\n";

const PICTURE: &str = "\
module: art
description: Gives more than text
tools:
  - name: art_plot
    description: Draws
    effect: read
    input: {}
    run: [printf, '{\"$content\": [{\"type\": \"text\", \"text\": \"a dot\"}, {\"type\": \"image\", \"file\": \"dot.png\", \"mime_type\": \"image/png\"}]}']
    result: json
";

const SHOWS: &str = "\
name: shows
description: Shows a picture
steps: [{name: plot, tool: art_plot}]
outputs: [{name: picture, value: '{{ plot }}'}, {name: dots, value: 1}]
";

fn project() -> Aa {
    let aa =
        Aa::traced().tools("art", PICTURE).skill("shows", SHOWS).skill("greet", GREET).skill("fails", FAILS);
    aa.file("dot.png", [0x89, b'P', b'N', b'G'])
}

/// Where the clients of npm are.
fn npm() -> String {
    installed("clients-npm")
}

fn here(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients").join(file);
    path.canonicalize().unwrap().display().to_string()
}

impl Client {
    fn command(self, task: &mut Value) -> Command {
        let (program, script) = match self {
            Self::Python(mode) => {
                task["mode"] = mode.into();
                (installed("clients-python/bin/python"), "python_sdk.py")
            }
            Self::FastMcp(mode) => {
                task["mode"] = mode.into();
                (installed("clients-python/bin/python"), "fastmcp_client.py")
            }
            Self::TypeScript(sdk, mode) => {
                (task["mode"], task["sdk"]) = (mode.into(), sdk.into());
                (installed("clients-npm/node_modules/node/bin/node"), "typescript.mjs")
            }
        };
        let mut command = Command::new(program);
        command.arg(here(script)).env("AA_CLIENTS", npm()).env("FASTMCP_CHECK_FOR_UPDATES", "off");
        command
    }

    /// Ready to do some things one after the other over one connection.
    fn ready(self, aa: &Aa, mut task: Value) -> Command {
        let mut command = self.command(&mut task);
        command.arg(task.to_string()).env("HOME", aa.home()).env("TMPDIR", aa.home()).stdin(Stdio::null());
        command
    }

    /// Does some things one after the other over one connection, and gives what was seen of each.
    #[track_caller]
    fn drive(self, aa: &Aa, server: &Value, steps: &Value) -> Vec<Value> {
        let output = self.ready(aa, json!({"server": server, "do": steps})).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let seen: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let complete = output.status.success() && seen.len() == steps.as_array().unwrap().len();
        assert!(complete, "{self:?} at {server}\n{said}{}", String::from_utf8_lossy(&output.stderr));
        seen
    }
}

/// The binary at the other end of a pipe that the client makes.
fn over_stdio(aa: &Aa, flags: &[&str]) -> Value {
    let command: Vec<&str> = [crate::support::binary(), "mcp"].iter().chain(flags).copied().collect();
    json!({
        "command": command,
        "cwd": aa.path(""),
        "env": {
            "HOME": aa.home(), "PATH": std::env::var("PATH").unwrap(), "XDG_CONFIG_HOME": aa.home().join("config"),
            "XDG_STATE_HOME": aa.home().join("state"),
        },
    })
}

/// The binary as a server; ended with this.
struct Served {
    child: Child,
    address: Value,
}

impl Served {
    fn start(aa: &Aa, flags: &[&str]) -> Self {
        Self::at("127.0.0.1:0", aa, flags)
    }

    fn at(address: &str, aa: &Aa, flags: &[&str]) -> Self {
        let args = ["serve", "--listen", address].into_iter().chain(flags.iter().copied());
        let mut command = aa.args(args).command();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = lines(child.stderr.take().unwrap());
        let mut address = json!({});
        let (at, key) =
            (Regex::new(r"http://[0-9.:]+").unwrap(), Regex::new(r"the key .* is in (.+)$").unwrap());
        // Where the key is comes after where the server is, if there is one.
        let mut patience = PATIENCE;
        while let Ok(line) = lines.recv_timeout(patience) {
            if let Some(found) = at.find(&line) {
                address["url"] = format!("{}/mcp", found.as_str()).into();
                patience = Duration::from_secs(2);
            }
            if let Some(found) = key.captures(&line) {
                address["token"] = std::fs::read_to_string(&found[1]).unwrap().trim().into();
                break;
            }
        }
        assert!(address["url"].is_string(), "the server does not say where it is");
        Self { child, address }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(said: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        // What is said after nobody listens any more still has to go somewhere.
        BufReader::new(said).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
    });
    lines
}

/// Every client over both transports.
fn everywhere(aa: &Aa, flags: &[&str], steps: &Value, check: impl Fn(Client, &[Value])) {
    let served = Served::start(aa, flags);
    for client in CLIENTS {
        for server in [over_stdio(aa, flags), served.address.clone()] {
            check(client, &client.drive(aa, &server, steps));
        }
    }
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn they_list_what_there_is() {
    everywhere(&project(), &["--all"], &json!([{"list": true}]), |client, seen| {
        let of = |kind: &str| names(&seen[0][kind]).into_iter().map(str::to_owned).collect::<Vec<_>>();
        for tool in ["skill_list", "skill_run", "run_explain", "greet"] {
            assert!(of("tools").iter().any(|known| known == tool), "{client:?} lacks {tool}: {seen:?}");
        }
        for prompt in ["session_init", "debug_guide", "review_guide", "greet"] {
            assert!(of("prompts").iter().any(|known| known == prompt), "{client:?} lacks {prompt}: {seen:?}");
        }
        assert!(of("resources").iter().any(|uri| uri == "aa://skills/greet"), "{client:?}: {seen:?}");
    });
}

#[test]
fn they_call_a_skill_and_are_told_of_failures() {
    let call = |skill: &str, inputs: Value| json!({"call": "skill_run", "args": {"skill_name": skill, "inputs": inputs}});
    let steps = json!([
        call("greet", json!({"who": "you"})), {"call": "greet", "args": {"who": "all"}}, call("fails", json!({})),
        {"call": "run_explain", "args": {}},
    ]);
    everywhere(&project(), &["--all"], &steps, |client, seen| {
        assert_eq!(seen[0]["structured"], json!({"said": "hello you"}), "{client:?}");
        assert_eq!(seen[1]["structured"]["said"], "hello all", "{client:?}");
        let text: Value = serde_json::from_str(seen[1]["text"][0].as_str().unwrap()).unwrap();
        assert_eq!(text, seen[1]["structured"], "{client:?}: text and structure say the same");
        assert_eq!((&seen[2]["failed"], &seen[0]["failed"]), (&json!(true), &json!(false)), "{client:?}");
        let explained = &seen[3]["structured"];
        assert_eq!(
            (&explained["skill"], &explained["step"]["path"]),
            (&json!("fails"), &json!("look")),
            "{client:?}"
        );
    });
}

#[test]
fn they_see_pictures() {
    let steps = json!([{"call": "art_plot"}, {"call": "shows"}]);
    everywhere(&project(), &["--all"], &steps, |client, seen| {
        assert_eq!(seen[0]["kinds"], json!(["text", "image"]), "{client:?}: {seen:?}");
        assert_eq!(seen[0]["text"], json!(["a dot"]), "{client:?}");
        // What a skill gives beside the picture is there for programs, too.
        assert_eq!(seen[1]["kinds"], json!(["text", "text", "image"]), "{client:?}: {seen:?}");
        assert_eq!(seen[1]["structured"]["dots"], 1, "{client:?}");
    });
}

#[test]
fn they_read_resources_and_prompts_and_complete() {
    let steps = json!([
        {"read": "aa://skills/greet"},
        {"prompt": "greet", "args": {"who": "the world"}},
        {"complete": {"prompt": "greet", "argument": "tone", "value": "c"}},
    ]);
    everywhere(&project(), &["--all"], &steps, |client, seen| {
        assert!(seen[0]["text"].as_str().unwrap().starts_with("name: greet\n"), "{client:?}: {seen:?}");
        let prompt = seen[1]["text"].as_str().unwrap();
        assert!(
            prompt.contains("\"who\": \"the world\"") && prompt.contains("skill_run"),
            "{client:?}: {prompt}"
        );
        assert_eq!(seen[2]["values"], json!(["cool"]), "{client:?}");
    });
}

/// The Inspector's command line.
fn inspect(aa: &Aa, server: &Value, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(installed("clients-npm/node_modules/node/bin/node"));
    command
        .arg(installed("clients-npm/node_modules/.bin/mcp-inspector"))
        .args(["--cli", "-q", "--format", "json"]);
    if let Some(url) = server["url"].as_str() {
        command.args(["--server-url", url, "--stored-auth-only"]);
        if let Some(token) = server["token"].as_str() {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
    }
    command.args(args);
    if let Some(words) = server["command"].as_array() {
        command.arg("--").args(words.iter().filter_map(Value::as_str)).current_dir(aa.path(""));
        for (name, value) in server["env"].as_object().unwrap() {
            command.env(name, value.as_str().unwrap());
        }
    }
    command.env("HOME", aa.home()).env("MCP_CATALOG_PATH", aa.home().join("catalog.json"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_inspector_finds_nothing_to_complain_about() {
    let aa = project();
    let served = Served::start(&aa, &["--all", "--skills-extension"]);
    for server in [over_stdio(&aa, &["--all", "--skills-extension"]), served.address.clone()] {
        for era in ["legacy", "modern"] {
            let run = |args: &[&str]| {
                let args: Vec<&str> = ["--protocol-era", era].iter().chain(args).copied().collect();
                let (code, said) = inspect(&aa, &server, &args);
                assert_eq!(code, Some(0), "{args:?} at {server}\n{said}");
                said
            };
            run(&["--method", "tools/list", "--strict"]);
            run(&["--method", "prompts/list"]);
            run(&["--method", "resources/list"]);
            run(&["--method", "skills/list", "--verify"]);
            let said = run(&[
                "--method",
                "tools/call",
                "--tool-name",
                "greet",
                "--tool-args-json",
                r#"{"who":"you"}"#,
            ]);
            assert!(said.contains("hello you"), "{said}");
        }
    }
}

#[test]
fn what_a_foreign_server_gives_is_passed_on() {
    let server = super::npm("mcp-server-everything");
    let text = format!(
        "module: every\ndescription: A server\nmcp:\n  command: ['{server}', stdio]\n  start_timeout: 2m\n  default_effect: read\n"
    );
    let aa = Aa::new().tools("every", &text);
    super::trust(&aa, "every");
    let steps = json!([{"call": "every_get_tiny_image"}]);
    for client in [Client::Python("auto"), Client::TypeScript(1, "legacy")] {
        let seen = client.drive(&aa, &over_stdio(&aa, &["--all"]), &steps);
        assert_eq!(seen[0]["kinds"], json!(["text", "image", "text"]), "{client:?}: {seen:?}");
    }
}

const SLOW: &str = "\
name: slow
description: Takes a while
steps:
  - {name: first, wait: 500ms}
  - {name: second, wait: 500ms, needs: [first]}
  - {name: third, wait: 500ms, needs: [second]}
outputs: [{name: done, value: '{{ true }}'}]
";

const HANG: &str = "name: hang\ndescription: Waits for ever\nsteps: [{name: wait, tool: trace_hang}]\n";

const ASKS: &str = "\
name: asks
description: Asks
steps: [{name: sure, confirm: {message: 'Really?', options: [\"go on\", \"stop\"]}}]
outputs: [{name: said, value: '{{ sure }}'}]
";

/// What the newest run of a skill is at.
fn status(aa: &Aa, skill: &str) -> Value {
    let runs = aa.args(["run", "list", "--skill", skill, "--format", "json"]).run().code(0).json();
    runs[0]["status"].clone()
}

#[test]
fn they_are_told_how_it_goes() {
    everywhere(&project().skill("slow", SLOW), &["--all"], &json!([{"call": "slow"}]), |client, seen| {
        let progress: Vec<f64> =
            seen[0]["progress"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        assert!(!progress.is_empty(), "{client:?}: {seen:?}");
        assert!(progress.windows(2).all(|pair| pair[0] < pair[1]), "{client:?}: {progress:?}");
        assert_eq!(seen[0]["structured"]["done"], true, "{client:?}");
    });
}

#[test]
fn they_take_it_that_a_run_goes_on() {
    // Its outputs have the names of what is said meanwhile, and other types.
    let long = "\
name: long
description: Takes longer than anybody waits
steps: [{name: hold, wait: 1s}]
outputs:
  - {name: status, type: integer, value: '{{ 200 }}'}
  - {name: message, type: array, value: '{{ [1] }}'}
";
    let aa = project().skill("long", long).own_config("serve: {wait: 200ms}\n");
    // Whoever is told how it goes waits as long as it takes, and these can do without.
    for client in [
        Client::Python("auto"),
        Client::Python("legacy"),
        Client::TypeScript(1, "legacy"),
        Client::TypeScript(2, "auto"),
        Client::TypeScript(2, "legacy"),
    ] {
        let steps = json!([{"list": true}, {"call": "long", "quiet": true}]);
        let seen = client.drive(&aa, &over_stdio(&aa, &["--all"]), &steps);
        let told = &seen[1]["structured"];
        assert_eq!((&seen[1]["failed"], &told["status"]), (&json!(false), &json!("running")), "{client:?}");
        assert!(told["run_id"].is_i64(), "{client:?}: the run is found by its number: {told}");
    }
}

#[test]
fn a_call_that_they_give_up_ends_its_run() {
    let aa = project().skill("hang", HANG);
    let served = Served::start(&aa, &["--all"]);
    for client in CLIENTS {
        for server in [over_stdio(&aa, &["--all"]), served.address.clone()] {
            // The connection goes on after it, so that the end is not what has ended the run.
            let steps =
                json!([{"call": "hang", "cancel_after": 1.5}, {"call": "greet", "args": {"who": "you"}}]);
            let seen = client.drive(&aa, &server, &steps);
            assert_eq!(
                (&seen[0]["cancelled"], &seen[1]["failed"]),
                (&json!(true), &json!(false)),
                "{client:?}"
            );
            eventually(&format!("{client:?} at {server} cancels its run"), || {
                status(&aa, "hang") == "cancelled"
            });
        }
    }
}

#[test]
fn they_are_asked_what_a_run_asks() {
    let steps = json!([{"call": "asks", "answers": [{"answer": "go on"}]}]);
    everywhere(&project().skill("asks", ASKS), &["--all"], &steps, |client, seen| {
        assert_eq!(seen[0]["asked"], json!(["Really?"]), "{client:?}: {seen:?}");
        assert!(seen[0]["structured"].to_string().contains("go on"), "{client:?}: {seen:?}");
    });
}

//! What a call of an MCP tool costs beside the bare round trip: the same server, driven by lines of JSON.
//!
//! `cargo bench -p aa-run --bench mcp` (needs `python3`)

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use aa_run::store::{Durability, LazyStore, StoreOptions};
use aa_run::tool::process::Environment;
use aa_run::tool::{CallContext, Logins, ephemeral};
use aa_run::toolbox::{ModuleText, Toolbox, ToolboxOptions};
use aa_spec::source::Source;
use serde_json::{Map, Value, json};

const ROUNDS: usize = 7;
const CALLS: u32 = 500;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/mcp/server.py");

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let toolbox = toolbox(folder.path());
    let mut bare = Bare::start();
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floor.push(bare.calls() / CALLS);
        ours.push(calls(&runtime, &toolbox) / CALLS);
    }
    let (floor, ours) = (median(floor), median(ours));
    println!("bare round trip   {floor:>10.1?}");
    println!("call of the tool  {ours:>10.1?} {:>8.2} x", ours.as_secs_f64() / floor.as_secs_f64());
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn toolbox(folder: &std::path::Path) -> Toolbox {
    let text = format!("module: s\ndescription: A server\nmcp: {{command: [python3, '{SERVER}']}}\n");
    let module = ModuleText { layer: "project".to_owned(), source: Source::new("s.yaml", text) };
    let options = StoreOptions { durability: Durability::Normal, inline_limit: 1000 };
    let options = ToolboxOptions {
        environment: Environment::new(std::env::vars_os()),
        output_bytes: 1 << 20,
        proxy: None,
        ca: None,
        configuration: aa_run::tool::configuration::Configuration::default(),
        state_folder: folder.to_owned(),
        open_folders: Vec::new(),
        store: LazyStore::new(folder, options),
        ephemeral: ephemeral::Defaults::default(),
        logins: Logins::default(),
    };
    Toolbox::new(vec![module], &options)
}

fn args() -> Map<String, Value> {
    let Value::Object(args) = json!({"text": "hello"}) else { unreachable!() };
    args
}

fn calls(runtime: &tokio::runtime::Runtime, toolbox: &Toolbox) -> Duration {
    runtime.block_on(toolbox.meet("s_echo"));
    let tool = toolbox.tool("s_echo").unwrap();
    let context = CallContext::detached("/");
    runtime.block_on(async {
        // The first one starts the server.
        assert_eq!(tool.call(&context, args()).await.unwrap(), "hello");
        let began = Instant::now();
        for _ in 0..CALLS {
            tool.call(&context, args()).await.unwrap();
        }
        began.elapsed()
    })
}

/// The server without anything between.
struct Bare {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    id: u32,
}

impl Bare {
    fn start() -> Self {
        let mut child =
            Command::new("python3").arg(SERVER).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut bare = Self { child, stdin, stdout, id: 0 };
        let client = json!({"name": "bench", "version": "1"});
        bare.ask(
            "initialize",
            &json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}),
        );
        bare
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.id += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params});
        // In one write, as ours does: a pipe without a buffer would get every piece of the JSON by itself.
        self.stdin.write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn calls(&mut self) -> Duration {
        let params = json!({"name": "echo", "arguments": args(), "_meta": {"progressToken": 1}});
        let began = Instant::now();
        for _ in 0..CALLS {
            let answer = self.ask("tools/call", &params);
            assert_eq!(answer["result"]["content"][0]["text"], "hello");
        }
        began.elapsed()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

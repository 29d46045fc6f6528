//! What a call of a tool over HTTP costs beside a bare client, in turns so that both see the same machine.
//!
//! `cargo bench -p aa-run --bench api`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aa_run::store::LazyStore;
use aa_run::tool::configuration::Configuration;
use aa_run::tool::process::Environment;
use aa_run::tool::{CallContext, Logins, Tool, ephemeral};
use aa_run::toolbox::{ModuleText, Toolbox, ToolboxOptions};
use aa_spec::source::Source;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const ROUNDS: usize = 25;
const CALLS: usize = 200;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let base = runtime.block_on(serve());
    let tool = tool(&base);
    // The bare client needs one as well as ours, though nothing is encrypted here.
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{base}/things/a%2Fb?size=20");
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(timed(|| runtime.block_on(ask_bare(&client, &url))));
        ours.push(timed(|| runtime.block_on(ask_by_tool(&tool))));
    }
    let floor = median(bare);
    for (name, time) in [("bare client", floor), ("tool", median(ours))] {
        let per_call = time / u32::try_from(CALLS).unwrap();
        println!("{name:<22} {per_call:>10.1?} per call {:>6.2} x", time.as_secs_f64() / floor.as_secs_f64());
    }
}

async fn ask_bare(client: &reqwest::Client, url: &str) {
    for _ in 0..CALLS {
        let answer: Value =
            client.get(url).bearer_auth("the-token").send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["size"], 20);
    }
}

async fn ask_by_tool(tool: &Arc<dyn Tool>) {
    let context = CallContext::detached("/");
    let args = json!({"name": "a/b"}).as_object().unwrap().clone();
    for _ in 0..CALLS {
        let answer = tool.call(&context, args.clone()).await.unwrap();
        assert_eq!(answer["size"], 20);
    }
}

fn tool(base: &str) -> Arc<dyn Tool> {
    let text = format!(
        "module: bench
description: Things
http: {{base: '{base}', auth: {{bearer: the-token}}}}
tools:
  - name: bench_thing
    description: A thing
    effect: read
    input: {{name: {{type: string}}, size: {{type: integer, default: 20}}}}
    output: {{type: object, properties: {{size: {{type: integer}}}}}}
    http: {{path: '/things/{{name}}', query: {{size: '{{{{ size }}}}'}}}}
"
    );
    let options = ToolboxOptions {
        environment: Environment::default(),
        output_bytes: 1 << 20,
        proxy: None,
        ca: None,
        configuration: Configuration::default(),
        state_folder: PathBuf::new(),
        open_folders: Vec::new(),
        store: LazyStore::default(),
        ephemeral: ephemeral::Defaults { repository: String::new(), ttl: String::new() },
        logins: Logins::default(),
    };
    let source = Source::new("bench.yaml", text);
    let toolbox = Toolbox::new(vec![ModuleText { layer: "project".to_owned(), source }], &options);
    toolbox.tool("bench_thing").unwrap()
}

/// Answers every request of every connection with the same JSON.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(answer(stream));
        }
    });
    base
}

async fn answer(stream: TcpStream) {
    let body =
        json!({"size": 20, "names": (0..40).map(|n| format!("thing {n}")).collect::<Vec<_>>()}).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        if line == "\r\n" && stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

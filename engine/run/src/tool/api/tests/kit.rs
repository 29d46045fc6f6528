//! A server that keeps what it was asked, and a module that speaks to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aa_spec::diagnostic::has_errors;
use aa_spec::source::Source;
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::store::LazyStore;
use crate::tool::configuration::Configuration;
use crate::tool::process::Environment;
use crate::tool::{CallContext, Logins, ToolError, ephemeral};
use crate::toolbox::{ModuleText, Toolbox, ToolboxOptions};

/// What was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Method and target.
    pub(super) line: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// How one request is answered.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// This text, and the end of the connection.
    Text(String),
    /// Nothing, for ever.
    Silence,
    /// This text after a while.
    Late(Duration, String),
    /// The end of the connection at once.
    Hangup,
}

/// Gives prepared answers in the order of the requests, the last one for ever.
pub(super) struct Server {
    pub(super) base: String,
    pub(super) state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(super) struct State {
    asked: Vec<Asked>,
    replies: Vec<Reply>,
    under_way: usize,
    most_under_way: usize,
}

impl Server {
    pub(super) async fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let state =
            Arc::new(Mutex::new(State { replies: replies.into_iter().collect(), ..State::default() }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { base, state }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    pub(super) fn most_under_way(&self) -> usize {
        self.state.lock().unwrap().most_under_way
    }

    /// Answers like this from now on.
    pub(super) fn reply(&self, reply: Reply) {
        self.state.lock().unwrap().replies = vec![reply];
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    let Some(asked) = read(&mut stream).await else { return };
    let reply = {
        let mut state = state.lock().unwrap();
        let number = state.asked.len().min(state.replies.len() - 1);
        state.asked.push(asked);
        state.under_way += 1;
        state.most_under_way = state.most_under_way.max(state.under_way);
        state.replies[number].clone()
    };
    let text = match reply {
        Reply::Text(text) => Some(text),
        Reply::Late(wait, text) => {
            tokio::time::sleep(wait).await;
            Some(text)
        }
        Reply::Silence => std::future::pending().await,
        Reply::Hangup => None,
    };
    state.lock().unwrap().under_way -= 1;
    if let Some(text) = text {
        // A client that has read enough hangs up.
        let _hung_up = stream.write_all(text.as_bytes()).await;
        let _hung_up = stream.shutdown().await;
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut asked = Asked::default();
    stream.read_line(&mut asked.line).await.ok().filter(|length| *length > 0)?;
    asked.line = asked.line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        asked.headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = asked.headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Some(asked)
}

/// An answer.
pub(super) fn answer(status: u16, headers: &str, body: &str) -> String {
    let headers: Vec<String> = headers.lines().map(|line| format!("{line}\r\n")).collect();
    let headers = headers.concat();
    format!(
        "HTTP/1.1 {status} Said\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

pub(super) fn json_reply(body: &Value) -> Reply {
    Reply::Text(answer(200, "Content-Type: application/json", &body.to_string()))
}

pub(super) fn status(status: u16, headers: &str) -> Reply {
    Reply::Text(answer(status, headers, "why?"))
}

/// The tools of a module `m`.
pub(super) struct Module {
    pub(super) toolbox: Toolbox,
    /// What was hidden, in its order.
    pub(super) hidden: Arc<Mutex<Vec<(String, String)>>>,
    pub(super) shown: Arc<Mutex<Vec<String>>>,
}

impl Module {
    /// A module of this text, which may read its settings from environment variables.
    pub(super) fn new(text: &str, variables: &[(&str, &str)]) -> Self {
        Self::with(text, variables, |_| {})
    }

    /// The same with other options.
    pub(super) fn with(
        text: &str,
        variables: &[(&str, &str)],
        change: impl FnOnce(&mut ToolboxOptions),
    ) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = variables.iter().map(own).collect();
        let mut options = ToolboxOptions {
            environment: Environment::default(),
            output_bytes: 100_000,
            proxy: None,
            ca: None,
            configuration: Configuration { environment, ..Configuration::default() },
            state_folder: std::path::PathBuf::new(),
            open_folders: Vec::new(),
            store: LazyStore::default(),
            ephemeral: ephemeral::Defaults { repository: String::new(), ttl: String::new() },
            logins: Logins::default(),
        };
        change(&mut options);
        let source = Source::new("m.yaml", text);
        let toolbox = Toolbox::new(vec![ModuleText { layer: "project".to_owned(), source }], &options);
        let problems = toolbox.diagnostics();
        assert!(!has_errors(&problems), "{problems:?}");
        Self { toolbox, hidden: Arc::default(), shown: Arc::default() }
    }

    /// One tool `t` with these keys, of a service at `base` with these further keys.
    pub(super) fn tool(base: &str, service: &str, keys: &str) -> Self {
        Self::new(&text(base, service, keys), &[])
    }

    pub(super) fn context(&self) -> CallContext {
        let (hidden, shown) = (Arc::clone(&self.hidden), Arc::clone(&self.shown));
        CallContext {
            idempotency_key: "the-key".to_owned(),
            conceal: Arc::new(move |name, value| {
                hidden.lock().unwrap().push((name.to_owned(), value.to_owned()));
                Ok(())
            }),
            progress: Arc::new(move |line| shown.lock().unwrap().push(line.to_owned())),
            ..CallContext::detached("/")
        }
    }

    pub(super) async fn call(&self, args: Value) -> Result<Value, ToolError> {
        self.call_in(&self.context(), "t", args).await
    }

    pub(super) async fn call_in(
        &self,
        context: &CallContext,
        tool: &str,
        args: Value,
    ) -> Result<Value, ToolError> {
        let args: Map<String, Value> = serde_json::from_value(args).unwrap();
        self.toolbox.tool(tool).unwrap().call(context, args).await
    }
}

/// A module of one tool.
pub(super) fn text(base: &str, service: &str, keys: &str) -> String {
    let keys = keys.trim_end().replace('\n', "\n    ");
    let service = service.trim_end().replace('\n', "\n  ");
    format!(
        "module: m\ndescription: d\nhttp:\n  base: {base}\n  {service}\ntools:\n  - name: t\n    description: d\n    effect: unknown\n    {keys}\n"
    )
}

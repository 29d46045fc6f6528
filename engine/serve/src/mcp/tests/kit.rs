//! A project with skills, a server in it, and clients.
#![expect(deprecated, reason = "the protocol will take some of it away one day")]

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aa_run::caller::{Caller, Sees};
use aa_run::engine::Engine;
use aa_run::event::Origin;
use aa_run::grant::Grants;
use aa_run::persona::Choice;
use aa_run::settings::{Settings, Surroundings};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, CreateMessageRequestParams,
    CreateMessageResult, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationCapability,
    ErrorData, Implementation, JsonObject, ListRootsResult, LoggingMessageNotificationParam,
    ProgressNotificationParam, ProtocolVersion, TASKS_EXTENSION_ID,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt, NotificationContext, RequestContext, RunningService,
};
use rmcp::{ClientHandler, RoleClient, ServiceExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};

use crate::mcp::seat::Seat;
use crate::mcp::server::Server;

/// Longer than anything in here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

const TOOLS: &str = r#"
module: probe
description: Tools that leave a trace in the file `log`
tools:
  - name: note
    description: Notes a text
    effect: write
    input: {text: {type: string}}
    run: [sh, -c, 'text=$(cat); echo "$text" >> log; echo "$text"']
    stdin: "{{ text }}"
  - name: hang
    description: Does not end
    effect: read
    input: {}
    run: [sh, -c, 'echo $$ > hanging; exec sleep 60']
  - name: doze
    description: Takes a while
    effect: read
    input: {}
    run: [sh, -c, 'sleep 0.7; echo woke']
  - name: look
    description: Reads the log
    effect: read
    input: {}
    run: [sh, -c, 'cat log 2>/dev/null; true']
  - name: nap
    description: Takes a little
    effect: read
    input: {}
    run: [sleep, '0.7']
  - name: fail
    description: Fails
    effect: read
    input: {}
    run: [sh, -c, 'echo no such thing >&2; exit 3']
"#;

const SKILLS: [(&str, &str); 17] = [
    (
        "where",
        "name: where\ndescription: Asks for more\nsteps:\n  - name: to\n    confirm: {message: where to?, form: {region: {enum: [eu, us]}, replicas: {type: integer, default: 2}}}\noutputs:\n  - {name: to, value: '{{ to }}'}\n",
    ),
    (
        "three",
        "name: three\ndescription: Three steps\nsteps:\n  - {name: a, wait: 300ms}\n  - {name: b, wait: 300ms}\n  - {name: c, tool: look}\noutputs:\n  - {name: seen, value: '{{ c }}'}\n",
    ),
    (
        "broken",
        "name: broken\ndescription: Fails\nsteps:\n  - {name: ok, tool: look}\n  - {name: bad, tool: fail}\n",
    ),
    ("long", "name: long\ndescription: Hangs\nsteps:\n  - {name: a, tool: hang}\n"),
    (
        "tidy",
        "name: tidy\ndescription: Writes\ninputs: [{name: what, type: string, default: desk}]\nsteps:\n  - {name: act, tool: note, args: {text: 'tidied {{ inputs.what }}'}}\noutputs:\n  - {name: said, value: '{{ act }}'}\n",
    ),
    (
        "ask",
        "name: ask\ndescription: Asks in the middle\nsteps:\n  - {name: first, tool: look}\n  - {name: sure, confirm: {message: 'really?', options: [yes, no]}}\n  - {name: after, wait: 10ms}\noutputs:\n  - {name: sure, value: '{{ sure }}'}\n",
    ),
    ("always", "name: always\ndescription: Long\nas_task: always\nsteps:\n  - {name: a, wait: 1ms}\n"),
    (
        "asked",
        "name: asked\ndescription: Asks as a task\nas_task: always\nsteps:\n  - {name: sure, confirm: {message: 'really?', options: [yes, no]}}\noutputs:\n  - {name: sure, value: '{{ sure }}'}\n",
    ),
    (
        "sampled",
        "name: sampled\ndescription: Asks the model as a task\nas_task: always\nsteps:\n  - {name: said, tool: client_sample, args: {prompt: 'Well?'}}\n",
    ),
    (
        "written",
        "name: written\ndescription: Writes as a task\nas_task: always\nsteps:\n  - {name: act, tool: note, args: {text: x}}\n",
    ),
    ("required", "name: required\ndescription: Long\nas_task: required\nsteps:\n  - {name: a, wait: 1ms}\n"),
    ("never", "name: never\ndescription: Not long\nas_task: never\nsteps:\n  - {name: a, wait: 200ms}\n"),
    (
        "form",
        "name: form\ndescription: Asks who\nsteps:\n  - {name: who, confirm: {message: Who?, form: {name: {type: string}}}}\n  - {name: after, wait: 300ms}\noutputs:\n  - {name: name, value: '{{ who.name }}'}\n",
    ),
    (
        "model",
        "name: model\ndescription: Asks the model\nsteps:\n  - {name: said, tool: client_sample, args: {prompt: 'Well?'}}\noutputs:\n  - {name: said, value: '{{ said.text }}'}\n",
    ),
    (
        "all",
        "name: all\ndescription: Asks everything\nsteps:\n  - {name: said, tool: client_sample, needs: [], args: {prompt: 'Well?'}}\n  - {name: roots, tool: client_roots, needs: []}\n  - {name: who, needs: [], confirm: {message: Who?, form: {name: {type: string}}}}\noutputs:\n  - {name: all, value: '{{ said.text }} {{ who.name }} {{ roots[0].uri }}'}\n",
    ),
    (
        "log",
        "name: log\ndescription: Says lines\nsteps:\n  - {name: low, tool: client_log, args: {message: a detail, level: debug}}\n  - {name: high, tool: client_log, args: {message: beware, level: warning}}\n",
    ),
    ("brief", "name: brief\ndescription: Short\nsteps:\n  - {name: a, tool: nap}\n"),
];

/// A project of its own.
pub(super) struct World {
    root: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let world = Self { root: tempfile::tempdir().unwrap() };
        world.put("work/.aa/tools/probe.yaml", TOOLS);
        for (name, text) in SKILLS {
            world.put(&format!("work/.aa/skills/{name}.yaml"), text);
        }
        world
    }

    pub(super) fn config(self, text: &str) -> Self {
        // The user's own: a project could not make a policy laxer.
        self.put("home/.config/aa-workflow/config.yaml", text);
        self
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// An engine as another process would have it.
    pub(super) fn engine(&self) -> Engine {
        let home = self.root.path().join("home").display().to_string();
        let environment = [("HOME", home), ("PATH", "/usr/bin:/bin".to_owned())];
        let surroundings = Surroundings {
            folder: self.root.path().join("work"),
            environment: environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            store: None,
        };
        Engine::new(Settings::resolve(&surroundings).unwrap())
    }

    /// The same, as a client of the server has it.
    pub(super) fn as_client(&self, principal: &str) -> Engine {
        let engine = self.engine();
        let sees = Sees::OwnIn(engine.settings().folder.clone());
        let (principal, grants) = (principal.to_owned(), Grants::Usual);
        engine.for_caller(Caller { principal, grants, sees, ..Caller::local(Origin::Mcp) })
    }

    pub(super) fn server(&self) -> Server {
        let shown = Choice::Tools(vec!["note".to_owned(), "look".to_owned()]);
        Server { seat: Arc::new(Seat::new(self.engine(), shown)) }
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.path().join("work").join(path)).unwrap_or_default()
    }

    /// A client that is connected to a server of its own.
    pub(super) async fn client(&self, person: Person, era: Era) -> RunningService<RoleClient, Person> {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let server = self.server();
        tokio::spawn(async move { Box::pin(server.serve(ours)).await.unwrap().waiting().await.unwrap() });
        let mode = match era {
            Era::Session => ClientLifecycleMode::Initialize,
            Era::Newer => {
                ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
            }
        };
        person.serve_with_lifecycle(theirs, mode).await.unwrap()
    }

    /// A client that sends and reads lines.
    pub(super) async fn raw(&self) -> Raw {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let server = self.server();
        tokio::spawn(async move { Box::pin(server.serve(ours)).await.unwrap().waiting().await.unwrap() });
        let (read, write) = tokio::io::split(theirs);
        let mut raw = Raw { lines: BufReader::new(read).lines(), write };
        let info = json!({"name": "raw", "version": "1"});
        let start = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info});
        raw.send(json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": start})).await;
        raw.next().await;
        raw.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        raw
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    Session,
    Newer,
}

/// What a person before a client does with a form.
pub(super) type Fill = Arc<dyn Fn(&str) -> Option<ElicitResult> + Send + Sync>;

/// A client, and the person before it.
#[derive(Clone)]
pub(super) struct Person {
    fill: Option<Fill>,
    tasks: bool,
    /// Whether it lets its model be asked, and tells its folders.
    open: bool,
    /// Lines of the log.
    pub(super) logged: Arc<Mutex<Vec<Value>>>,
    slow: Duration,
    pub(super) asked: Arc<Mutex<Vec<String>>>,
    /// Forms that were taken back.
    pub(super) taken_back: Arc<Mutex<usize>>,
    pub(super) told: Arc<Mutex<Vec<ProgressNotificationParam>>>,
}

impl Person {
    /// Nobody who could be asked.
    pub(super) fn absent() -> Self {
        Self {
            fill: None,
            tasks: false,
            open: false,
            logged: Arc::default(),
            slow: Duration::ZERO,
            asked: Arc::default(),
            taken_back: Arc::default(),
            told: Arc::default(),
        }
    }

    /// Fills forms in; `None` leaves them lying around.
    pub(super) fn filling(fill: impl Fn(&str) -> Option<ElicitResult> + Send + Sync + 'static) -> Self {
        Self { fill: Some(Arc::new(fill)), ..Self::absent() }
    }

    pub(super) fn with_everything(self) -> Self {
        Self { open: true, ..self }
    }

    /// Takes its time.
    pub(super) fn after(self, slow: Duration) -> Self {
        Self { slow, ..self }
    }

    pub(super) fn with_tasks(self) -> Self {
        Self { tasks: true, ..self }
    }
}

/// A form with this answer.
pub(super) fn accept(answer: &str) -> ElicitResult {
    ElicitResult::new(ElicitationAction::Accept).with_content(json!({ "answer": answer }))
}

impl ClientHandler for Person {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        if self.fill.is_some() {
            capabilities.elicitation = Some(ElicitationCapability::new());
        }
        if self.open {
            let open =
                serde_json::from_value::<ClientCapabilities>(json!({"sampling": {}, "roots": {}})).unwrap();
            (capabilities.sampling, capabilities.roots) = (open.sampling, open.roots);
        }
        if self.tasks {
            capabilities.extensions = Some([(TASKS_EXTENSION_ID.to_owned(), JsonObject::new())].into());
        }
        let mut config = ClientConfig::new(capabilities, Implementation::new("test", "1"));
        config.protocol_version = ProtocolVersion::LATEST_WITH_INITIALIZE;
        config
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, .. } = request else { panic!("no form") };
        self.asked.lock().unwrap().push(message.clone());
        tokio::time::sleep(self.slow).await;
        if let Some(result) = self.fill.as_ref().and_then(|fill| fill(&message)) {
            return Ok(result);
        }
        context.ct.cancelled().await;
        *self.taken_back.lock().unwrap() += 1;
        Ok(ElicitResult::new(ElicitationAction::Cancel))
    }

    async fn create_message(
        &self,
        request: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let asked = serde_json::to_value(&request.messages).unwrap();
        self.asked.lock().unwrap().push(asked[0]["content"]["text"].as_str().unwrap().to_owned());
        let said =
            json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "so it is"}});
        Ok(serde_json::from_value(said).unwrap())
    }

    async fn list_roots(&self, _: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Ok(serde_json::from_value(json!({"roots": [{"uri": "file:///a"}]})).unwrap())
    }

    async fn on_logging_message(
        &self,
        said: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.logged.lock().unwrap().push(serde_json::to_value(said).unwrap());
    }

    async fn on_progress(&self, told: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.told.lock().unwrap().push(told);
    }
}

/// Lines in, lines out.
pub(super) struct Raw {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    write: WriteHalf<DuplexStream>,
}

impl Raw {
    pub(super) async fn send(&mut self, message: Value) {
        self.write.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    pub(super) async fn call(&mut self, id: u64, tool: &str, args: Value) {
        let params = json!({"name": tool, "arguments": args});
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})).await;
    }

    pub(super) async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.unwrap().unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
pub(super) fn params(tool: &'static str, args: Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(args.as_object().unwrap().clone())
}

pub(super) async fn call(
    client: &RunningService<RoleClient, Person>,
    tool: &'static str,
    args: Value,
) -> CallToolResult {
    tokio::time::timeout(PATIENCE, client.call_tool(params(tool, args))).await.unwrap().unwrap()
}

pub(super) fn text(result: &CallToolResult) -> String {
    let json = serde_json::to_value(&result.content).unwrap();
    json.as_array().unwrap().iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
}

/// The number of the run that an answer is about.
pub(super) fn run_of(result: &CallToolResult) -> i64 {
    result.meta.as_ref().unwrap().0["aa/run"].as_i64().unwrap()
}

/// Waits until something is so.
pub(super) async fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let work = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, work).await.is_ok(), "{what}");
}

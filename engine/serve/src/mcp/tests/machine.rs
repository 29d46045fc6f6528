//! A machine with two projects, a server and clients of both eras.

#![expect(deprecated, reason = "clients of the session era say with roots what they work in")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aa_run::engine::Engine;
use aa_run::persona::Choice;
use aa_run::settings::{Settings, Surroundings};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, JsonObject, ListRootsResult,
    ProtocolVersion, Root, Tool,
};
use rmcp::service::{ClientLifecycleMode, NotificationContext, RequestContext, RunningService};
use rmcp::{ClientHandler, ClientServiceExt, ErrorData, RoleClient, ServiceExt};
use serde_json::{Value, json};

use crate::mcp::seat::Seat;
use crate::mcp::server::Server;

const PROBE: &str = r"
module: probe
description: Tools that look around
tools:
  - name: probe_where
    description: Says where it runs
    effect: read
    input: {}
    output: {type: string}
    run: [pwd]
  - name: probe_say
    description: Says a text again
    effect: read
    input: {text: {type: string}, times: {type: integer, default: 1, minimum: 1}}
    output: {type: object, properties: {said: {type: string}}}
    run: [printf, '%s', '{{ text }}']
    value: {said: '{{ result }}'}
  - name: probe_fail
    description: Fails
    effect: read
    input: {}
    run: [sh, -c, 'echo no route to host >&2; exit 3']
  - name: probe_hidden
    description: Is offered on request
    effect: read
    tier: extra
    input: {}
    run: [echo, found]
  - name: probe_note
    description: Writes a note
    effect: write
    input: {}
    run: [touch, note]
";

const OTHER: &str = r"
module: other
description: Tools of another kind
tools:
  - name: other_count
    description: Counts
    effect: read
    input: {}
    output: {type: integer}
    run: [echo, '3']
    result: json
";

pub(super) const GREET: &str = "\
name: greet
description: |
  Greets somebody
  and says so
inputs:
  - {name: who, type: string, required: true, description: Whom to greet}
  - {name: times, type: integer, default: 1, minimum: 1}
steps:
  - {name: hello, tool: probe_say, args: {text: 'hello {{ inputs.who }}'}}
outputs:
  - {name: said, value: '{{ hello.said }}', description: What was said}
";

const ASK: &str = "\
name: ask
description: Asks and then writes
steps:
  - {name: sure, confirm: {message: 'Sure?', options: [yes, no]}}
  - {name: note, tool: probe_note}
outputs: []
";

/// A machine.
pub(super) struct World {
    pub(super) root: tempfile::TempDir,
}

/// What a client of ours hears.
#[derive(Clone, Default)]
pub(super) struct Hearer {
    /// How often the list of tools has changed.
    pub(super) changes: Arc<Mutex<usize>>,
    /// What it says that it works in.
    roots: Option<Arc<Mutex<Roots>>>,
    version: Option<ProtocolVersion>,
}

/// Folders that are told after a while.
#[derive(Clone, Default)]
struct Roots {
    after: Duration,
    folders: Vec<PathBuf>,
}

pub(super) type Client = RunningService<RoleClient, Hearer>;

impl World {
    pub(super) fn new() -> Self {
        let world = Self { root: tempfile::tempdir().unwrap() };
        for project in ["alpha", "beta"] {
            world.put(&format!("{project}/.aa/tools/probe.yaml"), PROBE);
            world.put(&format!("{project}/.aa/tools/other.yaml"), OTHER);
            world.put(&format!("{project}/.aa/skills/greet.yaml"), GREET);
            world.put(&format!("{project}/.aa/skills/ask.yaml"), ASK);
        }
        world.persona("one", "modules: [probe]\nskills: [greet, ask]\ntext: You are one.\n");
        world.persona("two", "modules: [other, probe_extra]\nskills: []\n");
        world
    }

    pub(super) fn persona(&self, name: &str, rest: &str) {
        let text = format!("name: {name}\ndescription: The part {name}\n{rest}");
        self.put(&format!("home/.config/aa-workflow/personas/{name}.yaml"), &text);
    }

    pub(super) fn put(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(path)
    }

    pub(super) fn engine(&self, project: &str) -> Engine {
        let home = self.path("home").display().to_string();
        let environment = BTreeMap::from([
            ("HOME".to_owned(), home),
            ("PATH".to_owned(), std::env::var("PATH").unwrap_or_default()),
        ]);
        let surroundings =
            Surroundings { folder: self.path(project), environment: environment.into(), store: None };
        Engine::new(Settings::resolve(&surroundings).unwrap())
    }

    /// A seat at the server of a project.
    #[expect(clippy::unused_self, reason = "said as the rest of the machine is")]
    pub(super) fn seat(&self, engine: &Engine, persona: &str) -> Seat {
        Seat::new(engine.clone(), Choice::Persona(persona.to_owned()))
    }
}

impl Hearer {
    pub(super) fn in_folders(folders: &[PathBuf]) -> Self {
        let roots = Roots { after: Duration::ZERO, folders: folders.to_vec() };
        Self { roots: Some(Arc::new(Mutex::new(roots))), ..Self::default() }
    }

    /// Works elsewhere from now on, and takes its time to say so.
    pub(super) fn move_to(&self, folder: PathBuf, after: Duration) {
        *self.roots.as_ref().unwrap().lock().unwrap() = Roots { after, folders: vec![folder] };
    }

    pub(super) fn changes(&self) -> usize {
        *self.changes.lock().unwrap()
    }
}

impl ClientHandler for Hearer {
    fn get_info(&self) -> ClientConfig {
        let mut info = ClientConfig::default();
        if self.roots.is_some() {
            info.capabilities = serde_json::from_value::<ClientCapabilities>(json!({"roots": {}})).unwrap();
        }
        info.protocol_version = self.version.clone().unwrap_or(ProtocolVersion::LATEST_WITH_INITIALIZE);
        info
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        *self.changes.lock().unwrap() += 1;
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        let told = self.roots.as_ref().map(|roots| roots.lock().unwrap().clone());
        let Roots { after, folders } = told.unwrap_or_default();
        tokio::time::sleep(after).await;
        let uri = |folder: PathBuf| Root::new(aa_run::workspace::uri_of(&folder));
        Ok(ListRootsResult::new(folders.into_iter().map(uri).collect()))
    }
}

/// A client of the session era at a seat.
pub(super) async fn connect(seat: Seat, hearer: Hearer) -> Client {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let server = Server { seat: Arc::new(seat) };
    tokio::spawn(async move {
        let service = Box::pin(server.serve(ours)).await.unwrap();
        let _ = service.waiting().await;
    });
    hearer.serve(theirs).await.unwrap()
}

/// A client of the newer era at a seat.
pub(super) async fn connect_newer(seat: Seat, hearer: Hearer) -> Client {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let server = Server { seat: Arc::new(seat) };
    tokio::spawn(async move {
        let service = Box::pin(server.serve(ours)).await.unwrap();
        let _ = service.waiting().await;
    });
    let newest = vec![ProtocolVersion::V_2026_07_28];
    let mode = ClientLifecycleMode::Auto { preferred_versions: newest, legacy_version: None };
    let hearer = Hearer { version: Some(ProtocolVersion::V_2026_07_28), ..hearer };
    hearer.serve_with_lifecycle(theirs, mode).await.unwrap()
}

pub(super) async fn tools(client: &Client) -> Vec<Tool> {
    client.list_all_tools().await.unwrap()
}

/// The names of listed tools that are no core tools.
pub(super) async fn names(client: &Client) -> Vec<String> {
    let core = |tool: &Tool| crate::mcp::core::find(&tool.name).is_none();
    tools(client).await.into_iter().filter(core).map(|tool| tool.name.to_string()).collect()
}

pub(super) async fn call(client: &Client, name: &str, args: Value) -> CallToolResult {
    let args: JsonObject = args.as_object().cloned().unwrap();
    let params = CallToolRequestParams::new(name.to_owned()).with_arguments(args);
    client.call_tool(params).await.unwrap()
}

/// The structured content of a call that went well.
pub(super) async fn ok(client: &Client, name: &str, args: Value) -> Value {
    let result = call(client, name, args).await;
    assert_ne!(result.is_error, Some(true), "{name}: {}", said(&result));
    result.structured_content.unwrap()
}

/// The text of a call that failed.
pub(super) async fn failed(client: &Client, name: &str, args: Value) -> String {
    let result = call(client, name, args).await;
    assert_eq!(result.is_error, Some(true), "{name}: {}", said(&result));
    said(&result)
}

pub(super) fn said(result: &CallToolResult) -> String {
    result
        .content
        .iter()
        .filter_map(|part| part.as_text())
        .map(|text| text.text.clone())
        .collect::<Vec<_>>()
        .join("\n")
}

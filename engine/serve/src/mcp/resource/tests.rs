//! A real client over a pipe in memory, against the real handler.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aa_run::driver::Park;
use aa_run::engine::{Engine, Inputs, RunRequest};
use aa_run::event::{Origin, RunId};
use aa_run::persona::Choice;
use aa_run::settings::{Settings, Surroundings};
use rmcp::model::{
    ErrorCode, ProtocolVersion, ReadResourceRequestParams, ResourceUpdatedNotificationParam,
    ServerNotification, SkillResources, SubscribeRequestParams, SubscriptionFilter, UnsubscribeRequestParams,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt, NotificationContext, RunningService, ServiceError, ServiceExt,
};
use rmcp::{ClientHandler, RoleClient};
use serde_json::{Map, json};

use super::*;
use crate::mcp::seat::Seat;

const TOOLS: &str = "\
module: probe
description: Small tools
tools:
  - name: probe_say
    description: Says it again
    effect: read
    input: {text: {type: string}}
    run: [cat]
    stdin: '{{ text }}'
  - name: probe_hold
    description: Waits for a file
    effect: read
    input: {}
    run: [sh, -c, 'while [ ! -e go ]; do sleep 0.05; done']
";

const SAY: &str = "\
name: say
description: Says something
inputs:
  - {name: what, type: string, required: true, description: What to say}
  - {name: loud, type: boolean, default: false}
  - {name: tone, type: string, enum: [warm, cool, cold], default: warm}
steps: [{name: said, tool: probe_say, args: {text: '{{ inputs.what }} {{ secrets.TOKEN }}'}}]
outputs: [{name: said, value: '{{ said }}'}]
";

const HOLD: &str = "name: hold\ndescription: Holds\nsteps: [{name: held, tool: probe_hold}]\n";

const TEAM: &str = "\
name: team
description: A team's own things
skills: [say]
resources:
  - {uri: 'team://on-call', name: on-call, text: Nobody, mime_type: text/plain}
  - {uri: 'team://service/{name}', name: service, text: 'About {{ params.name }}'}
  - {uri: 'team://said/{what}', name: said, tool: {name: probe_say, args: {text: '{{ params.what }}'}}}
  - {uri: 'team://picture', name: picture, file: dot.png, mime_type: image/png}
prompts:
  - name: hello
    description: Greets
    arguments: [{name: who, required: true}]
    messages: [{text: 'Hello {{ arguments.who }}'}, {role: assistant, image: dot.png, mime_type: image/png}]
";

/// A machine with two projects over one store.
pub(crate) struct World {
    root: tempfile::TempDir,
}

/// What a client of the session era hears.
#[derive(Clone, Default)]
pub(crate) struct Ear(Arc<Mutex<Vec<String>>>);

impl ClientHandler for Ear {
    async fn on_resource_updated(
        &self,
        told: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.0.lock().unwrap().push(told.uri);
    }
}

pub(crate) type Client = RunningService<RoleClient, Ear>;

impl World {
    pub(crate) fn new() -> Self {
        let world = Self { root: tempfile::tempdir().unwrap() };
        for project in ["work", "other"] {
            world.put(&format!("{project}/.aa/tools/probe.yaml"), TOOLS.as_bytes());
            world.put(&format!("{project}/.aa/skills/say.yaml"), SAY.as_bytes());
            world.put(&format!("{project}/.aa/skills/hold.yaml"), HOLD.as_bytes());
            world.put(&format!("{project}/.aa/personas/team.yaml"), TEAM.as_bytes());
            world.put(&format!("{project}/.aa/personas/dot.png"), &[0x89, b'P', 0xff]);
            let config = "values: {repositories: {aa: {path: .}}, slack: {bot_token: xoxb-1}}\nsecrets: {TOKEN: {env: TOKEN}}\n";
            world.put(&format!("{project}/.aa/config.yaml"), config.as_bytes());
        }
        world
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn engine(&self, project: &str) -> Engine {
        let home = self.root.path().join("home").display().to_string();
        let environment = [("HOME", home.as_str()), ("PATH", "/usr/bin:/bin"), ("TOKEN", "hunter2-hunter2")];
        let surroundings = Surroundings {
            folder: self.root.path().join(project),
            environment: environment
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            store: None,
        };
        Engine::new(Settings::resolve(&surroundings).unwrap())
    }

    /// A client of a server in a project, in the newer or the older protocol.
    pub(crate) async fn client(&self, project: &str, choice: Choice, newer: bool) -> Client {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let seat = Seat::new(self.engine(project), choice).with_skill_folders(true);
        let server = Server { seat: Arc::new(seat) };
        tokio::spawn(async move {
            let service = Box::pin(server.serve(tokio::io::split(theirs))).await.unwrap();
            service.waiting().await.unwrap();
        });
        let mode = if newer {
            ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
        } else {
            ClientLifecycleMode::Initialize
        };
        Ear::default().serve_with_lifecycle(tokio::io::split(ours), mode).await.unwrap()
    }

    /// Runs a skill as the server would have it run, and gives its number.
    pub(crate) async fn run(&self, project: &str, skill: &str, inputs: serde_json::Value) -> RunId {
        let handle = start(&self.engine(project), skill, inputs).await;
        let _ = handle.outcome.await.unwrap().unwrap();
        handle.id
    }
}

async fn start(engine: &Engine, skill: &str, inputs: serde_json::Value) -> aa_run::engine::RunHandle {
    let inputs = inputs.as_object().cloned().unwrap_or_else(Map::new);
    let request = RunRequest {
        skill: skill.to_owned(),
        inputs: Inputs::Json(inputs),
        origin: Origin::Mcp,
        dry_run: false,
        plan_hash: None,
        request_key: None,
        strictness: Strictness { lenient: false, strict: false },
        park: Park::Stay,
    };
    engine.start(request).await.unwrap()
}

async fn read(client: &Client, uri: &str) -> Result<String, ErrorData> {
    match client.read_resource(ReadResourceRequestParams::new(uri)).await {
        Ok(read) => match read.contents.into_iter().next().unwrap() {
            ResourceContents::TextResourceContents { text, .. } => Ok(text),
            ResourceContents::BlobResourceContents { blob, .. } => Ok(blob),
            other => panic!("{other:?}"),
        },
        Err(ServiceError::McpError(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

async fn json_of(client: &Client, uri: &str) -> serde_json::Value {
    serde_json::from_str(&read(client, uri).await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_run_is_read_by_whoever_started_it_and_is_not_there_for_others() {
    let world = World::new();
    let run = world.run("work", "say", json!({"what": "hello"})).await;
    for newer in [false, true] {
        let own = world.client("work", Choice::All, newer).await;
        let summary = json_of(&own, &format!("aa://runs/{run}")).await;
        assert_eq!((&summary["skill"], &summary["inputs"]["what"]), (&json!("say"), &json!("hello")));
        let events = json_of(&own, &format!("aa://runs/{run}/events")).await;
        assert_eq!(events["events"][0]["event"], "skill_started");
        assert_eq!(events["next"], serde_json::Value::Null);
        let later = json_of(&own, &format!("aa://runs/{run}/events?from=2")).await;
        assert_eq!(later["events"][0]["seq"], 2);
        let outputs = json_of(&own, &format!("aa://runs/{run}/outputs")).await;
        assert_eq!(outputs["said"], "hello ‹secret:TOKEN›");
        let step = json_of(&own, &format!("aa://runs/{run}/steps/said")).await;
        assert_eq!(step["events"].as_array().unwrap().len(), 2);
        assert!(!step.to_string().contains("hunter2"), "{step}");
        assert!(
            read(&own, &format!("aa://runs/{run}/logs")).await.unwrap().contains("said: completed after")
        );
        assert_eq!(json_of(&own, "aa://runs").await["runs"][0]["id"], run.0);

        let stranger = world.client("other", Choice::All, newer).await;
        assert_eq!(json_of(&stranger, "aa://runs").await["runs"], json!([]));
        for path in ["", "/events", "/outputs", "/logs", "/steps/said"] {
            let uri = format!("aa://runs/{run}{path}");
            let error = read(&stranger, &uri).await.unwrap_err();
            let code = if newer { ErrorCode::INVALID_PARAMS } else { ErrorCode::RESOURCE_NOT_FOUND };
            assert_eq!((error.code, error.data), (code, Some(json!({ "uri": uri }))), "{newer}");
            // It is the same as for a run that never was.
            let nobody =
                read(&stranger, &uri.replace(&format!("runs/{run}"), "runs/4711")).await.unwrap_err();
            assert_eq!(nobody.message, error.message);
        }
    }
}

#[tokio::test]
async fn what_is_listed_can_be_read() {
    let world = World::new();
    let client = world.client("work", Choice::All, true).await;
    let listed = client.list_all_resources().await.unwrap();
    let uris: Vec<&str> = listed.iter().map(|resource| resource.uri.as_str()).collect();
    for uri in
        ["aa://skills", "aa://runs", "aa://memory", "aa://config", "aa://skills/say", "aa://personas/team"]
    {
        assert!(uris.contains(&uri), "{uri} is not among {uris:?}");
    }
    for uri in uris {
        assert!(read(&client, uri).await.is_ok(), "{uri}");
    }
    for old in ["config://skills", "config://personas", "config://repositories"] {
        assert!(read(&client, old).await.is_ok(), "{old}");
    }
    let config = read(&client, "aa://config").await.unwrap();
    assert!(!config.contains("xoxb") && !config.contains("hunter2"), "{config}");
    for gone in [
        "aa://skills/nothing",
        "aa://memory/state/nothing",
        "aa://config/x",
        "config://nothing",
        "file:///etc/passwd",
    ] {
        let error = read(&client, gone).await.unwrap_err();
        assert_eq!(error.data, Some(json!({ "uri": gone })));
    }
    let templates = client.list_all_resource_templates().await.unwrap();
    assert!(templates.iter().any(|template| template.uri_template == "aa://runs/{id}/steps/{+path}"));
}

#[tokio::test]
async fn a_value_under_a_name_that_sounds_like_a_secret_is_not_read_by_its_own_address() {
    let world = World::new();
    let client = world.client("work", Choice::All, false).await;
    let slack = read(&client, "config://slack").await.unwrap();
    assert!(!slack.contains("xoxb"), "{slack}");
    let run = world.run("work", "say", json!({"what": "x"})).await;
    let events = read(&client, &format!("aa://runs/{run}/events")).await.unwrap();
    assert!(events.contains("bot_token") && !events.contains("xoxb-1"), "{events}");
}

#[tokio::test]
async fn a_skill_is_its_text_and_its_plan() {
    let world = World::new();
    let client = world.client("work", Choice::All, false).await;
    let read = client.read_resource(ReadResourceRequestParams::new("aa://skills/say")).await.unwrap();
    let ResourceContents::TextResourceContents { text, mime_type, .. } = &read.contents[0] else {
        panic!("no text")
    };
    assert_eq!((text.as_str(), mime_type.as_deref()), (SAY, Some("application/yaml")));
    let plan = json_of(&client, "aa://skills/say/plan").await;
    assert_eq!(plan["skill"]["steps"][0]["name"], "said");
}

#[tokio::test]
async fn a_persona_offers_resources_of_its_own() {
    let world = World::new();
    let team = world.client("work", Choice::Persona("team".to_owned()), true).await;
    let listed = team.list_all_resources().await.unwrap();
    assert!(listed.iter().any(|resource| resource.uri == "team://on-call"));
    assert!(!listed.iter().any(|resource| resource.uri == "aa://skills/hold"), "the persona does not see it");
    assert_eq!(read(&team, "team://on-call").await.unwrap(), "Nobody");
    assert_eq!(read(&team, "team://service/a%20b").await.unwrap(), "About a b");
    assert_eq!(read(&team, "team://said/words").await.unwrap().trim(), "words");
    assert_eq!(read(&team, "team://picture").await.unwrap(), "iVD/");
    for gone in ["team://service/", "team://service/a/b", "team://service/%2e%2e", "aa://skills/hold"] {
        assert!(read(&team, gone).await.is_err(), "{gone}");
    }
    let all = world.client("work", Choice::All, true).await;
    assert!(read(&all, "team://on-call").await.is_err(), "only the persona offers it");
}

#[tokio::test]
#[expect(deprecated, reason = "clients of the session era subscribe in this way")]
async fn whoever_subscribes_hears_of_a_run_until_it_is_over() {
    let world = World::new();
    for newer in [false, true] {
        let client = world.client("work", Choice::All, newer).await;
        let _ = std::fs::remove_file(world.root.path().join("work/go"));
        let handle = start(&world.engine("work"), "hold", json!({})).await;
        let uri = format!("aa://runs/{}/events", handle.id);
        let mut stream = None;
        if newer {
            let filter = SubscriptionFilter::builder().resource_subscriptions([uri.clone()]).build();
            stream = Some(client.listen(filter).await.unwrap());
        } else {
            client.subscribe(SubscribeRequestParams::new(uri.clone())).await.unwrap();
            let stranger = world.client("other", Choice::All, false).await;
            assert!(stranger.subscribe(SubscribeRequestParams::new(uri.clone())).await.is_err());
        }
        world.put("work/go", b"");
        handle.outcome.await.unwrap().unwrap();
        let heard = async {
            if let Some(stream) = &mut stream {
                drop(stream.next().await.unwrap());
            } else {
                while client.service().0.lock().unwrap().is_empty() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                assert_eq!(client.service().0.lock().unwrap()[0], uri);
                client.unsubscribe(UnsubscribeRequestParams::new(uri.clone())).await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(20), heard).await.unwrap();
    }
}

#[tokio::test]
#[expect(deprecated, reason = "clients of the session era subscribe in this way")]
async fn what_changes_is_told_and_what_is_never_told_cannot_be_watched() {
    let world = World::new();
    let told = ["aa://skills/say", "aa://skills", "aa://personas/team", "aa://runs"];
    let change = async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.put("work/.aa/skills/say.yaml", SAY.replace("Says something", "Says it").as_bytes());
        world.run("work", "say", json!({"what": "x"})).await;
    };
    let older = world.client("work", Choice::All, false).await;
    for uri in told {
        older.subscribe(SubscribeRequestParams::new(uri)).await.unwrap();
    }
    for (uri, why) in
        [("aa://memory", "nobody is told"), ("aa://skills/none", "no such"), ("aa://x", "no such")]
    {
        let error = older.subscribe(SubscribeRequestParams::new(uri)).await.unwrap_err().to_string();
        assert!(error.contains(why), "{uri}: {error}");
    }
    change().await;
    let heard = async {
        while !told.iter().all(|uri| older.service().0.lock().unwrap().iter().any(|heard| heard == uri)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard).await.unwrap();

    world.put("work/.aa/skills/say.yaml", SAY.as_bytes());
    let newer = world.client("work", Choice::All, true).await;
    let asked = [&told[..], &["aa://memory", "aa://config"]].concat();
    let filter = SubscriptionFilter::builder().resource_subscriptions(asked).build();
    let mut stream = newer.listen(filter).await.unwrap();
    assert_eq!(stream.acknowledged().resource_subscriptions.as_deref(), Some(&told.map(str::to_owned)[..]));
    change().await;
    let mut missing: Vec<_> = told.into();
    let heard = async {
        while !missing.is_empty() {
            let Some(ServerNotification::ResourceUpdatedNotification(notice)) = stream.next().await.unwrap()
            else {
                panic!("the stream has ended")
            };
            missing.retain(|uri| *uri != notice.params.uri);
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard).await.unwrap();
    // What is not there would never change.
    let filter = SubscriptionFilter::builder().resource_subscriptions(["aa://runs/99999"]).build();
    let mut stream = newer.listen(filter).await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(20), stream.next()).await.unwrap();
    assert!(!matches!(end, Ok(Some(_))), "{end:?}");
}

#[tokio::test]
async fn skills_are_folders_with_digests() {
    let world = World::new();
    let client = world.client("work", Choice::All, true).await;
    let skills = client.list_skills(None).await.unwrap().skills;
    let say = skills.iter().find(|skill| skill.uri == "skill://say/SKILL.md").unwrap();
    let SkillResources::Files(files) = &say.resources else { panic!("its files are listed") };
    for file in files {
        let text = read(&client, &file.uri).await.unwrap();
        assert_eq!(file.digest, format!("sha256:{}", aa_spec::plan::digest(&text)));
    }
    assert!(read(&client, "skill://say/../hold/SKILL.md").await.is_err());
}

#[tokio::test]
async fn what_is_offered_is_given_in_pages() {
    let offers = "\
name: long
description: Has much to say
resources:
  - {uri: 'team://rules', name: rules, file: rules.txt}
  - {uri: 'team://about/{what}', name: about, text: '{{ params.what }}'}
";
    let world = World::new();
    world.put("work/.aa/personas/long.yaml", offers.as_bytes());
    let rules = "Be kind to whoever comes after you.\n".repeat(2000);
    world.put("work/.aa/personas/rules.txt", rules.as_bytes());
    let client = world.client("work", Choice::Persona("long".to_owned()), true).await;
    let (mut all, mut next) = (String::new(), "team://rules".to_owned());
    loop {
        let page = read(&client, &next).await.unwrap();
        assert!(page.len() < 30_000, "{}", page.len());
        let (text, told) = page.rsplit_once("\n[bytes ").unwrap();
        all.push_str(text);
        let Some((_, rest)) = told.split_once("the rest: ") else { break };
        next = rest.trim_end().trim_end_matches(']').to_owned();
    }
    assert_eq!(all, rules);
    assert_eq!(read(&client, "team://about/short").await.unwrap(), "short");
    assert!(read(&client, "team://rules?form=3").await.is_err());
}

#[tokio::test]
async fn what_is_wrong_with_an_offer_is_left_out_alone() {
    let odd = "\
name: odd
description: Has mistakes
skills: [say]
resources:
  - {uri: 'team://fine', name: fine, text: Fine}
  - {uri: 'team://gone', name: gone, tool: {name: probe_gone}}
  - {uri: 'team://link', name: link, file: notes.txt}
prompts:
  - {name: debug_guide, messages: [{text: Ours}]}
";
    let world = World::new();
    world.put("work/.aa/personas/odd.yaml", odd.as_bytes());
    world.put("outside", b"hidden");
    let link = world.root.path().join("work/.aa/personas/notes.txt");
    std::os::unix::fs::symlink(world.root.path().join("outside"), link).unwrap();
    let client = world.client("work", Choice::Persona("odd".to_owned()), true).await;
    assert_eq!(read(&client, "team://fine").await.unwrap(), "Fine");
    for gone in ["team://gone", "team://link"] {
        assert!(read(&client, gone).await.is_err(), "{gone}");
    }
    let prompts = client.list_all_prompts().await.unwrap();
    assert_eq!(prompts.iter().filter(|prompt| prompt.name == "debug_guide").count(), 1);
    let checked = world.engine("work").check_persona("odd").unwrap().unwrap();
    let codes: Vec<_> = checked.diagnostics.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["unknown-tool", "missing-file"]);
}

#[tokio::test]
async fn whoever_shapes_a_result_reads_no_file_by_it() {
    let world = World::new();
    let client = world.client("work", Choice::All, true).await;
    let call = async |arguments: serde_json::Value| {
        let request = rmcp::model::CallToolRequestParams::new("tool_call");
        let request = request.with_arguments(arguments.as_object().unwrap().clone());
        json!(client.call_tool(request).await.unwrap())
    };
    let block = json!({"type": "image", "mime_type": "image/png", "file": ".aa/config.yaml"});
    let seen = call(json!({"tool_name": "echo", "arguments": {"$content": [block]}})).await;
    assert_eq!(seen["isError"], false, "{seen}");
    assert!(seen["content"][0]["text"].as_str().unwrap().starts_with("[not shown"), "{seen}");
    // Nor what failed for others.
    let seen = call(json!({"tool_name": "debug_tool", "arguments": {"tool_name": "probe_say"}})).await;
    assert_eq!(seen["isError"], true, "{seen}");
}

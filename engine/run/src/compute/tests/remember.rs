//! The parsers and the memory of blocks on real workers, the memory over a real store.

use aa_spec::compute::vocabulary;

use super::*;
use crate::store::{Durability, LazyStore, StoreOptions};
use crate::tool::process::Environment;
use crate::tool::{CallContext, ephemeral};
use crate::toolbox::{Toolbox, ToolboxOptions};

/// What `tests/oracle/parsers.py` has written.
const ORACLE: &str = include_str!("../../../../../tests/oracle/parsers.json");

#[tokio::test]
async fn parsers_give_what_they_give_in_cpython() {
    let cases: Vec<Value> = serde_json::from_str(ORACLE).unwrap();
    assert!(cases.len() > 200);
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case["call"].as_str().unwrap();
        let found = value(&format!("{name}(*given)"), json!({ "given": case["args"] })).await;
        if found != case["result"] {
            wrong.push(format!("{name}{}\n  gives {found}\n  not   {}", case["args"], case["result"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut tested: Vec<_> = cases.iter().map(|case| case["call"].as_str().unwrap()).collect();
    tested.push("BOT_PATTERNS");
    tested.sort_unstable();
    tested.dedup();
    assert_eq!(tested, vocabulary::PARSERS, "the oracle knows every parser");
}

/// Answers calls with the tools themselves.
struct Tools(Toolbox);

#[async_trait]
impl Host for Tools {
    async fn call(&mut self, call: HostCall) -> Result<Value, StepError> {
        let tool = self.0.tool(&call.target).unwrap_or_else(|| panic!("no tool {}", call.target));
        Ok(tool.call(&CallContext::detached("/"), call.args).await?)
    }
}

fn tools(folder: &std::path::Path) -> Tools {
    let options = ToolboxOptions {
        environment: Environment::default(),
        output_bytes: 1000,
        proxy: None,
        ca: None,
        configuration: crate::tool::configuration::Configuration::default(),
        state_folder: folder.to_owned(),
        open_folders: Vec::new(),
        store: LazyStore::new(folder, StoreOptions { durability: Durability::Full, inline_limit: 1000 }),
        logins: crate::tool::Logins::default(),
        ephemeral: ephemeral::Defaults::default(),
    };
    Tools(Toolbox::new(Vec::new(), &options))
}

/// What a block gives that may call every tool of the memory.
async fn remember(host: &mut Tools, code: &str) -> Result<Value, StepError> {
    let callee = || Callee {
        kind: CalleeKind::Tool,
        effect: Effect::Write,
        idempotent: true,
        reconcile: None,
        aliases: BTreeMap::new(),
    };
    let mut block = block(code);
    let tools = vocabulary::MEMORY.iter().flat_map(|(_, tools)| *tools).chain(&["emit_event"]);
    block.calls = tools.map(|tool| ((*tool).to_owned(), callee())).collect();
    let job = Job { block: Arc::new(block), ..job(code, json!({})) };
    WORKERS.run(job, host).await.map(|computed| computed.value)
}

#[tokio::test]
async fn a_block_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let changes = r#"
memory.add_active_issue("A-1", "first", branch="a-1")
memory.add_active_issue("A-1", "again")
memory.add_follow_up("look: later", priority="high")
memory.update_field("state/environments", "environments.stage.status", "up: yes")
memory.learn_tool_fix("git_push", "rejected", "behind", "pull first")
memory.save_shared_context("here", {"pod": "api-1"})
memory.record_tool_failure("git_push", "rejected")
emit_event("learned", {"tool": "git_push"})
"#;
    assert_eq!(remember(&mut tools(folder.path()), changes).await, Ok(Value::Null));
    let looks = r#"
[
    memory.get_active_issues(), memory.get_follow_ups(), memory.load_shared_context(),
    memory.read_memory("state/environments")["environments"],
    memory.check_known_issues("", "push REJECTED")["matches"][0]["fix"],
    memory.remove_active_issue("A-1"), memory.remove_active_issue("A-1"), memory.get_active_issues(),
]"#;
    let at = "2026-03-04T05:06:07.089000";
    let issue = json!({
        "key": "A-1", "summary": "again", "status": "In Progress", "branch": "", "repo": "",
        "started": at, "notes": "",
    });
    let expected = json!([
        [issue], [{"task": "look: later", "priority": "high", "created": at}], {"pod": "api-1"},
        {"stage": {"status": "up: yes"}}, "pull first", true, false, [],
    ]);
    assert_eq!(remember(&mut tools(folder.path()), looks).await, Ok(expected));
}

#[tokio::test]
async fn what_a_tool_refuses_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let mut tools = tools(folder.path());
    let error = remember(&mut tools, "memory.write_memory('../x', {})").await.unwrap_err();
    assert!(error.message.contains("`../x` is not a key of the memory"), "{error:?}");
    let caught =
        "try:\n    memory.write_memory('../x', {})\nexcept Exception as e:\n    found = str(e)\nfound";
    let found = remember(&mut tools, caught).await.unwrap();
    assert!(found.as_str().unwrap().contains("is not a key of the memory"), "{found}");
}

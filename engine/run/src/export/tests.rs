use std::sync::Arc;

use serde_json::json;

use super::*;

fn plan() -> Arc<Plan> {
    let step = |name: &str, action: serde_json::Value| {
        json!({
            "name": name, "output": name, "needs": [], "effect": "write", "idempotent": false, "on_error": "fail",
            "line": 1, "action": action,
        })
    };
    let skill = json!({
        "name": "deploy_it", "description": "Deploys \"it\"\nto stage", "on_failure": "stop", "concurrency": 1,
        "inputs": [
            {"name": "mr", "description": "Merge request", "required": true, "schema": {"type": "integer"}},
            {"name": "mode", "required": false, "default": "fast", "schema": {"type": "string", "enum": ["fast", "slow"]}},
        ],
        "steps": [
            step("sure", json!({"confirm": {"message": "Really?", "options": ["yes", "no"], "default": null, "timeout_ms": null}})),
            step("go", json!({"tool": {"tool": "kube_apply", "args": {}}})),
        ],
        "outputs": [{"name": "url", "value": "{{ go }}"}],
    });
    Arc::new(serde_json::from_value(json!({"format": 1, "skill": skill})).unwrap())
}

#[test]
fn a_folder_has_a_head_that_yaml_can_read() {
    let source = Source::new("deploy_it.yaml", "name: deploy_it\n");
    let folder = folder(&plan(), &source);
    let files: Vec<&String> = folder.keys().collect();
    assert_eq!(files, ["SKILL.md", "references/deploy-it.yaml"]);
    let text = &folder["SKILL.md"];
    let head = text.strip_prefix("---\n").and_then(|rest| rest.split_once("---\n")).unwrap().0;
    let head = aa_spec::yaml::parse(&Source::new("x", head)).unwrap().to_json();
    assert_eq!(head, json!({"name": "deploy-it", "description": "Deploys \"it\" to stage"}));
    for part in [
        "`mr` (integer, required): Merge request",
        "Really? (yes, no)",
        "calls `kube_apply`",
        "`skill_plan`",
        "`url`",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(is_made(text));
}

#[test]
fn commands_are_in_the_files_of_each_client() {
    let of = |client: Client| client.command(&plan());
    let (path, text) = of(Client::Claude);
    assert_eq!(path, ".claude/commands/deploy-it.md");
    assert!(text.starts_with(
        "---\ndescription: \"Deploys \\\"it\\\" to stage\"\nargument-hint: \"mr=… [mode=…]\"\n---\n"
    ));
    assert!(text.contains("$ARGUMENTS") && text.contains("\"skill_name\": \"deploy_it\""), "{text}");
    let (path, text) = of(Client::Cursor);
    assert_eq!(path, ".cursor/commands/deploy-it.md");
    assert!(text.starts_with("<!-- Made by"));
    assert_eq!(of(Client::Codex).0, ".codex/prompts/deploy-it.md");
    let (path, text) = of(Client::Vscode);
    assert_eq!(path, ".github/prompts/deploy-it.prompt.md");
    assert!(text.contains("${input:mr}") && text.contains("mode: agent"), "{text}");
    assert_eq!(of(Client::Claude), of(Client::Claude));
}

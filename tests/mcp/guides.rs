//! Folders of instructions that a server offers, read and checked: here by one `aa` from another.

use serde_json::json;

use crate::support::Aa;

/// A project whose module is `aa` itself, which offers the project's skills.
fn project() -> Aa {
    let module = format!(
        "module: twin\ndescription: Itself\nmcp:\n  command: {}\n  env: {{AA_SERVE_SKILLS_EXTENSION: 'true'}}\n  start_timeout: 20s\n",
        json!([crate::support::binary(), "mcp", "--all"])
    );
    Aa::new().tools("twin", &module).skill(
        "wave",
        "name: wave\ndescription: Waves at somebody\ninputs: [{name: who, type: string}]\nsteps: [{name: it, tool: file_exists, args: {path: '{{ inputs.who }}'}}]\n",
    )
}

#[test]
fn what_a_server_offers_is_listed_and_read() {
    let aa = project();
    let listed = aa.args(["tool", "guide", "twin", "--format", "json"]).run().code(0).json();
    let wave = listed.as_array().unwrap().iter().find(|guide| guide["name"] == "wave").unwrap();
    assert_eq!(wave["description"], "Waves at somebody");
    assert!(wave["files"].as_array().unwrap().contains(&json!("SKILL.md")), "{wave}");
    let text = aa.args(["tool", "guide", "twin", "wave"]).run().code(0).out();
    assert!(text.starts_with("---\n") && text.contains("name: wave"), "{text}");
    let other = wave["files"].as_array().unwrap().iter().find(|file| **file != "SKILL.md").unwrap();
    let other = aa.args(["tool", "guide", "twin", "wave", other.as_str().unwrap()]).run().code(0).out();
    assert!(!other.is_empty() && other != text);
    aa.args(["tool", "guide", "twin"]).run().code(0).stdout_contains("Waves at somebody");
}

#[test]
fn what_is_not_there_is_said() {
    let aa = project();
    aa.args(["tool", "guide", "twim"]).run().code(4).stderr_contains("did you mean `twin`?");
    aa.args(["tool", "guide", "twin", "waves"]).run().stderr_contains("did you mean `wave`?");
    aa.args(["tool", "guide", "twin", "wave", "../wave.yaml"])
        .run()
        .stderr_contains("there is no file `../wave.yaml` in `wave`");
    let silent = aa.tools(
        "silent",
        &format!(
            "module: silent\ndescription: Offers none\nmcp:\n  command: {}\n  start_timeout: 20s\n",
            json!([crate::support::binary(), "mcp"])
        ),
    );
    silent.args(["tool", "guide", "silent"]).run().stderr_contains("offers no folders of instructions");
}

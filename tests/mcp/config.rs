//! `aa mcp config`: what each client has to be told.

use crate::support::Aa;

/// What is printed for a client, with the binary's path replaced.
fn shown(args: &[&str]) -> String {
    let aa = Aa::new();
    let ran = aa.args(["mcp", "config"].iter().chain(args)).run().code(0);
    format!("{}---\n{}", ran.out(), ran.err()).replace(crate::support::binary(), "[aa]")
}

#[test]
fn clients_that_start_us() {
    for client in ["claude", "cursor", "vscode", "codex", "zed"] {
        insta::assert_snapshot!(format!("{client}_stdio"), shown(&["--client", client, "--persona", "core"]));
    }
}

#[test]
fn clients_that_ask_a_server() {
    for client in ["claude", "cursor", "vscode", "codex", "zed"] {
        let args = ["--client", client, "--http", "http://127.0.0.1:8610/", "--persona", "core"];
        insta::assert_snapshot!(format!("{client}_http"), shown(&args));
    }
}

#[test]
fn json_is_json_and_no_key_is_in_it() {
    let aa = Aa::new();
    let args = ["mcp", "config", "--client", "vscode", "--http", "https://aa.example.org/mcp"];
    let json = aa.args(args).run().code(0).json();
    assert_eq!(json["servers"]["aa"]["url"], "https://aa.example.org/mcp");
    assert_eq!(json["servers"]["aa"]["headers"]["Authorization"], "Bearer ${input:aa-token}");
}

#[test]
fn the_store_goes_along_and_words_are_quoted_for_the_shell() {
    let aa = Aa::new().file("it's; a folder/x", "");
    let args = ["mcp", "config", "--client", "claude", "-C", "it's; a folder", "--store", "runs"];
    let ran = aa.args(args).run().code(0);
    let said: Vec<String> = ["it's; a folder", "runs"].map(|path| aa.path(path).display().to_string()).into();
    let args = ran.json()["mcpServers"]["aa"]["args"].clone();
    assert_eq!(args[1], "-C");
    assert!(args[2].as_str().unwrap().ends_with("/it's; a folder"), "{args}");
    assert_eq!(args[3], "--store");
    assert!(args[4].as_str().unwrap().ends_with("/runs"), "{args} {said:?}");
    ran.stderr_contains("/it'\\''s; a folder' --store");
}

#[test]
fn what_is_not_there_is_said() {
    let aa = Aa::new();
    let config = |more: &[&str]| aa.args(["mcp", "config", "--client", "zed"].iter().chain(more)).run();
    config(&["--persona", "cor"]).code(4).stderr_contains("did you mean `core`?");
    config(&["--http", "127.0.0.1:8610"]).code(2).stderr_contains("write it like `http://");
}

use std::fs;

use serde_json::json;

use super::{hmac, lines, with};
use crate::mcp::wire::Served;
use crate::support::eventually;

/// Schedules that these secrets open.
fn hooks(names: &[(&str, &str)]) -> String {
    let schedules: Vec<String> = names
        .iter()
        .map(|(name, secret)| {
            format!(
                "  {name}: {{skill: tick, webhook: {{secret: '{{{{ secrets.{secret} }}}}'}}, inputs: {{due: '{{{{ body.text }}}}'}}}}\n"
            )
        })
        .collect();
    format!("secrets: {{OLD: {{env: OLD_KEY}}, NEW: {{env: NEW_KEY}}}}\nschedules:\n{}", schedules.concat())
}

#[test]
fn the_first_signed_request_goes_by_the_files_as_they_are_by_then() {
    let aa = with(&hooks(&[("changed", "OLD"), ("deleted", "OLD")]));
    let call = aa.args(["serve", "--listen", "127.0.0.1:0"]).env("OLD_KEY", "the old secret");
    let served = Served::start(call.env("NEW_KEY", "the new secret"));
    let post = |name: &str, key: &str, text: &str| {
        let body = json!({"text": text});
        let signature = hmac(key, &body.to_string());
        let headers = [("Authorization", ""), ("X-Hub-Signature-256", signature.as_str())];
        served.ask(&format!("POST /hooks/{name}"), &headers, &body.to_string()).status
    };
    // Nobody has sent anything yet.
    let config = aa.home().join("config/aa-workflow/config.yaml");
    fs::write(&config, hooks(&[("changed", "NEW"), ("added", "NEW")])).unwrap();
    assert_eq!(post("changed", "the old secret", "a"), 401, "the secret was revoked");
    assert_eq!(post("deleted", "the old secret", "b"), 401, "it is gone");
    assert_eq!(post("changed", "the new secret", "c"), 202);
    assert_eq!(post("added", "the new secret", "d"), 202);
    eventually("both are run", || lines(&aa).len() == 2);
    // What cannot be read changes nothing.
    fs::write(&config, "schedules: [").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(post("added", "the new secret", "e"), 202);
}

#[test]
fn the_first_signed_request_is_taken_while_the_configuration_cannot_be_read() {
    let aa = with(&hooks(&[("push", "OLD")]));
    let served = Served::start(
        aa.args(["serve", "--listen", "127.0.0.1:0"])
            .env("OLD_KEY", "the old secret")
            .env("NEW_KEY", "the new secret"),
    );
    fs::write(aa.home().join("config/aa-workflow/config.yaml"), "schedules: [").unwrap();
    let body = json!({"text": "a"}).to_string();
    let signature = hmac("the old secret", &body);
    let headers = [("Authorization", ""), ("X-Hub-Signature-256", signature.as_str())];
    assert_eq!(served.ask("POST /hooks/push", &headers, &body).status, 202);
    eventually("it is run", || lines(&aa) == ["a"]);
}

//! Questions of a module's server, put to clients that are asked by the answers to their calls.

use serde_json::{Value, json};

use super::wire::{Served, modern, modern_headers};
use super::{hostile, over, trust};
use crate::support::Aa;

fn shop(era: &str) -> Aa {
    let aa = over("shop", &["python3", &hostile(), "--era", era], "  tools: {ask: {effect: read}}\n");
    trust(&aa, "shop");
    aa
}

/// Calls a tool that asks, or calls it again with what somebody has filled in.
fn ask(served: &Served, again: Option<(&Value, &Value)>) -> Value {
    let mut message = modern(1, "shop_ask", &json!({}));
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {}});
    if let Some((state, responses)) = again {
        message["params"]["requestState"] = state.clone();
        message["params"]["inputResponses"] = responses.clone();
    }
    served.post("/mcp", &modern_headers("shop_ask"), &message).message()["result"].clone()
}

#[test]
fn a_tool_that_only_reads_asks_a_newer_client_as_well() {
    for era in ["older", "newer"] {
        let aa = shop(era);
        let served = Served::new(&aa, &["--all"]);
        let asked = ask(&served, None);
        let requests = asked["inputRequests"].as_object().unwrap_or_else(|| panic!("{era}: {asked}"));
        let (key, request) = requests.iter().next().unwrap();
        assert_eq!(request["params"]["message"], "`shop` asks: Drop the table? (sure)", "{asked}");
        let filled = json!({key: {"action": "accept", "content": {"answer": "yes"}}});
        let done = ask(&served, Some((&asked["requestState"], &filled)));
        assert!(done["isError"] != true && done["content"].to_string().contains("accept"), "{era}: {done}");
        // Who does not want to answer is told that this was needed, and nothing is left behind.
        let asked = ask(&served, None);
        let key = asked["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
        let left = ask(&served, Some((&asked["requestState"], &json!({key: {"action": "decline"}}))));
        assert_eq!(left["isError"], true, "{left}");
        assert!(left["content"].to_string().contains("nobody has answered: `shop` asks"), "{left}");
        let runs = aa.args(["run", "list", "--format", "json"]).run().code(0).json();
        assert_eq!(
            (&runs[0]["status"], &runs[1]["status"]),
            (&json!("cancelled"), &json!("completed")),
            "{runs}"
        );
    }
}

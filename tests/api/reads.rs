//! Reads that are the same are made once, for each of those who ask; and permits hold.

use serde_json::{Value, json};

use crate::mcp::wire::{Reply, Served, call, modern_headers};
use crate::support::Aa;

const ANN: &str = "0123456789abcdef0123456789abcdef-ann";
const BEN: &str = "0123456789abcdef0123456789abcdef-ben";

const TOOLS: &str = "\
module: slow
description: Takes its time
tools:
  - name: slow_look
    description: Looks
    effect: read
    input: {what: {type: string}}
    run: [sh, -c, 'echo \"$0\" >> looked; sleep 1; echo \"$0\"', '{{ what }}']
  - name: slow_kept
    description: Looks, and remembers for a while
    effect: read
    cache: 1m
    input: {what: {type: string}}
    run: [sh, -c, 'echo \"$0\" >> kept; echo \"$0\"', '{{ what }}']
  - name: slow_fail
    description: Fails
    effect: read
    input: {what: {type: string}}
    run: [sh, -c, 'echo \"$0\" >> failed; sleep 1; exit 3', '{{ what }}']
  - name: slow_alone
    description: Wants to be alone
    effect: read
    input: {what: {type: string}}
    run: [sh, -c, 'mkdir lock && sleep 0.3 && rmdir lock', '{{ what }}']
";

fn served(more: &str) -> (Aa, Served) {
    let config = format!(
        "secrets: {{ANN: {{env: ANN}}, BEN: {{env: BEN}}}}\nserve:\n  keys:\n    - {{principal: ann, key: '{{{{ secrets.ANN }}}}'}}\n    - {{principal: ben, key: '{{{{ secrets.BEN }}}}'}}\n{more}"
    );
    let aa = Aa::new().tools("slow", TOOLS).own_config(&config);
    let served =
        Served::start(aa.args(["serve", "--all", "--listen", "127.0.0.1:0"]).env("ANN", ANN).env("BEN", BEN));
    (aa, served)
}

fn ask(served: &Served, key: &str, tool: &str, what: &str) -> Reply {
    let key = format!("Bearer {key}");
    let body = json!({"args": {"what": what}});
    served.post(&format!("/api/tools/{tool}/call"), &[("Authorization", key.as_str())], &body)
}

/// Asks for all of it at the same time.
fn at_once(served: &Served, asked: &[(&str, &str, &str)]) -> Vec<Reply> {
    std::thread::scope(|scope| {
        let all: Vec<_> =
            asked.iter().map(|(key, tool, what)| scope.spawn(move || ask(served, key, tool, what))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn the_same_read_is_made_once_for_each_who_asks_and_others_get_their_own() {
    let (aa, served) = served("");
    // Everything is read before it counts.
    ask(&served, ANN, "slow_kept", "first");
    let asked = [
        (ANN, "slow_look", "a"),
        (ANN, "slow_look", "a"),
        (ANN, "slow_look", "a"),
        (BEN, "slow_look", "a"),
        (BEN, "slow_look", "a"),
        (ANN, "slow_look", "b"),
    ];
    let replies = at_once(&served, &asked);
    for (reply, (_, _, what)) in replies.iter().zip(asked) {
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.message()["result"].to_string().contains(what), "{reply:?}");
    }
    let mut looked: Vec<String> = aa.text("looked").lines().map(str::to_owned).collect();
    looked.sort();
    assert_eq!(looked, ["a", "a", "b"], "once for each of them");
    assert_eq!(ask(&served, ANN, "slow_look", "a").status, 200);
    assert_eq!(aa.text("looked").lines().count(), 4, "what was read before is read anew");
}

#[test]
fn two_clients_with_the_same_request_id_get_their_own_answers() {
    let (_aa, served) = served("");
    let say = |key: &str, what: &str| {
        let key = format!("Bearer {key}");
        let mut headers = modern_headers("slow_look");
        headers.push(("Authorization", key.as_str()));
        let mut message = call(7, "slow_look", &json!({"what": what}));
        message["params"]["_meta"] = crate::mcp::wire::modern(7, "x", &json!({}))["params"]["_meta"].clone();
        served.post("/mcp", &headers, &message).message()
    };
    std::thread::scope(|scope| {
        let asked: Vec<_> = [(ANN, "x"), (ANN, "y"), (BEN, "x"), (BEN, "z")]
            .into_iter()
            .map(|(key, what)| (what, scope.spawn(move || say(key, what))))
            .collect();
        for (what, answer) in asked {
            let answer: Value = answer.join().unwrap();
            assert_eq!(answer["id"], 7);
            assert!(
                answer["result"]["content"][0]["text"].as_str().unwrap().contains(what),
                "{what}: {answer}"
            );
        }
    });
}

#[test]
fn a_failure_is_told_to_all_who_wait_and_the_next_tries_again() {
    let (aa, served) = served("");
    ask(&served, ANN, "slow_kept", "first");
    let replies =
        at_once(&served, &[(ANN, "slow_fail", "a"), (ANN, "slow_fail", "a"), (ANN, "slow_fail", "a")]);
    assert!(replies.iter().all(|reply| reply.status == 502), "{replies:?}");
    assert_eq!(aa.text("failed").lines().count(), 1);
    assert_eq!(ask(&served, ANN, "slow_fail", "a").status, 502);
    assert_eq!(aa.text("failed").lines().count(), 2);
}

#[test]
fn results_are_kept_where_the_tool_says_so_and_for_nobody_else() {
    let (aa, served) = served("");
    for (key, what) in [(ANN, "a"), (ANN, "a"), (ANN, "b"), (BEN, "a"), (ANN, "a"), (BEN, "a")] {
        assert_eq!(ask(&served, key, "slow_kept", what).status, 200);
    }
    assert_eq!(aa.text("kept").lines().collect::<Vec<_>>(), ["a", "b", "a"]);
}

#[test]
fn of_one_module_no_more_is_called_at_once_than_is_said() {
    let (_aa, served) = served("limits: {modules: {slow: 1}}\n");
    let asked: Vec<_> = ["a", "b", "c", "d"].into_iter().map(|what| (ANN, "slow_alone", what)).collect();
    let replies = at_once(&served, &asked);
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
}

#[test]
fn a_cache_is_only_for_tools_that_read() {
    let bad = "module: bad\ndescription: d\ntools:\n  - {name: bad_put, description: Puts, effect: write, cache: 1m, input: {}, run: ['true']}\n";
    let checked = Aa::new().tools("bad", bad).args(["tool", "check", "bad"]).run();
    assert_ne!(checked.exit_or_killed(), Some(0));
    assert!(checked.err().contains("`cache` of `bad_put` is only for tools that read"), "{}", checked.err());
}

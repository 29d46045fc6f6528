//! What people see of one run, on a terminal and in a log.

use aa_run::event::{Body, Event, Origin, RunId, StepError, StepPath, Time};
use aa_spec::tool::ErrorKind;
use chrono::{TimeDelta, TimeZone, Utc};
use serde_json::{Map, Value, json};

use super::line::Layout;
use super::plain;
use super::tree::Tree;
use crate::style::Palette;

const PALETTE: Palette = Palette { color: false, unicode: true };

fn start() -> Time {
    Utc.timestamp_opt(1_700_000_000, 0).unwrap()
}

/// A run with every kind of step, as its events came: milliseconds, then what happened.
fn story() -> Vec<(i64, Body)> {
    let path = |text: &str| StepPath(text.to_owned());
    let started = |step: &str, attempt, kind: &str, items| Body::StepStarted {
        step: path(step),
        attempt,
        kind: kind.to_owned(),
        target: Some("git_log".to_owned()),
        args: None,
        until: None,
        items,
    };
    let completed = |step: &str, duration_ms| {
        let (step, reads) = (path(step), Vec::new());
        Body::StepCompleted { step, output: Value::Null, duration_ms, reads }
    };
    let error = |kind, message: &str| StepError::new(kind, message);
    vec![
        (
            0,
            Body::SkillStarted {
                skill: "release".to_owned(),
                plan: "0".repeat(64),
                nonce: String::new(),
                inputs: Map::new(),
                config: Value::Null,
                env: Map::new(),
                folder: String::new(),
                dry_run: false,
                stubs: None,
                given: None,
                tools: std::collections::BTreeMap::new(),
                link: None,
                planned: None,
            },
        ),
        (1, started("fetch", 1, "tool", None)),
        (
            900,
            Body::StepRetrying {
                step: path("fetch"),
                attempt: 1,
                error: error(ErrorKind::Network, "connection refused\nby 10.0.0.1"),
                until: start() + TimeDelta::milliseconds(1_900),
            },
        ),
        (1_900, started("fetch", 2, "tool", None)),
        (2_140, completed("fetch", 2_139)),
        (2_141, Body::StepSkipped { step: path("notify"), reason: "condition is false".to_owned() }),
        (2_141, started("fan", 1, "foreach", Some(3))),
        (2_142, started("fan[0]", 1, "tool", None)),
        (2_142, started("fan[1]", 1, "tool", None)),
        (2_300, completed("fan[0]", 158)),
        (
            2_400,
            Body::StepFailed {
                step: path("fan[1]"),
                error: error(ErrorKind::Permanent, "`make` exited with 2"),
                continued: true,
                duration_ms: 258,
            },
        ),
        (2_401, started("fan[2]", 1, "tool", None)),
        (2_402, started("publish", 1, "skill", None)),
        (2_403, started("publish/tag", 1, "tool", None)),
        (2_500, completed("fan[2]", 99)),
        (2_500, completed("fan", 359)),
        (2_700, completed("publish/tag", 297)),
        (2_701, started("publish/push", 1, "tool", None)),
        (186_701, completed("publish/push", 184_000)),
        (186_702, completed("publish", 184_300)),
        (
            186_703,
            Body::ConfirmRequested {
                step: path("go"),
                message: "announce it?".to_owned(),
                options: vec!["yes".to_owned(), "no".to_owned()],
                form: None,
                default: None,
                until: None,
                want: None,
            },
        ),
        (
            190_000,
            Body::ConfirmAnswered { step: path("go"), answer: "yes".to_owned(), by: "tester".to_owned() },
        ),
        (190_001, completed("go", 3_298)),
        (
            190_002,
            Body::StepFailed {
                step: path("announce"),
                error: error(ErrorKind::NotFound, "no channel `\u{1b}[31mx`"),
                continued: false,
                duration_ms: 12,
            },
        ),
        (190_003, Body::UndoStarted { by: "on_failure".to_owned(), step: None, error: None }),
        (190_004, started("publish/push#undo", 1, "undo", None)),
        (190_200, completed("publish/push#undo", 196)),
    ]
}

fn events() -> Vec<Event> {
    let number = |(seq, (at, body)): (usize, (i64, Body))| Event {
        run_id: RunId(12),
        seq: seq as u64,
        at: start() + TimeDelta::milliseconds(at),
        source: Origin::Cli,
        body,
    };
    story().into_iter().enumerate().map(number).collect()
}

#[test]
fn a_log_gets_one_line_per_step() {
    let mut tree = Tree::default();
    let mut lines = Vec::new();
    for event in events() {
        let change = tree.apply(&event);
        lines.extend(plain::lines(&tree, &change, PALETTE));
    }
    insta::assert_snapshot!(lines.join("\n"), @"
    ▸ release · run 12
    ↻ fetch  attempt 1 failed: connection refused
    ✓ fetch  2.1s  2 attempts
    ○ notify  condition is false
    ✗ fan[1]  258ms  `make` exited with 2 (the run goes on)
    ✓ fan  359ms  3 items, 1 failed
    ✓ publish/tag  297ms
    ✓ publish/push  3m04s
    ✓ publish  3m04s
    ? go  announce it? (yes, no)
    ✓ go  3.2s
    ✗ announce  12ms  no channel `x`
    ↻ taking back what was done
    ✓ undo publish/push  196ms
    ");
}

#[test]
fn a_terminal_gets_a_tree() {
    let mut tree = Tree::default();
    for event in events() {
        tree.apply(&event);
    }
    let layout = Layout { palette: PALETTE, name: 14 };
    let lines: Vec<String> = tree.top.iter().flat_map(|&top| layout.subtree(&tree, top, 0)).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    ✓ fetch             2.1s  2 attempts
    ○ notify                  condition is false
    ✓ fan              359ms  3 items, 1 failed
      ✗ fan[1]         258ms  `make` exited with 2 (the run goes on)
    ✓ publish          3m04s
      ✓ tag            297ms
      ✓ push           3m04s
    ✓ go                3.2s
    ✗ announce          12ms  no channel `x`
    ✓ undo publish/push   196ms
    ");
}

#[test]
fn a_terminal_shows_what_goes_on() {
    let mut human = super::human::Human::new(PALETTE);
    human.expect(["announce"].into_iter());
    let mut tree = Tree::default();
    let mut pictures = Vec::new();
    for event in events() {
        tree.apply(&event);
        let at = (event.at - start()).num_milliseconds();
        if [900, 2_403, 186_703].contains(&at) {
            tree.line(&StepPath("publish/tag".to_owned()), "  signing\tv1.2 ");
            let lines = human.live(&tree, event.at + TimeDelta::milliseconds(50), (60, 24));
            pictures.push(lines.join("\n"));
        }
    }
    insta::assert_snapshot!(pictures.join("\n---\n"), @"
    ↻ fetch          949ms  attempt 2 in 950ms: connection ref…
    ---
    ⠋ fan            312ms  2/3 · 1 failed
      ⠋ fan[2]        52ms
    ⠋ publish         51ms
      ⠋ tag           50ms  signing    v1.2
    ---
    ? go              50ms  announce it?
    ");
}

#[test]
fn ten_thousand_items_stay_a_few_lines() {
    let mut tree = Tree::default();
    let mut human = super::human::Human::new(PALETTE);
    let events = events();
    tree.apply(&events[0]);
    let mut event = events[1].clone();
    event.body = serde_json::from_value(
        json!({"event": "step_started", "step": "fan", "attempt": 1, "kind": "foreach", "items": 10_000}),
    )
    .unwrap();
    tree.apply(&event);
    for item in 0..10_000 {
        let step = format!("fan[{item}]");
        event.body = serde_json::from_value(
            json!({"event": "step_started", "step": step, "attempt": 1, "kind": "tool"}),
        )
        .unwrap();
        tree.apply(&event);
        if item < 9_990 {
            event.body = serde_json::from_value(
                json!({"event": "step_completed", "step": step, "output": null, "duration_ms": 1}),
            )
            .unwrap();
            tree.apply(&event);
        }
    }
    human.change(&tree, &super::tree::Change::None);
    insta::assert_snapshot!(human.live(&tree, event.at, (60, 24)).join("\n"), @"
    ⠋ fan              0ms  9 990/10 000
      ⠋ fan[9997]      0ms
      ⠋ fan[9998]      0ms
      ⠋ fan[9999]      0ms
    ");
}

#[test]
fn asking_how_a_step_has_ended_is_over_with_the_answer() {
    let mut tree = Tree::default();
    let mut event = events()[0].clone();
    for (at, body) in [
        (0, json!({"event": "step_started", "step": "m", "attempt": 1, "kind": "tool"})),
        (10, json!({"event": "step_started", "step": "m#reconcile", "attempt": 1, "kind": "reconcile"})),
        (
            17,
            json!({"event": "step_resolved", "step": "m", "resolution": {"done": {"output": 1}}, "by": "reconcile"}),
        ),
        (20, json!({"event": "step_completed", "step": "m", "output": 1, "duration_ms": 20})),
    ] {
        event.at = start() + TimeDelta::milliseconds(at);
        event.body = serde_json::from_value(body).unwrap();
        tree.apply(&event);
    }
    let asked = tree.node(&StepPath("m#reconcile".to_owned())).unwrap();
    assert!(matches!(asked.state, super::tree::State::Done(_)));
    assert_eq!(asked.duration_ms, 7);
}

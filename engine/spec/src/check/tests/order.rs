//! Tests of the order of steps.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::plan;
use crate::check::order::{Draft, needs};

/// `a: needs…` for every step of a skill whose steps are `name effect [needs]`.
fn order(steps: &str) -> String {
    let mut text = "name: x\ndescription: x\nsteps:\n".to_owned();
    for line in steps.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, rest) = line.split_once(' ').unwrap();
        text.extend(["  - {name: ", name, ", ", rest, "}\n"]);
    }
    let plan = plan(&text);
    let steps = &plan.skill.steps;
    let lines = steps.iter().map(|step| {
        let needs: Vec<&str> = step.needs.iter().map(|need| steps[*need].name.as_str()).collect();
        format!("{}: {}", step.name, needs.join(" ")).trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn reads_between_writes_run_together() {
    let steps = "
        r1 tool: read, args: {path: x}
        r2 tool: read, args: {path: x}
        w1 tool: write, args: {path: x, text: y}
        r3 tool: read, args: {path: x}
        r4 tool: read, args: {path: '{{ r1.text }}'}
        r5 tool: read, args: {path: '{{ r4.text }}'}
        u1 tool: shell
        w2 tool: remove, args: {path: x}
        r6 tool: read, args: {path: '{{ r1.text }}{{ w2 }}'}";
    insta::assert_snapshot!(order(steps), @r"
    r1:
    r2:
    w1: r1 r2
    r3: w1
    r4: w1
    r5: r4
    u1: r3 r5
    w2: u1
    r6: w2
    ");
}

#[test]
fn questions_and_returns_are_barriers() {
    let steps = "
        r1 tool: read, args: {path: x}
        ask confirm: {message: sure?}
        r2 tool: read, args: {path: x}
        r3 tool: read, args: {path: x}
        end then: [{return: 1}], condition: r2
        r4 tool: read, args: {path: x}
        pause wait: 1s
        r5 tool: read, args: {path: x}";
    insta::assert_snapshot!(order(steps), @r"
    r1:
    ask: r1
    r2: ask
    r3: ask
    end: r2 r3
    r4: end
    pause: r4
    r5: pause
    ");
}

#[test]
fn needs_replace_the_order_of_the_file() {
    let steps = "
        w1 tool: write, args: {path: x, text: y}
        w2 tool: write, args: {path: x, text: y}, needs: []
        w3 tool: write, args: {path: x, text: '{{ w1 }}'}, needs: []
        r1 tool: read, args: {path: x}
        r2 tool: read, args: {path: x}, needs: [w2]
        w4 tool: write, args: {path: x, text: y}
        r3 tool: read, args: {path: x}, condition: steps.r2.status == 'failed'
        r4 tool: read, args: {path: x}, condition: steps | length > 1, needs: []";
    insta::assert_snapshot!(order(steps), @r"
    w1:
    w2:
    w3: w1
    r1: w2 w3
    r2: w2
    w4: r1 r2
    r3: w4
    r4: r3
    ");
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let draft = (
        any::<bool>(),
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..4)),
        proptest::collection::vec(any::<u8>(), 0..3),
    );
    proptest::collection::vec(draft, 1..40).prop_map(|all| {
        let earlier = |index: usize, picks: Vec<u8>| -> BTreeSet<usize> {
            picks.into_iter().filter(|_| index > 0).map(|pick| usize::from(pick) % index).collect()
        };
        let mut drafts = Vec::new();
        for (index, (barrier, needs, reads)) in all.into_iter().enumerate() {
            let needs = needs.map(|needs| earlier(index, needs));
            drafts.push(Draft { reads: earlier(index, reads), needs, barrier, ..Draft::default() });
        }
        drafts
    })
}

/// Everything that a step waits for, directly or not.
fn closure(needs: &[Vec<usize>]) -> Vec<BTreeSet<usize>> {
    let mut all: Vec<BTreeSet<usize>> = Vec::new();
    for own in needs {
        let mut before: BTreeSet<usize> = own.iter().copied().collect();
        for need in own {
            before.extend(&all[*need]);
        }
        all.push(before);
    }
    all
}

proptest! {
    #[test]
    fn orders_point_back_and_keep_the_rule(drafts in drafts()) {
        let needs = needs(&drafts).unwrap();
        for (index, own) in needs.iter().enumerate() {
            prop_assert!(own.iter().all(|need| *need < index));
        }
        let before = closure(&needs);
        for (index, draft) in drafts.iter().enumerate() {
            prop_assert!(draft.reads.is_subset(&before[index]));
            prop_assert!(draft.needs.iter().flatten().all(|need| before[index].contains(need)));
            if draft.needs.is_none() {
                let waits = |earlier: &usize| draft.barrier || drafts[*earlier].barrier;
                prop_assert!((0..index).filter(waits).all(|earlier| before[index].contains(&earlier)));
            }
            // Small enough to be reduced completely.
            for need in &needs[index] {
                let others = needs[index].iter().filter(|other| *other != need);
                prop_assert!(!others.clone().any(|other| before[*other].contains(need)));
            }
        }
    }
}

#[test]
fn ten_thousand_steps_have_few_edges() {
    for barrier_every in [1, 2, 100, 20_000] {
        let drafts: Vec<Draft> = (0..10_000)
            .map(|index| Draft { barrier: index % barrier_every == 0, ..Draft::default() })
            .collect();
        let edges: usize = needs(&drafts).unwrap().iter().map(Vec::len).sum();
        assert!(edges < 20_000, "{edges}");
    }
    let tangled: Vec<Draft> = (0..10_000)
        .map(|index| Draft {
            barrier: index < 5_000,
            needs: (index < 5_000).then(BTreeSet::new),
            ..Draft::default()
        })
        .collect();
    assert!(needs(&tangled).is_none());
}

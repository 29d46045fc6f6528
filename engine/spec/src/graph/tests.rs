//! Tests of the drawings.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A skill of steps: name, action, effect, needs, and what else they have.
fn skill(steps: &[(&str, Value, &str, &[usize], Value)]) -> SkillPlan {
    let steps: Vec<Value> = steps
        .iter()
        .map(|(name, action, effect, needs, more)| {
            let mut step = json!({"name": name, "action": action, "effect": effect, "needs": needs, "output": name,
                "idempotent": true, "on_error": "fail", "line": 1});
            step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            step
        })
        .collect();
    serde_json::from_value(json!({"name": "deploy", "description": "Puts <it> & \"all\" out", "inputs": [],
        "on_failure": "stop", "concurrency": 16, "outputs": [], "steps": steps}))
    .unwrap()
}

fn tool(name: &str) -> Value {
    json!({"tool": {"tool": name, "args": {}}})
}

fn sample() -> SkillPlan {
    let none = json!({});
    skill(&[
        ("commit", tool("git_show"), "read", &[], none.clone()),
        ("lint", tool("lint"), "read", &[0], none.clone()),
        (
            "test",
            tool("test"),
            "read",
            &[0],
            json!({"foreach": {"items": "{{ commit.parts }}", "concurrency": 4}}),
        ),
        ("audit", tool("audit"), "read", &[0], none.clone()),
        (
            "go_ahead",
            json!({"confirm": {"message": "?", "options": ["go", "stop"], "default": null, "timeout_ms": null}}),
            "read",
            &[1, 2],
            json!({"condition": "{{ inputs.env == \"production\" }}"}),
        ),
        (
            "publish",
            tool("upload"),
            "write",
            &[3, 4],
            json!({
            "retry": {"attempts": 3, "backoff": "linear", "delay_ms": 1, "max_delay_ms": 2, "on": []},
            "undo": {"tool": "unpublish", "args": {}}}),
        ),
        ("pause", json!({"wait_for": {"duration": 90_000}}), "read", &[5], none.clone()),
        ("clean", tool("remove"), "destructive", &[6], none.clone()),
        ("notify", json!({"skill": {"skill": "tell <all>", "args": {}}}), "unknown", &[6], none.clone()),
        ("end", json!({"return": {"value": 1}}), "read", &[7, 8], none),
    ])
}

#[test]
fn terminals_show_lanes() {
    insta::assert_snapshot!(terminal(&sample(), 100));
}

#[test]
fn narrow_terminals_cut_and_crowded_ones_list() {
    insta::assert_snapshot!("narrow", terminal(&sample(), 44));
    let none = json!({});
    let names: Vec<String> = (0..60).map(|index| format!("s{index}")).collect();
    let needs: Vec<Vec<usize>> =
        (0..60).map(|index| if index < 30 { vec![] } else { vec![59 - index] }).collect();
    let steps: Vec<_> = (0..60)
        .map(|index| (names[index].as_str(), tool("read"), "read", needs[index].as_slice(), none.clone()))
        .collect();
    insta::assert_snapshot!(
        "crowded",
        terminal(&skill(&steps), 80).lines().skip(25).take(10).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn mermaid_has_every_step_and_edge() {
    insta::assert_snapshot!(mermaid(&sample()));
}

#[test]
fn pictures_are_well_formed_and_escaped() {
    let marks = Marks::from([
        ("commit".to_owned(), StepMark::Completed),
        ("lint".to_owned(), StepMark::Failed),
        ("test".to_owned(), StepMark::Running),
        ("go_ahead".to_owned(), StepMark::Asking),
        ("clean".to_owned(), StepMark::Skipped),
    ]);
    let picture = svg(&sample(), &marks);
    assert_eq!(balance(&picture), Ok(()));
    assert!(picture.contains("Puts &lt;it&gt; &amp; &quot;all&quot; out"));
    assert!(!picture.contains("tell <all>"));
    assert_eq!(picture.matches("<g class=\"step").count(), 10 + looks(&sample()).len());
    assert_eq!(picture.matches("class=\"edge\"").count(), 12);
}

#[test]
fn an_empty_skill_is_an_empty_picture() {
    assert_eq!(balance(&svg(&skill(&[]), &Marks::new())), Ok(()));
    assert_eq!(terminal(&skill(&[]), 80), "");
}

/// Whether every element of an XML text is closed in its place.
fn balance(xml: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    for part in xml.split('<').skip(1) {
        let tag = part.split('>').next().unwrap_or_default();
        let name = |tag: &str| tag.len() - tag.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).len();
        if let Some(closed) = tag.strip_prefix('/') {
            if open.pop() != Some(closed) {
                return Err(format!("`{closed}` is not open"));
            }
        } else if !tag.ends_with('/') {
            open.push(&tag[..name(tag)]);
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("{open:?} are not closed")) }
}

fn any_needs() -> impl Strategy<Value = Vec<Vec<usize>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u16>(), 0..4), 0..40).prop_map(|all| {
        let earlier = |(index, picks): (usize, Vec<u16>)| {
            let picks = picks.into_iter().filter(|_| index > 0).map(|pick| usize::from(pick) % index);
            picks.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
        };
        all.into_iter().enumerate().map(earlier).collect()
    })
}

fn skill_of(needs: &[Vec<usize>]) -> SkillPlan {
    let names: Vec<String> = (0..needs.len()).map(|index| format!("step{index}")).collect();
    let steps: Vec<_> = needs
        .iter()
        .zip(&names)
        .map(|(needs, name)| (name.as_str(), tool("read"), "read", needs.as_slice(), json!({})))
        .collect();
    skill(&steps)
}

proptest! {
    #[test]
    fn no_boxes_overlap_and_edges_go_down(needs in any_needs()) {
        let widths: Vec<f64> = (0..needs.len()).map(|index| 50.0 + f64::from(u32::try_from(index * 37 % 200).unwrap())).collect();
        let slices: Vec<&[usize]> = needs.iter().map(Vec::as_slice).collect();
        let layout = layout::layout(&widths, &slices);
        let mut by_layer: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
        for (index, layer) in layout.layer.iter().enumerate() {
            let (left, right) = (layout.x[index] - widths[index] / 2.0, layout.x[index] + widths[index] / 2.0);
            prop_assert!(left >= -0.01 && right <= layout.width + 0.01);
            by_layer.entry(*layer).or_default().push((left, right));
        }
        for boxes in by_layer.values_mut() {
            boxes.sort_by(|a, b| a.0.total_cmp(&b.0));
            prop_assert!(boxes.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
        for edge in &layout.edges {
            prop_assert_eq!(layout.layer[edge.from] + edge.via.len() + 1, layout.layer[edge.to]);
        }
    }

    #[test]
    fn every_step_has_one_row(needs in any_needs(), columns in 0_usize..200) {
        let skill = skill_of(&needs);
        let text = terminal(&skill, columns);
        for index in 0..needs.len() {
            let named = text.lines().filter(|line| line.split_whitespace().any(|word| word == format!("step{index}"))).count();
            prop_assert!(named >= 1, "step{index} in\n{text}");
        }
        prop_assert!(text.lines().all(|line| width(line) <= columns.max(40)));
    }
}

#[test]
fn a_picture_within_a_page_has_links_and_no_style_of_its_own() {
    let (link, only) = (|step: &str| format!("?step={step}&x"), BTreeSet::from(["commit".to_owned()]));
    let within = Within { link: &link, current: Some("commit"), only: None };
    let picture = svg_within(&sample(), &Marks::new(), &within);
    assert_eq!(balance(&picture), Ok(()));
    assert!(!picture.contains("<style") && !picture.contains(" style="), "{picture}");
    let steps = sample().steps.len();
    assert_eq!((picture.matches("<a id=\"g-").count(), picture.matches("aria-current").count()), (steps, 1));
    assert!(picture.contains("href=\"?step=commit&amp;x\""), "{picture}");
    let part = svg_within(&sample(), &Marks::new(), &Within { only: Some(&only), ..within });
    assert_eq!((part.matches("<a id=\"g-").count(), part.matches("class=\"edge\"").count()), (1, 0));
}

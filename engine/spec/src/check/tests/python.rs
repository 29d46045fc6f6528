//! Expressions in Python, and what else expressions decide about a step.
#![cfg(feature = "compute")]

use super::*;

#[test]
fn names_in_python_are_data_edges() {
    let plan = plan(
        "{name: x, description: x, steps: [
          {name: a, tool: read, args: {path: x}},
          {name: b, tool: read, args: {path: y}},
          {name: c, tool: read, args: {path: z}, condition: 'any(l.n > b.size for l in a.lines)'},
          {name: d, tool: read, foreach: '{{ [l for l in c.lines if l.n] }}', args: {path: '{{ item.n }}'}},
          {name: e, tool: read, args: {path: x}, retry: {attempts: 2, when: \"any(l in error.message for l in a.text)\"}}]}",
    );
    let needs: Vec<&[usize]> = plan.skill.steps.iter().map(|step| step.needs.as_slice()).collect();
    assert_eq!(needs, [&[][..], &[], &[0, 1], &[2], &[0]]);
    let again: Plan = serde_json::from_value(serde_json::to_value(&plan).unwrap()).unwrap();
    assert!(again.skill.steps[2].condition.as_ref().unwrap().is_python());
    assert!(again.skill.steps[3].foreach.as_ref().unwrap().items.has_python());
}

#[test]
fn mistakes_in_python_stand_where_they_are() {
    insta::assert_snapshot!(problems(
        "{name: x, description: x, inputs: [{name: i, type: array, default: '{{ [n for n in [1]] }}'}], steps: [
          {name: a, tool: read, args: {path: x}, condition: 'any(l.n > lt for l in b.lines)'},
          {name: b, tool: read, args: {path: x}, condition: 'any(l.n for l in a.linse)'},
          {name: c, tool: write, args: {path: x, text: '{{ [s for s in secrets.TOKEN] }}'}},
          {name: d, tool: read, args: {path: x}, condition: 'any(s for s in secrets.TOKEN)'},
          {name: e, tool: read, args: {path: 'x {{ [i for i in a.linse] }}'}},
          {name: f, tool: read, args: {path: x}, retry: {attempts: 2, when: error.code == attempt or err}},
          {name: g, tool: read, args: {path: '{{ error }}'}, condition: \"'late' in dir() or 'a' in dir()\"}]}",
        Strictness::default(),
    ));
}

#[test]
fn conditions_of_retries_decide_over_every_kind() {
    let plan = plan(
        "{name: x, description: x, steps: [
          {name: a, tool: read, args: {path: x}, retry: {attempts: 2, when: attempt < 2}},
          {name: b, tool: read, args: {path: x}, retry: {attempts: 2, on: [auth], when: error.details.status == 401}}]}",
    );
    let kinds = |step: usize| plan.skill.steps[step].retry.as_ref().unwrap().on.len();
    assert_eq!((kinds(0), kinds(1)), (7, 1));
}

/// A world whose one tool takes null.
struct Nullable;

impl Catalog for Nullable {
    fn tool(&self, _: &str) -> Option<Arc<ToolSpec>> {
        let mut spec = World.tool("read")?.as_ref().clone();
        spec.input = json!({"properties": {
            "a": {"type": ["string", "null"]}, "b": {"type": "string"}, "c": {"enum": ["x", null]}, "d": {},
        }});
        Some(Arc::new(spec))
    }

    fn tool_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn skill(&self, _: &str) -> Option<Source> {
        None
    }

    fn skill_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn secret_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn config(&self) -> Value {
        json!({})
    }
}

#[test]
fn arguments_that_may_be_null_are_told() {
    let text = "{name: x, description: x, inputs: [{name: i, type: string}], steps: [
        {name: s, tool: t, args: {a: '{{ inputs.i }}', b: '{{ inputs.i }}', c: x, d: '{{ inputs.i }}'}}]}";
    let (plan, diagnostics) = check(&Source::new("skills/x.yaml", text), &Nullable, Strictness::default());
    let plan = plan.unwrap_or_else(|| panic!("{}", world::drawn(&diagnostics)));
    let Action::Tool { nullable, .. } = &plan.skill.steps[0].action else { panic!("it is a call") };
    assert_eq!(nullable.iter().collect::<Vec<_>>(), ["a"]);
}

//! What Python makes of the expressions and blocks in `tests/oracle`, and what we make
//! of them.

use std::path::Path;

use aa_spec::check::{Catalog, Strictness, check};
use aa_spec::compute::Interpreter;
use aa_spec::diagnostic::Severity;
use aa_spec::plan::{Action, digest};
use aa_spec::source::Source;
use aa_spec::template::{Expression, Scope};
use aa_spec::tool::ToolSpec;

use super::*;

fn corpus(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oracle");
    let corpus = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    let corpus: Value = serde_json::from_str(&corpus).unwrap();
    let source = std::fs::read(folder.join(format!("{name}.yaml"))).unwrap();
    assert_eq!(corpus["made_of"], json!(digest(source)), "run tests/oracle/generate.py");
    corpus
}

fn context<'a>(corpus: &'a Value, case: &Value) -> &'a Map<String, Value> {
    corpus["contexts"][case["context"].as_str().unwrap()].as_object().unwrap()
}

/// What is right for us: what the oracle says, unless the case explains why not; nothing
/// where it has to fail.
fn wanted(case: &Value) -> Option<&Value> {
    if case.get("fails").is_some() {
        return None;
    }
    case.get("ours").or_else(|| case.get("value"))
}

/// How a case went wrong.
fn objection(case: &Value, found: &Result<Value, String>) -> Option<String> {
    let agrees = found.as_ref().ok() == case.get("value");
    if found.as_ref().ok() == wanted(case) && agrees == case.get("differs").is_none() {
        return None;
    }
    let name = case.get("text").or_else(|| case.get("name"))?;
    let oracle = case.get("value").or_else(|| case.get("error"))?;
    Some(match found {
        Ok(value) => format!("{name}: {value}, and not {oracle}"),
        Err(why) => format!("{name}: {why}, and not {oracle}"),
    })
}

#[test]
fn expressions_are_as_in_python() {
    let corpus = corpus("expressions");
    let cases: Vec<&Value> =
        corpus["cases"].as_array().unwrap().iter().filter(|case| case["kind"] == "python").collect();
    let interpreter: Arc<dyn Interpreter> = Arc::new(workers(Limits::default()));
    let now: Time = corpus["now"].as_str().unwrap().parse().unwrap();
    let objections: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let mut scope = Scope::default();
            scope.set_interpreter(Arc::clone(&interpreter));
            scope.set_now(now.timestamp_millis());
            context(&corpus, case).iter().for_each(|(name, value)| scope.set(name, value));
            let found = Expression::parse(case["text"].as_str().unwrap()).map_err(|error| error.to_string());
            let found = found.and_then(|found| found.eval(&scope).map_err(|error| error.to_string()));
            objection(case, &found)
        })
        .collect();
    assert!(objections.is_empty(), "{}", objections.join("\n"));
    assert!(cases.len() > 60, "{}", cases.len());
}

#[tokio::test]
async fn blocks_are_as_in_python() {
    let corpus = corpus("blocks");
    let now: Time = corpus["now"].as_str().unwrap().parse().unwrap();
    let cases = corpus["cases"].as_array().unwrap();
    let mut objections = Vec::new();
    for case in cases {
        let context = context(&corpus, case);
        let found = match block_of(case, context) {
            Ok(block) => computed(block, context, now).await,
            Err(refused) => Err(refused),
        };
        objections.extend(objection(case, &found));
    }
    assert!(objections.is_empty(), "{}", objections.join("\n"));
    assert!(cases.len() > 120, "{}", cases.len());
}

async fn computed(block: Block, context: &Map<String, Value>, now: Time) -> Result<Value, String> {
    let known = context.iter().filter(|(_, value)| !value.is_null());
    let read = context.iter().filter(|(name, _)| block.reads.contains(name));
    let job = Job {
        names: read.map(|(name, value)| (name.clone(), value.clone())).collect(),
        known: known.map(|(name, _)| name.clone()).collect(),
        block: Arc::new(block),
        file: "skills/oracle.yaml".to_owned(),
        now,
        deadline: None,
        cancel: CancellationToken::new(),
    };
    let computed = WORKERS.run(job, &mut Echo::default()).await;
    computed.map(|computed| computed.value).map_err(|error| error.message)
}

/// The block of a skill with a step for each name of the context before it.
fn block_of(case: &Value, context: &Map<String, Value>) -> Result<Block, String> {
    let given = context.keys().filter(|name| !matches!(name.as_str(), "inputs" | "config"));
    let mut steps: Vec<Value> = given.map(|name| json!({ "name": name, "tool": "given" })).collect();
    steps.push(json!({ "name": "block", "compute": case["code"], "output": case["output"] }));
    let inputs = context["inputs"].as_object().unwrap().iter();
    let inputs: Vec<Value> = inputs
        .map(|(name, value)| json!({ "name": name, "type": kind(value), "description": "An input." }))
        .collect();
    let skill = json!({ "name": "oracle", "description": "Compares.", "inputs": inputs, "steps": steps });
    let source = Source::new("skills/oracle.yaml", skill.to_string());
    let (plan, diagnostics) = check(&source, &Given(context["config"].clone()), Strictness::default());
    let Some(plan) = plan else {
        let errors = diagnostics.iter().filter(|problem| problem.severity == Severity::Error);
        return Err(errors.map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; "));
    };
    match plan.skill.steps.last().map(|step| &step.action) {
        Some(Action::Compute { block }) => Ok(block.clone()),
        other => Err(format!("there is no block but {other:?}")),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::String(_) | Value::Null => "string",
    }
}

/// A world with one tool, whose results can be anything.
struct Given(Value);

impl Catalog for Given {
    fn tool(&self, name: &str) -> Option<Arc<ToolSpec>> {
        (name == "given").then(|| {
            Arc::new(ToolSpec {
                name: "given".to_owned(),
                module: "oracle".to_owned(),
                description: "Gives what the case says.".to_owned(),
                input: json!({ "type": "object", "properties": {}, "additionalProperties": false }),
                written: None,
                output: json!(true),
                effect: Effect::Read,
                idempotent: true,
                keyed: None,
                tier: aa_spec::tool::Tier::Basic,
                of_machine: false,
                cache_ms: None,
                reconcile: None,
                source: "built in".to_owned(),
            })
        })
    }

    fn tool_names(&self) -> Vec<String> {
        vec!["given".to_owned()]
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
        self.0.clone()
    }
}

//! `aa heal test`

use aa_run::engine::{Engine, FailedCall, Remedy};
use aa_run::event::StepError;
use aa_spec::tool::ErrorKind;
use serde_json::{Map, Value, json};

use crate::args::Format;
use crate::args::heal::TestArgs;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::printer::Printer;
use crate::report::value;
use crate::style::Mark;
use crate::words;

/// Says which rule would be tried for a failure.
pub(super) fn run(args: TestArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let format = args.format.format;
    let failed = failed_call(args, &engine)?;
    let remedies = wait(async { Ok(engine.heal_test(&failed).await?) })?;
    let printer = context.printer;
    match format {
        Format::Json => {
            let error = &failed.error;
            let json = json!({ "tool": failed.tool, "kind": error.kind, "remedies": remedies });
            printer.data(format_args!("{json:#}"));
        }
        Format::Human => human(&failed, &remedies, printer),
    }
    let acts = remedies.iter().any(|remedy| remedy.hindrance.is_empty());
    Ok(if acts { Exit::Ok } else { Exit::Failed })
}

fn failed_call(args: TestArgs, engine: &Engine) -> Result<FailedCall, Failure> {
    if let (Some(run), Some(step)) = (args.run, args.step) {
        return Ok(engine.failed_call(run, &step)?);
    }
    let (tool, message) = (args.tool.unwrap_or_default(), args.error.unwrap_or_default());
    let kind = match args.kind.as_deref() {
        None => engine.kind_of_failure(&tool, &message)?,
        Some(word) => serde_json::from_value::<ErrorKind>(word.into())
            .map_err(|_| Failure::usage(format!("`{word}` is no kind of error")).hint(KINDS))?,
    };
    let given = match args.args.as_deref().map(|text| aa_spec::json::exact(text.as_bytes())) {
        None => Map::new(),
        Some(Ok(Value::Object(given))) => given,
        Some(Err(error)) if error.is_data() => return Err(Failure::usage(format!("`--args`: {error}"))),
        _ => return Err(Failure::usage("`--args` is not a JSON object")),
    };
    Ok(FailedCall { tool, args: given, error: StepError::new(kind, message) })
}

const KINDS: &str =
    "it is one of `auth`, `network`, `timeout`, `transient`, `permanent`, `not_found`, `invalid`";

fn human(failed: &FailedCall, remedies: &[Remedy], printer: &Printer) {
    let kind = words::wire(&failed.error.kind);
    if remedies.is_empty() {
        printer.data(format_args!("no rule is for this: `{}` failed ({kind})", failed.tool));
        return;
    }
    for remedy in remedies {
        let calls = format!("{} would call {}", remedy.rule, remedy.calls);
        let (mark, end) = match &remedy.hindrance {
            why if why.is_empty() => (Mark::Done, String::new()),
            why => (Mark::Stopped, format!(", but: {}", words::harmless(why))),
        };
        printer.data(format_args!("{} {calls}{end}  ({kind}, {})", printer.out.mark(mark), remedy.place));
        if !remedy.args.is_empty() {
            let block = value::block(&Value::Object(remedy.args.clone()), 2);
            printer.data(words::harmless(&block).trim_end());
        }
    }
}

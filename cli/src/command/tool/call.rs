//! `aa tool call`

use std::sync::Arc;

use aa_run::event::{StepError, StepPath};
use aa_run::tool::{Nobody, Person, Question, ToolError};
use aa_spec::tool::{ErrorKind, ToolSpec};
use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use super::named;
use crate::args::tool::CallArgs;
use crate::ask::{self, Asker};
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::printer::Printer;
use crate::report::tree;
use crate::report::value;
use crate::words;

/// Calls a tool once.
pub(super) fn run(args: CallArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    if engine.tool(&args.tool)?.is_none() {
        wait(async { Ok(engine.meet(&args.tool).await?) })?;
    }
    let tool = named(&engine, &args.tool, context.printer)?;
    let given = arguments(&tool, args)?;
    let printer = context.printer;
    let (lines, mut spoken) = mpsc::unbounded_channel::<String>();
    let progress = Arc::new(move |line: &str| {
        // A line that nobody prints any more is no loss.
        let _ = lines.send(line.to_owned());
    });
    let (sender, mut questions) = mpsc::unbounded_channel();
    let person: Arc<dyn Person> =
        if printer.can_ask() { Arc::new(Terminal(sender)) } else { Arc::new(Nobody) };
    let result = wait(async {
        let call = engine.call_tool_asking(&tool.name, given, progress, person);
        tokio::pin!(call);
        let (mut asker, mut open) = (Asker::default(), None::<Asked>);
        loop {
            tokio::select! {
                Some(line) = spoken.recv() => printer.say(words::harmless(&line)),
                Some(asked) = questions.recv(), if open.is_none() => {
                    ask::put(&asked.question, printer);
                    open = Some(asked);
                }
                answer = asker.answer_to(open.as_ref().map(|asked| &asked.question), printer) => {
                    if let Some(asked) = open.take() {
                        // A call that is over does not need it.
                        let _ = asked.reply.send(answer);
                    }
                }
                result = &mut call => return Ok(result),
            }
        }
    })?;
    while let Ok(line) = spoken.try_recv() {
        printer.say(words::harmless(&line));
    }
    match result {
        Ok(value) => {
            print(&value, printer);
            Ok(Exit::Ok)
        }
        Err(error) => Ok(explain(&tool.name, &error, printer)),
    }
}

/// The person at the terminal, as a tool sees them.
struct Terminal(mpsc::UnboundedSender<Asked>);

/// A question on its way to the terminal.
struct Asked {
    question: tree::Question,
    reply: oneshot::Sender<String>,
}

#[async_trait]
impl Person for Terminal {
    async fn ask(&self, question: Question) -> Result<String, ToolError> {
        let (reply, answer) = oneshot::channel();
        let Question { message, options, form, want } = question;
        if want.is_some() {
            let message = "no AI client is there: only a run that one has started can ask it";
            return Err(ToolError::new(ErrorKind::Permanent, message));
        }
        let step = StepPath("call".to_owned());
        let question = tree::Question { step, message, options, form, default: None, until: None };
        let gone = || ToolError::new(ErrorKind::Cancelled, "the call is over");
        self.0.send(Asked { question, reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

/// A text as it is, anything else as JSON.
fn print(value: &Value, printer: &Printer) {
    match value {
        Value::String(text) if printer.out_is_terminal() => printer.data(words::harmless(text).trim_end()),
        Value::String(text) => printer.write(text.as_bytes()),
        other => printer.data(format_args!("{other:#}")),
    }
}

fn explain(tool: &str, error: &StepError, printer: &Printer) -> Exit {
    let message = words::harmless(&error.message);
    printer.error(format_args!("`{tool}` failed ({}): {message}", words::wire(&error.kind)));
    if let Value::Object(details) = &error.details {
        // What it wrote to stderr has been seen while it ran.
        let unseen = details.iter().filter(|(name, _)| *name != "stderr");
        let unseen: Map<String, Value> = unseen.map(|(name, value)| (name.clone(), value.clone())).collect();
        printer.tell(words::harmless(&value::block(&Value::Object(unseen), 1)).trim_end());
    }
    match error.kind {
        ErrorKind::Invalid => {
            printer.hint(format_args!("`aa tool show {tool}` shows its arguments"));
            Exit::Failed
        }
        ErrorKind::Cancelled => Exit::Cancelled,
        _ => Exit::Failed,
    }
}

/// The arguments, each text read by the type that the tool declares.
fn arguments(tool: &ToolSpec, args: CallArgs) -> Result<Map<String, Value>, Failure> {
    let mut given = match args.args.as_deref().map(serde_json::from_str) {
        None => Map::new(),
        Some(Ok(Value::Object(given))) => given,
        Some(Ok(_)) => return Err(Failure::usage("`--args` is not a JSON object")),
        Some(Err(error)) => return Err(Failure::usage(format!("`--args` is not JSON: {error}"))),
    };
    for (name, text) in args.arg {
        let value = read(&tool.input["properties"][&name]["type"], &text)
            .map_err(|what| Failure::usage(format!("argument `{name}` is not {what}: `{text}`")))?;
        given.insert(name, value);
    }
    Ok(given)
}

/// Reads a text as one of the types of a schema.
fn read(kind: &Value, text: &str) -> Result<Value, &'static str> {
    let types: Vec<&str> = match kind {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(text.into()),
    };
    if types.contains(&"string") {
        return Ok(text.into());
    }
    let value: Value = serde_json::from_str(text).map_err(|_| expected(&types))?;
    let fits = types.iter().any(|name| match *name {
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    });
    if fits { Ok(value) } else { Err(expected(&types)) }
}

fn expected(types: &[&str]) -> &'static str {
    match types.first() {
        Some(&"integer") => "an integer",
        Some(&"number") => "a number",
        Some(&"boolean") => "`true` or `false`",
        Some(&"array") => "a JSON list",
        Some(&"object") => "a JSON object",
        _ => "what the tool takes",
    }
}

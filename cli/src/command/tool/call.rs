//! `aa tool call`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aa_run::event::{StepError, StepPath};
use aa_run::tool::{Nobody, Person, Question, ToolError};
use aa_spec::json;
use aa_spec::tool::{ErrorKind, ToolSpec};
use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use super::named;
use crate::args::tool::CallArgs;
use crate::ask::{self, Asker};
use crate::command::skill::inputs::{twice, unreadable};
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::printer::Printer;
use crate::report::tree;
use crate::report::value;
use crate::words;

/// Lines that may wait to be shown; a tool that prints faster loses some, and that is said.
const WAITING: usize = 1024;

/// Calls a tool once.
pub(super) fn run(args: CallArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    if engine.tool(&args.tool)?.is_none() {
        wait(async { Ok(engine.meet(&args.tool).await?) })?;
    }
    let tool = named(&engine, &args.tool, context.printer)?;
    let given = arguments(&tool, args)?;
    let printer = context.printer;
    let (lines, mut spoken) = mpsc::channel::<String>(WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let progress = Arc::new(sender(lines, Arc::clone(&lost)));
    let (sender, mut questions) = mpsc::unbounded_channel();
    let person: Arc<dyn Person> =
        if printer.can_ask() { Arc::new(Terminal(sender)) } else { Arc::new(Nobody) };
    let mut batch = Vec::new();
    let result = wait(async {
        let call = engine.call_tool_asking(&tool.name, given, progress, person);
        tokio::pin!(call);
        let (mut asker, mut open) = (Asker::default(), None::<Asked>);
        loop {
            tokio::select! {
                // No turn takes long, so that what it prints keeps neither its end nor its time limit waiting.
                result = &mut call => return Ok(result),
                1.. = spoken.recv_many(&mut batch, WAITING) => show(&mut batch, printer),
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
            }
        }
    })?;
    while let Ok(line) = spoken.try_recv() {
        batch.push(line);
    }
    show(&mut batch, printer);
    if let Some(note) = left_out(&lost) {
        printer.say(note.trim_end());
    }
    match result {
        Ok(value) => {
            print(&value, printer);
            Ok(Exit::Ok)
        }
        Err(error) => Ok(explain(&tool.name, &error, printer)),
    }
}

/// Hands lines over, and counts those for which there is no room: a tool may print without end.
fn sender(lines: mpsc::Sender<String>, lost: Arc<AtomicU64>) -> impl Fn(&str) {
    move |line: &str| {
        let Ok(place) = lines.try_reserve() else {
            lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        place.send(left_out(&lost).unwrap_or_default() + line);
    }
}

/// What is said of lines that were lost since it was last said.
fn left_out(lost: &AtomicU64) -> Option<String> {
    let count = lost.swap(0, Ordering::Relaxed);
    (count > 0).then(|| format!("[{count} lines not shown] "))
}

fn show(lines: &mut Vec<String>, printer: &Printer) {
    for line in lines.drain(..) {
        printer.say(words::harmless(&line));
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
    let mut given = match args.args.as_deref().map(|text| json::exact(text.as_bytes())) {
        None => Map::new(),
        Some(Ok(Value::Object(given))) => given,
        Some(Ok(_)) => return Err(Failure::usage("`--args` is not a JSON object")),
        Some(Err(error)) => return Err(Failure::usage(unreadable("`--args`", &error))),
    };
    if let Some((name, one, other)) = twice(&args.arg) {
        let message = format!("argument `{name}` is given twice: `{one}` and `{other}`");
        return Err(
            Failure::usage(message).hint("write a list as JSON, e.g. `--arg names='[\"one\", \"two\"]'`")
        );
    }
    for (name, text) in args.arg {
        let value = read(&tool.input["properties"][&name]["type"], &text)
            .map_err(|why| Failure::usage(format!("argument `{name}` {why}")))?;
        given.insert(name, value);
    }
    Ok(given)
}

/// Reads a text as one of the types of a schema.
fn read(kind: &Value, text: &str) -> Result<Value, String> {
    let types: Vec<&str> = match kind {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(text.into()),
    };
    if types.contains(&"string") {
        return Ok(text.into());
    }
    let unfit = || format!("is not {}: `{text}`", expected(&types));
    let value: Value = json::exact(text.as_bytes())
        .map_err(|error| if error.is_data() { format!("cannot be read: {error}") } else { unfit() })?;
    let fits = types.iter().any(|name| match *name {
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    });
    if fits { Ok(value) } else { Err(unfit()) }
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

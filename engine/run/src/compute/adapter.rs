//! The one place that knows the interpreter: Python text in, JSON out.
//!
//! Whatever a block may touch comes from a [`World`]; the interpreter itself has no files,
//! network, processes, environment, clock or randomness.

mod clock;
mod json;

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use monty::{FunctionCall, MontyRun, NameLookup, OsCall, RunProgress};
use monty_types::{
    AssertMessageAnnotations, BASELINE_MEMORY, CompileOptions, ExcType, ExtFunctionResult, LIVE_MEMORY,
    MontyException, MontyObject, NameLookupResult, OOM_EXIT_CODE, OsFunctionCall, PrintWriter,
    PrintWriterCallback, ResourceLimits, ResourceTracker,
};
use serde_json::{Map, Value};

use super::frame::{Frame, Limit, Raised};

/// What a program may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Time on the processor and waiting for it, calls not counted.
    pub(super) time: Duration,
    /// Memory beyond what the process itself takes, in bytes.
    pub(super) memory: usize,
    /// Calls within calls.
    pub(super) depth: usize,
    /// Bytes that it may print.
    pub(super) printed: usize,
}

/// What a program can ask for.
pub(super) trait World {
    /// The value of a name that it does not define itself.
    fn name(&mut self, name: &str) -> Option<&Value>;

    /// The names that have a value.
    fn known(&self) -> &[String];

    /// What its clock shows, in milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// Calls a tool or a skill. The inner error becomes an exception that the program may
    /// catch, the outer one ends it.
    fn call(&mut self, target: String, args: Map<String, Value>) -> Result<Result<Value, String>, Ended>;
}

/// Why a program has no result.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ended {
    /// It raised an exception.
    Raised(Raised),
    /// It used more than it may.
    Limit(Limit),
}

/// A compiled program.
#[derive(Debug)]
pub(super) struct Program(MontyRun);

/// Bounds what this process may have allocated from here on; false when it cannot.
pub(super) fn limit_memory(most: usize) -> bool {
    monty_alloc::set_limit(Some(most), false).is_ok()
}

/// Bytes allocated beyond what there was when memory was limited.
pub(super) fn memory_in_use() -> usize {
    LIVE_MEMORY.load(Ordering::Relaxed).saturating_sub(BASELINE_MEMORY.load(Ordering::Relaxed))
}

/// Exit code of a process that hit its memory limit within one operation.
pub(super) const OUT_OF_MEMORY: i32 = OOM_EXIT_CODE;

/// The functions that reach out of a program.
const CALL_TOOL: &str = "call_tool";
const RUN_SKILL: &str = "run_skill";
const DIR: &str = "_dir";

impl Program {
    /// Compiles a text.
    pub(super) fn compile(code: &str) -> Result<Self, Ended> {
        let options = CompileOptions { assert_message_annotations: AssertMessageAnnotations::Off };
        MontyRun::new(code.to_owned(), "block", Vec::new(), options)
            .map(Self)
            .map_err(|error| explain(&error))
    }

    /// Runs it to its end; what it printed goes to `printed`, whatever the end is.
    pub(super) fn run(
        &self,
        bounds: &Bounds,
        world: &mut dyn World,
        printed: &mut String,
    ) -> Result<Value, Ended> {
        let mut paper = Paper { text: printed, room: bounds.printed, full: false };
        let end = drive(self.0.clone(), bounds, world, &mut paper);
        if paper.full { Err(Ended::Limit(Limit::Printed)) } else { end }
    }
}

fn drive(
    run: MontyRun,
    bounds: &Bounds,
    world: &mut dyn World,
    paper: &mut Paper<'_>,
) -> Result<Value, Ended> {
    let limits = ResourceLimits::default()
        .max_duration(bounds.time)
        .max_memory(bounds.memory)
        .max_recursion_depth(bounds.depth);
    let mut next = run.start(Vec::new(), ResourceTracker::new(limits), PrintWriter::Callback(paper));
    loop {
        next = match next.map_err(|error| explain(&error))? {
            RunProgress::Complete(value) => return json::leave(value).map_err(|error| unfit(&error)),
            RunProgress::NameLookup(lookup) => look_up(lookup, world, paper),
            RunProgress::FunctionCall(call) => answer(call, world, paper)?,
            RunProgress::OsCall(call) => system(call, world.now_ms(), paper),
            RunProgress::ResolveFutures(_) => {
                return Err(plain("RuntimeError", "a block cannot wait for anything"));
            }
        };
    }
}

type Next = Result<RunProgress, MontyException>;

fn look_up(lookup: NameLookup, world: &mut dyn World, paper: &mut Paper<'_>) -> Next {
    let found = if lookup.object_id().is_some() {
        NameLookupResult::Undefined
    } else if matches!(lookup.name.as_str(), CALL_TOOL | RUN_SKILL | DIR) {
        NameLookupResult::Value(MontyObject::Function { name: lookup.name.clone(), docstring: None })
    } else {
        world.name(&lookup.name).map(json::enter).into()
    };
    lookup.resume(found, PrintWriter::Callback(paper))
}

/// A call of a name that the program does not define.
fn answer(call: FunctionCall, world: &mut dyn World, paper: &mut Paper<'_>) -> Result<Next, Ended> {
    let result: ExtFunctionResult = match (call.object_id, call.function_name.as_str()) {
        (None, DIR) => {
            MontyObject::List(world.known().iter().cloned().map(MontyObject::String).collect()).into()
        }
        (None, name @ (CALL_TOOL | RUN_SKILL)) => match request(name, &call) {
            Ok((target, args)) => match world.call(target, args)? {
                Ok(value) => json::enter(&value).into(),
                Err(message) => MontyException::new(ExcType::RuntimeError, Some(message)).into(),
            },
            Err(message) => MontyException::new(ExcType::TypeError, Some(message)).into(),
        },
        (None, name) if world.name(name).is_some() => {
            let message = format!("`{name}` is a value, not a function");
            MontyException::new(ExcType::TypeError, Some(message)).into()
        }
        (_, name) => ExtFunctionResult::NotFound(name.to_owned()),
    };
    Ok(call.resume(result, PrintWriter::Callback(paper)))
}

/// Which tool or skill is meant, and with what.
fn request(function: &str, call: &FunctionCall) -> Result<(String, Map<String, Value>), String> {
    let mut positional = call.args.iter();
    let Some(MontyObject::String(target)) = positional.next() else {
        return Err(format!("{function}() takes a name first"));
    };
    let given = match (function, positional.next()) {
        (RUN_SKILL, Some(inputs)) => Some(inputs.clone()),
        (_, None) => None,
        (_, Some(_)) => return Err(format!("{function}() takes arguments by name only")),
    };
    let by_name = call.kwargs.iter().cloned();
    let args = match (given, function) {
        (Some(inputs), _) if call.kwargs.is_empty() => inputs,
        (None, RUN_SKILL) => match by_name.clone().next() {
            Some((MontyObject::String(name), inputs)) if name == "inputs" && call.kwargs.len() == 1 => inputs,
            None => MontyObject::dict(Vec::new()),
            Some(_) => return Err("run_skill() takes a name and inputs".to_owned()),
        },
        (None, _) => MontyObject::dict(by_name.collect::<Vec<_>>()),
        (Some(_), _) => return Err("run_skill() takes a name and inputs".to_owned()),
    };
    match json::leave(args) {
        Ok(Value::Object(args)) => Ok((target.clone(), args)),
        Ok(_) => Err(format!("the inputs of {function}({target:?}) are not a dict")),
        Err(unfit) => Err(format!("an argument of {function}({target:?}) cannot be passed on: {unfit}")),
    }
}

/// What would reach the system: the frozen clock answers, everything else is refused.
fn system(call: OsCall, now_ms: i64, paper: &mut Paper<'_>) -> Next {
    call.resume_with(PrintWriter::Callback(paper), |wanted| match &wanted {
        OsFunctionCall::DateTimeNow(zone) => clock::moment(now_ms, zone.as_ref()).into(),
        OsFunctionCall::DateToday => clock::day(now_ms).into(),
        OsFunctionCall::Getenv(_) | OsFunctionCall::GetEnviron => refuse(
            wanted.name(),
            "a block has no environment; declare the variable under `env` of the skill and read `env.NAME`",
        ),
        _ => refuse(
            wanted.name(),
            "a block has no files; call a tool that has, `call_tool(\"file_read\", path=…)` for one",
        ),
    })
}

fn refuse(what: &str, instead: &str) -> ExtFunctionResult {
    MontyException::new(ExcType::PermissionError, Some(format!("{what}: {instead}"))).into()
}

fn explain(error: &MontyException) -> Ended {
    let message = error.message().unwrap_or_default();
    match error.exc_type() {
        ExcType::TimeoutError if message.starts_with("time limit exceeded: ") => Ended::Limit(Limit::Time),
        ExcType::MemoryError if message.starts_with("memory limit exceeded: ") => Ended::Limit(Limit::Memory),
        ExcType::RecursionError if message.starts_with("maximum recursion depth exceeded") => {
            Ended::Limit(Limit::Depth)
        }
        kind => Ended::Raised(Raised {
            kind: kind.to_string(),
            message: message.to_owned(),
            frames: error.traceback().iter().map(frame).collect(),
        }),
    }
}

fn frame(frame: &monty_types::StackFrame) -> Frame {
    let function = frame.frame_name.clone().filter(|name| name != "<module>");
    Frame { line: frame.start.line, column: frame.start.column, function }
}

fn unfit(unfit: &json::Unfit) -> Ended {
    plain("TypeError", &format!("the result is no JSON value: {unfit}"))
}

fn plain(kind: &str, message: &str) -> Ended {
    Ended::Raised(Raised { kind: kind.to_owned(), message: message.to_owned(), frames: Vec::new() })
}

/// What a program prints on: of limited size.
struct Paper<'a> {
    text: &'a mut String,
    room: usize,
    full: bool,
}

impl Paper<'_> {
    fn write(&mut self, text: &str) -> Result<(), MontyException> {
        if self.text.len() + text.len() > self.room {
            self.full = true;
            return Err(MontyException::new(ExcType::MemoryError, Some("too much was printed".to_owned())));
        }
        self.text.push_str(text);
        Ok(())
    }
}

impl PrintWriterCallback for Paper<'_> {
    fn stdout_write(&mut self, output: Cow<'_, str>) -> Result<(), MontyException> {
        self.write(&output)
    }

    fn stdout_push(&mut self, end: char) -> Result<(), MontyException> {
        self.write(end.encode_utf8(&mut [0; 4]))
    }
}

//! The process that runs Python: one block at a time, with nothing but a socket.

mod cage;

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;
use std::{io, thread};

use serde_json::{Map, Value};

use super::adapter::{self, Bounds, Ended, Program, World};
use super::frame::{self, Limit, Order, Raised, Reply, Task};

/// First argument of a process that is a worker.
pub const WORKER: &str = "__compute-worker";

/// The interpreter, its parser above all, recurses; only what is touched of it is ever real memory.
pub(super) const STACK: usize = 512 << 20;

/// Exit codes of a worker that could not become one, or could not go on.
pub(super) const MISUSED: u8 = 64;
pub(super) const FAILED: u8 = 70;
pub(super) const UNCAGED: u8 = 71;

/// Longest order that a parent gives.
const LONGEST: usize = 1 << 30;

/// Texts whose compiled form is kept, and how long they may be together.
const KEPT: usize = 32;
const KEPT_BYTES: usize = 256 << 10;

/// Does what the socket on file descriptor 0 says until it closes. The last argument of
/// the process is what a block may take of memory, in bytes; the process must have
/// `monty_alloc::LimitedAllocator`, or it does nothing.
pub fn worker_main() -> ExitCode {
    let Some(memory) = std::env::args().next_back().and_then(|text| text.parse::<usize>().ok()) else {
        return ExitCode::from(MISUSED);
    };
    // A binary that carries its C library may find randomness in a file only, which cannot be opened in the cage.
    let _at_hand = getrandom::fill(&mut [0]);
    // The last file that is opened; what else was inherited may take any number.
    let socket = io::stdin().as_fd().try_clone_to_owned();
    let caged = socket.and_then(|socket| cage::shut(memory, socket.as_fd()).map(|()| socket));
    let Ok(socket) = caged.map(UnixStream::from) else { return ExitCode::from(UNCAGED) };
    if !adapter::limit_memory(memory) {
        return ExitCode::from(FAILED);
    }
    cage::die_with_parent();
    // Words about a panic would go nowhere.
    panic::set_hook(Box::new(|_| {}));
    let serve = move || {
        cage::close();
        Worker::new(socket, memory).serve()
    };
    let thread = thread::Builder::new().stack_size(STACK).spawn(serve);
    match thread.map(thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        _ => ExitCode::from(FAILED),
    }
}

struct Worker {
    socket: UnixStream,
    buffer: Vec<u8>,
    memory: usize,
    /// Latest last.
    programs: VecDeque<(String, Rc<Program>)>,
}

impl Worker {
    fn new(socket: UnixStream, memory: usize) -> Self {
        Self { socket, buffer: Vec::new(), memory, programs: VecDeque::new() }
    }

    fn serve(mut self) -> io::Result<()> {
        loop {
            match frame::receive(&mut self.socket, &mut self.buffer, LONGEST) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                received => received?,
            }
            let reply = match serde_json::from_slice::<Order<'static>>(&self.buffer) {
                // A panic is the interpreter's fault, and its block's end.
                Ok(Order::Run(task)) => panic::catch_unwind(AssertUnwindSafe(|| self.run(&task)))
                    .unwrap_or_else(|_| Reply::Fault("the interpreter has failed".to_owned())),
                Ok(_) => Reply::Fault("an answer to no call".to_owned()),
                Err(error) => Reply::Fault(format!("the values it was given cannot be read: {error}")),
            };
            frame::send(&mut self.socket, &reply)?;
            self.tidy();
        }
    }

    fn run(&mut self, task: &Task<'_>) -> Reply {
        let time = Duration::from_millis(task.time_ms);
        cage::limit_processor(time);
        let bounds = Bounds { time, memory: self.memory, depth: task.depth, printed: task.printed };
        let program = match self.program(&task.code) {
            Ok(program) => program,
            Err(ended) => return failed(ended, String::new()),
        };
        let mut printed = String::new();
        let mut view = View { task, socket: &mut self.socket, reads: Vec::new(), calls: 0 };
        match program.run(&bounds, &mut view, &mut printed) {
            Ok(value) if frame::is_longer(&value, task.output) => Reply::Limit(Limit::Output, printed),
            Ok(value) => Reply::Done { value, reads: view.reads, printed },
            Err(ended) => failed(ended, printed),
        }
    }

    fn program(&mut self, code: &str) -> Result<Rc<Program>, Ended> {
        if let Some(place) = self.programs.iter().position(|(text, _)| text == code)
            && let Some(kept) = self.programs.remove(place)
        {
            let program = Rc::clone(&kept.1);
            self.programs.push_back(kept);
            return Ok(program);
        }
        let program = Rc::new(Program::compile(code)?);
        self.programs.push_back((code.to_owned(), Rc::clone(&program)));
        while self.programs.len() > KEPT
            || self.programs.iter().map(|(text, _)| text.len()).sum::<usize>() > KEPT_BYTES
        {
            self.programs.pop_front();
        }
        Ok(program)
    }

    /// What is kept counts against the next block's memory, so it must stay small.
    fn tidy(&mut self) {
        self.buffer.shrink_to(64 << 10);
        if adapter::memory_in_use() > self.memory / 8 {
            self.programs.clear();
        }
    }
}

/// What a block sees: its values, and calls through the socket.
struct View<'a> {
    task: &'a Task<'a>,
    socket: &'a mut UnixStream,
    reads: Vec<String>,
    calls: u32,
}

impl World for View<'_> {
    fn name(&mut self, name: &str) -> Option<&Value> {
        let value = self.task.names.get(name)?;
        if !self.reads.iter().any(|read| read == name) {
            self.reads.push(name.to_owned());
        }
        Some(value)
    }

    fn known(&self) -> &[String] {
        &self.task.known
    }

    fn now_ms(&self) -> i64 {
        self.task.now_ms
    }

    fn call(&mut self, target: String, args: Map<String, Value>) -> Result<Result<Value, String>, Ended> {
        self.calls += 1;
        if self.calls > self.task.calls {
            return Err(Ended::Limit(Limit::Calls));
        }
        if frame::is_longer(&args, self.task.output) {
            return Err(Ended::Limit(Limit::Output));
        }
        self.ask(&Reply::Call { number: self.calls, target, args }).map_err(|error| {
            let message = format!("the answer of a call cannot be read: {error}");
            Ended::Raised(Raised { kind: "RuntimeError".to_owned(), message, frames: Vec::new() })
        })
    }
}

impl View<'_> {
    fn ask(&mut self, call: &Reply) -> io::Result<Result<Value, String>> {
        let mut buffer = Vec::new();
        frame::send(self.socket, call)?;
        frame::receive(self.socket, &mut buffer, LONGEST)?;
        match serde_json::from_slice(&buffer)? {
            Order::Answer(value) => Ok(Ok(value)),
            Order::Failed(message) => Ok(Err(message)),
            Order::Run(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// A block that comes to nothing.
fn failed(ended: Ended, printed: String) -> Reply {
    match ended {
        Ended::Raised(raised) => Reply::Raised(raised, printed),
        Ended::Limit(limit) => Reply::Limit(limit, printed),
    }
}

//! Expressions, for whoever cannot wait for a future.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aa_spec::compute::{Failure, Interpreter};
use aa_spec::tool::ErrorKind;
use serde_json::{Map, Value};

use super::process::{Death, Worker, means_death};
use super::{Shared, TRIES, Workers};
use crate::compute::frame::{self, Limit, Order, Raised, Reply, Task};
use crate::compute::prelude;

/// Time that an expression may take.
const TIME: Duration = Duration::from_secs(1);

/// Exceptions whose text names only what is in the code, never a value.
const PLAIN: [&str; 7] = [
    "NameError",
    "UnboundLocalError",
    "TypeError",
    "AttributeError",
    "SyntaxError",
    "ZeroDivisionError",
    "IndexError",
];

impl Interpreter for Workers {
    fn evaluate(&self, code: &str, names: Map<String, Value>, now_ms: i64) -> Result<Value, Failure> {
        let limits = &self.0.limits;
        if code.len() > limits.source {
            return Err(invalid(format!("the expression is longer than {} bytes", limits.source)));
        }
        let mut text = prelude::assemble(prelude::mentioned(code).filter(|name| !names.contains_key(*name)))
            .map_err(invalid)?;
        text.push_str(code);
        let task = Task {
            code: text.into(),
            names: Cow::Owned(names),
            known: Cow::Owned(Vec::new()),
            now_ms,
            time_ms: 1000,
            depth: limits.depth,
            output: limits.output,
            printed: limits.printed,
            calls: 0,
        };
        let order = frame::encode(&Order::Run(task)).map_err(|error| invalid(error.to_string()))?;
        (0..TRIES)
            .find_map(|_| attempt(&self.0, &order))
            .unwrap_or_else(|| Err(transient(format!("its worker was killed {TRIES} times"))))
    }
}

/// None when a worker was killed, and another one may do better.
///
/// A turn is not waited for: whoever holds one may be waiting for the caller.
fn attempt(shared: &Arc<Shared>, order: &[u8]) -> Option<Result<Value, Failure>> {
    let mut worker = match shared.take() {
        Ok(worker) => worker,
        Err(error) => return Some(Err(transient(format!("no worker can be started: {error}")))),
    };
    match exchange(&mut worker, order, shared.limits.output + (4 << 20)) {
        Ok(reply) => {
            shared.give(worker);
            Some(end(reply))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Some(Err(over(Limit::Time)))
        }
        Err(error) if means_death(&error) => match worker.autopsy_now() {
            Death::Killed(_) => None,
            Death::Limit(limit) => Some(Err(over(limit))),
            Death::Crashed(why) => Some(Err(invalid(why))),
        },
        Err(error) => Some(Err(transient(format!("its worker cannot be understood: {error}")))),
    }
}

fn exchange(worker: &mut Worker, order: &[u8], longest: usize) -> io::Result<Reply> {
    let socket = worker.socket.as_mut().ok_or(io::ErrorKind::NotConnected)?;
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(TIME * 2))?;
    socket.set_write_timeout(Some(TIME * 2))?;
    io::Write::write_all(socket, order)?;
    let mut buffer = Vec::new();
    frame::receive(socket, &mut buffer, longest)?;
    frame::decode(&buffer)
}

fn end(reply: Reply) -> Result<Value, Failure> {
    match reply {
        Reply::Done { value, .. } => Ok(value),
        Reply::Raised(raised, _) => Err(invalid(explain(&raised))),
        Reply::Limit(limit, _) => Err(over(limit)),
        Reply::Fault(what) => Err(invalid(what)),
        Reply::Call { .. } => Err(over(Limit::Calls)),
    }
}

fn explain(raised: &Raised) -> String {
    if PLAIN.contains(&raised.kind.as_str()) && !raised.message.is_empty() {
        return format!("{}: {}", raised.kind, raised.message.replace('\n', " "));
    }
    raised.kind.clone()
}

/// The expression itself is at fault.
fn invalid(message: String) -> Failure {
    Failure { kind: ErrorKind::Invalid, message }
}

/// Another time it may work.
fn transient(message: String) -> Failure {
    Failure { kind: ErrorKind::Transient, message }
}

fn over(limit: Limit) -> Failure {
    let kind = if limit == Limit::Time { ErrorKind::Timeout } else { ErrorKind::Invalid };
    let message = match limit {
        Limit::Time => format!("it took longer than {TIME:?}"),
        Limit::Memory => "it took too much memory".to_owned(),
        Limit::Depth => "it called functions too deeply".to_owned(),
        Limit::Source | Limit::Output => "it is too large".to_owned(),
        Limit::Printed => "it printed too much".to_owned(),
        Limit::Calls => "an expression cannot call a tool or skill".to_owned(),
    };
    Failure { kind, message }
}

//! Expressions, for whoever cannot wait for a future.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aa_spec::compute::Interpreter;
use serde_json::{Map, Value};

use super::process::{Death, Worker};
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
    fn evaluate(&self, code: &str, names: Map<String, Value>, now_ms: i64) -> Result<Value, String> {
        let limits = &self.0.limits;
        if code.len() > limits.source {
            return Err(format!("the expression is longer than {} bytes", limits.source));
        }
        let mut text = prelude::assemble(prelude::mentioned(code).filter(|name| !names.contains_key(*name)))?;
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
        let order = frame::encode(&Order::Run(task)).map_err(|error| error.to_string())?;
        (0..TRIES)
            .find_map(|_| attempt(&self.0, &order))
            .unwrap_or_else(|| Err("its worker was killed".to_owned()))
    }
}

/// None when a worker was killed, and another one may do better.
///
/// A turn is not waited for: whoever holds one may be waiting for the caller.
fn attempt(shared: &Arc<Shared>, order: &[u8]) -> Option<Result<Value, String>> {
    let mut worker = match shared.take() {
        Ok(worker) => worker,
        Err(error) => return Some(Err(format!("no worker can be started: {error}"))),
    };
    match exchange(&mut worker, order, shared.limits.output + (4 << 20)) {
        Ok(reply) => {
            shared.give(worker);
            Some(end(reply))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Some(Err(over(Limit::Time)))
        }
        Err(_) => match worker.autopsy() {
            Death::Killed(_) => None,
            Death::Limit(limit) => Some(Err(over(limit))),
            Death::Crashed(why) => Some(Err(why)),
        },
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

fn end(reply: Reply) -> Result<Value, String> {
    match reply {
        Reply::Done { value, .. } => Ok(value),
        Reply::Raised(raised) => Err(explain(&raised)),
        Reply::Limit(limit) => Err(over(limit)),
        Reply::Fault(what) => Err(what),
        Reply::Call { .. } => Err("an expression cannot call a tool or skill".to_owned()),
    }
}

fn explain(raised: &Raised) -> String {
    if PLAIN.contains(&raised.kind.as_str()) && !raised.message.is_empty() {
        return format!("{}: {}", raised.kind, raised.message.replace('\n', " "));
    }
    raised.kind.clone()
}

fn over(limit: Limit) -> String {
    match limit {
        Limit::Time => format!("it took longer than {TIME:?}"),
        Limit::Memory => "it took too much memory".to_owned(),
        Limit::Depth => "it called functions too deeply".to_owned(),
        Limit::Source | Limit::Output => "it is too large".to_owned(),
        Limit::Printed => "it printed too much".to_owned(),
        Limit::Calls => "an expression cannot call a tool or skill".to_owned(),
    }
}

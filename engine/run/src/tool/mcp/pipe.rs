//! The protocol over a command's standard input and output: one message a line, all bounded.
//!
//! Whatever a server prints must do no harm: a line that is too long or broken becomes an error of the
//! call that it answers, text that is no message is ignored until it is too much, and what
//! nobody asked for is read at a bounded pace.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::RoleClient;
use rmcp::model::{
    ClientNotification, ClientRequest, CustomResult, ErrorCode, ErrorData, JsonRpcMessage, RequestId,
    ServerJsonRpcMessage, ServerResult,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::{Instant, sleep_until, timeout};

use super::definition::harmless;
use crate::tool::process::bytes;

/// Longest message, in bytes.
const LONGEST: usize = 16 << 20;
/// Bytes of text on end that is no message before the server is given up.
const NOISE: usize = 64 << 10;
/// Messages a second that nobody has asked for; the others wait in the pipe.
const PACE: u32 = 1000;
/// Bytes kept of either end of a line that is too long, to see which call it answers.
const EDGE: usize = 200;

/// The id of the request that finds out which protocol is spoken. The library has numbers for its own.
const PROBE: &str = "probe";

/// Which protocol a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// It begins with an introduction.
    Older,
    /// Every request says all that is needed.
    Newer,
}

/// What is wrong with what a server says.
#[derive(Clone, Debug, Default)]
pub(super) struct Fault(Arc<Mutex<Faults>>);

#[derive(Debug, Default)]
struct Faults {
    /// Why it was given up; the first reason counts.
    end: Option<String>,
    /// What it has said since its last message that is none.
    odd: Option<String>,
}

impl Fault {
    fn set(&self, message: String) {
        self.faults().end.get_or_insert(message);
    }

    pub(super) fn get(&self) -> Option<String> {
        self.faults().end.clone()
    }

    fn is_odd(&self, what: Option<String>) {
        self.faults().odd = what;
    }

    /// What may be why there is no answer, to be put behind that there is none.
    pub(super) fn suspicion(&self) -> String {
        self.faults().odd.as_ref().map(|odd| format!("; {odd}")).unwrap_or_default()
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to a server that is a process.
pub(super) struct Pipe {
    reader: BufReader<ChildStdout>,
    writer: Arc<tokio::sync::Mutex<Option<ChildStdin>>>,
    line: Line,
    noise: usize,
    pace: Pace,
    /// Messages of a line that was read already.
    ready: VecDeque<ServerJsonRpcMessage>,
    /// Requests that have no answer yet.
    open: Arc<Mutex<HashSet<RequestId>>>,
    fault: Fault,
}

/// A line as far as it has been read. Reading may be cancelled at any point.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    /// The end of a line that is too long, whose first part is in `bytes`.
    tail: Option<Vec<u8>>,
}

/// How many messages came unasked within a second.
struct Pace {
    since: Instant,
    count: u32,
}

impl Pipe {
    pub(super) fn new(stdin: ChildStdin, stdout: ChildStdout, fault: Fault) -> Self {
        Self {
            reader: BufReader::with_capacity(64 * 1024, stdout),
            writer: Arc::new(tokio::sync::Mutex::new(Some(stdin))),
            line: Line::default(),
            noise: 0,
            pace: Pace { since: Instant::now(), count: 0 },
            ready: VecDeque::new(),
            open: Arc::default(),
            fault,
        }
    }

    /// Finds out which protocol the server speaks. One that has not answered by then is taken
    /// for an older one: those that are only slow to start know the older protocol as well, and
    /// their late answer is passed over.
    pub(super) async fn probe(&mut self, patience: Duration) -> Era {
        let version = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "aa", "version": env!("CARGO_PKG_VERSION")},
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let request =
            json!({"jsonrpc": "2.0", "id": PROBE, "method": "server/discover", "params": {"_meta": version}});
        if let Some(pipe) = self.writer.lock().await.as_mut() {
            // A server that reads nothing says nothing either.
            let _closed = pipe.write_all(format!("{request}\n").as_bytes()).await;
        }
        timeout(patience, self.era()).await.unwrap_or(Era::Older)
    }

    async fn era(&mut self) -> Era {
        while let Some(message) = self.next().await {
            match message {
                JsonRpcMessage::Response(answer) if is_probe(Some(&answer.id)) => {
                    let knows = matches!(answer.result, ServerResult::DiscoverResult(_));
                    return if knows { Era::Newer } else { Era::Older };
                }
                JsonRpcMessage::Error(answer) if is_probe(answer.id.as_ref()) => {
                    // Then it is a matter of which of the newer ones.
                    let other = answer.error.code == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION;
                    return if other { Era::Newer } else { Era::Older };
                }
                _ => {}
            }
        }
        Era::Older
    }

    /// The next message, whatever it is about. May be cancelled without losing any.
    async fn next(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                if !self.was_asked_for(&message) {
                    self.pace.count();
                }
                return Some(message);
            }
            if let Some(end) = self.pace.is_spent() {
                sleep_until(end).await;
            }
            let more = self.reader.fill_buf().await.ok().filter(|more| !more.is_empty())?;
            let (used, whole) = self.line.feed(more);
            self.reader.consume(used);
            if !whole {
                continue;
            }
            match self.read() {
                Ok(messages) => self.ready.extend(messages),
                Err(fault) => {
                    self.fault.set(fault);
                    return None;
                }
            }
        }
    }

    /// Whether a message answers a request that has no answer yet.
    fn was_asked_for(&self, message: &ServerJsonRpcMessage) -> bool {
        let id = match message {
            JsonRpcMessage::Response(answer) => Some(&answer.id),
            JsonRpcMessage::Error(answer) => answer.id.as_ref(),
            _ => None,
        };
        id.is_some_and(|id| self.open().remove(id))
    }

    fn open(&self) -> MutexGuard<'_, HashSet<RequestId>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps in mind what waits for an answer. News are waited for all the time, and are no answer.
    fn is_sent(&self, item: &TxJsonRpcMessage<RoleClient>) {
        match item {
            JsonRpcMessage::Request(request)
                if !matches!(request.request, ClientRequest::SubscriptionsListenRequest(_)) =>
            {
                self.open().insert(request.id.clone());
            }
            JsonRpcMessage::Notification(told) => {
                if let ClientNotification::CancelledNotification(told) = &told.notification
                    && let Some(id) = &told.params.request_id
                {
                    self.open().remove(id);
                }
            }
            _ => {}
        }
    }

    /// The request that what names none can only be about.
    fn only_open(&self) -> Option<RequestId> {
        let open = self.open();
        open.iter().next().filter(|_| open.len() == 1).cloned()
    }

    /// What a line says; an error ends the connection.
    fn read(&mut self) -> Result<Vec<ServerJsonRpcMessage>, String> {
        let Line { bytes: line, tail } = std::mem::take(&mut self.line);
        if let Some(tail) = tail {
            let message = format!("it sent a message of more than {}", bytes(LONGEST));
            let id = answered(&line, &tail).ok_or_else(|| message.clone())?;
            return Ok(vec![refusal(id, message)]);
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(Vec::new());
        }
        // Of a message all is kept, of what is none all is told as it was.
        let exact = aa_spec::json::kept(&line);
        if let Ok(message) = serde_json::from_slice::<RxJsonRpcMessage<RoleClient>>(&exact) {
            self.noise = 0;
            return Ok(self.addressed(with_tools(message, &exact)).into_iter().collect());
        }
        let value = serde_json::from_slice::<Value>(&line);
        if let Some(id) = value.as_ref().ok().and_then(answers) {
            return Ok(vec![refusal(id, "its answer is not one that the protocol knows".to_owned())]);
        }
        self.noise += line.len() + 1;
        if self.noise > NOISE {
            return Err("it prints text that is no message of the protocol to its standard output".to_owned());
        }
        Ok(match value {
            Ok(Value::Array(parts)) => self.batch(&parts),
            Ok(_) => Vec::new(),
            Err(_) => self.broken(&line),
        })
    }

    /// A message as it is. An error that names no request is about the only one, if there is one.
    fn addressed(&self, message: ServerJsonRpcMessage) -> Option<ServerJsonRpcMessage> {
        let JsonRpcMessage::Error(mut error) = message else {
            self.fault.is_odd(None);
            return Some(message);
        };
        if error.id.is_none() {
            let said = harmless(&error.error.message, EDGE);
            self.complain(format!("it sent an error that names no request: {said}"));
            error.id = Some(self.only_open()?);
        }
        Some(JsonRpcMessage::Error(error))
    }

    /// Several messages in one: of an older protocol, which nobody has agreed on.
    fn batch(&self, parts: &[Value]) -> Vec<ServerJsonRpcMessage> {
        let mut ids: Vec<RequestId> = parts.iter().filter_map(answers).collect();
        ids.retain(|id| self.open().contains(id));
        let message = "it sent several answers as one message, which the protocol does not have";
        ids.into_iter().map(|id| refusal(id, message.to_owned())).collect()
    }

    /// What is made of a line that is no JSON: the failure of the request that it must have meant to answer. What
    /// does not begin like a message is a line of a log, and is only kept in mind.
    fn broken(&self, line: &[u8]) -> Vec<ServerJsonRpcMessage> {
        let text = String::from_utf8_lossy(line);
        let message = format!("it sent a line that is no JSON: `{}`", harmless(text.trim(), EDGE));
        self.complain(message.clone());
        if !text.trim_start().starts_with('{') || !text.contains("\"jsonrpc\"") {
            return Vec::new();
        }
        let named = answered(line, line).filter(|id| self.open().contains(id));
        named.or_else(|| self.only_open()).map(|id| refusal(id, message)).into_iter().collect()
    }

    fn complain(&self, message: String) {
        // What it is may be secret, so the log says only that there is something.
        tracing::warn!("an MCP server sent what is no message");
        self.fault.is_odd(Some(message));
    }
}

/// A list of tools that are not all as the protocol has them, as it is: the library takes one of the newer protocol for
/// an answer with nothing in it.
fn with_tools(message: ServerJsonRpcMessage, line: &[u8]) -> ServerJsonRpcMessage {
    let JsonRpcMessage::Response(mut answer) = message else { return message };
    if matches!(answer.result, ServerResult::TaskAckResult(_))
        && let Ok(mut value) = serde_json::from_slice::<Value>(line)
        && value["result"]["tools"].is_array()
    {
        answer.result = ServerResult::CustomResult(CustomResult(value["result"].take()));
    }
    JsonRpcMessage::Response(answer)
}

/// Which request a value answers, if it looks like an answer.
fn answers(value: &Value) -> Option<RequestId> {
    let answers = value.get("result").is_some() || value.get("error").is_some();
    serde_json::from_value(value.get("id").filter(|_| answers)?.clone()).ok()
}

impl Line {
    /// Takes more of the line; true when it is whole.
    fn feed(&mut self, more: &[u8]) -> (usize, bool) {
        let newline = more.iter().position(|byte| *byte == b'\n');
        let part = &more[..newline.unwrap_or(more.len())];
        match &mut self.tail {
            Some(tail) => {
                tail.extend_from_slice(&part[part.len().saturating_sub(EDGE)..]);
                tail.drain(..tail.len().saturating_sub(EDGE));
            }
            None if self.bytes.len() + part.len() > LONGEST => {
                let mut tail = self.bytes[self.bytes.len().saturating_sub(EDGE)..].to_vec();
                tail.extend_from_slice(&part[part.len().saturating_sub(EDGE)..]);
                self.tail = Some(tail.split_off(tail.len().saturating_sub(EDGE)));
                self.bytes.extend_from_slice(&part[..part.len().min(EDGE)]);
                self.bytes.truncate(EDGE);
                self.bytes.shrink_to_fit();
            }
            None => self.bytes.extend_from_slice(part),
        }
        (newline.map_or(more.len(), |at| at + 1), newline.is_some())
    }
}

impl Pace {
    fn count(&mut self) {
        if self.since.elapsed() >= Duration::from_secs(1) {
            *self = Self { since: Instant::now(), count: 0 };
        }
        self.count += 1;
    }

    /// Until when to wait when there were too many.
    fn is_spent(&self) -> Option<Instant> {
        let end = self.since + Duration::from_secs(1);
        (self.count > PACE && Instant::now() < end).then_some(end)
    }
}

impl Transport<RoleClient> for Pipe {
    type Error = io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        let writer = Arc::clone(&self.writer);
        self.is_sent(&item);
        async move {
            let mut line = serde_json::to_vec(&item)?;
            line.push(b'\n');
            let mut writer = writer.lock().await;
            let Some(pipe) = writer.as_mut() else { return Err(io::ErrorKind::NotConnected.into()) };
            pipe.write_all(&line).await?;
            pipe.flush().await
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            let message = self.next().await?;
            let late = match &message {
                JsonRpcMessage::Response(answer) => is_probe(Some(&answer.id)),
                JsonRpcMessage::Error(answer) => is_probe(answer.id.as_ref()),
                _ => false,
            };
            if !late {
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.writer.lock().await.take();
        Ok(())
    }
}

fn is_probe(id: Option<&RequestId>) -> bool {
    matches!(id, Some(RequestId::String(id)) if &**id == PROBE)
}

/// An answer that stands for one which cannot be used.
fn refusal(id: RequestId, message: String) -> ServerJsonRpcMessage {
    JsonRpcMessage::error(ErrorData::internal_error(message, None), Some(id))
}

/// Which request a line answers of which only the ends are known. Some libraries write the id
/// at the beginning, others at the end.
fn answered(head: &[u8], tail: &[u8]) -> Option<RequestId> {
    let (head, tail) = (String::from_utf8_lossy(head), String::from_utf8_lossy(tail));
    let first = regex::Regex::new(r#"^\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d+)\s*,"#).ok()?;
    let last = regex::Regex::new(r#""id"\s*:\s*(\d+)\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$"#).ok()?;
    let found = first.captures(&head).or_else(|| last.captures(&tail))?;
    found[1].parse().ok().map(RequestId::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(parts: &[&[u8]]) -> Line {
        let mut line = Line::default();
        for part in parts {
            line.feed(part);
        }
        line
    }

    #[test]
    fn a_line_is_put_together_from_its_parts() {
        let mut line = Line::default();
        assert_eq!(line.feed(b"ab"), (2, false));
        assert_eq!(line.feed(b"c\nd"), (2, true));
        assert_eq!(line.bytes, b"abc");
    }

    #[tokio::test]
    async fn answers_to_nothing_are_read_at_a_bounded_pace() {
        let mut child = tokio::process::Command::new("yes")
            .arg(r#"{"jsonrpc":"2.0","id":999,"result":{}}"#)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut pipe = Pipe::new(stdin, stdout, Fault::default());
        let mut count = 0;
        let flood = async {
            while pipe.next().await.is_some() {
                count += 1;
            }
        };
        assert!(timeout(Duration::from_millis(700), flood).await.is_err());
        assert!((1..=PACE + 1).contains(&count), "{count}");
    }

    #[test]
    fn of_a_line_that_is_too_long_only_the_ends_are_kept() {
        let big = vec![b'x'; LONGEST];
        let end = [b"y".repeat(EDGE), b"\",\"id\":7}".to_vec()].concat();
        let line = line(&[b"{\"result\":\"", &big, &big, &end]);
        assert_eq!(line.bytes.len(), EDGE);
        let tail = line.tail.unwrap();
        assert!(tail.len() == EDGE && tail.ends_with(b"\"id\":7}"), "{}", String::from_utf8_lossy(&tail));
        assert_eq!(answered(&line.bytes, &tail), Some(RequestId::Number(7)));
    }

    #[test]
    fn the_request_is_found_at_either_end_and_nowhere_else() {
        let cases = [
            (r#"{"jsonrpc":"2.0","id":3,"result":"#, "xx", Some(3)),
            (r#"{"jsonrpc": "2.0", "id": 4, "result": "#, "xx", Some(4)),
            (r#"{"result":{"a":{"id":9,"#, r#"}},"jsonrpc":"2.0","id":5}"#, Some(5)),
            (r#"{"result":{"a":"#, r#"}},"id":6,"jsonrpc":"2.0"}"#, Some(6)),
            (r#"{"result":{"id":9,"#, r#""id":9}]}}"#, None),
        ];
        for (head, tail, expected) in cases {
            assert_eq!(answered(head.as_bytes(), tail.as_bytes()), expected.map(RequestId::Number), "{head}");
        }
    }
}

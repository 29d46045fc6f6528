//! What client and server have said to each other, as far as whoever follows the server has to know it.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use super::lines::Lines;

/// Said to a client whose server is another one by now: it may have other tools.
pub(super) const CHANGED: &[u8] = b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n";
/// Any number of the range for errors of servers.
const LOST: i64 = -32_000;

/// What is known of a message without its contents.
#[derive(Default, Deserialize)]
struct Head {
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    method: Option<String>,
}

impl Head {
    /// What cannot be read is no message that we know anything of.
    fn of(line: &[u8]) -> Self {
        serde_json::from_slice(line).unwrap_or_default()
    }
}

/// A conversation that outlives its server.
#[derive(Default)]
pub(super) struct Talk {
    /// The way to the server; none while there is none. Held while something is said to it.
    to: Mutex<Option<UnixStream>>,
    found: Condvar,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    greeting: Greeting,
    /// What the client has asked and was not answered, by the number that it goes by.
    asked: BTreeMap<String, Value>,
    /// What servers have asked the client, likewise.
    wanted: BTreeMap<String, Value>,
    /// What servers have asked that are gone, so that nobody waits for it.
    stale: BTreeMap<String, Value>,
    is_over: bool,
}

/// What every server is told first.
#[derive(Clone, Default)]
pub(super) struct Greeting {
    pub(super) hello: Option<Hello>,
    pub(super) ready: Option<Vec<u8>>,
}

/// The request that begins a session.
#[derive(Clone)]
pub(super) struct Hello {
    pub(super) id: Value,
    pub(super) line: Vec<u8>,
    pub(super) is_answered: bool,
}

/// Whether a message is the answer to a request.
pub(super) fn answers(line: &[u8], id: &Value) -> bool {
    let head = Head::of(line);
    head.method.is_none() && head.id.as_ref() == Some(id)
}

impl Talk {
    /// There is a server from now on.
    pub(super) fn begin(&self, to: UnixStream) {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = Some(to);
        self.found.notify_all();
    }

    /// Says to the server what the client says, until it says no more.
    pub(super) fn hear(&self, lines: &mut Lines<impl BufRead>) {
        let mut is_begun = false;
        while let Ok(Some(line)) = lines.next() {
            let is_whole = !is_begun && line.ends_with(b"\n");
            is_begun = !line.ends_with(b"\n");
            self.say(&line, is_whole);
        }
        self.state().is_over = true;
        let to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(to) = &*to {
            // It may be gone already.
            let _gone = to.shutdown(Shutdown::Write);
        }
    }

    fn say(&self, line: &[u8], is_whole: bool) {
        let to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let mut to = self.found.wait_while(to, |to| to.is_none()).unwrap_or_else(PoisonError::into_inner);
        if is_whole && !self.state().take(line) {
            return;
        }
        if let Some(to) = &mut *to {
            // When it is gone, whoever reads from it finds out, and says what was not answered.
            let _gone = to.write_all(line);
        }
    }

    /// Takes note of what the server has said.
    pub(super) fn answered(&self, line: &[u8]) {
        let Head { id: Some(id), method } = Head::of(line) else { return };
        let mut state = self.state();
        if method.is_some() {
            state.wanted.insert(id.to_string(), id);
            return;
        }
        if let Some(hello) = state.greeting.hello.as_mut().filter(|hello| hello.id == id) {
            hello.is_answered = true;
        }
        state.asked.remove(&id.to_string());
    }

    /// The server is gone: what the client is told of all that it has not answered.
    pub(super) fn lose(&self) -> Vec<u8> {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.state().lose()
    }

    /// What the next server is told first.
    pub(super) fn greeting(&self) -> Greeting {
        self.state().greeting.clone()
    }

    /// Whether the client has said its last.
    pub(super) fn is_over(&self) -> bool {
        self.state().is_over
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes note of what the client says; false when it is for a server that is gone.
    fn take(&mut self, line: &[u8]) -> bool {
        match Head::of(line) {
            Head { id: Some(id), method: Some(method) } => {
                if method == "initialize" {
                    self.greeting.hello =
                        Some(Hello { id: id.clone(), line: line.to_owned(), is_answered: false });
                }
                self.asked.insert(id.to_string(), id);
            }
            Head { id: Some(id), method: None } => {
                let is_wanted = self.wanted.remove(&id.to_string()).is_some();
                return is_wanted || self.stale.remove(&id.to_string()).is_none();
            }
            Head { id: None, method: Some(method) } if method == "notifications/initialized" => {
                self.greeting.ready = Some(line.to_owned());
            }
            Head { .. } => {}
        }
        true
    }

    fn lose(&mut self) -> Vec<u8> {
        let (mut asked, wanted) = (std::mem::take(&mut self.asked), std::mem::take(&mut self.wanted));
        // Who was only greeted so far has lost nothing: the next one answers that.
        if let Some(hello) = self.greeting.hello.as_ref().filter(|hello| !hello.is_answered) {
            asked.remove(&hello.id.to_string());
            self.asked.insert(hello.id.to_string(), hello.id.clone());
        }
        let unanswered = asked.values().map(|id| {
            json!({"jsonrpc": "2.0", "id": id, "error": {
                "code": LOST,
                "message": "the daemon that was to answer has ended, or does not answer; call again: what it had begun of runs goes on, and `run_list` shows it",
                "data": {"retryable": true},
            }})
        });
        let unwanted = wanted.values().map(|id| {
            let reason = "the daemon that has asked this has ended, or does not answer";
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id, "reason": reason}})
        });
        let said =
            unanswered.chain(unwanted).flat_map(|message| [message.to_string().into_bytes(), b"\n".to_vec()]);
        let said = said.flatten().collect();
        self.stale.extend(wanted);
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &Value) -> Vec<u8> {
        format!("{message}\n").into_bytes()
    }

    fn told(said: &[u8]) -> Vec<Value> {
        let lines = said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    #[test]
    fn what_was_not_answered_is_said_and_what_was_is_not() {
        let talk = Talk::default();
        for id in [json!(1), json!("a"), json!(2)] {
            talk.state().take(&line(&json!({"id": id, "method": "tools/call"})));
        }
        talk.answered(&line(&json!({"id": 1, "result": {}})));
        talk.answered(&line(&json!({"method": "notifications/message"})));
        let said = told(&talk.lose());
        let ids: Vec<&Value> = said.iter().map(|message| &message["id"]).collect();
        assert_eq!(ids, [&json!("a"), &json!(2)]);
        assert!(said.iter().all(|message| message["error"]["data"]["retryable"] == true), "{said:?}");
        assert!(told(&talk.lose()).is_empty(), "once");
    }

    #[test]
    fn what_a_dead_server_has_asked_is_taken_back_and_its_answer_goes_to_nobody() {
        let talk = Talk::default();
        talk.answered(&line(&json!({"id": 0, "method": "elicitation/create"})));
        let said = told(&talk.lose());
        assert_eq!(
            (&said[0]["method"], &said[0]["params"]["requestId"]),
            (&json!("notifications/cancelled"), &json!(0))
        );
        assert!(!talk.state().take(&line(&json!({"id": 0, "result": {}}))), "it is for the dead one");
        talk.answered(&line(&json!({"id": 0, "method": "elicitation/create"})));
        assert!(talk.state().take(&line(&json!({"id": 0, "result": {}}))));
    }

    #[test]
    fn every_server_is_greeted_as_the_first_one_was() {
        let talk = Talk::default();
        let hello = line(&json!({"id": 7, "method": "initialize", "params": {}}));
        let ready = line(&json!({"method": "notifications/initialized"}));
        talk.state().take(&hello);
        talk.state().take(&ready);
        let greeting = talk.greeting();
        assert_eq!(greeting.ready, Some(ready));
        assert!(greeting.hello.is_some_and(|found| found.line == hello && found.id == json!(7)));
        assert!(answers(&line(&json!({"id": 7, "result": {}})), &json!(7)));
        assert!(!answers(&line(&json!({"id": 7, "method": "ping"})), &json!(7)));
        assert!(told(&talk.lose()).is_empty(), "the next one answers it");
        talk.answered(&line(&json!({"id": 7, "result": {}})));
        assert!(talk.greeting().hello.unwrap().is_answered);
    }
}

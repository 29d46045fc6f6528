//! What goes on of commands whose `aa` was killed: nobody watches them any more, and they act all the same.
//!
//! They are known by the key of their call, which is in the mark of every command and of all that descends from it, and
//! by what was written down when they were started. A server has no key: it is ended once nobody is there to serve.

use super::family::{Remains, end, look};
use super::ledger::Started;
use super::{GRACE, Launcher, environment};

impl Launcher {
    /// Ends what is left of the calls with these idempotency keys, and of servers whose `aa` is dead: one of them may be
    /// at work for such a call. Gives the names of what had to be ended.
    ///
    /// # Errors
    /// What lives on, in words: nobody may ask yet what those calls have done, or make them again.
    pub(crate) async fn end_remains(&self, keys: &[String]) -> Result<Vec<String>, String> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let started = self.ledger.left_by(keys);
        let remains = remains(keys, &started);
        let own = self.environment.get(environment::MARK).and_then(|mark| mark.to_str()).unwrap_or_default();
        let is_of = keys.iter().any(|key| own.contains(key));
        if is_of || look(&remains).await.iter().any(super::family::Member::is_self) {
            return Err("a command of the run is still alive: this process descends from it".to_owned());
        }
        let (ended, left) = end(&remains, GRACE).await;
        if left.is_empty() {
            started.iter().for_each(Started::is_over);
            return Ok(ended.iter().map(ToString::to_string).collect());
        }
        let left: Vec<_> = left.iter().map(|member| format!("`{member}`")).collect();
        Err(format!(
            "what an interrupted step has started is still alive and cannot be ended: {}",
            left.join(", ")
        ))
    }
}

fn remains(keys: &[String], started: &[Started]) -> Remains {
    let servers =
        started.iter().map(|started| &started.mark).filter(|mark| mark.starts_with(super::service::MARK));
    Remains {
        marks: keys.iter().chain(servers).cloned().collect(),
        groups: started.iter().filter_map(|started| started.leader).collect(),
    }
}

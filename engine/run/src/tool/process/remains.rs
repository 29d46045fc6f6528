//! What goes on of commands whose `aa` was killed: nobody watches them any more, and they act all the same.
//!
//! They are known by the key of their call, which is in the mark of every command and of all that descends from it, and
//! by what was written down when they were started. A server has no key: it is ended once nobody is there to serve.

use super::family::{Found, Member, Remains, end, look};
use super::ledger::Started;
use super::{GRACE, Launcher, environment};

impl Launcher {
    /// Ends what is left of the calls with these idempotency keys, and of servers whose `aa` is dead: one of them may be
    /// at work for such a call. Gives the names of what had to be ended.
    ///
    /// # Errors
    /// What lives on, or may, in words: nobody may ask yet what those calls have done, or make them again.
    pub(crate) async fn end_remains(&self, keys: &[String]) -> Result<Vec<String>, String> {
        let started = self.ledger.left_by(keys);
        if keys.is_empty() && started.is_empty() {
            return Ok(Vec::new());
        }
        let ended = self.end_all(keys, &started).await;
        match ended {
            // A server alone keeps nothing that is known from being true.
            Err(why) if keys.is_empty() => {
                tracing::warn!("servers of a dead process are left alone: {why}");
                Ok(Vec::new())
            }
            ended => ended,
        }
    }

    async fn end_all(&self, keys: &[String], started: &[Started]) -> Result<Vec<String>, String> {
        let remains = remains(keys, started);
        if self.is_of(keys) || look(&remains, &[]).await.members.iter().any(Member::is_self) {
            return Err("a command of the run is still alive: this process descends from it".to_owned());
        }
        let (ended, left) = end(&remains, GRACE).await;
        if !left.is_nobody() {
            return Err(complaint(&left, started));
        }
        started.iter().for_each(Started::is_over);
        Ok(ended.iter().map(ToString::to_string).collect())
    }

    /// Whether this process was started by a call of one of these keys.
    fn is_of(&self, keys: &[String]) -> bool {
        let own = self.environment.get(environment::MARK).and_then(|mark| mark.to_str()).unwrap_or_default();
        keys.iter().any(|key| own.contains(key))
    }
}

/// Says who lives on, and what a person can do about that.
fn complaint(left: &Found, started: &[Started]) -> String {
    let lives = left.members.iter().map(|member| {
        format!(
            "what an interrupted step has started is still alive and cannot be ended: `{member}`; whoever may has to \
             end it first (`kill -9 {}`)",
            member.pid()
        )
    });
    let doubtful = left.doubtful.iter().map(|member| {
        let file = started.iter().find(|started| started.leader.is_some_and(|it| it.pid() == member.group()));
        let file = file.map(|started| started.path.display().to_string()).unwrap_or_default();
        format!(
            "nothing tells whether `{member}` was started by an interrupted step or by somebody else: end it if it is \
             of the step (`kill {}`), else remove the file `{file}`",
            member.pid()
        )
    });
    lives.chain(doubtful).collect::<Vec<_>>().join("; ")
}

fn remains(keys: &[String], started: &[Started]) -> Remains {
    let servers =
        started.iter().map(|started| &started.mark).filter(|mark| mark.starts_with(super::service::MARK));
    Remains {
        marks: keys.iter().chain(servers).cloned().collect(),
        groups: started.iter().filter_map(|started| started.leader).collect(),
    }
}

#[cfg(test)]
mod tests;

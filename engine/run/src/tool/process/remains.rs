//! What goes on of commands whose `aa` was killed: nobody watches them any more, and they act all the same.
//!
//! They are known by the key of their call, which is in the mark of every command and of all that descends from it.

use super::family::end_marked;
use super::{GRACE, Launcher, environment};

impl Launcher {
    /// Ends what is left of the calls with these idempotency keys. Gives the names of what had to be ended.
    ///
    /// # Errors
    /// What lives on, in words: nobody may ask yet what those calls have done, or make them again.
    pub(crate) async fn end_remains(&self, keys: &[String]) -> Result<Vec<String>, String> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let own = self.environment.get(environment::MARK).and_then(|mark| mark.to_str()).unwrap_or_default();
        if keys.iter().any(|key| own.contains(key)) {
            return Err("a command of the run is still alive: this process descends from it".to_owned());
        }
        let (ended, left) = end_marked(keys, GRACE).await;
        if left.is_empty() {
            return Ok(ended.iter().map(ToString::to_string).collect());
        }
        let left: Vec<_> = left.iter().map(|member| format!("`{member}`")).collect();
        Err(format!(
            "what an interrupted step has started is still alive and cannot be ended: {}",
            left.join(", ")
        ))
    }
}

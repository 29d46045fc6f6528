//! Whoever may be asked while a call runs.

use aa_spec::tool::ErrorKind;
use async_trait::async_trait;
use serde_json::Value;

use super::ToolError;

/// Somebody who can be asked: a person at a terminal, or whoever answers a run's questions.
///
/// In a run a question becomes an event like that of a `confirm` step, and the answer is
/// durable before the call gets it. The call goes on running meanwhile, so it waits no longer
/// than its deadline; dropping the future takes the question back.
#[async_trait]
pub trait Person: Send + Sync {
    /// Puts a question and waits for one of its options, or for its form.
    ///
    /// # Errors
    /// Nobody is there to be asked.
    async fn ask(&self, question: Question) -> Result<String, ToolError>;
}

/// A question that comes up during a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What is asked, and by whom.
    pub message: String,
    /// Possible answers; never empty.
    pub options: Vec<String>,
    /// JSON Schema of a form that can be filled in instead; the answer is then its values as JSON.
    pub form: Option<Value>,
}

/// Stands where nobody is there to be asked.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

#[async_trait]
impl Person for Nobody {
    async fn ask(&self, question: Question) -> Result<String, ToolError> {
        let message = format!("nobody is there to answer: {}", question.message);
        Err(ToolError::new(ErrorKind::Permanent, message))
    }
}

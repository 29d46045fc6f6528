//! Whoever may be asked while a call runs.

use aa_spec::tool::ErrorKind;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::ToolError;
use crate::want::Want;

/// The answer of somebody who does not want to.
pub const DECLINE: &str = "decline";

/// Somebody who can be asked: a person at a terminal, or whoever answers a run's questions.
///
/// In a run a question becomes an event like that of a `confirm` step, and the answer is
/// durable before the call gets it. The call goes on running meanwhile, so it waits no longer
/// than its deadline; dropping the future takes the question back.
#[async_trait]
pub trait Person: Send + Sync {
    /// Puts a question and waits for one of its options, for its form, or for what else it wants.
    ///
    /// # Errors
    /// Nobody is there to be asked.
    async fn ask(&self, question: Question) -> Result<String, ToolError>;

    /// Says something to whoever follows; nobody has to.
    fn tell(&self, _level: Level, _text: &str) {}
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
    /// What only the AI client that has started the run can give.
    pub want: Option<Want>,
}

impl Question {
    /// A question with nothing but options.
    pub fn choice(message: impl Into<String>, options: Vec<String>) -> Self {
        Self { message: message.into(), options, form: None, want: None }
    }
}

/// How much a line matters, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// To whoever looks for a mistake.
    Debug,
    /// To whoever wants to know.
    Info,
    /// To everybody, once.
    Notice,
    /// Something may go wrong.
    Warning,
    /// Something went wrong.
    Error,
    /// Something that others need went wrong.
    Critical,
    /// Somebody has to act.
    Alert,
    /// Nothing works.
    Emergency,
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

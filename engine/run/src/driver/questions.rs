//! Questions that calls ask: on their way to the loop, and back with the answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use aa_spec::tool::ErrorKind;
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use super::Driver;
use super::lines::LineSender;
use super::veil::Veil;
use crate::event::StepPath;
use crate::store::StoreError;
use crate::tool::{Level, Person, Question, ToolError};
use crate::want::Want;

/// A question of a call, and whoever waits for the answer.
pub(super) struct Asked {
    pub(super) step: StepPath,
    pub(super) question: Question,
    reply: oneshot::Sender<Result<String, ToolError>>,
}

/// The loop's end.
pub(super) struct Questions {
    receiver: mpsc::UnboundedReceiver<Asked>,
    waiting: BTreeMap<StepPath, oneshot::Sender<Result<String, ToolError>>>,
}

/// Why nobody is asked.
const UNATTENDED: &str =
    "nobody is at a terminal; give the step a `timeout`, and `aa run answer` can answer for that long";

/// The calls' end.
pub(super) type QuestionSender = mpsc::UnboundedSender<Asked>;

/// Whoever watches the run, as one of its calls sees them.
pub(super) struct Watcher {
    pub(super) step: StepPath,
    pub(super) sender: QuestionSender,
    /// What is asked is written down.
    pub(super) veil: Arc<Veil>,
    /// Whether an AI client has started the run.
    pub(super) client: bool,
    /// Whether an answer is waited for.
    pub(super) patient: bool,
    /// Takes what is said to whoever follows.
    pub(super) lines: LineSender,
    /// One question of a call after the other.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Driver {
    /// Puts the question of a call; it gets the answer once that is durable.
    pub(super) fn put_question(&mut self, asked: Asked) -> Result<(), StoreError> {
        if asked.reply.is_closed() {
            // It was taken back before it was put.
            return Ok(());
        }
        let question = asked.question.clone();
        let anew = self.questions.was_taken_back(&asked.step);
        match self.run.machine.call_question(&asked.step, question, anew) {
            Ok(body) => {
                self.questions.await_answer(asked);
                self.record(body, None)
            }
            Err(misfit) => {
                asked.refuse(&misfit.message);
                Ok(())
            }
        }
    }
}

impl Questions {
    pub(super) fn new() -> (Self, QuestionSender) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { receiver, waiting: BTreeMap::new() }, sender)
    }

    pub(super) async fn next(&mut self) -> Option<Asked> {
        self.receiver.recv().await
    }

    /// Keeps whoever waits for the answer to a question that has been put.
    pub(super) fn await_answer(&mut self, asked: Asked) {
        self.waiting.insert(asked.step, asked.reply);
    }

    /// Hands an answer on; a call that is over does not need it.
    pub(super) fn answer(&mut self, step: &StepPath, answer: String) {
        if let Some(reply) = self.waiting.remove(step) {
            let _ = reply.send(Ok(answer));
        }
    }

    /// Whether a step has asked, and nobody waits for the answer any more.
    fn was_taken_back(&self, step: &StepPath) -> bool {
        self.waiting.get(step).is_some_and(oneshot::Sender::is_closed)
    }

    pub(super) fn forget(&mut self, step: &StepPath) {
        self.waiting.remove(step);
    }
}

impl Asked {
    pub(super) fn refuse(self, message: &str) {
        let _ = self.reply.send(Err(unasked(&self.question, message)));
    }
}

#[async_trait]
impl Person for Watcher {
    async fn ask(&self, mut question: Question) -> Result<String, ToolError> {
        if !self.client && question.want.is_some() {
            return Err(unasked(&question, "no AI client has started this run"));
        }
        let _turn = self.turn.lock().await;
        question.message = self.veil.hide(&question.message);
        if !self.patient {
            return Err(unasked(&question, UNATTENDED));
        }
        if let Some(Want::Model(request)) = &mut question.want {
            self.veil.hide_value(request);
        }
        let (reply, answer) = oneshot::channel();
        let asked = Asked { step: self.step.clone(), question: question.clone(), reply };
        let _over = self.sender.send(asked);
        answer.await.unwrap_or_else(|_| Err(unasked(&question, "the run is over")))
    }

    fn tell(&self, level: Level, text: &str) {
        self.lines.send_at(&self.step, self.veil.hide(text), Some(level));
    }
}

fn unasked(question: &Question, why: &str) -> ToolError {
    ToolError::new(ErrorKind::Permanent, format!("{}; it cannot be asked: {why}", question.message))
}

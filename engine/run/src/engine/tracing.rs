//! Traces of runs, for front ends that send them somewhere.

use std::sync::Arc;

use super::Engine;
use crate::event::Link;
use crate::schedule::notify::post;
use crate::settings::Traces;
use crate::trace::Parent;

impl Engine {
    /// The same engine for a request that can be found again: what it starts says which request that was, and to
    /// which trace it belongs.
    #[must_use]
    pub fn linked(&self, link: Link) -> Self {
        let link = (link != Link::default()).then(|| Arc::new(link));
        Self { link, ..self.clone() }
    }

    /// The same engine for a command of somebody who traces: what it starts belongs to the trace that the variable
    /// `TRACEPARENT` names, if it names one.
    #[must_use]
    pub fn linked_by_variable(self) -> Self {
        let named = self.settings().environment.get("TRACEPARENT").cloned();
        match named.filter(|named| Parent::read(named).is_some()) {
            Some(named) => self.linked(Link { trace: Some(named), ..Link::default() }),
            None => self,
        }
    }

    /// Sends spans to where the configuration says.
    ///
    /// # Errors
    /// Why they could not be sent, without the address.
    pub async fn send_traces(&self, to: &Traces, body: String) -> Result<(), String> {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        for (name, value) in &to.headers {
            headers.push((name, self.opened(value).await?));
        }
        post(self, &to.url, &headers, body).await.map(drop)
    }
}

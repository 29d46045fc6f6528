//! What has to be found out before a request is sent.

use aa_spec::template::{Expression, Scope};
use aa_spec::tool::module::KeyPlace;
use aa_spec::tool::recipe::{First, Http};
use serde_json::Value;

use super::Api;
use super::outgoing::Outgoing;
use crate::tool::declared::{eval, text, unfit};
use crate::tool::{CallContext, Sent, ToolError};

impl Api {
    /// Finds it all out, and gives it to the scope by its names.
    pub(super) async fn find_out(&self, context: &CallContext, scope: &mut Scope) -> Result<(), ToolError> {
        for first in &self.http.first {
            let value = self.first(first, context, scope).await?;
            scope.set(&first.name, &value);
        }
        Ok(())
    }

    async fn first(&self, first: &First, context: &CallContext, scope: &Scope) -> Result<Value, ToolError> {
        if !is_wanted(first.condition.as_ref(), scope)? {
            return Ok(Value::Null);
        }
        let mut answered = scope.child();
        let mut value = Value::Null;
        if let Some(request) = &first.request {
            let asking = self.with(request);
            let outgoing = Outgoing::new(&asking, context, scope)?;
            // It makes no change, so it says nothing of whether the call has acted.
            let apart = CallContext { sent: Sent::default(), ..context.clone() };
            let (_, said) = asking.ask(&apart, &outgoing, scope).await?;
            said.enter(&mut answered);
            value = said.body;
        }
        if let Some(expression) = &first.value {
            value = eval(expression, &answered)?;
        }
        match &first.missing {
            Some((message, kind)) if value.is_null() => {
                let message =
                    text(message, scope)?.unwrap_or_else(|| format!("there is no `{}`", first.name));
                Err(ToolError::new(*kind, message))
            }
            _ => Ok(value),
        }
    }

    /// The same tool with another request.
    fn with(&self, http: &Http) -> Self {
        let mut declared = self.declared.clone();
        declared.common.result = None;
        // The key is that of the change, and this request makes none.
        let key = declared.common.idempotency_key.take();
        declared.common.idempotency_key = key.filter(|place| !matches!(place, KeyPlace::Header(_)));
        Self { declared, http: http.clone(), services: self.services.clone() }
    }
}

/// Whether a condition is true, or there is none.
pub(super) fn is_wanted(condition: Option<&Expression>, scope: &Scope) -> Result<bool, ToolError> {
    condition.map_or(Ok(true), |condition| condition.is_true(scope)).map_err(unfit)
}

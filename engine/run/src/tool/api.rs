//! Tools of YAML modules: a request to an HTTP API with typed arguments and a typed result.

mod answer;
mod first;
mod host;
mod outgoing;
mod pages;
mod send;

use std::sync::Arc;

use aa_spec::plan::resolve::Touched;
use aa_spec::template::Scope;
use aa_spec::tool::module::KeyPlace;
use aa_spec::tool::recipe::{Http, Target};
use aa_spec::tool::{ErrorKind, ToolSpec};
use async_trait::async_trait;
use serde_json::{Map, Value};

use self::answer::Said;
use self::first::is_wanted;
use self::host::Hosts;
use self::outgoing::Outgoing;
use super::declared::Declared;
use super::http::Web;
use super::http::client::Answer;
use super::replay::{HttpReplay, StandIn};
use super::{CallContext, Tool, ToolError};

/// A tool that sends requests.
pub(crate) struct Api {
    pub(crate) declared: Declared,
    pub(crate) http: Http,
    pub(crate) services: Arc<Services>,
}

/// What all such tools of a process share: the way out, and what is known of the hosts.
#[derive(Debug)]
pub(crate) struct Services {
    web: Arc<Web>,
    hosts: Hosts,
    /// Most bytes of one answer.
    limit: usize,
    /// What was recorded, in the place of every host.
    stand_in: Option<StandIn>,
}

impl Services {
    pub(crate) fn new(web: Arc<Web>, limit: usize) -> Self {
        Self { web, hosts: Hosts::default(), limit, stand_in: None }
    }

    /// How many hosts are left alone.
    pub(crate) fn open_breakers(&self) -> usize {
        self.hosts.left_alone()
    }

    /// The same with what was recorded in the place of every host.
    pub(crate) fn replaying(&self, replay: HttpReplay) -> Self {
        let stand_in = Some(StandIn::new(replay));
        Self { web: Arc::clone(&self.web), hosts: Hosts::default(), limit: self.limit, stand_in }
    }
}

#[async_trait]
impl Tool for Api {
    fn spec(&self) -> &Arc<ToolSpec> {
        &self.declared.spec
    }

    fn touches(&self) -> Touched {
        let target = match &self.http.target {
            Target::Url(url) => Some(url),
            Target::Path(_) => self.http.service.base.as_ref(),
        };
        self.declared.touches(target)
    }

    fn kind_of(&self, said: &str) -> Option<ErrorKind> {
        self.declared.kind_of(said)
    }

    async fn call(&self, context: &CallContext, args: Map<String, Value>) -> Result<Value, ToolError> {
        context.sent.not_yet();
        let mut scope = self.declared.scope(context, args).await?;
        self.find_out(context, &mut scope).await?;
        if !is_wanted(self.http.condition.as_ref(), &scope)? {
            Said::nothing().enter(&mut scope);
            return self.declared.finish(scope, Value::Null);
        }
        let outgoing = Outgoing::new(self, context, &scope)?;
        let result = if let Some(pages) = &self.http.pages {
            let all = pages::all(self, context, outgoing, &scope, pages).await?;
            all.last.enter(&mut scope);
            Value::Array(all.items)
        } else {
            let (answer, said) = self.ask(context, &outgoing, &scope).await?;
            said.enter(&mut scope);
            answer::result(&answer, &said, self.declared.common.result.as_ref())?
        };
        self.declared.finish(scope, result)
    }
}

impl Api {
    /// Sends a request and takes any failure for an error.
    async fn ask(
        &self,
        context: &CallContext,
        outgoing: &Outgoing,
        scope: &Scope,
    ) -> Result<(Answer, Said), ToolError> {
        let service = &self.http.service;
        let answer = self.services.send(context, outgoing, service.limits, service.breaker).await?;
        let said = answer::judge(self, &answer, scope)?;
        Ok((answer, said))
    }

    /// Whether sending a request twice equals sending it once.
    fn is_repeatable(&self, context: &CallContext, scope: &Scope) -> bool {
        let keyed = match &self.declared.common.idempotency_key {
            Some(KeyPlace::Header(_)) => !context.idempotency_key.is_empty(),
            Some(KeyPlace::Arg(name)) => {
                let given = scope.json(&name.value).and_then(Result::ok);
                given.is_some_and(|key| !key.is_null() && key != "")
            }
            Some(KeyPlace::Env(_)) | None => false,
        };
        self.declared.spec.idempotent || self.http.method.is_repeatable() || keyed
    }
}

#[cfg(test)]
mod tests;

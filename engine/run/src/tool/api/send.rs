//! Sending: in turn, again where that helps and does no harm, and after redirects.

use std::time::Duration;

use aa_spec::tool::ErrorKind;
use aa_spec::tool::recipe::{Breaker, Limits};
use reqwest::Url;
use reqwest::header::ACCEPT;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::Services;
use super::host::Ticket;
use super::outgoing::{Outgoing, origin};
use crate::tool::http::client::{Answer, shown};
use crate::tool::http::failure::{LONGEST_WAIT, asked_wait, back_off, retry_after};
use crate::tool::http::redirect::{self, Hop};
use crate::tool::native::bounded;
use crate::tool::replay::{HOME, ORIGIN};
use crate::tool::{CallContext, ToolError};

impl Services {
    /// Sends a request until there is an answer worth having, or no use in trying again.
    pub(super) async fn send(
        &self,
        context: &CallContext,
        outgoing: &Outgoing,
        limits: Limits,
        breaker: Breaker,
    ) -> Result<Answer, ToolError> {
        if self.stand_in.is_some() {
            // What was recorded has no budget and is asked once.
            return bounded(context, self.attempt(context, outgoing)).await?;
        }
        self.web.hide_proxy(&outgoing.route, context)?;
        let host = self.hosts.of(&origin(&outgoing.url));
        for made in 0.. {
            let ticket = bounded(context, host.enter(limits, context.deadline)).await??;
            let result = bounded(context, self.attempt(context, outgoing)).await?;
            settle(ticket, breaker, &result);
            let wait = wait_after(&result, made);
            if let Ok(answer) = &result
                && answer.status == 429
                && let Some(pause) = asked_wait(answer).or(wait)
            {
                host.pause(pause);
            }
            let again = made < outgoing.retries && (outgoing.repeatable || was_not_done(&result));
            let Some(wait) = wait.filter(|_| again && !host.is_open()) else {
                return result;
            };
            if context.deadline.is_some_and(|deadline| Instant::now() + wait >= deadline) {
                return result;
            }
            let why = result.map_or_else(|error| error.message, |answer| format!("status {}", answer.status));
            (context.progress)(&format!("{why}; trying again in {} ms", wait.as_millis()));
            bounded(context, sleep(wait)).await?;
        }
        Err(ToolError::new(ErrorKind::Permanent, "there were too many attempts"))
    }

    /// One attempt, redirects included, within its time.
    async fn attempt(&self, context: &CallContext, outgoing: &Outgoing) -> Result<Answer, ToolError> {
        if let Ok(result) = timeout(outgoing.timeout, self.follow(context, outgoing)).await {
            return result;
        }
        let url = shown(&outgoing.url);
        let message = format!("{} `{url}` took too long", outgoing.method);
        let details = json!({"method": outgoing.method.as_str(), "url": url});
        Err(ToolError::new(ErrorKind::Timeout, message).details(details))
    }

    async fn follow(&self, context: &CallContext, outgoing: &Outgoing) -> Result<Answer, ToolError> {
        let mut hop = Hop { method: outgoing.method.clone(), url: outgoing.url.clone() };
        for redirects in 0..=redirect::MOST {
            let mut answer = self.once(context, (outgoing, &hop)).await?;
            answer.redirected = redirects > 0;
            match if outgoing.redirects { hop.next(&answer)? } else { None } {
                Some(next) => hop = next,
                None => return Ok(answer),
            }
        }
        Err(redirect::too_many(&outgoing.method, &outgoing.url))
    }

    async fn once(
        &self,
        context: &CallContext,
        (outgoing, hop): (&Outgoing, &Hop),
    ) -> Result<Answer, ToolError> {
        let url = outgoing.full_url(&hop.url);
        let mut sending = match &self.stand_in {
            Some(stand_in) => {
                // Neither proxy nor certificates are asked for.
                let client = self.web.straight()?;
                let sending = client.request(hop.method.clone(), instead(stand_in.url().await?, &url));
                sending.header(ORIGIN, origin(&url)).header(HOME, &outgoing.home)
            }
            None => self.web.client(&outgoing.route)?.request(hop.method.clone(), url.clone()),
        };
        if outgoing.is_home(&url) {
            sending = sending.headers(outgoing.credentials.clone());
        }
        let same = origin(&url) == origin(&outgoing.url);
        if same {
            sending = sending.headers(outgoing.headers.clone());
        } else if let Some(accept) = outgoing.headers.get(ACCEPT) {
            sending = sending.header(ACCEPT, accept);
        }
        if same && hop.method == outgoing.method {
            sending = outgoing.load(sending).await?;
        }
        let way = (&outgoing.route, context.sent.out());
        let mut answer = self.web.receive(&hop.method, &url, sending, way).await?;
        answer.url = shown(&url);
        Ok(answer)
    }
}

/// The same request to where a recording is replayed.
fn instead(stand_in: &Url, url: &Url) -> Url {
    let mut actual = stand_in.clone();
    actual.set_path(url.path());
    actual.set_query(url.query());
    actual
}

/// Tells what an attempt says about its host.
fn settle(ticket: Ticket, breaker: Breaker, result: &Result<Answer, ToolError>) {
    match result {
        Ok(answer) if answer.status >= 500 && answer.status != 501 => {
            ticket.failed(breaker, &format!("status {}", answer.status));
        }
        Err(error) if matches!(error.kind, ErrorKind::Network | ErrorKind::Timeout) => {
            let why = if error.kind == ErrorKind::Network { "not reached" } else { "no answer in time" };
            ticket.failed(breaker, why);
        }
        // A wrong request says nothing about whether the host is well.
        Err(error) if error.kind == ErrorKind::Invalid => drop(ticket),
        _ => ticket.succeeded(),
    }
}

/// Whether an attempt has certainly changed nothing. Behind a redirect the first request may have been carried out.
fn was_not_done(result: &Result<Answer, ToolError>) -> bool {
    result.as_ref().is_ok_and(|answer| answer.status == 429 && !answer.redirected)
}

/// How long to wait before another attempt, if one makes sense.
fn wait_after(result: &Result<Answer, ToolError>, made: u32) -> Option<Duration> {
    match result {
        Ok(answer) => retry_after(answer, made),
        Err(error) if error.kind == ErrorKind::Network => Some(back_off(made)),
        Err(_) => None,
    }
    .filter(|wait| *wait <= LONGEST_WAIT)
}

//! News brought to people: written down before it is sent, sent once, held back when there is too much.

mod mail;
mod senders;

use std::fmt::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use aa_spec::config::{Channel, SlackChannel, WebhookChannel, secret};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::process::Command;

pub(super) use self::senders::{Desk, Senders, longest_wait};
use crate::engine::Engine;
use crate::event::Time;
use crate::store::Notice;

/// How long one message may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest answer that is read, in bytes.
const ANSWER: usize = 64 << 10;
/// Lines of a summary.
const LISTED: usize = 20;
/// Where the API of Slack is.
const SLACK: &str = "https://slack.com/api";

/// Says a line to whoever has started the process.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// What is sent.
struct Message {
    title: String,
    text: String,
    topic: String,
    at: Time,
}

impl Message {
    /// One notice, or a summary of several that were held back.
    fn of(notices: &[Notice]) -> Self {
        let (title, text) = match notices {
            [one] => (one.title.clone(), one.text.clone()),
            all => {
                let lines = all
                    .iter()
                    .take(LISTED)
                    .map(|one| format!("- {} ({})", one.title, one.at.format("%F %T UTC")));
                let mut text = lines.collect::<Vec<_>>().join("\n");
                if all.len() > LISTED {
                    let _ = write!(text, "\n- and {} more", all.len() - LISTED);
                }
                (format!("{} messages were held back", all.len()), text)
            }
        };
        let first = notices.first();
        let topic = first.map(|one| one.topic.clone()).unwrap_or_default();
        Self { title, text, topic, at: first.map(|one| one.at).unwrap_or_default() }
    }

    fn whole(&self) -> String {
        format!("{}\n{}", self.title, self.text).trim_end().to_owned()
    }
}

async fn send(engine: &Engine, channel: &Channel, say: &Say, message: &Message) -> Result<(), String> {
    match channel {
        Channel::Terminal(_) => {
            say(&message.whole());
            Ok(())
        }
        Channel::Desktop(_) => desktop(engine, message).await,
        Channel::Webhook(webhook) => post_json(engine, webhook, message).await,
        Channel::Slack(slack) => tell_slack(engine, slack, message).await,
        Channel::Email(email) => mail::send(engine, email, message).await,
    }
}

async fn desktop(engine: &Engine, message: &Message) -> Result<(), String> {
    let mut command = Command::new("notify-send");
    command.env_clear().envs(&engine.settings().environment);
    command.args(["--app-name=aa", "--", &message.title, &message.text]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(PATIENCE, command.status()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("`notify-send` failed: {status}")),
        Ok(Err(error)) => Err(format!("`notify-send` cannot be run: {}", crate::cause::cause(&error))),
        Err(_) => Err("`notify-send` takes too long".to_owned()),
    }
}

async fn post_json(engine: &Engine, webhook: &WebhookChannel, message: &Message) -> Result<(), String> {
    let url = engine.opened(&webhook.url).await?;
    let body =
        json!({"title": message.title, "text": message.text, "topic": message.topic, "at": message.at});
    let body = body.to_string();
    let mut headers = vec![("content-type", "application/json".to_owned())];
    if let Some(key) = &webhook.secret {
        let key = engine.opened(key).await?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(|_| "the secret is no key")?;
        mac.update(body.as_bytes());
        let hex = mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        headers.push(("x-hub-signature-256", format!("sha256={hex}")));
    }
    post(engine, &url, &headers, body).await.map(drop)
}

async fn tell_slack(engine: &Engine, slack: &SlackChannel, message: &Message) -> Result<(), String> {
    let text = format!("*{}*\n{}", escaped(&message.title), escaped(&message.text));
    let mut headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    let (Some(token), Some(channel)) = (&slack.token, &slack.channel) else {
        let url = engine.opened(slack.webhook.as_deref().unwrap_or_default()).await?;
        return post(engine, &url, &headers, json!({ "text": text }).to_string()).await.map(drop);
    };
    headers.push(("authorization", format!("Bearer {}", engine.opened(token).await?)));
    let url = format!("{}/chat.postMessage", slack.api.as_deref().unwrap_or(SLACK).trim_end_matches('/'));
    let body = json!({"channel": channel, "text": text}).to_string();
    let answer = post(engine, &url, &headers, body).await?;
    // It says what is wrong in the body of an answer that looks like a success.
    let answer: Value = serde_json::from_str(&answer).map_err(|_| "Slack's answer is no JSON")?;
    if answer["ok"] == true {
        return Ok(());
    }
    Err(format!("Slack refuses: {}", answer["error"].as_str().unwrap_or("it does not say why")))
}

/// What Slack takes for markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Posts a body and gives the answer's. No error holds the address: it may be a secret.
pub(crate) async fn post(
    engine: &Engine,
    url: &str,
    headers: &[(&str, String)],
    body: String,
) -> Result<String, String> {
    let client = engine.web_client().map_err(|error| error.message)?;
    let mut request = client.post(url).timeout(PATIENCE).body(body);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let lost = |error: reqwest::Error| {
        let kind = if error.is_timeout() { "takes too long" } else { "cannot be reached" };
        format!("the server {kind}")
    };
    let mut response = request.send().await.map_err(lost)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > ANSWER {
            return Err("the server's answer is too long".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(String::from_utf8_lossy(&body).into_owned());
    }
    Err(format!("the server answers with {status}"))
}

impl Engine {
    /// A text, or the secret that it is.
    pub(crate) async fn opened(&self, text: &str) -> Result<String, String> {
        match secret(text) {
            Some(name) => {
                let value = self.reveal(name).await;
                value.map_err(|why| format!("secret `{name}`: {why}"))
            }
            None => Ok(text.to_owned()),
        }
    }
}

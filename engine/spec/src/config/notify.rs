//! `notify:`: how people are told of what happens while they are not there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Config;
use crate::diagnostic::Diagnostic;
use crate::name;
use crate::schedule::channels;
use crate::source::Source;
use crate::yaml::Spanned;

/// How people are told of what happens while they are not there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// Ways to tell somebody, by a name for each.
    pub channels: BTreeMap<String, Spanned<Channel>>,
    /// Channels of schedules that name none.
    pub default: Vec<Spanned<String>>,
    /// How much one channel is told; beyond that, messages are held back and summed up.
    pub limit: NotifyLimit,
}

/// How much one channel is told.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyLimit {
    /// So many messages (default 10) …
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub messages: Option<Spanned<u32>>,
    /// … in so much time (default `1h`).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub per: Option<Spanned<String>>,
}

/// A way to tell somebody.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Channel {
    /// A line on the terminal of the server.
    Terminal(Plain),
    /// A notice on the desktop of whoever has started the server, by `notify-send`.
    Desktop(Plain),
    /// A `POST` of JSON.
    Webhook(WebhookChannel),
    /// A message in Slack: by an incoming webhook, or by a bot's token to a channel.
    Slack(SlackChannel),
    /// An e-mail over SMTP.
    Email(EmailChannel),
}

/// A channel that needs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Plain {}

/// Where JSON is posted to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookChannel {
    /// The address, or `"{{ secrets.NAME }}"`.
    pub url: String,
    /// A secret, as `"{{ secrets.NAME }}"`: the HMAC-SHA256 of the body is in `X-Hub-Signature-256` then.
    #[serde(default)]
    pub secret: Option<String>,
}

/// How Slack is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SlackChannel {
    /// The address of an incoming webhook, as `"{{ secrets.NAME }}"`.
    pub webhook: Option<String>,
    /// A bot's token, as `"{{ secrets.NAME }}"`.
    pub token: Option<String>,
    /// With `token`: the channel.
    pub channel: Option<String>,
    /// With `token`: where the API is (default `https://slack.com/api`).
    pub api: Option<String>,
}

/// How an e-mail is sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailChannel {
    /// The server, `HOST` or `HOST:PORT`.
    pub server: String,
    /// Who sends it.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// Who logs in, if the server wants that.
    #[serde(default)]
    pub user: Option<String>,
    /// Their password, as `"{{ secrets.NAME }}"`.
    #[serde(default)]
    pub password: Option<String>,
    /// How what is said is kept from others (default `starttls`).
    #[serde(default)]
    pub security: MailSecurity,
}

/// How a conversation with a mail server is kept from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// It begins in the clear and must go on in TLS (port 587).
    #[default]
    Starttls,
    /// It is TLS from the start (port 465).
    Tls,
    /// Everybody on the way can read it (port 25); no password is sent then.
    None,
}

/// What is wrong with channels, and with schedules that name them.
pub(super) fn check(config: &Config, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    for (name, channel) in &config.notify.channels {
        if !name::is_valid(name) {
            let message = format!("`{name}` cannot be the name of a channel");
            diagnostics.push(Diagnostic::error("bad-name", source, channel.span, message));
        }
        if let Err((message, hint)) = channel.value.check() {
            let message = format!("channel `{name}`: {message}");
            diagnostics.push(Diagnostic::error("bad-channel", source, channel.span, message).hint(hint));
        }
    }
    // Channels of the user's file may be named in a project's; those are looked up when all are read.
    let named = config.schedules.values().filter_map(|schedule| schedule.value.notify.as_ref());
    let all = named.flat_map(channels).chain(&config.notify.default);
    for channel in all.filter(|channel| !name::is_valid(&channel.value)) {
        let message = format!("`{}` cannot be the name of a channel", channel.value);
        diagnostics.push(Diagnostic::error("bad-name", source, channel.span, message));
    }
}

impl Channel {
    /// What kind it is, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Terminal(_) => "terminal",
            Self::Desktop(_) => "desktop",
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Email(_) => "email",
        }
    }

    /// The secrets that it uses.
    pub fn secrets(&self) -> Vec<&str> {
        let texts: Vec<Option<&String>> = match self {
            Self::Terminal(_) | Self::Desktop(_) => Vec::new(),
            Self::Webhook(webhook) => vec![Some(&webhook.url), webhook.secret.as_ref()],
            Self::Slack(slack) => vec![slack.webhook.as_ref(), slack.token.as_ref()],
            Self::Email(email) => vec![email.password.as_ref()],
        };
        texts.into_iter().flatten().filter_map(|text| secret(text)).collect()
    }

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        const SECRET: &str = "write `\"{{ secrets.NAME }}\"`, and under `secrets:` where it comes from";
        let is_secret = |text: &String| secret(text).is_some();
        match self {
            Self::Webhook(webhook) if !is_secret(&webhook.url) && !is_address(&webhook.url) => {
                Err(("`url` is no address", "write it like `https://example.org/alerts`"))
            }
            Self::Webhook(webhook) if !webhook.secret.as_ref().is_none_or(is_secret) => {
                Err(("`secret` must be a secret", SECRET))
            }
            Self::Terminal(_) | Self::Desktop(_) | Self::Webhook(_) => Ok(()),
            Self::Slack(slack) => match (&slack.webhook, &slack.token, &slack.channel) {
                (Some(webhook), None, None) if is_secret(webhook) => Ok(()),
                (None, Some(token), Some(_)) if is_secret(token) => Ok(()),
                (Some(_), None, None) | (None, Some(_), Some(_)) => Err(("the key must be a secret", SECRET)),
                _ => Err((
                    "it needs a `webhook`, or a `token` and a `channel`",
                    "one of the two ways is enough",
                )),
            },
            Self::Email(email) => email.check(SECRET),
        }
    }
}

impl EmailChannel {
    /// The server's name, and its port or the usual one.
    pub fn place(&self) -> Option<(&str, u16)> {
        let usual = match self.security {
            MailSecurity::Starttls => 587,
            MailSecurity::Tls => 465,
            MailSecurity::None => 25,
        };
        let (host, port) = match self.server.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (self.server.as_str(), usual),
        };
        let is_good = |letter: char| letter.is_ascii_alphanumeric() || ".-".contains(letter);
        (!host.is_empty() && host.chars().all(is_good) && port > 0).then_some((host, port))
    }

    fn check(&self, secret_hint: &'static str) -> Result<(), (&'static str, &'static str)> {
        let is_mail = |text: &String| {
            let parts = text.split_once('@');
            parts.is_some_and(|(who, at)| !who.is_empty() && !at.is_empty())
                && !text
                    .chars()
                    .any(|letter| letter.is_whitespace() || letter.is_control() || "<>".contains(letter))
        };
        if !is_mail(&self.from) || self.to.is_empty() || !self.to.iter().all(is_mail) {
            return Err(("`from` and `to` must be addresses", "write them like `ann@example.org`"));
        }
        if self.place().is_none() {
            return Err((
                "`server` is no mail server",
                "write it like `smtp.example.org` or `smtp.example.org:587`",
            ));
        }
        match (&self.user, &self.password) {
            (None, None) => Ok(()),
            (Some(_), Some(_)) if self.security == MailSecurity::None => {
                Err(("a password would be sent in the clear", "use `security: starttls` or `tls`"))
            }
            (Some(_), Some(password)) if secret(password).is_some() => Ok(()),
            (Some(_), Some(_)) => Err(("`password` must be a secret", secret_hint)),
            _ => Err(("`user` and `password` belong together", "write both, or none")),
        }
    }
}

/// The secret that a text is, if it is nothing else.
pub fn secret(text: &str) -> Option<&str> {
    crate::schedule::secret(text)
}

pub(super) fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace))
}

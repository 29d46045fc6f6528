//! News by e-mail.

use aa_spec::config::{EmailChannel, MailSecurity};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use sha2::{Digest, Sha256};

use super::{Message, PATIENCE};
use crate::engine::Engine;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// Sends a message to everybody that the channel names.
pub(super) async fn send(engine: &Engine, email: &EmailChannel, message: &Message) -> Result<(), String> {
    let mail = written(email, message)?;
    let transport = transport(engine, email).await?;
    match tokio::time::timeout(PATIENCE, transport.send(mail)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(why(&error, email.security)),
        Err(_) => Err("the mail server takes too long".to_owned()),
    }
}

/// What the server says can hold nothing secret: it was told no secret but the password, and says none of it.
fn why(error: &lettre::transport::smtp::Error, security: MailSecurity) -> String {
    match error.status() {
        Some(code) => format!("the mail server refuses it with {code}"),
        None if error.is_timeout() => "the mail server takes too long".to_owned(),
        None if security == MailSecurity::None => "the mail server cannot be reached".to_owned(),
        None => "the mail server cannot be reached, or its certificate is not trusted".to_owned(),
    }
}

async fn transport(engine: &Engine, email: &EmailChannel) -> Result<Transport, String> {
    let (host, port) = email.place().ok_or("the channel names no mail server")?;
    let tls = match email.security {
        MailSecurity::None => Tls::None,
        MailSecurity::Starttls => Tls::Required(trusted(engine, host)?),
        MailSecurity::Tls => Tls::Wrapper(trusted(engine, host)?),
    };
    let builder: AsyncSmtpTransportBuilder = Transport::builder_dangerous(host);
    let mut builder = builder.port(port).tls(tls).timeout(Some(PATIENCE));
    if let (Some(user), Some(password)) = (&email.user, &email.password) {
        builder = builder.credentials(Credentials::new(user.clone(), engine.opened(password).await?));
    }
    Ok(builder.build())
}

/// The certificates of the system, and those that the configuration trusts besides.
fn trusted(engine: &Engine, host: &str) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = &engine.settings().ca {
        let failed = |why: String| format!("`{}` cannot be used: {why}", path.display());
        let pem = std::fs::read(path).map_err(|error| failed(crate::cause::cause(&error)))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| failed(error.to_string()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|error| error.to_string())
}

fn written(email: &EmailChannel, message: &Message) -> Result<lettre::Message, String> {
    let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|_| format!("`{text}` is no address"));
    let mut builder: MessageBuilder = lettre::Message::builder().from(mailbox(&email.from)?);
    for to in &email.to {
        builder = builder.to(mailbox(to)?);
    }
    // The same news has the same id, so whoever gets it twice can tell.
    let id = Sha256::digest(format!("{}\n{}\n{}", message.topic, message.at, message.title));
    let id = id.iter().take(16).fold(String::new(), |id, byte| id + &format!("{byte:02x}"));
    // Nobody's holiday notice answers it.
    let by_itself = HeaderName::new_from_ascii_str("Auto-Submitted");
    builder
        .message_id(Some(format!("<{id}@aa.invalid>")))
        .subject(subject(&message.title))
        .raw_header(HeaderValue::new(by_itself, "auto-generated".to_owned()))
        .header(ContentType::TEXT_PLAIN)
        .body(message.whole())
        .map_err(|error| error.to_string())
}

/// A title in a line: nothing in it begins another header.
fn subject(title: &str) -> String {
    let line = title.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    format!("[aa] {}", line.take(200).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Time;

    fn channel() -> EmailChannel {
        EmailChannel {
            server: "mail.example.org".to_owned(),
            from: "aa@example.org".to_owned(),
            to: vec!["ann@example.org".to_owned(), "ben@example.org".to_owned()],
            user: None,
            password: None,
            security: MailSecurity::Starttls,
        }
    }

    fn news(title: &str) -> Message {
        let (text, topic) = ("a line\nand ünother".to_owned(), "t".to_owned());
        Message { title: title.to_owned(), text, topic, at: Time::UNIX_EPOCH }
    }

    #[test]
    fn nothing_in_news_becomes_a_header_or_another_address() {
        let mail = written(&channel(), &news("it failed\r\nBcc: eve@example.org\r\n\r\nx")).unwrap();
        let to: Vec<String> = mail.envelope().to().iter().map(ToString::to_string).collect();
        assert_eq!(to, ["ann@example.org", "ben@example.org"]);
        let text = String::from_utf8(mail.formatted()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{head}");
        assert!(
            head.contains("Auto-Submitted: auto-generated") && head.contains("Subject: [aa] it failed"),
            "{head}"
        );
    }

    #[test]
    fn the_same_news_has_the_same_id() {
        let id = |title: &str| {
            let text = String::from_utf8(written(&channel(), &news(title)).unwrap().formatted()).unwrap();
            text.lines().find(|line| line.starts_with("Message-ID")).unwrap().to_owned()
        };
        assert_eq!(id("a"), id("a"));
        assert_ne!(id("a"), id("b"));
    }

    #[test]
    fn servers_are_named_with_and_without_a_port() {
        let place = |server: &str| {
            EmailChannel { server: server.to_owned(), ..channel() }
                .place()
                .map(|(host, port)| (host.to_owned(), port))
        };
        assert_eq!(place("mail.example.org"), Some(("mail.example.org".to_owned(), 587)));
        assert_eq!(place("127.0.0.1:2525"), Some(("127.0.0.1".to_owned(), 2525)));
        for bad in ["", ":25", "mail.example.org:", "mail.example.org:0", "a b", "smtp://x", "x:99999"] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}

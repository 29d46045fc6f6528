//! Requests that were recorded, answered in their order by a server on the loopback address.

use std::collections::BTreeMap;

use aa_spec::tool::ErrorKind;
use aa_spec::tool::module::example::{Exchange, RecordedHttp, Request, Response};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;

use super::Witness;
use crate::cause::cause;
use crate::tool::ToolError;

/// Larger requests than this are not read.
const LARGEST: usize = 16 << 20;

/// Header in which the server is told where a request would have gone.
pub(in crate::tool) const ORIGIN: &str = "x-aa-origin";

/// Header in which the server is told where the service is.
pub(in crate::tool) const HOME: &str = "x-aa-home";

/// Requests that were recorded, in the place of a service.
#[derive(Clone, Debug)]
pub struct HttpReplay {
    /// What was recorded.
    pub recorded: RecordedHttp,
    /// Who takes down what differs.
    pub witness: Witness,
}

/// The server; it is there from the first request on and goes with this value.
#[derive(Debug)]
pub(in crate::tool) struct StandIn {
    replay: HttpReplay,
    server: OnceCell<(Url, Stopped)>,
}

/// Ends a task when it is dropped.
#[derive(Debug)]
struct Stopped(AbortHandle);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl StandIn {
    pub(in crate::tool) fn new(replay: HttpReplay) -> Self {
        Self { replay, server: OnceCell::new() }
    }

    /// Where the server is.
    pub(in crate::tool) async fn url(&self) -> Result<&Url, ToolError> {
        let started = self.server.get_or_try_init(|| self.start()).await;
        started.map(|(url, _)| url).map_err(|why| ToolError::new(ErrorKind::Permanent, why))
    }

    async fn start(&self) -> Result<(Url, Stopped), String> {
        let failed = |error: std::io::Error| format!("cannot replay what was recorded: {}", cause(&error));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let url = Url::parse(&format!("http://{address}/")).map_err(|error| error.to_string())?;
        let task = tokio::spawn(serve(listener, self.replay.clone()));
        Ok((url, Stopped(task.abort_handle())))
    }
}

/// One request after the other: the order is part of what was recorded.
async fn serve(listener: TcpListener, replay: HttpReplay) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut stream = BufReader::new(stream);
        let Some(asked) = read(&mut stream).await else { continue };
        let reply = replay.reply(&asked);
        // Who has hung up does not want it.
        let _gone = stream.write_all(&reply).await;
        let _gone = stream.shutdown().await;
    }
}

/// A request as it came.
struct Asked {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(Some(0), |length| length.parse::<usize>().ok())?;
    let mut body = vec![0; Some(length).filter(|length| *length <= LARGEST)?];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked { method, path, headers, body })
}

impl HttpReplay {
    fn reply(&self, asked: &Asked) -> Vec<u8> {
        let number = self.witness.asked();
        let what = format!("request {}", number + 1);
        let Some(Exchange { request, response }) = self.recorded.exchanges.get(number) else {
            self.witness.differs(what, Value::Null, json!(format!("{} {}", asked.method, asked.path)));
            return refusal();
        };
        let before = self.witness.differences().len();
        self.compare(&what, request, asked);
        if self.witness.differences().len() > before { refusal() } else { answer(response) }
    }

    fn compare(&self, what: &str, request: &Request, asked: &Asked) {
        let line = |method: &str, path: &str| json!(format!("{method} {path}"));
        if request.method.value != asked.method || request.path.value != asked.path {
            let recorded = line(&request.method.value, &request.path.value);
            self.witness.differs(what, recorded, line(&asked.method, &asked.path));
        }
        let header = |name: &str| asked.headers.get(name).map(String::as_str);
        let host = request.host.as_ref().map(|host| host.value.as_str()).or_else(|| header(HOME));
        if host != header(ORIGIN) {
            let recorded = json!(host);
            self.witness.differs(format!("{what}, host"), recorded, json!(header(ORIGIN)));
        }
        for (name, value) in &request.headers {
            let sent = asked.headers.get(&name.to_ascii_lowercase());
            if sent != Some(&value.value) {
                self.witness.differs(format!("{what}, header {name}"), json!(value.value), json!(sent));
            }
        }
        let (recorded, sent) = bodies(request, asked);
        if recorded != sent {
            self.witness.differs(format!("{what}, body"), recorded, sent);
        }
    }
}

/// What was recorded of the body, and what was sent, in the same form.
fn bodies(request: &Request, asked: &Asked) -> (Value, Value) {
    let text = || Value::from(String::from_utf8_lossy(&asked.body));
    if let Some(json) = &request.json {
        return (json.to_json(), serde_json::from_slice(&asked.body).unwrap_or_else(|_| text()));
    }
    if let Some(form) = &request.form {
        let recorded = form.iter().map(|(name, value)| (name.clone(), Value::from(value.0.as_str())));
        return (Value::Object(recorded.collect()), sent_form(asked).unwrap_or_else(text));
    }
    let recorded = request.text.as_ref().map_or("", |text| text.value.as_str());
    (recorded.into(), text())
}

/// The fields of a form, however it was sent.
fn sent_form(asked: &Asked) -> Option<Value> {
    let kind = asked.headers.get("content-type")?;
    let pairs: Vec<(String, String)> = if let Some((_, boundary)) = kind.split_once("boundary=") {
        parts(&asked.body, boundary.trim_matches('"'))
    } else {
        let query = std::str::from_utf8(&asked.body).ok()?;
        let carrier = Url::parse(&format!("http://localhost/?{query}")).ok()?;
        carrier.query_pairs().into_owned().collect()
    };
    let mut fields = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in pairs {
        fields.entry(name).or_default().push(value);
    }
    // A name that was sent more than once is shown with all its values.
    let value = |values: Vec<String>| match values.as_slice() {
        [one] => Value::from(one.as_str()),
        more => json!(more).to_string().into(),
    };
    Some(Value::Object(fields.into_iter().map(|(name, values)| (name, value(values))).collect()))
}

/// Names and contents of the parts of a form with files.
fn parts(body: &[u8], boundary: &str) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    let part = |part: &str| {
        let (head, content) = part.split_once("\r\n\r\n")?;
        let name = head.split("name=\"").nth(1)?.split('"').next()?;
        Some((name.to_owned(), content.strip_suffix("\r\n").unwrap_or(content).to_owned()))
    };
    text.split(&format!("--{boundary}")).filter_map(part).collect()
}

fn answer(response: &Response) -> Vec<u8> {
    let (kind, body) = match (&response.json, &response.text) {
        (Some(json), _) => ("application/json", json.to_json().to_string()),
        (None, Some(text)) => ("text/plain; charset=utf-8", text.value.clone()),
        (None, None) => ("", String::new()),
    };
    let mut head = format!("HTTP/1.1 {} Recorded\r\n", response.status);
    let has_kind = response.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
    if !has_kind && !kind.is_empty() {
        head.extend(["content-type: ", kind, "\r\n"]);
    }
    for (name, value) in &response.headers {
        head.extend([name, ": ", &value.value.replace(['\r', '\n'], " "), "\r\n"]);
    }
    let length = body.len().to_string();
    head.extend(["content-length: ", &length, "\r\nconnection: close\r\n\r\n", &body]);
    head.into_bytes()
}

/// What a request gets that was not recorded. The witness knows better why.
fn refusal() -> Vec<u8> {
    b"HTTP/1.1 418 Not recorded\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec()
}

//! A client over HTTP that speaks plain requests on connections that stay.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::peers::{Peer, Project};
use super::stdio::{HELLO, LIST, READY, call};
use super::{ALONE, Figures, IN_FLIGHT, TOGETHER, memory, micros, quantile};

struct Server {
    child: Child,
    port: u16,
    token: String,
}

/// One connection, in a session.
struct Connection {
    stream: BufReader<TcpStream>,
    head: String,
    id: usize,
}

pub(crate) fn measure(peer: &Peer, project: &Project) -> Figures {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let began = Instant::now();
    let mut command = peer.on_http(project, port);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut server = Server { child, port, token: String::new() };
    let mut connection = server.connect();
    server.token = project.token();
    let session = connection.greet(&server);
    let start_ms = micros(began.elapsed()) / 1e3;
    thread::sleep(Duration::from_millis(500));
    let idle_mib = memory(server.child.id());
    connection.warm_up();
    let alone: Vec<f64> = (0..ALONE).map(|_| micros(connection.echo())).collect();
    let per_second = together(&server, &session);
    Figures {
        start_ms,
        idle_mib,
        p50_us: quantile(alone.clone(), 50),
        p99_us: quantile(alone, 99),
        per_second,
    }
}

/// Calls a second over sixteen connections of one session.
fn together(server: &Server, session: &str) -> f64 {
    let each = TOGETHER / IN_FLIGHT;
    let began = Instant::now();
    thread::scope(|scope| {
        for worker in 0..IN_FLIGHT {
            scope.spawn(move || {
                let mut connection = server.connect();
                connection.enter(server, session);
                // Ids are those of the session.
                connection.id = (worker + 1) * 1_000_000;
                for _ in 0..each {
                    connection.echo();
                }
            });
        }
    });
    f64::from(u32::try_from(each * IN_FLIGHT).unwrap()) / began.elapsed().as_secs_f64()
}

impl Server {
    /// A connection, as soon as there is one to be had.
    fn connect(&self) -> Connection {
        let began = Instant::now();
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                stream.set_nodelay(true).unwrap();
                return Connection { stream: BufReader::new(stream), head: String::new(), id: 10 };
            }
            assert!(began.elapsed() < Duration::from_mins(1), "the server does not come");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Connection {
    /// The handshake and the first list; gives the session.
    fn greet(&mut self, server: &Server) -> String {
        self.enter(server, "");
        let head = self.ask(HELLO).0.to_lowercase();
        let session =
            head.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap().trim().to_owned();
        self.enter(server, &session);
        self.ask(READY);
        let (_, body) = self.ask(LIST);
        assert!(body.contains("\"id\":2"), "{body}");
        session
    }

    fn enter(&mut self, server: &Server, session: &str) {
        let Server { port, token, .. } = server;
        let of = if session.is_empty() { String::new() } else { format!("Mcp-Session-Id: {session}\r\n") };
        self.head = format!(
            "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\n{of}"
        );
    }

    fn warm_up(&mut self) {
        for _ in 0..ALONE / 10 {
            self.echo();
        }
    }

    fn echo(&mut self) -> Duration {
        self.id += 1;
        let message = call(self.id, "echo", r#"{"value":"hello"}"#);
        let began = Instant::now();
        let (head, body) = self.ask(&message);
        assert!(
            head.starts_with("HTTP/1.1 200") && body.contains(&format!("\"id\":{}", self.id)),
            "{head}{body}"
        );
        began.elapsed()
    }

    fn ask(&mut self, message: &str) -> (String, String) {
        let request = format!("{}Content-Length: {}\r\n\r\n{message}", self.head, message.len());
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let head = head(&mut self.stream).expect("the server answers");
        let body = body(&mut self.stream, &head);
        (head, body)
    }
}

/// The body of the next request of a connection.
pub(crate) fn read(reader: &mut impl BufRead) -> Option<String> {
    let head = head(reader)?;
    Some(body(reader, &head))
}

fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while reader.read_line(&mut head).ok().filter(|length| *length > 0)? > 2 {}
    Some(head)
}

fn body(reader: &mut impl BufRead, head: &str) -> String {
    let head = head.to_lowercase();
    let mut bytes = Vec::new();
    if head.contains("transfer-encoding: chunked") {
        while chunk(reader, &mut bytes) {}
    } else if let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        bytes.resize(length.trim().parse().unwrap(), 0);
        reader.read_exact(&mut bytes).unwrap();
    }
    String::from_utf8(bytes).unwrap()
}

fn chunk(reader: &mut impl BufRead, bytes: &mut Vec<u8>) -> bool {
    let mut size = String::new();
    reader.read_line(&mut size).unwrap();
    let size = usize::from_str_radix(size.trim(), 16).unwrap();
    let start = bytes.len();
    bytes.resize(start + size + 2, 0);
    reader.read_exact(&mut bytes[start..]).unwrap();
    bytes.truncate(start + size);
    size > 0
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

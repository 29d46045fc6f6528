//! Echoes without any protocol: what pipes and sockets cost by themselves.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

/// An answer to every line, with its id.
pub(crate) fn lines() {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut line = String::new();
    while input.read_line(&mut line).is_ok_and(|length| length > 0) {
        if let Some(answer) = answer(&line) {
            output.write_all(format!("{answer}\n").as_bytes()).unwrap();
            output.flush().unwrap();
        }
        line.clear();
    }
}

/// An answer to every request.
pub(crate) fn requests(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    for stream in listener.incoming().map_while(Result::ok) {
        std::thread::spawn(move || converse(&stream));
    }
}

fn converse(stream: &TcpStream) {
    stream.set_nodelay(true).unwrap();
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    while let Some(body) = crate::http::read(&mut reader) {
        let answer = answer(&body).unwrap_or_default();
        let head =
            format!("HTTP/1.1 200 OK\r\nMcp-Session-Id: floor\r\nContent-Length: {}\r\n\r\n", answer.len());
        writer.write_all(format!("{head}{answer}").as_bytes()).unwrap();
    }
}

fn answer(message: &str) -> Option<String> {
    let id = message.split("\"id\":").nth(1)?;
    let id: String = id.chars().take_while(char::is_ascii_digit).collect();
    Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#))
}

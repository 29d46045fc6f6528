//! A greeting service: reads `PORT`, answers HTTP on the loopback address.

mod route;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const LARGEST_HEAD: u64 = 8 * 1024;

fn main() -> io::Result<()> {
    let port: u16 = std::env::var("PORT")
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "PORT must be a port number"))?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("greeter {} listens on {}", route::COMMIT, listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || {
            if let Err(error) = answer(stream) {
                eprintln!("a request failed: {error}");
            }
        });
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut head = BufReader::new((&stream).take(LARGEST_HEAD));
    let mut request_line = String::new();
    head.read_line(&mut request_line)?;
    let mut line = String::new();
    while head.read_line(&mut line)? > 2 {
        line.clear();
    }

    let (status, body) = route::respond(request_line.trim_end());
    println!("{} -> {status}", request_line.trim_end());
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len(),
    )
}

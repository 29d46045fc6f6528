//! What a worker and its parent say to each other: JSON behind its length.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// From the parent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order<'a> {
    /// Run this.
    Run(Task<'a>),
    /// A call has this result.
    Answer(Value),
    /// A call has failed.
    Failed(String),
}

/// A program and all that it gets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Task<'a> {
    /// Python text, prelude first.
    pub(super) code: Cow<'a, str>,
    /// Values by name.
    pub(super) names: Cow<'a, Map<String, Value>>,
    /// What `dir()` lists.
    pub(super) known: Cow<'a, [String]>,
    /// The clock, in milliseconds since 1970.
    pub(super) now_ms: i64,
    /// Milliseconds that it may take.
    pub(super) time_ms: u64,
    /// Calls within calls.
    pub(super) depth: usize,
    /// Bytes of its result, and of the arguments of a call.
    pub(super) output: usize,
    /// Bytes that it may print.
    pub(super) printed: usize,
    /// Calls of tools and skills that it may make.
    pub(super) calls: u32,
}

/// From the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The program wants this call made.
    Call {
        /// From 1.
        number: u32,
        /// The tool or skill.
        target: String,
        /// Arguments by name.
        args: Map<String, Value>,
    },
    /// It has come to its end.
    Done {
        /// Its result.
        value: Value,
        /// Names it looked up, in order.
        reads: Vec<String>,
        /// What it printed.
        printed: String,
    },
    /// It raised an exception, after it had printed this.
    Raised(Raised, String),
    /// It used more than it may, after it had printed this.
    Limit(Limit, String),
    /// The worker cannot do what it was told.
    Fault(String),
}

/// An exception.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Raised {
    /// Its class.
    pub(super) kind: String,
    /// What it says.
    pub(super) message: String,
    /// Where it came from, outermost first; lines are those of the whole program.
    pub(super) frames: Vec<Frame>,
}

/// One place on the way to an exception.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Frame {
    /// From 1.
    pub(super) line: u32,
    /// From 1, in characters.
    pub(super) column: u32,
    /// None at the top level.
    pub(super) function: Option<String>,
}

/// What a block may use too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Limit {
    /// Time, calls not counted.
    Time,
    /// Memory.
    Memory,
    /// Calls within calls.
    Depth,
    /// Length of the source.
    Source,
    /// Size of the result or of arguments.
    Output,
    /// What it prints.
    Printed,
    /// Calls of tools and skills.
    Calls,
}

/// Bytes of the length in front of a frame.
pub(super) const HEAD: usize = 4;

/// A frame as it is sent.
pub(super) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; HEAD];
    serde_json::to_writer(&mut bytes, message)?;
    let length =
        u32::try_from(bytes.len() - HEAD).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    bytes[..HEAD].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Sends one message.
pub(super) fn send<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    to.write_all(&encode(message)?)
}

/// The text of the next message, into `buffer`.
pub(super) fn receive(from: &mut impl Read, buffer: &mut Vec<u8>, longest: usize) -> io::Result<()> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head)?;
    buffer.clear();
    buffer.resize(length(head, longest)?, 0);
    from.read_exact(buffer)
}

/// What the bytes before a frame say, if that is not too much.
pub(super) fn length(head: [u8; HEAD], longest: usize) -> io::Result<usize> {
    let length = u32::from_le_bytes(head) as usize;
    if length > longest { Err(io::Error::from(io::ErrorKind::FileTooLarge)) } else { Ok(length) }
}

/// Reads a message.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(bytes)?)
}

/// Whether a value takes more bytes than this as text.
pub(super) fn is_longer(value: &impl Serialize, most: usize) -> bool {
    struct Room(usize);
    impl io::Write for Room {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    serde_json::to_writer(Room(most), value).is_err()
}

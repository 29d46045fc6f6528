//! Messages as lines: each is answered, also the one that cannot be read.

use std::collections::HashSet;
use std::future::Future;
use std::io;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rmcp::RoleServer;
use rmcp::model::{ClientNotification, JsonRpcError, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Empty, empty};
use tokio_util::bytes::{Buf, BytesMut};
use tokio_util::sync::CancellationToken;

use crate::mcp::malformed::{self, Outline, Said};

/// How much is read at once. More is not kept when a long message has been read.
const PIECE: usize = 8 * 1024;

/// A client at the other end of two streams.
pub(super) struct Lines<R, W: AsyncWrite> {
    input: R,
    /// What was read and is not yet a message.
    read: BytesMut,
    /// How much of it has no end of a line.
    searched: usize,
    /// How long a line may be, in bytes.
    most: usize,
    /// What is left of a line that is too long, until its end.
    too_long: Option<Outline>,
    /// Answers to what could not be read go out before more is read.
    refusing: Option<BoxFuture<'static, io::Result<()>>>,
    output: AsyncRwTransport<RoleServer, Empty, W>,
    /// Requests that are not answered yet.
    asked: HashSet<RequestId>,
    /// Cancelled when there will be no more: what is cancelled after that, the client has not asked for.
    closing: CancellationToken,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub(super) fn new((input, output): (R, W), most: usize, closing: CancellationToken) -> Self {
        let output = AsyncRwTransport::new_server(empty(), output);
        let read = BytesMut::new();
        let asked = HashSet::new();
        Self { input, read, searched: 0, most, too_long: None, refusing: None, output, asked, closing }
    }

    /// The next message. May be dropped and called again: nothing that was read is lost.
    async fn next(&mut self) -> io::Result<Option<RxJsonRpcMessage<RoleServer>>> {
        loop {
            if let Some(refusing) = &mut self.refusing {
                let refused = refusing.await;
                self.refusing = None;
                refused?;
            }
            match self.line() {
                Some(Said::Message(message)) => match self.taken(&message) {
                    Some(id) => self.refuse(malformed::taken(id)),
                    None => return Ok(Some(message)),
                },
                Some(Said::Refused(error)) => self.refuse(error),
                None if self.fill().await? == 0 => return Ok(None),
                Some(Said::Nothing) | None => {}
            }
        }
    }

    fn refuse(&mut self, error: JsonRpcError) {
        let answer = TxJsonRpcMessage::<RoleServer>::Error(error);
        self.refusing = Some(self.output.send(answer).boxed());
    }

    /// The identifier of a request, when another one has it that is not answered yet.
    fn taken(&mut self, message: &RxJsonRpcMessage<RoleServer>) -> Option<RequestId> {
        match message {
            JsonRpcMessage::Request(request) => {
                (!self.asked.insert(request.id.clone())).then(|| request.id.clone())
            }
            JsonRpcMessage::Notification(notification) => {
                // What is given up may never be answered.
                if let ClientNotification::CancelledNotification(given_up) = &notification.notification
                    && let Some(id) = &given_up.params.request_id
                {
                    self.asked.remove(id);
                }
                None
            }
            _ => None,
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        if self.read.is_empty() && self.read.capacity() > PIECE {
            self.read = BytesMut::new();
        }
        self.read.reserve(PIECE);
        self.input.read_buf(&mut self.read).await
    }

    /// What the next line says, if it has been read to its end.
    fn line(&mut self) -> Option<Said> {
        let end = self.read[self.searched..].iter().position(|byte| *byte == b'\n');
        let (length, ended) = match end {
            Some(end) => (self.searched + end, true),
            None => (self.read.len(), false),
        };
        self.searched = length;
        if length > self.most || self.too_long.is_some() {
            self.too_long.get_or_insert_default().push(&self.read[..length]);
            self.forget(length);
        }
        if !ended {
            return None;
        }
        let said = match self.too_long.take() {
            Some(outline) => malformed::too_long(&outline, self.most),
            None => parse(&self.read[..self.searched]),
        };
        self.forget(self.searched + 1);
        Some(said)
    }

    fn forget(&mut self, bytes: usize) {
        self.read.advance(bytes);
        self.searched = 0;
    }
}

fn parse(line: &[u8]) -> Said {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    if line.trim_ascii().is_empty() { Said::Nothing } else { malformed::read(line) }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        match &item {
            JsonRpcMessage::Response(answer) => _ = self.asked.remove(&answer.id),
            JsonRpcMessage::Error(JsonRpcError { id: Some(id), .. }) => _ = self.asked.remove(id),
            _ => {}
        }
        self.output.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let received = self.next().await.unwrap_or_else(|error| {
            tracing::error!("the client can no longer be heard: {error}");
            None
        });
        if received.is_none() {
            self.closing.cancel();
        }
        received
    }

    async fn close(&mut self) -> io::Result<()> {
        self.output.close().await
    }
}

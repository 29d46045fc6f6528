//! A standard stream, polled where that is possible.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

/// What is read from.
pub(super) enum Reader {
    Pipe(pipe::Receiver),
    Socket(UnixStream),
    /// A file or terminal, read by a thread.
    Other(tokio::fs::File),
}

/// What is written to.
pub(super) enum Writer {
    Pipe(pipe::Sender),
    Socket(UnixStream),
    Other(tokio::fs::File),
}

enum Kind {
    Pipe,
    Socket,
    Other,
}

impl Reader {
    /// Reads from a stream by a descriptor of our own.
    pub(super) fn of(stream: &impl AsFd) -> io::Result<Self> {
        let (fd, kind) = examine(stream)?;
        Ok(match kind {
            Kind::Pipe => match pipe::OpenOptions::new().open_receiver(again(&fd)) {
                Ok(receiver) => Self::Pipe(receiver),
                Err(_) => Self::Pipe(pipe::Receiver::from_owned_fd(fd)?),
            },
            Kind::Socket => Self::Socket(socket(fd)?),
            Kind::Other => Self::Other(File::from(fd).into()),
        })
    }
}

impl Writer {
    /// Writes to a stream by a descriptor of our own.
    pub(super) fn of(stream: &impl AsFd) -> io::Result<Self> {
        let (fd, kind) = examine(stream)?;
        Ok(match kind {
            Kind::Pipe => match pipe::OpenOptions::new().open_sender(again(&fd)) {
                Ok(sender) => Self::Pipe(sender),
                Err(_) => Self::Pipe(pipe::Sender::from_owned_fd(fd)?),
            },
            Kind::Socket => Self::Socket(socket(fd)?),
            Kind::Other => Self::Other(File::from(fd).into()),
        })
    }
}

fn examine(stream: &impl AsFd) -> io::Result<(OwnedFd, Kind)> {
    let file = File::from(stream.as_fd().try_clone_to_owned()?);
    let found = file.metadata()?.file_type();
    let kind = match (found.is_fifo(), found.is_socket()) {
        (true, _) => Kind::Pipe,
        (_, true) => Kind::Socket,
        _ => Kind::Other,
    };
    Ok((file.into(), kind))
}

/// Where a pipe can be opened once more. Whether reading waits is a property of what was opened, not of a
/// descriptor, and with the same pipe as stderr we would otherwise lose what is said there.
fn again(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn socket(fd: OwnedFd) -> io::Result<UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(fd);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Pipe(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Socket(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Other(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Pipe(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Socket(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Other(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Pipe(stream) => Pin::new(stream).poll_flush(context),
            Self::Socket(stream) => Pin::new(stream).poll_flush(context),
            Self::Other(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Pipe(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Socket(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Other(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

//! What commands on this machine ask a daemon, over a socket in the file system.
//!
//! Nobody but the owner of the store can open the socket, so nobody has to show a key. Whoever connects is told in one
//! line that they are heard, says in one line what they want, with the folder and the environment that they were started
//! in, and gets a line back. A client of the protocol for AI clients then speaks that, as if the command itself served it.
//! A daemon that is stopped or stuck hears nobody: whoever asks it knows that it has been told of nothing.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use aa_run::caller::Caller;
use aa_run::driver::Park;
use aa_run::engine::{Engine, Inputs, RunRequest};
use aa_run::event::{Origin, RunId};
use aa_run::persona::Choice;
use aa_spec::check::Strictness;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::http::Closing;
use crate::mcp::{self, Options};

/// AI clients that are served at once, and others that are heard at once: who stays long takes no place from who wants a run.
const MOST: usize = 256;
/// How long the first line may take to come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a daemon may take to say that it hears, and then to do what is wanted; `docs/daemon.md` says so.
const HEARS: Duration = Duration::from_secs(5);
const DOES: Duration = Duration::from_secs(30);
/// The longest first line: inputs of a run, and an environment.
const LINE: u64 = 16 << 20;
/// How long conversations may take to hear that the daemon ends.
const FAREWELL: Duration = Duration::from_secs(1);
/// The longest path that a socket can have on every system.
const PATH: usize = 100;
/// Daemon and command understand each other when they are the same.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a command wants.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "want")]
pub enum Wish {
    /// To speak the protocol for AI clients from the next line on.
    Mcp {
        /// What the client sees at first.
        choice: Choice,
        /// Whether the skills extension is spoken.
        skills_extension: bool,
    },
    /// A run.
    Start(Start),
    /// That a run is gone on with.
    Resume {
        /// Which.
        run: RunId,
    },
}

/// A run that is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    /// Name of a skill, or a path to its file.
    pub skill: String,
    /// Inputs as values.
    pub json: Map<String, Value>,
    /// Inputs as texts, which win over them.
    pub text: Vec<(String, String)>,
    /// Nothing is changed.
    pub dry_run: bool,
    /// The plan that was agreed to.
    pub plan_hash: Option<String>,
    /// The key of a request that may come twice.
    pub request_key: Option<String>,
    /// Whether unknown names are only warned of.
    pub lenient: bool,
}

/// What stands in the first line.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    version: String,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
    wish: Wish,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is so; a run that was begun or gone on with has this number.
    Done(Option<RunId>),
    /// It is not, and why.
    Refused(String),
}

/// Why a daemon has given no answer.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    /// It has not been told what is wanted, or has gone without it: nothing comes of it.
    #[error("the daemon does not answer: {0}")]
    Unheard(io::Error),
    /// It has been told, and may still do it.
    #[error("the daemon has heard it, and has not said what became of it: {0}")]
    Unknown(io::Error),
}

/// Asks a daemon for something, as if from a folder and an environment. Gives its answer, and the connection.
///
/// # Errors
/// There is no daemon at that socket, or it does not answer in time.
pub fn ask(
    socket: &Path,
    (folder, environment): (&Path, &BTreeMap<String, String>),
    wish: Wish,
) -> Result<(Answer, BufReader<BlockingStream>), Silence> {
    let patience = if matches!(wish, Wish::Mcp { .. }) { HEARS } else { DOES };
    let line = Line {
        version: VERSION.to_owned(),
        folder: folder.to_owned(),
        environment: environment.clone(),
        wish,
    };
    let stream = BlockingStream::connect(socket).map_err(Silence::Unheard)?;
    let mut reader = BufReader::new(stream);
    let first = hear(&mut reader, HEARS).map_err(Silence::Unheard)?;
    if matches!(first, Answer::Refused(_)) {
        return Ok((first, reader));
    }
    say(reader.get_ref(), &line).map_err(Silence::Unheard)?;
    let answer = hear(&mut reader, patience).map_err(Silence::Unknown)?;
    // From now on it may be silent for as long as it likes.
    reader.get_ref().set_read_timeout(None).map_err(Silence::Unknown)?;
    Ok((answer, reader))
}

/// Whether a daemon takes a connection, and does not say in time that it hears. One that takes none is about to end, or gone.
pub fn is_deaf(socket: &Path) -> bool {
    let Ok(stream) = BlockingStream::connect(socket) else { return false };
    let heard = hear(&mut BufReader::new(stream), HEARS);
    heard.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// Says what is wanted. What was not said to its end is no line, and comes to nothing.
fn say(mut stream: &BlockingStream, line: &Line) -> io::Result<()> {
    stream.set_write_timeout(Some(HEARS))?;
    stream.write_all(format!("{}\n", serde_json::to_string(line)?).as_bytes())?;
    stream.set_write_timeout(None)
}

/// What a daemon says, within some time.
fn hear(reader: &mut BufReader<BlockingStream>, patience: Duration) -> io::Result<Answer> {
    reader.get_ref().set_read_timeout(Some(patience))?;
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has hung up")),
        Ok(_) => Ok(serde_json::from_str(&line)?),
        // So the system calls it.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let seconds = patience.as_secs();
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("it has said nothing for {seconds} seconds")))
        }
        Err(error) => Err(error),
    }
}

/// Serves an AI client over a connection of this process, as a daemon would. Needs a runtime.
///
/// # Errors
/// Nobody speaks the protocol at the other end.
pub async fn serve_here(engine: &Engine, options: &Options, stream: BlockingStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let (read, write) = UnixStream::from_std(stream)?.into_split();
    mcp::task::go_on_with_all(engine);
    let stop = std::future::pending();
    Box::pin(mcp::serve_over(engine, options, (tokio::io::BufReader::new(read), write), stop)).await
}

/// A socket that commands find a daemon at.
#[derive(Debug)]
pub struct Local {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl Local {
    /// Listens at a path, which only the owner can use. What is left there is a dead one's: whoever calls this
    /// holds the daemon's lock. Needs a runtime.
    ///
    /// # Errors
    /// The path cannot be used.
    pub fn listen(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() > PATH {
            return Err(io::Error::other(format!("its path is longer than {PATH} bytes")));
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        let owner = std::fs::metadata(path)?.uid();
        Ok(Self { listener, path: path.to_owned(), owner })
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // One that is left behind is a dead one's.
        let _left = std::fs::remove_file(&self.path);
    }
}

/// What all conversations have in common.
#[derive(Debug)]
pub(crate) struct Talk {
    engine: Engine,
    closing: Closing,
    message_bytes: usize,
    /// Places of those who say what they want, and of AI clients that are served.
    hearing: Arc<Semaphore>,
    serving: Arc<Semaphore>,
}

/// An AI client that is to be served, in its surroundings.
struct Client {
    engine: Engine,
    options: Options,
    _place: OwnedSemaphorePermit,
}

impl Talk {
    pub(crate) fn new(engine: &Engine, closing: &Closing, message_bytes: usize) -> Arc<Self> {
        let places = || Arc::new(Semaphore::new(MOST));
        let (engine, closing) = (engine.clone(), closing.clone());
        Arc::new(Self { engine, closing, message_bytes, hearing: places(), serving: places() })
    }

    /// Takes connections; never ends.
    pub(crate) async fn listen(self: &Arc<Self>, local: Option<&Local>) {
        let Some(local) = local else { return std::future::pending().await };
        loop {
            match local.listener.accept().await {
                Ok((stream, _)) if stream.peer_cred().is_ok_and(|peer| peer.uid() == local.owner) => {
                    let talk = Arc::clone(self);
                    tokio::spawn(async move {
                        if let Err(error) = Box::pin(talk.converse(stream)).await {
                            tracing::debug!("a command was not served: {error}");
                        }
                    });
                }
                Ok(_) => tracing::warn!("somebody else has tried to use the socket"),
                Err(error) => {
                    tracing::warn!("no connection can be taken: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Waits until every conversation has heard that the daemon ends, but not long.
    pub(crate) async fn ended(&self) {
        let all = u32::try_from(MOST).unwrap_or(u32::MAX);
        let both = async { tokio::join!(self.hearing.acquire_many(all), self.serving.acquire_many(all)) };
        let _told = timeout(FAREWELL, both).await;
    }

    async fn converse(&self, stream: UnixStream) -> io::Result<()> {
        let (read, mut write) = stream.into_split();
        let Ok(place) = Arc::clone(&self.hearing).try_acquire_owned() else {
            return reply(&mut write, &Answer::Refused(full("commands"))).await;
        };
        reply(&mut write, &Answer::Done(None)).await?;
        let mut read = tokio::io::BufReader::new(read);
        let mut text = String::new();
        timeout(PATIENCE, (&mut read).take(LINE).read_line(&mut text)).await??;
        let (answer, client) = match self.hear(&text, read.get_ref().as_ref()).await {
            Ok((run, client)) => (Answer::Done(run), client),
            Err(why) => (Answer::Refused(why), None),
        };
        drop(place);
        reply(&mut write, &answer).await?;
        let Some(Client { engine, options, _place }) = client else { return Ok(()) };
        let stop = self.closing.streams.cancelled();
        Box::pin(mcp::serve_over(&engine, &options, (Heard(read), write), stop)).await
    }

    /// Does what is wanted; gives the run that it is about, or what an AI client is served with.
    async fn hear(&self, text: &str, from: &UnixStream) -> Result<(Option<RunId>, Option<Client>), String> {
        let line: Line =
            serde_json::from_str(text).map_err(|error| format!("it is not understood: {error}"))?;
        if line.version != VERSION {
            return Err(format!(
                "the daemon is of version {VERSION}; `aa daemon restart` starts the newer one"
            ));
        }
        let engine = self.engine.in_surroundings(&line.folder, line.environment.into());
        let engine = engine.map_err(|error| crate::mcp::trouble::reasons(&error))?;
        // Whoever has given up may have asked somebody else, or may ask again.
        if is_gone(from) {
            return Err("it has gone before it was heard".to_owned());
        }
        match line.wish {
            Wish::Mcp { choice, skills_extension } => {
                let options = Options { choice, message_bytes: self.message_bytes, skills_extension };
                Ok((None, Some(self.client(&engine, options)?)))
            }
            Wish::Start(start) => {
                let engine = engine.for_caller(Caller::local(Origin::Cli)).linked_by_variable();
                let begun = Box::pin(engine.start(request(start))).await;
                Ok((Some(begun.map_err(|error| crate::mcp::trouble::reasons(&error))?.id), None))
            }
            Wish::Resume { run } => {
                let engine = engine.for_caller(Caller::local(Origin::Cli));
                let resumed = Box::pin(engine.resume(run, Park::Stay)).await;
                Ok((Some(resumed.map_err(|error| error.to_string())?.id), None))
            }
        }
    }

    /// Takes an AI client in.
    fn client(&self, engine: &Engine, options: Options) -> Result<Client, String> {
        if engine.drain().has_begun() {
            return Err("the daemon is about to end".to_owned());
        }
        let place = Arc::clone(&self.serving).try_acquire_owned().map_err(|_| full("AI clients"))?;
        Ok(Client { engine: engine.for_caller(Caller::local(Origin::Mcp)), options, _place: place })
    }
}

/// Why there is no place for one more.
fn full(of: &str) -> String {
    format!("the daemon is full: it has {MOST} {of} already")
}

async fn reply(stream: &mut OwnedWriteHalf, answer: &Answer) -> io::Result<()> {
    stream.write_all(format!("{}\n", serde_json::to_string(answer)?).as_bytes()).await
}

/// Whether whoever was at the other end has gone. The system is asked, since this process may just have been woken up, and
/// have heard of nothing that has happened meanwhile.
fn is_gone(stream: &UnixStream) -> bool {
    let mut looked = [PollFd::from_borrowed_fd(stream.as_fd(), PollFlags::empty())];
    // In doubt it is there.
    let _looked = poll(&mut looked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    looked[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// What an AI client says, for as long as it is there: what is still unread when it has hung up was given up, and may
/// have been asked of somebody else.
struct Heard(tokio::io::BufReader<OwnedReadHalf>);

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        if is_gone(self.0.get_ref().as_ref()) {
            return std::task::Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

fn request(start: Start) -> RunRequest {
    RunRequest {
        skill: start.skill,
        inputs: Inputs::Mixed { json: start.json, text: start.text },
        origin: Origin::Cli,
        dry_run: start.dry_run,
        plan_hash: start.plan_hash,
        request_key: start.request_key,
        strictness: Strictness { lenient: start.lenient, strict: false },
        // Whoever answers finds it driven.
        park: Park::Stay,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener as BlockingListener;

    use super::*;

    /// What comes of a wish when this is what the other end does.
    fn asked(other: impl FnOnce(&mut BufReader<BlockingStream>) + Send + 'static) -> Result<Answer, Silence> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = BlockingListener::bind(&path).unwrap();
        let there = std::thread::spawn(move || other(&mut BufReader::new(listener.accept().unwrap().0)));
        let answer = ask(&path, (folder.path(), &BTreeMap::new()), Wish::Resume { run: RunId(7) });
        let answer = answer.map(|(answer, _)| answer);
        there.join().unwrap();
        answer
    }

    fn tell(to: &mut BufReader<BlockingStream>, answer: &Answer) {
        writeln!(to.get_mut(), "{}", serde_json::to_string(answer).unwrap()).unwrap();
    }

    #[test]
    fn nothing_is_wanted_of_who_does_not_hear() {
        assert!(matches!(asked(|_| ()), Err(Silence::Unheard(_))));
        let full = asked(|other| {
            tell(other, &Answer::Refused("full".to_owned()));
            let mut said = String::new();
            other.read_line(&mut said).unwrap();
            assert_eq!(said, "");
        });
        assert!(matches!(full, Ok(Answer::Refused(why)) if why == "full"));
    }

    #[test]
    fn what_was_heard_may_come_to_something() {
        let heard = |answer: Option<Answer>| {
            asked(move |other| {
                tell(other, &Answer::Done(None));
                let mut said = String::new();
                other.read_line(&mut said).unwrap();
                assert!(said.contains("resume"), "{said}");
                if let Some(answer) = answer {
                    tell(other, &answer);
                }
            })
        };
        assert!(matches!(heard(None), Err(Silence::Unknown(_))));
        assert!(matches!(heard(Some(Answer::Done(Some(RunId(7))))), Ok(Answer::Done(Some(RunId(7))))));
    }

    #[tokio::test]
    async fn that_somebody_has_gone_is_known_at_once() {
        let (here, there) = UnixStream::pair().unwrap();
        assert!(!is_gone(&here));
        drop(there);
        assert!(is_gone(&here));
    }
}

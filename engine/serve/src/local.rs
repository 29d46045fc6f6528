//! What commands on this machine ask a daemon, over a socket in the file system.
//!
//! Nobody but the owner of the store can open the socket, so nobody has to show a key. Whoever connects says in one
//! line what they want, with the folder and the environment that they were started in, and gets a line back. A client
//! of the protocol for AI clients then speaks that, as if the command itself served it.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aa_run::caller::Caller;
use aa_run::driver::Park;
use aa_run::engine::{Engine, Inputs, RunRequest};
use aa_run::event::{Origin, RunId};
use aa_run::persona::Choice;
use aa_spec::check::Strictness;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::http::Closing;
use crate::mcp::{self, Options};

/// Connections at once.
const MOST: usize = 256;
/// How long the first line may take to come.
const PATIENCE: Duration = Duration::from_secs(10);
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

/// Asks a daemon for something, as if from a folder and an environment. Gives its answer, and the connection.
///
/// # Errors
/// There is no daemon at that socket, or it does not answer.
pub fn ask(
    socket: &Path,
    (folder, environment): (&Path, &BTreeMap<String, String>),
    wish: Wish,
) -> io::Result<(Answer, BufReader<BlockingStream>)> {
    let mut stream = BlockingStream::connect(socket)?;
    let line = Line {
        version: VERSION.to_owned(),
        folder: folder.to_owned(),
        environment: environment.clone(),
        wish,
    };
    stream.write_all(format!("{}\n", serde_json::to_string(&line)?).as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut answer = String::new();
    reader.read_line(&mut answer)?;
    Ok((serde_json::from_str(&answer)?, reader))
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
    places: Arc<Semaphore>,
}

impl Talk {
    pub(crate) fn new(engine: &Engine, closing: &Closing, message_bytes: usize) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(MOST));
        Arc::new(Self { engine: engine.clone(), closing: closing.clone(), message_bytes, places })
    }

    /// Takes connections; never ends.
    pub(crate) async fn listen(self: &Arc<Self>, local: Option<&Local>) {
        let Some(local) = local else { return std::future::pending().await };
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            match local.listener.accept().await {
                Ok((stream, _)) if stream.peer_cred().is_ok_and(|peer| peer.uid() == local.owner) => {
                    let talk = Arc::clone(self);
                    tokio::spawn(async move {
                        if let Err(error) = Box::pin(talk.converse(stream)).await {
                            tracing::debug!("a command was not served: {error}");
                        }
                        drop(place);
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
        let _told = timeout(FAREWELL, self.places.acquire_many(all)).await;
    }

    async fn converse(&self, stream: UnixStream) -> io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut read = tokio::io::BufReader::new(read);
        let mut text = String::new();
        timeout(PATIENCE, (&mut read).take(LINE).read_line(&mut text)).await??;
        let (answer, client) = match self.hear(&text).await {
            Ok((run, client)) => (Answer::Done(run), client),
            Err(why) => (Answer::Refused(why), None),
        };
        write.write_all(format!("{}\n", serde_json::to_string(&answer)?).as_bytes()).await?;
        match client {
            Some((engine, options)) => {
                let stop = self.closing.streams.cancelled();
                Box::pin(mcp::serve_over(&engine, &options, (read, write), stop)).await
            }
            None => Ok(()),
        }
    }

    /// Does what is wanted; gives the run that it is about, or what an AI client is served with.
    async fn hear(&self, text: &str) -> Result<(Option<RunId>, Option<(Engine, Options)>), String> {
        let line: Line =
            serde_json::from_str(text).map_err(|error| format!("it is not understood: {error}"))?;
        if line.version != VERSION {
            return Err(format!(
                "the daemon is of version {VERSION}; `aa daemon restart` starts the newer one"
            ));
        }
        let engine = self.engine.in_surroundings(&line.folder, line.environment.into());
        let engine = engine.map_err(|error| crate::mcp::trouble::reasons(&error))?;
        match line.wish {
            Wish::Mcp { choice, skills_extension } => {
                if engine.drain().has_begun() {
                    return Err("the daemon is about to end".to_owned());
                }
                let options = Options { choice, message_bytes: self.message_bytes, skills_extension };
                let engine = engine.for_caller(Caller::local(Origin::Mcp));
                Ok((None, Some((engine, options))))
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

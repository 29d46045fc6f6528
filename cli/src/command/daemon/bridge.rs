//! An AI client's messages handed on to the daemon, and on to whoever follows it.
//!
//! The client of `aa mcp` has started a process and means to keep it for hours; daemons are restarted meanwhile. When the
//! connection is lost, or the daemon does not answer any more, calls under way are answered with an error that says to call again, the daemon that follows is
//! looked for, and greeted as the client has greeted the one before it. When none comes, this process serves by itself.

mod lines;
mod talk;
mod watch;

use std::io::{self, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use aa_run::cause::cause;
use aa_run::settings::Settings;
use aa_serve::local::{self, Answer, Wish};

use self::lines::Lines;
use self::talk::{Talk, answers};
use self::watch::{Watch, Watched};
use super::files::Files;
use super::find::socket;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// How long a daemon is waited for when there is none, and when there is one that is about to be ready or about to end.
const GONE: Duration = Duration::from_secs(10);
const COMING: Duration = Duration::from_mins(1);
/// Time before it is looked again; twice as long each time.
const AT_FIRST: Duration = Duration::from_millis(50);
const AT_LAST: Duration = Duration::from_secs(1);

/// Whom to ask, and who serves when there is nobody.
pub(crate) struct Bridge<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) wish: Wish,
    pub(crate) context: &'a Context<'a>,
    /// The longest message.
    pub(crate) message_bytes: usize,
    /// Has this process serve the other end of a connection.
    pub(crate) alone: &'a dyn Fn(UnixStream) -> io::Result<()>,
}

/// A connection to whoever serves.
struct Link {
    from: BufReader<UnixStream>,
    /// None where this process serves by itself.
    _watch: Option<Watch>,
}

impl Bridge<'_> {
    /// Has the daemon serve whoever speaks on our stdin and stdout; none when it does not, and nothing was read.
    pub(crate) fn serve(&self) -> Option<Result<Exit, Failure>> {
        let talk = Arc::new(Talk::default());
        let link = self.daemon(&talk)?;
        Some(self.hand_on(&talk, link))
    }

    /// A connection to the daemon, if there is one that serves us.
    fn daemon(&self, talk: &Arc<Talk>) -> Option<Link> {
        let (folder, environment) = (&self.settings.folder, &self.settings.environment);
        let socket = socket(self.settings)?;
        match local::ask(&socket, (folder, environment), self.wish.clone()) {
            Ok((Answer::Done(_), from)) => {
                let watched = Watched { files: Files::of(self.settings), socket, talk: Arc::clone(talk) };
                let watch = watched.watch(from.get_ref()).ok()?;
                Some(Link { from, _watch: Some(watch) })
            }
            Ok((Answer::Refused(why), _)) => {
                self.context.printer.hint(format_args!("serves without the daemon: {why}"));
                None
            }
            Err(error) => {
                tracing::debug!("serves without the daemon: {error}");
                None
            }
        }
    }

    /// Hands on what is said in both directions, until the client has said its last.
    fn hand_on(&self, talk: &Arc<Talk>, mut link: Link) -> Result<Exit, Failure> {
        let failed = |error: io::Error| Failure::failed(format!("the client is gone: {}", cause(&error)));
        talk.begin(link.from.get_ref().try_clone().map_err(failed)?);
        let (heard, most) = (Arc::clone(talk), self.message_bytes);
        std::thread::spawn(move || heard.hear(&mut Lines::new(io::stdin().lock(), most)));
        loop {
            tell(talk, &mut Lines::new(&mut link.from, most)).map_err(failed)?;
            if talk.is_over() {
                return Ok(Exit::Ok);
            }
            let unanswered = talk.lose();
            self.context.printer.hint("the daemon has ended, or does not answer; the next one is looked for");
            say(&unanswered).map_err(failed)?;
            match self.next(talk).map_err(failed)? {
                Some(next) => link = next,
                None => return Ok(Exit::Ok),
            }
        }
    }

    /// Whoever serves from now on, after being greeted as the one before it was; none when the client has gone meanwhile.
    fn next(&self, talk: &Arc<Talk>) -> io::Result<Option<Link>> {
        let (start, mut pause) = (Instant::now(), AT_FIRST);
        while !talk.is_over() {
            let found = self.daemon(talk);
            if let Some(found) = found.and_then(|link| self.greeted(talk, link).ok()) {
                self.context.printer.hint("the next daemon serves");
                return Ok(Some(found));
            }
            let files = Files::of(self.settings);
            let is_there = files.is_claimed() && files.silent().is_none();
            if start.elapsed() >= if is_there { COMING } else { GONE } {
                self.context.printer.hint("no daemon answers any more, so this process serves by itself");
                let (ours, theirs) = UnixStream::pair()?;
                (self.alone)(theirs)?;
                let link = Link { from: BufReader::new(ours), _watch: None };
                return self.greeted(talk, link).map(Some);
            }
            sleep(pause);
            pause = (2 * pause).min(AT_LAST);
        }
        Ok(None)
    }

    /// Says what the client has said at first, and keeps the answer to itself when the client has one.
    fn greeted(&self, talk: &Talk, mut link: Link) -> io::Result<Link> {
        let mut to = link.from.get_ref().try_clone()?;
        let greeting = talk.greeting();
        if let Some(hello) = &greeting.hello {
            to.write_all(&hello.line)?;
        }
        if let Some(hello) = greeting.hello.as_ref().filter(|hello| hello.is_answered) {
            let mut lines = Lines::new(&mut link.from, self.message_bytes);
            loop {
                let line = lines.next()?.ok_or(io::ErrorKind::UnexpectedEof)?;
                if answers(&line, &hello.id) {
                    break;
                }
            }
        }
        greeting.ready.iter().try_for_each(|line| to.write_all(line))?;
        talk.begin(to);
        if greeting.ready.is_some() {
            say(talk::CHANGED)?;
        }
        Ok(link)
    }
}

/// Hands on what the daemon says, until it has said its last.
fn tell(talk: &Talk, lines: &mut Lines<impl io::BufRead>) -> io::Result<()> {
    // That it is gone is no failure of the client's, and what it has said by half is no message.
    while let Ok(Some(line)) = lines.next() {
        if !lines.is_cut_off(&line) {
            talk.answered(&line);
            say(&line)?;
        }
    }
    Ok(())
}

/// Says something to the client.
fn say(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()
}

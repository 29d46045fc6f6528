//! What a worker gives up before it runs anything.
//!
//! The interpreter has no way out that is known. Should one be found, the process it leads
//! into can open no file or socket, write to no file, gain no privilege, and, unless it is
//! root's, start no process. It keeps what it inherited: its user's rights over other
//! processes, and files that whoever started `aa` had left open for all its children.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::STACK;

/// Address space beside a block's memory: the program itself, its stack, what is on its way.
const OWN: usize = STACK + (512 << 20);

/// Since when the process has been running.
static STARTED: OnceLock<Instant> = OnceLock::new();

/// Gives up files, growth and privileges. `last` is the last file that was opened, so all
/// numbers below it are taken.
pub(super) fn shut(memory: usize, last: BorrowedFd<'_>) -> io::Result<()> {
    STARTED.get_or_init(Instant::now);
    let files = u64::try_from(last.as_raw_fd()).map_or(0, |number| number + 1);
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, files),
        (Resource::As, (OWN + memory.saturating_mul(2)) as u64),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    #[cfg(target_os = "linux")]
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}

/// Gives up other processes, once every thread of this one runs. The system counts those of
/// the same user, and lets root have any number.
pub(super) fn close() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _where_it_binds = setrlimit(Resource::Nproc, none);
}

/// Processor time for one more block, should the parent be in no state to stop it. A
/// process has used no more of it than the time it has been there.
pub(super) fn limit_processor(time: Duration) {
    let before = STARTED.get_or_init(Instant::now).elapsed();
    let most = (before + time).as_secs() + 5;
    let _backstop = setrlimit(Resource::Cpu, Rlimit { current: Some(most), maximum: None });
}

/// Ends the process when the other end of its socket closes, busy or not.
pub(super) fn die_with_parent() {
    let watch = || {
        let stdin = io::stdin();
        loop {
            let mut socket = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::empty())];
            let woken = rustix::event::poll(&mut socket, None);
            if woken.is_ok_and(|ready| ready > 0) {
                leave();
            }
        }
    };
    let _watching = thread::Builder::new().stack_size(64 << 10).spawn(watch);
}

#[expect(clippy::exit, reason = "nobody is left to tell")]
fn leave() -> ! {
    std::process::exit(0)
}

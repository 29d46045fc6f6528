//! A command's descendants, and their end.
//!
//! A daemon leaves its group but keeps its environment, so descendants are known by
//! group and by mark; and by their parents, when they are looked for while the command
//! lives. Finding them is the system's affair: see `family/linux.rs`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::ledger::Entry;

use self::system::{descendants, lives, members, remains, signal};

#[cfg(target_os = "linux")]
#[path = "family/linux.rs"]
mod system;

#[cfg(not(target_os = "linux"))]
#[path = "family/other.rs"]
mod system;

/// How often to look whether they have ended.
const LOOK: Duration = Duration::from_millis(5);

/// How long to look at most when nothing can be awaited.
const AT_ONCE: Duration = Duration::from_millis(100);

/// A command's process group and whatever else carries its mark. Dropped before all of
/// them have ended, it kills them.
pub(super) struct Family {
    leader: Option<Pid>,
    /// As in [`Member`], of the leader.
    born: u64,
    /// The leader has been waited for, so that its number may be another's.
    reaped: bool,
    started: std::time::Instant,
    leaders: Leaders,
    mark: String,
    /// Descendants that were seen before their parents were ended: afterwards nothing may tell whose they are.
    noted: Vec<Member>,
    entry: Entry,
    over: bool,
}

/// The commands of one launcher that have not been waited for yet: nobody's descendants.
/// Many commands at once would otherwise all be looked at whenever one of them ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaders(Arc<Mutex<HashSet<Pid>>>);

/// By what a process is known to belong to a command.
#[derive(Clone, Copy, Debug)]
struct Kin<'a> {
    /// The leader of the command's group.
    leader: Pid,
    /// As in [`Family`].
    born: u64,
    reaped: bool,
    /// For how long the command and what it left have lived.
    age: Duration,
    /// It is in its environment.
    mark: &'a String,
    /// As in [`Family`].
    noted: &'a [Member],
}

/// A living descendant of a command that has ended.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pid: Pid,
    /// When it came to be, as the system counts: what tells it from a later one of the same number.
    born: u64,
    /// The number of its process group.
    group: i32,
    name: String,
}

/// A process, told from all others that have had its number or will.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Process {
    pid: i32,
    /// As in [`Member`].
    born: u64,
    session: i32,
}

/// This process, and where its number counts.
#[derive(Clone, Debug)]
pub(super) struct Here {
    /// The running system, the space of process numbers in it, and when its process 1 came to be, where that can be seen.
    pub(super) system: String,
    pub(super) process: Process,
}

/// What has been found of commands that others have started.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) members: Vec<Member>,
    /// Who may be of them, or of somebody else: of a group whose leader is gone, so that its number may have become
    /// that of another group.
    pub(super) doubtful: Vec<Member>,
}

/// What is to be found of commands that others have started.
#[derive(Clone, Debug, Default)]
pub(super) struct Remains {
    /// One of these is in its environment.
    pub(super) marks: Vec<String>,
    /// The leaders of their groups.
    pub(super) groups: Vec<Process>,
}

/// What a number that was written down on some system says of the processes that live here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It counts here.
    Same,
    /// Nothing: all that lived there has ended with it.
    Gone,
    /// Nothing, and what lived there may live on.
    Elsewhere,
}

impl Here {
    /// What the numbers of a system say here. A space of process numbers ends with its process 1; what names it may be
    /// given to another one then, as when a container is started again.
    pub(super) fn place(&self, system: &str) -> Place {
        let words = |system: &'_ str| -> [Option<String>; 3] {
            let mut words = system.split(' ').map(ToOwned::to_owned);
            [words.next(), words.next(), words.next()]
        };
        let ([boot, space, first], ours) = (words(system), words(&self.system));
        let is_started_again = first.is_some() && ours[2].is_some() && first != ours[2];
        match (boot == ours[0], space == ours[1]) {
            (false, _) => Place::Gone,
            (true, true) if first == ours[2] => Place::Same,
            (true, true) if is_started_again => Place::Gone,
            (true, _) => Place::Elsewhere,
        }
    }
}

impl Process {
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }
}

impl Member {
    /// Whether it is this process itself.
    pub(super) fn is_self(&self) -> bool {
        self.pid().unsigned_abs() == std::process::id()
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_pid()
    }

    /// The number of its process group.
    pub(super) fn group(&self) -> i32 {
        self.group
    }

    fn is(&self, other: &Self) -> bool {
        (self.pid, self.born) == (other.pid, other.born)
    }
}

impl Found {
    pub(super) fn is_nobody(&self) -> bool {
        self.members.is_empty() && self.doubtful.is_empty()
    }
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.pid())
    }
}

impl Leaders {
    fn known(&self) -> MutexGuard<'_, HashSet<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contains(&self, pid: Pid) -> bool {
        self.known().contains(&pid)
    }
}

impl Family {
    pub(super) fn new(leader: Option<u32>, (mark, mut entry): (String, Entry), leaders: &Leaders) -> Self {
        let process = leader.and_then(Process::of);
        entry.started(process);
        let leader = leader.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        leaders.known().extend(leader);
        Self {
            leader,
            born: process.map_or(0, |process| process.born),
            reaped: false,
            started: std::time::Instant::now(),
            leaders: leaders.clone(),
            mark,
            noted: Vec::new(),
            entry,
            over: false,
        }
    }

    /// Says that the leader has been waited for: its number may soon be another's.
    pub(super) fn lost_leader(&mut self) {
        self.reaped = true;
        if let Some(leader) = self.leader {
            self.leaders.known().remove(&leader);
        }
    }

    /// Sends SIGTERM to the group. What has left it is asked when the command has ended: some commands end what they
    /// have started themselves, and in order.
    pub(super) fn ask_to_end(&mut self) {
        self.signal_group(Signal::TERM);
    }

    /// Sends SIGKILL to the group.
    pub(super) fn kill(&mut self) {
        self.signal_group(Signal::KILL);
    }

    /// Notes who descends from the command, for when its end has made orphans of them.
    pub(super) fn note(&mut self) {
        let Some(leader) = self.leader.filter(|_| !self.reaped) else { return };
        for member in descendants(leader) {
            if !self.noted.iter().any(|noted| noted.is(&member)) {
                self.noted.push(member);
            }
        }
    }

    /// Ends all that is left once the command has ended: gives it `linger` to end by
    /// itself, then `grace` after a SIGTERM. Returns the names of what had to be ended.
    pub(super) async fn sweep(&mut self, linger: Duration, grace: Duration) -> Vec<String> {
        let left = self.wait_gone(linger).await;
        let mut alive = left.clone();
        for wanted in [Signal::TERM, Signal::KILL] {
            if !alive.is_empty() {
                signal_all(&alive, wanted);
                alive = self.wait_gone(grace).await;
            }
        }
        self.over = true;
        if alive.is_empty() {
            self.entry.over();
        }
        left.into_iter().map(|member| member.name).collect()
    }

    /// Waits until nobody is left, for some time; returns who is.
    async fn wait_gone(&self, patience: Duration) -> Vec<Member> {
        let until = Instant::now() + patience;
        loop {
            let left = self.left();
            if left.is_empty() || Instant::now() >= until {
                return left;
            }
            // To look at all processes costs more than to look at these.
            while left.iter().any(lives) && Instant::now() < until {
                sleep(LOOK).await;
            }
        }
    }

    /// Kills all that is left without awaiting anything.
    fn end_at_once(&mut self) {
        self.kill();
        let until = std::time::Instant::now() + AT_ONCE;
        let mut was_empty = false;
        loop {
            let left = self.left();
            // A process that is just becoming another program has no environment to be read, so once is not enough.
            if left.is_empty() && was_empty {
                return self.entry.over();
            }
            was_empty = left.is_empty();
            signal_all(&left, Signal::KILL);
            if std::time::Instant::now() >= until {
                return;
            }
            std::thread::sleep(LOOK / 2);
        }
    }

    /// Signals the group, unless its number may be that of another one.
    fn signal_group(&mut self, signal: Signal) {
        self.note();
        if let Some(leader) = self.leader.filter(|_| !self.reaped) {
            // It fails when the group is gone, which is what is wanted.
            let _gone = rustix::process::kill_process_group(leader, signal);
        }
    }

    /// Who is left of it.
    fn left(&self) -> Vec<Member> {
        let Some(leader) = self.leader else { return Vec::new() };
        let (born, reaped, age) = (self.born, self.reaped, self.started.elapsed());
        members(Kin { leader, born, reaped, age, mark: &self.mark, noted: &self.noted }, &self.leaders)
    }
}

fn signal_all(members: &[Member], wanted: Signal) {
    for member in members {
        signal(member, wanted);
    }
}

/// Ends what others have started: asks it to, and kills it after a `grace`. Returns who had to be ended, and who lives
/// on. Who is doubtful is left alone.
pub(super) async fn end(remains: &Remains, grace: Duration) -> (Vec<Member>, Found) {
    let mut ended: Vec<Member> = Vec::new();
    for wanted in [Signal::TERM, Signal::KILL] {
        let until = Instant::now() + grace;
        let mut asked: HashSet<Pid> = HashSet::new();
        loop {
            let left = look(remains, &ended).await;
            if left.members.is_empty() {
                return (ended, left);
            }
            // What comes to be meanwhile has to end as well.
            for member in left.members.iter().filter(|member| asked.insert(member.pid)) {
                signal(member, wanted);
            }
            let news = left.members.into_iter().filter(|member| !ended.iter().any(|known| known.is(member)));
            ended.extend(news.collect::<Vec<_>>());
            if Instant::now() >= until {
                break;
            }
            sleep(LOOK).await;
        }
    }
    let left = look(remains, &ended).await;
    (ended, left)
}

/// Who is alive of what others have started; who was found before is `known` to be of it. A process that is just
/// becoming another program has no environment to be read, so that nobody is there only when two looks have found
/// nobody.
pub(super) async fn look(of: &Remains, known: &[Member]) -> Found {
    let found = remains(of, known);
    if !found.is_nobody() {
        return found;
    }
    sleep(LOOK).await;
    remains(of, known)
}

impl Drop for Family {
    fn drop(&mut self) {
        if !self.over {
            self.end_at_once();
        }
        self.lost_leader();
    }
}

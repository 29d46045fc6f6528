//! A command's descendants, and their end.
//!
//! A daemon leaves its group but keeps its environment, so descendants are known by
//! group and by mark. Finding them is the system's affair: see `family/linux.rs`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::ledger::Entry;

use self::system::{members, remains, signal};

#[cfg(target_os = "linux")]
#[path = "family/linux.rs"]
mod system;

#[cfg(not(target_os = "linux"))]
#[path = "family/other.rs"]
mod system;

/// How often to look whether they have ended.
const LOOK: Duration = Duration::from_millis(5);

/// A command's process group and whatever else carries its mark. Dropped while the
/// command runs, it kills the group.
pub(super) struct Family {
    leader: Option<Pid>,
    leaders: Leaders,
    mark: String,
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
    group: Option<Pid>,
    /// It is in its environment.
    mark: &'a String,
}

/// A living descendant of a command that has ended.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pid: Pid,
    /// When it came to be, as the system counts: what tells it from a later one of the same number.
    born: u64,
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
    /// The running system, and the space of process numbers in it.
    pub(super) system: String,
    pub(super) process: Process,
}

/// What is to be found of commands that others have started.
#[derive(Clone, Debug, Default)]
pub(super) struct Remains {
    /// One of these is in its environment.
    pub(super) marks: Vec<String>,
    /// The leaders of their groups.
    pub(super) groups: Vec<Process>,
}

impl Here {
    /// Whether a system is of the same start of the same machine.
    pub(super) fn is_of_boot(&self, system: &str) -> bool {
        let boot = |system: &str| system.split(' ').next().map(ToOwned::to_owned);
        boot(system) == boot(&self.system)
    }
}

impl Member {
    fn unseen(leader: &Process) -> Option<Self> {
        let pid = Pid::from_raw(leader.pid)?;
        Some(Self { pid, born: 0, name: "a process of somebody else".to_owned() })
    }

    /// Whether it is this process itself.
    pub(super) fn is_self(&self) -> bool {
        self.pid.as_raw_pid().unsigned_abs() == std::process::id()
    }
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.pid.as_raw_pid())
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
        entry.started(leader);
        let leader = leader.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        leaders.known().extend(leader);
        Self { leader, leaders: leaders.clone(), mark, entry, over: false }
    }

    /// Says that the leader has been waited for: its number may soon be another's.
    pub(super) fn lost_leader(&self) {
        if let Some(leader) = self.leader {
            self.leaders.known().remove(&leader);
        }
    }

    /// Sends SIGTERM to the group.
    pub(super) fn ask_to_end(&self) {
        self.signal_group(Signal::TERM);
    }

    /// Sends SIGKILL to the group.
    pub(super) fn kill(&self) {
        self.signal_group(Signal::KILL);
    }

    /// Ends all that is left once the command has ended: gives it `linger` to end by
    /// itself, then `grace` after a SIGTERM. Returns the names of what had to be ended.
    pub(super) async fn sweep(&mut self, linger: Duration, grace: Duration) -> Vec<String> {
        self.over = true;
        let left = self.wait_gone(linger).await;
        let mut alive = left.clone();
        for wanted in [Signal::TERM, Signal::KILL] {
            if !alive.is_empty() {
                alive.iter().for_each(|member| signal(member, wanted));
                alive = self.wait_gone(grace).await;
            }
        }
        if alive.is_empty() {
            self.entry.over();
        }
        left.into_iter().map(|member| member.name).collect()
    }

    /// Waits until nobody is left, for some time; returns who is.
    async fn wait_gone(&self, patience: Duration) -> Vec<Member> {
        let Some(leader) = self.leader else { return Vec::new() };
        let until = Instant::now() + patience;
        loop {
            let left = members(leader, self.kin(), &self.leaders);
            if left.is_empty() || Instant::now() >= until {
                return left;
            }
            sleep(LOOK).await;
        }
    }

    fn signal_group(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // It fails when the group is gone, which is what is wanted.
            let _gone = rustix::process::kill_process_group(leader, signal);
        }
    }

    fn kin(&self) -> Kin<'_> {
        Kin { group: self.leader, mark: &self.mark }
    }
}

/// Ends what others have started: asks it to, and kills it after a `grace`. Returns who had to be ended, and who lives
/// on.
pub(super) async fn end(remains: &Remains, grace: Duration) -> (Vec<Member>, Vec<Member>) {
    let mut ended: Vec<Member> = Vec::new();
    for wanted in [Signal::TERM, Signal::KILL] {
        let until = Instant::now() + grace;
        let mut asked: HashSet<Pid> = HashSet::new();
        loop {
            let left = look(remains).await;
            if left.is_empty() {
                return (ended, left);
            }
            // What comes to be meanwhile has to end as well.
            for member in left.iter().filter(|member| asked.insert(member.pid)) {
                signal(member, wanted);
            }
            let news = left.iter().filter(|member| ended.iter().all(|known| known.pid != member.pid));
            ended.extend(news.cloned().collect::<Vec<_>>());
            if Instant::now() >= until {
                break;
            }
            sleep(LOOK).await;
        }
    }
    (ended, look(remains).await)
}

/// Who is alive of what others have started. A process that is just becoming another program has no environment to be
/// read, so that nobody is there only when two looks have found nobody.
pub(super) async fn look(of: &Remains) -> Vec<Member> {
    let found = remains(of);
    if !found.is_empty() {
        return found;
    }
    sleep(LOOK).await;
    remains(of)
}

impl Drop for Family {
    fn drop(&mut self) {
        self.lost_leader();
        if !self.over {
            self.kill();
        }
    }
}

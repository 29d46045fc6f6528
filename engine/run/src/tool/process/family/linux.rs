//! Descendants on Linux, found through `/proc`.
//!
//! Only processes that are younger than the command can descend from it. So a command
//! that started no other process costs one read of `/proc/loadavg`, which holds the
//! number of the youngest process or thread.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::RangeInclusive;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::{Here, Kin, Leaders, Member, Process, Remains};

/// With more young processes than this it is cheaper to list `/proc`.
const MANY: u32 = 1024;

/// Who is alive of the group or carries the mark.
pub(super) fn members(leader: Pid, kin: Kin<'_>, leaders: &Leaders) -> Vec<Member> {
    let first = leader.as_raw_pid().unsigned_abs();
    match youngest() {
        Some(last) if last == first => Vec::new(),
        Some(last) if last > first && last - first <= MANY => members_among(first + 1..=last, kin, leaders),
        _ => members_in_all(kin),
    }
}

/// Who is alive of what was started: whoever carries one of the marks or is of one of the groups, and all that descends
/// from these. A group of which nothing can be seen, and which is there all the same, is one member.
pub(super) fn remains(of: &Remains) -> Vec<Member> {
    let all: Vec<Row> = pids().filter_map(Row::read).collect();
    let mut found: HashSet<i32> = all.iter().filter(|row| row.is_of(of)).map(Row::id).collect();
    loop {
        let before = found.len();
        found.extend(all.iter().filter(|row| found.contains(&row.parent)).map(Row::id).collect::<Vec<_>>());
        if found.len() == before {
            break;
        }
    }
    let hidden = of.groups.iter().filter(|group| is_hidden(group, &all)).filter_map(Member::unseen);
    let seen = all.iter().filter(|row| row.alive && found.contains(&row.id())).map(|row| row.member.clone());
    seen.chain(hidden).collect()
}

/// Whether a group is there although none of its processes can be seen: they are somebody else's.
fn is_hidden(group: &Process, all: &[Row]) -> bool {
    let leader = Pid::from_raw(group.pid);
    all.iter().all(|row| row.group != group.pid)
        && leader.is_some_and(|pid| rustix::process::test_kill_process_group(pid) == Err(Errno::PERM))
}

/// Sends a signal to a member, if it is still the same process.
pub(super) fn signal(member: &Member, wanted: Signal) {
    // With the handle, number and process cannot part between the look and the signal.
    let Ok(handle) = rustix::process::pidfd_open(member.pid, PidfdFlags::empty()) else { return };
    if Row::read(member.pid).is_some_and(|row| row.member.born == member.born) {
        let _gone = rustix::process::pidfd_send_signal(handle, wanted);
    }
}

impl Here {
    /// Where this process runs; nothing where the system does not say.
    pub(in super::super) fn look() -> Option<Self> {
        let boot = content("/proc/sys/kernel/random/boot_id").ok()?;
        let space = fs::read_link("/proc/self/ns/pid").ok()?;
        let system = format!("{} {}", String::from_utf8(boot).ok()?.trim(), space.display());
        Some(Self { system, process: Process::of(std::process::id())? })
    }
}

impl Process {
    /// The living process of a number.
    pub(in super::super) fn of(id: u32) -> Option<Self> {
        let row = Row::read(pid(id)?)?;
        Some(Self { pid: row.id(), born: row.member.born, session: row.session })
    }

    /// Whether it is the one that lives under its number.
    pub(in super::super) fn lives(&self) -> bool {
        let row = Pid::from_raw(self.pid).and_then(Row::read);
        row.is_some_and(|row| row.alive && row.member.born == self.born)
    }
}

/// What `/proc` tells of a process.
struct Row {
    member: Member,
    /// It runs, or could.
    alive: bool,
    parent: i32,
    group: i32,
    session: i32,
}

impl Row {
    fn read(pid: Pid) -> Option<Self> {
        let stat = content(&format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        // A name may hold anything, also spaces and parentheses.
        let (before, after) = stat.rsplit_once(')')?;
        let name = before.split_once('(')?.1.to_owned();
        let mut fields = after.split_whitespace();
        let alive = !matches!(fields.next()?, "Z" | "X");
        let mut number = || fields.next()?.parse::<i32>().ok();
        let (parent, group, session) = (number()?, number()?, number()?);
        let born = fields.nth(15)?.parse().ok()?;
        Some(Self { member: Member { pid, born, name }, alive, parent, group, session })
    }

    fn id(&self) -> i32 {
        self.member.pid.as_raw_pid()
    }

    /// Whether it is of what was started by itself, and not only because of whom it descends from. A number may have
    /// become another's; the session of a group has not.
    fn is_of(&self, of: &Remains) -> bool {
        let in_group = |leader: &Process| {
            leader.pid == self.group && leader.session == self.session && leader.born <= self.member.born
        };
        self.alive && (of.groups.iter().any(in_group) || is_marked(self.member.pid, &of.marks))
    }
}

fn members_among(ids: RangeInclusive<u32>, kin: Kin<'_>, leaders: &Leaders) -> Vec<Member> {
    let others = ids.filter_map(pid).filter(|pid| !leaders.contains(*pid));
    others.filter_map(|pid| find(pid, kin)).collect()
}

fn members_in_all(kin: Kin<'_>) -> Vec<Member> {
    pids().filter_map(|pid| find(pid, kin)).collect()
}

/// The numbers of all processes that can be seen.
fn pids() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(pid)
}

/// The process of that number, if it is alive and belongs to the family.
fn find(pid: Pid, kin: Kin<'_>) -> Option<Member> {
    let row = Row::read(pid)?;
    let of_group = kin.group.is_some_and(|leader| leader.as_raw_pid() == row.group);
    let belongs = row.alive && (of_group || is_marked(pid, std::slice::from_ref(kin.mark)));
    belongs.then_some(row.member)
}

fn is_marked(pid: Pid, marks: &[String]) -> bool {
    let Ok(environ) = content(&format!("/proc/{}/environ", pid.as_raw_pid())) else { return false };
    let has = |mark: &[u8]| environ.windows(mark.len()).any(|part| part == mark);
    marks.iter().any(|mark| has(mark.as_bytes()))
}

/// The number of the process or thread that was started last.
fn youngest() -> Option<u32> {
    let text = String::from_utf8(content("/proc/loadavg").ok()?).ok()?;
    text.split_whitespace().last()?.parse().ok()
}

/// What is in a file of `/proc`. Such files tell no size, and the standard library then
/// begins with small reads, each of which makes the kernel put the text together anew.
fn content(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(8 * 1024);
    File::open(path)?.take(u64::MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn pid(id: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(id).ok()?)
}

//! Descendants on Linux, found through `/proc`.
//!
//! Only processes that are younger than the command can descend from it. So a short
//! command that started no other process costs one read of `/proc/loadavg`, which holds
//! the number of the youngest process or thread.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::{Found, Here, Kin, Leaders, Member, Process, Remains};

/// With more young processes than this it is cheaper to list `/proc`.
const MANY: u32 = 1024;

/// In less time than this the system cannot have given away all its numbers and begun anew: a younger process has a
/// higher number.
const NO_TURN: Duration = Duration::from_millis(200);

/// Who is alive of the family.
pub(super) fn members(kin: Kin<'_>, leaders: &Leaders) -> Vec<Member> {
    match short_cut(&kin, youngest) {
        Some(ids) => members_among(ids, &kin, leaders),
        None => members_in_all(&kin, leaders),
    }
}

/// The numbers that the family of a command can have, if they are few and known.
fn short_cut(kin: &Kin<'_>, youngest: impl FnOnce() -> Option<u32>) -> Option<RangeInclusive<u32>> {
    if kin.age > NO_TURN || !kin.noted.is_empty() {
        return None;
    }
    let first = kin.leader.as_raw_pid().unsigned_abs();
    let last = youngest().filter(|last| (first..=first + MANY).contains(last))?;
    Some(first + u32::from(kin.reaped)..=last)
}

/// Who descends from a living process.
pub(super) fn descendants(of: Pid) -> Vec<Member> {
    let all = every_row();
    let found = with_descendants(&all, HashSet::from([of.as_raw_pid()]));
    let found = living(&all, &found).filter(|member| member.pid != of);
    found.collect()
}

/// Who is alive of what was started, all that descends from it among them, and who may be of it.
pub(super) fn remains(of: &Remains, known: &[Member]) -> Found {
    let all = every_row();
    let is_own = |row: &Row| known.iter().any(|known| known.is(&row.member)) || row.is_of(of);
    let own = all.iter().filter(|row| is_own(row)).map(Row::id).collect();
    let born = |pid: i32| Pid::from_raw(pid).and_then(Row::read).map(|row| row.member.born);
    let mut found = sort_out(&all, &of.groups, &own, born);
    let hidden = of.groups.iter().filter(|group| born(group.pid).is_none() && is_hidden(group, &all));
    found.doubtful.extend(hidden.filter_map(unseen));
    found
}

/// Tells whose groups are. The system gives nobody the number of a group that there is, so one is that of its leader
/// for as long as that one, or what is its `own` by something else, is in it; and it never is when its number is that of
/// another process. Otherwise nothing tells.
fn sort_out(
    all: &[Row],
    leaders: &[Process],
    own: &HashSet<i32>,
    born: impl Fn(i32) -> Option<u64>,
) -> Found {
    let is_anothers = |leader: &&Process| born(leader.pid).is_some_and(|born| born != leader.born);
    let has_own =
        |leader: &&Process| all.iter().any(|row| row.member.group == leader.pid && own.contains(&row.id()));
    let (ours, open): (Vec<_>, Vec<_>) =
        leaders.iter().filter(|leader| !is_anothers(leader)).partition(has_own);
    let in_ours = all.iter().filter(|row| ours.iter().any(|leader| row.is_in_group(leader))).map(Row::id);
    let found = with_descendants(all, own.iter().copied().chain(in_ours).collect());
    let is_open =
        |row: &&Row| open.iter().any(|leader| row.is_in_group(leader)) && !found.contains(&row.id());
    let doubtful = all.iter().filter(|row| row.alive).filter(is_open).map(|row| row.member.clone());
    Found { members: living(all, &found).collect(), doubtful: doubtful.collect() }
}

/// These processes, and all that descend from them.
fn with_descendants(all: &[Row], mut found: HashSet<i32>) -> HashSet<i32> {
    loop {
        let before = found.len();
        found.extend(all.iter().filter(|row| found.contains(&row.parent)).map(Row::id).collect::<Vec<_>>());
        if found.len() == before {
            return found;
        }
    }
}

fn living<'a>(all: &'a [Row], found: &'a HashSet<i32>) -> impl Iterator<Item = Member> + 'a {
    all.iter().filter(|row| row.alive && found.contains(&row.id())).map(|row| row.member.clone())
}

/// Whether a group is there although none of its processes can be seen: they are somebody else's.
fn is_hidden(group: &Process, all: &[Row]) -> bool {
    let leader = Pid::from_raw(group.pid);
    all.iter().all(|row| row.member.group != group.pid)
        && leader.is_some_and(|pid| rustix::process::test_kill_process_group(pid) == Err(Errno::PERM))
}

/// What stands for the processes of a group that cannot be seen.
fn unseen(leader: &Process) -> Option<Member> {
    let (pid, group) = (Pid::from_raw(leader.pid)?, leader.pid);
    Some(Member { pid, born: 0, group, name: "a process of somebody else".to_owned() })
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
        let first = Process::of(1).map(|first| format!(" {}", first.born)).unwrap_or_default();
        let system = format!("{} {}{first}", String::from_utf8(boot).ok()?.trim(), space.display());
        // What is mounted there may tell of another space of numbers than this process is in.
        let own = std::process::id();
        let is_ours = fs::read_link("/proc/self").ok()?.to_str() == Some(&own.to_string());
        is_ours.then(|| Process::of(own)).flatten().map(|process| Self { system, process })
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

/// Whether a member has not ended yet.
pub(super) fn lives(member: &Member) -> bool {
    Row::read(member.pid).is_some_and(|row| row.alive && row.member.is(member))
}

/// What `/proc` tells of a process.
struct Row {
    member: Member,
    /// It runs, or could.
    alive: bool,
    parent: i32,
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
        Some(Self { member: Member { pid, born, group, name }, alive, parent, session })
    }

    fn id(&self) -> i32 {
        self.member.pid.as_raw_pid()
    }

    /// Whether it is of what was started by itself, and not only because of its group or of whom it descends from.
    fn is_of(&self, of: &Remains) -> bool {
        let is_leader = |leader: &Process| (leader.pid, leader.born) == (self.id(), self.member.born);
        of.groups.iter().any(is_leader) || (self.alive && is_marked(self.member.pid, &of.marks))
    }

    /// Whether it can be of the group that a leader has begun: whoever is in it is of the same session, and not older.
    fn is_in_group(&self, leader: &Process) -> bool {
        (leader.pid, leader.session) == (self.member.group, self.session) && leader.born <= self.member.born
    }

    /// Whether it belongs to a family by its group or its mark. What is older than the command does not descend from
    /// it, and its environment need not be read.
    fn is_kin(&self, kin: &Kin<'_>) -> bool {
        let in_group = || self.member.group == kin.leader.as_raw_pid() && !kin.is_number_lost();
        let has_mark = || is_marked(self.member.pid, std::slice::from_ref(kin.mark));
        self.alive && kin.born <= self.member.born && (in_group() || has_mark())
    }
}

impl Kin<'_> {
    /// Whether the number of the group is another process's now, and so is the group.
    fn is_number_lost(&self) -> bool {
        self.reaped && Row::read(self.leader).is_some()
    }
}

fn members_among(ids: RangeInclusive<u32>, kin: &Kin<'_>, leaders: &Leaders) -> Vec<Member> {
    let rows = ids.filter_map(pid).filter(|pid| is_candidate(*pid, kin, leaders)).filter_map(Row::read);
    rows.filter(|row| row.is_kin(kin)).map(|row| row.member).collect()
}

/// As above, and with what descends from members.
fn members_in_all(kin: &Kin<'_>, leaders: &Leaders) -> Vec<Member> {
    let all = every_row();
    let is_noted = |row: &Row| kin.noted.iter().any(|noted| noted.is(&row.member));
    let is_kin =
        |row: &&Row| is_noted(row) || (is_candidate(row.member.pid, kin, leaders) && row.is_kin(kin));
    let found = with_descendants(&all, all.iter().filter(is_kin).map(Row::id).collect());
    living(&all, &found).collect()
}

/// Other commands that are not over yet are nobody's descendants.
fn is_candidate(pid: Pid, kin: &Kin<'_>, leaders: &Leaders) -> bool {
    pid == kin.leader || !leaders.contains(pid)
}

/// All processes that can be seen.
fn every_row() -> Vec<Row> {
    pids().filter_map(Row::read).collect()
}

/// The numbers of all processes that can be seen.
fn pids() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(pid)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A process of session 1: its number, its group, its parent, and when it came to be.
    fn row((id, group, parent, born): (i32, i32, i32, u64)) -> Row {
        let pid = Pid::from_raw(id).unwrap();
        Row { member: Member { pid, born, group, name: "x".to_owned() }, alive: true, parent, session: 1 }
    }

    /// Who is found, and who is doubtful, when process 10 has led a group since 100.
    fn sorted(all: &[Row], own: &[i32], holder: Option<u64>) -> (Vec<i32>, Vec<i32>) {
        let leader = Process { pid: 10, born: 100, session: 1 };
        let born = |pid| if pid == 10 { holder } else { None };
        let found = sort_out(all, &[leader], &own.iter().copied().collect(), born);
        let ids = |members: &[Member]| members.iter().map(Member::pid).collect();
        (ids(&found.members), ids(&found.doubtful))
    }

    #[test]
    fn a_group_is_that_of_its_leader_while_that_one_is_there() {
        let mut all = [(10, 10, 1, 100), (11, 10, 10, 101), (12, 12, 11, 102), (13, 13, 1, 103)].map(row);
        assert_eq!(sorted(&all, &[10], Some(100)), (vec![10, 11, 12], vec![]), "and what descends from it");
        all[0].alive = false;
        assert_eq!(sorted(&all, &[10], Some(100)), (vec![11, 12], vec![]), "nobody has waited for it yet");
    }

    #[test]
    fn a_group_whose_number_is_another_process_is_that_of_another() {
        let all = [(10, 10, 1, 200), (11, 10, 10, 201), (12, 10, 1, 202)].map(row);
        assert_eq!(sorted(&all, &[], Some(200)), (vec![], vec![]));
        assert_eq!(sorted(&all, &[12], Some(200)), (vec![12], vec![]), "but for what is known otherwise");
        assert_eq!(sorted(&all[1..], &[], Some(200)), (vec![], vec![]), "also when its number is a thread's");
    }

    #[test]
    fn a_group_without_a_leader_is_told_by_what_is_known_otherwise() {
        let all = [(11, 10, 1, 101), (12, 10, 11, 102), (13, 13, 12, 103)].map(row);
        assert_eq!(sorted(&all, &[], None), (vec![], vec![11, 12]));
        assert_eq!(sorted(&all, &[12], None), (vec![11, 12, 13], vec![]));
        assert_eq!(sorted(&all, &[13], None), (vec![13], vec![11, 12]), "that one is not in it");
    }

    #[test]
    fn who_is_older_or_of_another_session_is_not_of_a_group() {
        let mut all = [(11, 10, 1, 99), (12, 10, 1, 102)].map(row);
        all[1].session = 2;
        assert_eq!(sorted(&all, &[], None), (vec![], vec![]));
    }

    #[test]
    fn numbers_tell_who_is_younger_only_while_they_cannot_have_begun_anew() {
        let (mark, leader) = (String::new(), Pid::from_raw(100).unwrap());
        let noted = [row((7, 7, 1, 1)).member];
        let kin = |age, reaped, noted| Kin { leader, born: 1, reaped, age, mark: &mark, noted };
        let (soon, late) = (NO_TURN / 2, NO_TURN * 2);
        let cases = [
            (kin(soon, true, &[]), 100, Some((101, 100))),
            (kin(soon, true, &[]), 103, Some((101, 103))),
            (kin(soon, false, &[]), 103, Some((100, 103))),
            (kin(soon, true, &[]), 99, None),
            (kin(soon, true, &[]), 100 + MANY + 1, None),
            (kin(late, true, &[]), 100, None),
            (kin(late, true, &[]), 103, None),
            (kin(soon, true, &noted), 103, None),
        ];
        for (kin, last, expected) in cases {
            let ids = short_cut(&kin, || Some(last)).map(RangeInclusive::into_inner);
            assert_eq!(ids, expected, "{kin:?} {last}");
        }
    }
}

//! Descendants on Linux, found through `/proc`.
//!
//! Only processes that are younger than the command can descend from it. So a command
//! that started no other process costs one read of `/proc/loadavg`, which holds the
//! number of the youngest process or thread.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::RangeInclusive;

use rustix::process::{Pid, PidfdFlags, Signal};

use super::{Kin, Leaders, Member};

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

/// Who is alive and carries one of the marks, whoever has started it.
pub(super) fn marked(marks: &[String]) -> Vec<Member> {
    members_in_all(Kin { group: None, marks })
}

/// Sends a signal to a member, if it still is one.
pub(super) fn signal(kin: Kin<'_>, member: &Member, wanted: Signal) {
    // With the handle, number and process cannot part between the look and the signal.
    let Ok(handle) = rustix::process::pidfd_open(member.pid, PidfdFlags::empty()) else { return };
    if find(member.pid, kin).is_some() {
        let _gone = rustix::process::pidfd_send_signal(handle, wanted);
    }
}

fn members_among(ids: RangeInclusive<u32>, kin: Kin<'_>, leaders: &Leaders) -> Vec<Member> {
    let others = ids.filter_map(pid).filter(|pid| !leaders.contains(*pid));
    others.filter_map(|pid| find(pid, kin)).collect()
}

fn members_in_all(kin: Kin<'_>) -> Vec<Member> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(pid).filter_map(|pid| find(pid, kin)).collect()
}

/// The process of that number, if it is alive and belongs to the family.
fn find(pid: Pid, kin: Kin<'_>) -> Option<Member> {
    let stat = content(&format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (before, after) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let mut fields = after.split_whitespace();
    let alive = !matches!(fields.next()?, "Z" | "X");
    let group = fields.nth(1)?.parse::<i32>().ok()?;
    let of_group = kin.group.is_some_and(|leader| leader.as_raw_pid() == group);
    let belongs = alive && (of_group || is_marked(pid, kin.marks));
    belongs.then_some(Member { pid, name })
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

//! Descendants where there is no `/proc`: only the process group is known, and nothing of what others started.

use rustix::process::{Pid, Signal};

use super::{Found, Here, Kin, Leaders, Member, Process, Remains};

/// The group as one member, if anybody of it is alive.
pub(super) fn members(kin: Kin<'_>, _leaders: &Leaders) -> Vec<Member> {
    let group = kin.leader.as_raw_pid();
    let name = format!("process group {group}");
    let member = Member { pid: kin.leader, born: kin.born, group, name };
    if lives(&member) { vec![member] } else { Vec::new() }
}

/// Nobody: parents cannot be seen.
pub(super) fn descendants(_of: Pid) -> Vec<Member> {
    Vec::new()
}

/// Nobody: neither environments nor beginnings of processes can be read.
pub(super) fn remains(_of: &Remains, _known: &[Member]) -> Found {
    Found::default()
}

/// Whether anybody of the group has not ended yet.
pub(super) fn lives(member: &Member) -> bool {
    rustix::process::test_kill_process_group(member.pid).is_ok()
}

/// Sends a signal to the group.
pub(super) fn signal(member: &Member, wanted: Signal) {
    let _gone = rustix::process::kill_process_group(member.pid, wanted);
}

impl Here {
    /// Nothing is said that would tell a process from a later one of the same number.
    pub(in super::super) fn look() -> Option<Self> {
        None
    }
}

impl Process {
    pub(in super::super) fn of(_id: u32) -> Option<Self> {
        None
    }

    pub(in super::super) fn lives(&self) -> bool {
        true
    }
}

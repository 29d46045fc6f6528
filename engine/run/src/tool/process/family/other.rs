//! Descendants where there is no `/proc`: only the process group is known, and nothing of what others started.

use rustix::process::{Pid, Signal};

use super::{Here, Kin, Leaders, Member, Process, Remains};

/// The group as one member, if anybody of it is alive.
pub(super) fn members(leader: Pid, _kin: Kin<'_>, _leaders: &Leaders) -> Vec<Member> {
    match rustix::process::test_kill_process_group(leader) {
        Ok(()) => {
            vec![Member { pid: leader, born: 0, name: format!("process group {}", leader.as_raw_pid()) }]
        }
        Err(_) => Vec::new(),
    }
}

/// Nobody: neither environments nor beginnings of processes can be read.
pub(super) fn remains(_of: &Remains) -> Vec<Member> {
    Vec::new()
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

//! Descendants where there is no `/proc`: only the process group is known, and nothing of what others started.

use rustix::process::{Pid, Signal};

use super::{Kin, Leaders, Member};

/// The group as one member, if anybody of it is alive.
pub(super) fn members(leader: Pid, _kin: Kin<'_>, _leaders: &Leaders) -> Vec<Member> {
    match rustix::process::test_kill_process_group(leader) {
        Ok(()) => vec![Member { pid: leader, name: format!("process group {}", leader.as_raw_pid()) }],
        Err(_) => Vec::new(),
    }
}

/// Nobody: the environment of a process cannot be read.
pub(super) fn marked(_marks: &[String]) -> Vec<Member> {
    Vec::new()
}

/// Sends a signal to the group.
pub(super) fn signal(kin: Kin<'_>, _member: &Member, wanted: Signal) {
    if let Some(leader) = kin.group {
        let _gone = rustix::process::kill_process_group(leader, wanted);
    }
}

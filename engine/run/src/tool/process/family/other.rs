//! Descendants where there is no `/proc`: only the process group is known.

use rustix::process::{Pid, Signal};

use super::{Leaders, Member};

/// The group as one member, if anybody of it is alive.
pub(super) fn members(leader: Pid, _mark: &str, _leaders: &Leaders) -> Vec<Member> {
    match rustix::process::test_kill_process_group(leader) {
        Ok(()) => vec![Member { pid: leader, name: format!("process group {}", leader.as_raw_pid()) }],
        Err(_) => Vec::new(),
    }
}

/// Sends a signal to the group.
pub(super) fn signal(leader: Pid, _mark: &str, _member: &Member, wanted: Signal) {
    let _gone = rustix::process::kill_process_group(leader, wanted);
}

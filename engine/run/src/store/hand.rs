//! A thread that waits for the store that it will open and write.

use std::hint::black_box;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::{io, thread};

use rusqlite::Connection;

/// What opening a store needs, in bytes; an allocation of it is not yet given a mapping of its own.
const ROOM: usize = 120 << 10;

type Work = Box<dyn FnOnce() + Send>;

/// A thread that gets ready while it is found out where the store is. Without work it goes.
#[derive(Debug)]
pub struct Hand {
    work: SyncSender<Work>,
}

impl Hand {
    /// Starts the thread before it is known where the store is.
    ///
    /// # Errors
    /// There is no room for another thread.
    pub fn ahead() -> io::Result<Self> {
        Self::start(|| {
            make_room();
            // An empty database in memory touches what any database does.
            drop(Connection::open_in_memory());
        })
    }

    /// Starts the thread for a store that is to be opened now.
    pub(super) fn now() -> io::Result<Self> {
        Self::start(make_room)
    }

    fn start(prepare: fn()) -> io::Result<Self> {
        let (work, given) = sync_channel::<Work>(1);
        thread::Builder::new().name("aa-store".to_owned()).spawn(move || {
            prepare();
            if let Ok(work) = given.recv() {
                work();
            }
        })?;
        Ok(Self { work })
    }

    /// Gives it its work.
    pub(super) fn set_to(self, work: impl FnOnce() + Send + 'static) {
        // It waits for nothing else.
        let _ = self.work.send(Box::new(work));
    }
}

/// Has the allocator take at once what it would take page by page, by a call to the kernel each.
fn make_room() {
    drop(black_box(Vec::<u8>::with_capacity(ROOM)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_does_its_work_or_goes() {
        let (tell, told) = std::sync::mpsc::channel();
        for hand in [Hand::ahead(), Hand::now()] {
            let tell = tell.clone();
            hand.unwrap().set_to(move || tell.send(thread::current().name().map(str::to_owned)).unwrap());
            assert_eq!(told.recv().unwrap().as_deref(), Some("aa-store"));
        }
        drop(Hand::ahead().unwrap());
    }
}

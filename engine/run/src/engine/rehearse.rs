//! Tests of skills: found ([`files`]), made ready ([`case`]), run, judged ([`verdict`]), and
//! made from real runs ([`record`]).
//!
//! A test runs on the same machine and driver as any run, with a stage around it and a
//! journal in memory, so the store never hears of it.

mod case;
mod diff;
mod files;
mod memory;
mod record;
mod verdict;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use self::case::Case;
pub(super) use self::diff::diff;
pub use self::files::{StubFile, TestFile};
pub(super) use self::files::{stubs, tests};
pub use self::record::Recording;
pub(super) use self::record::record;
pub(super) use self::verdict::mismatch;
pub use self::verdict::{DiffLine, Fault, Judgement};

/// Runs the wanted tests, as many at once as there are processors.
pub(super) fn all(
    files: &[TestFile],
    wanted: &dyn Fn(&str) -> bool,
    done: &mut dyn FnMut(&Judgement),
) -> Vec<Judgement> {
    let cases: Vec<(&TestFile, &Case)> = files
        .iter()
        .flat_map(|file| file.cases.iter().map(move |case| (file, case)))
        .filter(|(_, case)| wanted(&case.test.name.value))
        .collect();
    let next = AtomicUsize::new(0);
    let mut verdicts = BTreeMap::new();
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(cases.len());
        for _ in 0..threads {
            let (sender, next, cases) = (sender.clone(), &next, &cases);
            scope.spawn(move || {
                let take = || next.fetch_add(1, Ordering::Relaxed);
                let mut index = take();
                while let Some((file, case)) = cases.get(index) {
                    // Whoever collects them is there until all have ended.
                    let _ = sender.send((index, try_one(file, case)));
                    index = take();
                }
            });
        }
        drop(sender);
        for (index, verdict) in receiver {
            done(&verdict);
            verdicts.insert(index, verdict);
        }
    });
    verdicts.into_values().collect()
}

/// Runs one test and judges it.
fn try_one(file: &TestFile, case: &Case) -> Judgement {
    let begun = Instant::now();
    let played = case.play();
    verdict::judge(file, case, &played, begun.elapsed())
}

//! What a hundred thousand schedules cost: read from files for the first time, from what is kept, and listed.
//!
//! `cargo bench -p aa-run --bench schedules`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use aa_run::engine::Engine;
use aa_run::event::Time;
use aa_run::settings::{Settings, Surroundings};

/// A file of a skill has room for about so many.
const PER_FILE: usize = 10_000;
const ZONES: [&str; 4] = ["Europe/Berlin", "America/New_York", "UTC", "Asia/Tokyo"];

fn main() {
    println!("{:>10} {:<24} {:>10} {:>12}", "schedules", "what", "time", "resident");
    for count in [100, 10_000, 100_000] {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("config/skills"), count);
        timed(count, "files, for the first time", || assert_eq!(read(root.path()), count));
        timed(count, "what is kept of them", || assert_eq!(read(root.path()), count));
        let (engine, now) = (engine(root.path()), Time::from_timestamp_millis(1_772_359_200_000).unwrap());
        timed(count, "listed", || assert_eq!(engine.schedules(now).unwrap().len(), count));
        timed(count, "one of them", || drop(engine.schedule("many_0.s00007", now).unwrap()));
    }
}

fn write(folder: &Path, count: usize) {
    fs::create_dir_all(folder).unwrap();
    for file in 0..count.div_ceil(PER_FILE) {
        let mut text = format!(
            "name: many_{file}\ndescription: Many\nsteps: [{{name: a, tool: sleep, args: {{seconds: 0}}}}]\nschedule:\n"
        );
        for number in 0..PER_FILE.min(count - file * PER_FILE) {
            let (minute, hour, zone) = (number % 60, number / 60 % 24, ZONES[number % 4]);
            writeln!(text, "  - {{name: s{number:05}, cron: \"{minute} {hour} * * *\", timezone: {zone}}}")
                .unwrap();
        }
        fs::write(folder.join(format!("many_{file}.yaml")), text).unwrap();
    }
}

fn engine(root: &Path) -> Engine {
    let variable = |name: &str, folder: &str| (name.to_owned(), root.join(folder).display().to_string());
    let environment =
        [variable("HOME", "home"), variable("AA_CONFIG_DIR", "config"), variable("AA_STATE_DIR", "state")];
    let folder = root.to_owned();
    let surroundings = Surroundings { folder, environment: environment.into(), store: None };
    Engine::new(Settings::resolve(&surroundings).unwrap())
}

fn read(root: &Path) -> usize {
    engine(root).schedule_book().unwrap().known.len()
}

fn timed(count: usize, what: &str, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    let time = start.elapsed();
    println!("{count:>10} {what:<24} {time:>10.1?} {:>8.1} MiB", resident());
}

/// Memory of this process now.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

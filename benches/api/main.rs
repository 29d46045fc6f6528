//! `cargo bench --bench api`: a skill of two steps started over HTTP while many listen to all that happens.
//!
//! Prints a table and gates nothing. Each row is the same load with another number of listeners; of the last, every
//! tenth does not read at all. `start` is from the request to its answer, when the run is on disk and has
//! begun; `heard` from the request to its end at one listener. Pass a number to run only the row with so many listeners.
//!
//! Then the same two steps are run by Prefect beside `aa`, in the same minutes; `start` is there from the request until the run has
//! begun. Pass `peer` to run only that.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints and may stop")]

mod listen;
mod prefect;
mod server;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use listen::{Heard, Listeners};
use server::Server;

/// Runs of a row.
const RUNS: usize = 2000;
/// Callers at once.
const CALLERS: usize = 8;
/// Listeners, and how many of a hundred do not read.
const ROWS: [(usize, usize); 4] = [(0, 0), (100, 0), (1000, 0), (1000, 10)];
/// How long the listeners may take to hear of the last run.
const PATIENCE: Duration = Duration::from_mins(2);

fn main() {
    let only = std::env::args().skip(1).find_map(|argument| argument.parse::<usize>().ok());
    if !std::env::args().any(|argument| argument == "peer") {
        loads(only);
    }
    if only.is_none() {
        beside();
    }
}

fn loads(only: Option<usize>) {
    println!(
        "{:>9} {:>6} {:>9} {:>10} {:>10} {:>10} {:>12} {:>9}",
        "listeners", "deaf", "runs/s", "start p50", "start p99", "heard p50", "messages/s", "memory"
    );
    for (listeners, deaf) in
        ROWS.into_iter().filter(|(listeners, _)| only.is_none_or(|only| only == *listeners))
    {
        row(listeners, deaf);
    }
}

/// We and Prefect in turns: before and after, so that a machine that becomes slower is seen.
fn beside() {
    println!("\n{:<20} {:>9} {:>12} {:>12}", "two steps", "runs/s", "start p50", "start p99");
    ours();
    prefect::rows();
    ours();
}

fn ours() {
    let server = Server::start();
    let one = Heard::follow(&server, RUNS);
    let began = Instant::now();
    let starts = asked(&server, &one);
    one.all(PATIENCE);
    said("aa", rate(RUNS, began), (quantile(&starts, 50), quantile(&starts, 99)));
}

/// A row of what is compared.
fn said(name: &str, per_second: f64, (p50, p99): (f64, f64)) {
    println!("{name:<20} {per_second:>9.1} {p50:>9.2} ms {p99:>9.2} ms");
}

/// Asks for all runs of a row, and gives how long each took to begin.
fn asked(server: &Server, one: &Heard) -> Vec<Duration> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let call = || {
            let mut client = server.client();
            let mut took = Vec::new();
            while next.fetch_add(1, Ordering::Relaxed) < RUNS {
                let asked = Instant::now();
                let run = client.run();
                took.push(asked.elapsed());
                one.asked(run, asked);
            }
            took
        };
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    })
}

fn row(count: usize, deaf: usize) {
    let server = Server::start();
    let listeners = Listeners::open(&server, count, deaf);
    let one = Heard::follow(&server, RUNS);
    let began = Instant::now();
    let starts = asked(&server, &one);
    let heard = one.all(PATIENCE);
    let per_second = rate(RUNS, began);
    let messages = rate(listeners.count(), began);
    println!(
        "{count:>9} {:>6} {per_second:>9.0} {:>7.2} ms {:>7.2} ms {:>7.2} ms {messages:>12.0} {:>5} MiB",
        count * deaf / 100,
        quantile(&starts, 50),
        quantile(&starts, 99),
        quantile(&heard, 50),
        server.memory() >> 10,
    );
}

/// So many a second.
fn rate(count: usize, since: Instant) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / since.elapsed().as_secs_f64()
}

/// In milliseconds.
fn quantile(of: &[Duration], percent: usize) -> f64 {
    let mut sorted: Vec<f64> = of.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default()
}

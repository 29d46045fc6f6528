//! `cargo bench --bench mcp`: the same trivial tool served by `aa` and by the usual libraries, asked by one plain
//! client, in one run.
//!
//! Prints tables and gates nothing. Rounds of the servers alternate and medians are compared, so that a busy machine
//! slows all of them. `floor` is an echo of lines (of requests) without any protocol. The other servers are where
//! `tests/servers/install` puts them; those that are not there are left out, and it is said. Pass a word to run
//! only the servers whose name contains it.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints and may stop")]

mod floor;
mod http;
mod peers;
mod stdio;

use std::time::{Duration, Instant};

use peers::{Peer, Project};

const ROUNDS: usize = 3;

/// Calls one after the other, for the time that one takes.
const ALONE: usize = 1000;

/// Calls with sixteen under way, for how many are done in a second.
const TOGETHER: usize = 4000;

const IN_FLIGHT: usize = 16;

/// What was measured of a server.
#[derive(Clone, Copy, Default)]
struct Figures {
    /// From the start of the process to the first list of tools.
    start_ms: f64,
    idle_mib: f64,
    p50_us: f64,
    p99_us: f64,
    per_second: f64,
}

fn main() {
    let mut args = std::env::args().skip(1).filter(|argument| argument != "--bench");
    match (args.next().as_deref(), args.next()) {
        (Some("floor-stdio"), _) => return floor::lines(),
        (Some("floor-http"), Some(port)) => return floor::requests(port.parse().unwrap()),
        _ => {}
    }
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let project = Project::new();
    let peers: Vec<Peer> = Peer::all().into_iter().filter(|peer| peer.wanted(filter.as_deref())).collect();
    table("stdio", &peers, |peer| stdio::measure(peer, &project));
    table("streamable HTTP", &peers, |peer| http::measure(peer, &project));
    if filter.is_none_or(|word| "aa".contains(&word)) {
        one_step(&project);
    }
}

fn table(title: &str, peers: &[Peer], measure: impl Fn(&Peer) -> Figures) {
    println!(
        "\n{title:<18} {:>12} {:>10} {:>11} {:>11} {:>12}",
        "first list", "idle", "p50", "p99", "16 at once"
    );
    let mut rounds = vec![Vec::new(); peers.len()];
    for _ in 0..ROUNDS {
        for (peer, figures) in peers.iter().zip(&mut rounds) {
            figures.push(measure(peer));
        }
    }
    for (peer, figures) in peers.iter().zip(rounds) {
        let of = |figure: fn(&Figures) -> f64| median(figures.iter().map(figure).collect());
        println!(
            "{:<18} {:>9.1} ms {:>6.1} MiB {:>8.1} µs {:>8.1} µs {:>10.0}/s",
            peer.name,
            of(|figures| figures.start_ms),
            of(|figures| figures.idle_mib),
            of(|figures| figures.p50_us),
            of(|figures| figures.p99_us),
            of(|figures| figures.per_second),
        );
    }
}

/// A call of a skill of one step, beside the process that the step starts.
fn one_step(project: &Project) {
    const CALLS: usize = 200;
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    let mut client = stdio::Client::start(project.aa(&["mcp", "--persona", "bench"]));
    client.greet();
    for round in 0..=CALLS {
        let began = Instant::now();
        client.call("skill_run", r#"{"skill_name":"one_step","inputs":{}}"#);
        let call = micros(began.elapsed());
        let began = Instant::now();
        assert!(std::process::Command::new("/bin/true").status().unwrap().success());
        let floor = micros(began.elapsed());
        // The first call reads the skill and opens the store.
        if round > 0 {
            ours.push(call);
            floors.push(floor);
        }
    }
    let (ours, floors) = (median(ours), median(floors));
    println!(
        "\na call of a skill of one step (`/bin/true`): {:.2} ms, its process alone: {:.2} ms, {:.2} ms more",
        ours / 1e3,
        floors / 1e3,
        (ours - floors) / 1e3
    );
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn median(values: Vec<f64>) -> f64 {
    quantile(values, 50)
}

fn quantile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

/// Memory of a process, in MiB.
fn memory(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

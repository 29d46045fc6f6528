//! What is looked up at the moment that somebody asks: what is open, free, waiting and late.

use std::fmt;
use std::fs;

use aa_run::engine::{Engine, Figures};
use chrono::Utc;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// The states of a run that is not over.
const OPEN: [&str; 2] = ["running", "waiting"];

/// Looks at the engine and at the process.
#[derive(Debug)]
pub(super) struct State {
    engine: Engine,
    calls: usize,
    started: i64,
}

impl State {
    pub(super) fn new(engine: &Engine) -> Self {
        let started = Utc::now().timestamp();
        Self { engine: engine.clone(), calls: engine.settings().calls, started }
    }
}

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let encoder = &mut encoder;
        let figures = self.engine.figures().inspect_err(|error| tracing::warn!("no figures: {error}"));
        gauge(encoder, "up", "Whether the store could be read", u64::from(figures.is_ok()))?;
        if let Ok(figures) = &figures {
            self.store(encoder, figures)?;
        }
        self.process(encoder)
    }
}

impl State {
    fn store(&self, encoder: &mut DescriptorEncoder, figures: &Figures) -> fmt::Result {
        let help = "Runs of the store that are not over, by how they stand";
        let mut family = encoder.encode_descriptor(
            "open_runs",
            help,
            None,
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        for state in OPEN {
            let runs = ConstGauge::new(figures.open_runs.get(state).copied().unwrap_or(0));
            runs.encode(family.encode_family(&[("status", state)])?)?;
        }
        let taken = self.calls.saturating_sub(figures.free_calls);
        gauge(encoder, "call_places_taken", "Tool calls under way in this process", taken as u64)?;
        gauge(encoder, "call_places", "Tool calls that this process makes at once", self.calls as u64)?;
        let waiting = figures.waiting_runs as u64;
        gauge(encoder, "runs_waiting_for_place", "Runs of clients that wait to be moved", waiting)?;
        let open = figures.open_breakers as u64;
        gauge(encoder, "breakers_open", "Hosts that are left alone as they do not answer", open)?;
        let deaf = figures.failing_listeners as u64;
        gauge(encoder, "listeners_failing", "Listeners that are wanted and do not work", deaf)?;
        let broken = figures.broken_files as u64;
        gauge(encoder, "files_broken", "Files of skills, modules and personas that have errors", broken)?;
        let late = figures.backlog.late_slots;
        gauge(encoder, "schedules_late", "Times of schedules that have not begun half a minute late", late)?;
        gauge(encoder, "notices_queued", "News for people that are not sent", figures.backlog.notices)?;
        let asked = figures.backlog.requests;
        gauge(encoder, "run_requests_queued", "Answers and the like that no process has taken in", asked)?;
        let help = "Size of the database with its log";
        encoder
            .encode_descriptor("store_size", help, Some(&Unit::Bytes), ConstGauge::new(0_u64).metric_type())
            .and_then(|metric| ConstGauge::new(figures.store_bytes).encode(metric))
    }

    fn process(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "When it started, in seconds since 1970";
        encoder
            .encode_descriptor(
                "process_start_time",
                help,
                Some(&Unit::Seconds),
                ConstGauge::new(0_i64).metric_type(),
            )
            .and_then(|metric| ConstGauge::new(self.started).encode(metric))?;
        let Some(process) = Process::read() else { return Ok(()) };
        let help = "Memory that the process has in use";
        encoder
            .encode_descriptor(
                "process_resident_memory",
                help,
                Some(&Unit::Bytes),
                ConstGauge::new(0_u64).metric_type(),
            )
            .and_then(|metric| ConstGauge::new(process.memory).encode(metric))?;
        let help = "Files and connections that are open";
        gauge(encoder, "process_open_files", help, process.files)
    }
}

fn gauge(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
    gauge.encode(metric)
}

/// What the system says of this process; only Linux has it where we look.
pub(super) struct Process {
    pub(super) memory: u64,
    files: u64,
}

impl Process {
    pub(super) fn read() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
        let files = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
        Some(Self { memory: kib * 1024, files })
    }
}

//! Spans on their way out: gathered, sent, and given up rather than waited for. No run waits for a collector.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aa_run::engine::Engine;
use aa_run::settings;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::span::{Span, request};

/// Spans that may wait.
const QUEUE: usize = 4096;
/// Spans of one request.
const BATCH: usize = 512;
/// How long spans are gathered.
const GATHER: Duration = Duration::from_secs(1);
/// How often it is tried to send some.
const TRIES: u32 = 3;
/// The same at the end: somebody waits for it.
const LAST_TRIES: u32 = 2;
/// Time before the second try; twice as long each time.
const AGAIN: Duration = Duration::from_millis(500);
/// How long the end may take.
const FAREWELL: Duration = Duration::from_secs(3);

/// The way out. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Exporter {
    queue: mpsc::Sender<Order>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Order {
    Send(Box<Span>),
    /// Send all there is, and say so, or why it is lost.
    End(oneshot::Sender<Sent>),
}

/// Why spans are lost, if they are.
type Sent = Result<(), String>;

/// Where to, and as what.
struct Out {
    engine: Engine,
    settings: settings::Traces,
    instance: String,
    lost: Arc<AtomicU64>,
}

impl Exporter {
    pub(super) fn start(engine: &Engine, settings: &settings::Traces) -> Self {
        let (queue, orders) = mpsc::channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let instance = engine.mark().unwrap_or_else(|_| std::process::id().to_string());
        let out =
            Out { engine: engine.clone(), settings: settings.clone(), instance, lost: Arc::clone(&lost) };
        tokio::spawn(send_all(out, orders));
        Self { queue, lost }
    }

    /// Takes a span; one too many is lost.
    pub(super) fn put(&self, span: Span) {
        if self.queue.try_send(Order::Send(Box::new(span))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends what is left.
    pub(super) async fn end(&self) -> Sent {
        let (done, ended) = oneshot::channel();
        let ending = async {
            let asked = self.queue.send(Order::End(done)).await;
            // Nobody sends anything any more when the runtime ends.
            if asked.is_ok() { ended.await.unwrap_or(Ok(())) } else { Ok(()) }
        };
        timeout(FAREWELL, ending).await.unwrap_or_else(|_| {
            tracing::warn!("the collector of traces takes too long; the last spans are lost");
            Err("it takes too long".to_owned())
        })
    }
}

async fn send_all(out: Out, mut orders: mpsc::Receiver<Order>) {
    let (mut spans, mut lost) = (Vec::new(), None);
    while let Some(order) = orders.recv().await {
        let mut end = take(&mut spans, order);
        let until = Instant::now() + GATHER;
        while end.is_none() && spans.len() < BATCH {
            match timeout_at(until, orders.recv()).await {
                Ok(Some(order)) => end = take(&mut spans, order),
                Ok(None) | Err(_) => break,
            }
        }
        let tries = if end.is_some() { LAST_TRIES } else { TRIES };
        let sent = out.send(std::mem::take(&mut spans), tries).await;
        lost = lost.or_else(|| sent.err());
        if let Some(end) = end {
            // Whoever has asked may not wait any more.
            let _ = end.send(lost.take().map_or(Ok(()), Err));
        }
    }
}

fn take(spans: &mut Vec<Span>, order: Order) -> Option<oneshot::Sender<Sent>> {
    match order {
        Order::Send(span) => {
            spans.push(*span);
            None
        }
        Order::End(end) => Some(end),
    }
}

impl Out {
    async fn send(&self, spans: Vec<Span>, tries: u32) -> Sent {
        let too_many = match self.lost.swap(0, Ordering::Relaxed) {
            0 => Ok(()),
            lost => {
                tracing::warn!("{lost} spans were lost: the collector of traces is too slow");
                Err(format!("it is too slow for {lost} spans"))
            }
        };
        if spans.is_empty() {
            return too_many;
        }
        let body = request(&self.settings.service, &self.instance, &spans).to_string();
        let mut pause = AGAIN;
        for attempt in 1.. {
            match self.engine.send_traces(&self.settings, body.clone()).await {
                Ok(()) => break,
                Err(why) if attempt >= tries => {
                    tracing::warn!("{} spans are lost, the collector of traces: {why}", spans.len());
                    return Err(why);
                }
                Err(_) => sleep(pause).await,
            }
            pause *= 2;
        }
        too_many
    }
}

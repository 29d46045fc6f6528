//! Many runs at once: each keeps its own order, and nothing acknowledged is lost.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_run_keeps_all_its_events_in_order(runs in prop::collection::vec(prop::collection::vec(1..5_u64, 0..8), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
        let store = open(folder.path());
        let written: Vec<(RunId, u64)> = runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for batches in runs.clone() {
                tasks.spawn(write_run(store.clone(), batches));
            }
            tasks.join_all().await
        });
        drop(store);
        let store = open(folder.path());
        prop_assert_eq!(store.runs(&RunFilter::default()).unwrap().len(), runs.len());
        for (run, count) in written {
            let events = store.events(run, 0).unwrap();
            prop_assert_eq!(events.len() as u64, count);
            for (event, seq) in events.iter().zip(0..) {
                prop_assert_eq!((event.seq, event.run_id), (seq, run));
                let expected = completed(json!({"run": run, "seq": seq}));
                prop_assert!(seq == 0 || event.body == expected);
            }
        }
    }
}

async fn write_run(store: Store, batches: Vec<u64>) -> (RunId, u64) {
    let lease = create(&store, "s").await;
    let mut next = 1;
    for size in batches {
        let events = (next..next + size)
            .map(|seq| event(lease.run, seq, completed(json!({"run": lease.run, "seq": seq}))));
        store.append(lease, events.collect(), Vec::new()).await.unwrap();
        next += size;
    }
    (lease.run, next)
}

/// Whoever looks at a run that ends meanwhile sees it over with all its events, or neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_is_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for _ in 0..20 {
        let lease = create(&store, "s").await;
        let looking = tokio::task::spawn_blocking({
            let store = store.clone();
            move || while !look(&store, lease.run) {}
        });
        for seq in 1..20 {
            let happened = vec![event(lease.run, seq, completed(json!(seq)))];
            store.append(lease, happened, Vec::new()).await.unwrap();
        }
        store.append(lease, vec![event(lease.run, 20, over())], Vec::new()).await.unwrap();
        looking.await.unwrap();
    }
}

/// Looks at a run once: whether it is over.
fn look(store: &Store, run: RunId) -> bool {
    let history = store.history(run).unwrap();
    let ended = matches!(history.events.last().unwrap().body, Body::SkillCompleted { .. });
    assert_eq!(history.run.events, history.events.len() as u64);
    assert_eq!(history.run.status == RunStatus::Completed, ended);
    ended
}

//! A store that is put back from a copy, and those who have listened to what came after it.

use super::*;
use crate::feed::Wanted;

#[tokio::test]
async fn a_cursor_from_before_the_store_was_put_back_is_refused() {
    let world = World::new();
    let greet = |engine: Engine| async move {
        let (_, outcome) = finish(engine.start(request("greet", json!({"who": "ann"}))).await.unwrap()).await;
        assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    };
    let copy = world.root.path().join("copy");
    let (first, second) = {
        let engine = world.engine();
        greet(engine.clone()).await;
        let first = engine.end().unwrap();
        engine.back_up(&copy).unwrap();
        greet(engine.clone()).await;
        let second = engine.end().unwrap();
        engine.hear(Wanted::default(), Some(second)).await.unwrap();
        (first, second)
    };
    assert!(!first.to_string().trim_start_matches(|letter: char| letter != '.')[1..].contains('.'));
    eventually_restored(&world, &copy).await;

    let engine = world.engine();
    // It grows past what was told before.
    greet(engine.clone()).await;
    greet(engine.clone()).await;
    for old in [first, second] {
        let refused = engine.hear(Wanted::default(), Some(old)).await.unwrap_err();
        assert!(refused.to_string().contains("from before this store was put back"), "{refused}");
    }
    let now = engine.end().unwrap();
    engine.hear(Wanted::default(), Some(now.to_string().parse().unwrap())).await.unwrap();
}

/// Puts the copy back once the engine before has let the store go.
async fn eventually_restored(world: &World, copy: &std::path::Path) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while let Err(error) = world.engine().restore(copy) {
        assert!(std::time::Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

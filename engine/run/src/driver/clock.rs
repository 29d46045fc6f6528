//! The time, as something that tests can hold in their hands.

use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;

use crate::event::Time;

/// How late a timer may be after somebody has set the clock.
const LONGEST_NAP: Duration = Duration::from_mins(1);

/// Tells the time, and waits for it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Time;
    /// Returns when `now` has reached this time.
    async fn sleep_until(&self, time: Time);
    /// What the driver does when it has nothing to do: returns when its next timer is due,
    /// if it has one. `running` calls have started and not been settled.
    async fn idle(&self, timer: Option<Time>, running: usize) {
        let _ = running;
        match timer {
            Some(time) => self.sleep_until(time).await,
            None => std::future::pending().await,
        }
    }
}

/// The clock on the wall.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

#[async_trait]
impl Clock for WallClock {
    fn now(&self) -> Time {
        Utc::now()
    }

    async fn sleep_until(&self, time: Time) {
        // The clock may be set while we sleep, so look again.
        while let Ok(left) = (time - self.now()).to_std()
            && !left.is_zero()
        {
            tokio::time::sleep(left.min(LONGEST_NAP)).await;
        }
    }
}

/// A time as events have it.
pub(crate) fn milliseconds(time: Time) -> Time {
    Time::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time)
}

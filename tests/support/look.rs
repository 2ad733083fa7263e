//! Looking again and again for what tells nobody that it has come: what another process does, what a thread of the proxy
//! has written, a clock that goes by itself. Never for what can be awaited.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks at something, as often as there is time for.
pub(crate) struct Looks {
    within: Duration,
    until: Instant,
}

impl Looks {
    /// From now on, for so long.
    pub(crate) fn within(within: Duration) -> Self {
        Self { within, until: Instant::now() + within }
    }

    /// Waits until it is time for another look.
    ///
    /// # Errors
    /// There is no more time.
    pub(crate) async fn again(&self) -> Result<(), String> {
        let next = Instant::now() + PAUSE;
        if next > self.until {
            return Err(format!("not seen within {:?}", self.within));
        }
        sleep_until(next).await;
        Ok(())
    }
}

//! Counts of a large instance that may be some seconds old: to count a million rows takes longer than a person waits
//! for a page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::clock::Timestamp;

/// Figures younger than this are shown as they are.
const FRESH: Duration = Duration::from_secs(10);
/// Figures younger than this are shown while a new count runs. A request for older ones waits for the new count.
const USABLE: Duration = Duration::from_secs(60);
/// The most keys whose figures are kept.
const MOST: usize = 256;

/// Counts, by key. A count that is due runs in the background, and the earlier figures are shown meanwhile. Cheap to
/// clone.
#[derive(Debug, Clone)]
pub struct StaleCache<V>(Arc<Mutex<HashMap<String, Figures<V>>>>);

#[derive(Debug)]
struct Figures<V> {
    counted_at: Timestamp,
    /// Absent while the first count runs.
    value: Option<V>,
    is_counting: bool,
}

impl<V> Default for StaleCache<V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<V: Clone + Send + 'static> StaleCache<V> {
    /// The figures of `key`. When none are young enough to be shown, `count` is run first.
    pub(crate) async fn get<Error: std::fmt::Display + Send + 'static>(
        &self,
        key: &str,
        now: Timestamp,
        count: impl Future<Output = Result<V, Error>> + Send + 'static,
    ) -> Result<V, Error> {
        let Some((Some(value), is_due)) = self.known(key, now) else {
            let value = count.await?;
            self.keep(key, now, value.clone());
            return Ok(value);
        };
        if is_due {
            self.count_behind(key, now, count);
        }
        Ok(value)
    }

    /// The figures of `key`, if some are young enough to be shown. Otherwise `count` runs in the background, and a
    /// later request gets the figures.
    pub(crate) fn soon<Error: std::fmt::Display + Send + 'static>(
        &self,
        key: &str,
        now: Timestamp,
        count: impl Future<Output = Result<V, Error>> + Send + 'static,
    ) -> Option<V> {
        let (value, is_due) = self.known(key, now).unwrap_or_else(|| {
            self.insert(key, Figures { counted_at: now, value: None, is_counting: true });
            (None, true)
        });
        if is_due {
            self.count_behind(key, now, count);
        }
        value
    }

    fn count_behind<Error: std::fmt::Display + Send + 'static>(
        &self,
        key: &str,
        now: Timestamp,
        count: impl Future<Output = Result<V, Error>> + Send + 'static,
    ) {
        let (recent, key) = (self.clone(), key.to_owned());
        tokio::spawn(async move {
            match count.await {
                Ok(value) => recent.keep(&key, now, value),
                Err(error) => {
                    tracing::warn!(%error, "figures could not be counted again");
                    recent.entries().remove(&key);
                }
            }
        });
    }

    /// The known figures, and whether the caller must start a new count.
    fn known(&self, key: &str, now: Timestamp) -> Option<(Option<V>, bool)> {
        let mut entries = self.entries();
        let figures = entries.get_mut(key).filter(|figures| figures.counted_at.is_recent(now, USABLE))?;
        let is_due = now.since(figures.counted_at) >= FRESH && !figures.is_counting;
        figures.is_counting |= is_due;
        Some((figures.value.clone(), is_due))
    }

    fn keep(&self, key: &str, counted_at: Timestamp, value: V) {
        self.insert(key, Figures { counted_at, value: Some(value), is_counting: false });
    }

    fn insert(&self, key: &str, figures: Figures<V>) {
        let mut entries = self.entries();
        if entries.len() >= MOST {
            entries.clear();
        }
        entries.insert(key.to_owned(), figures);
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<String, Figures<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn figures_are_counted_anew_behind_whoever_looks() {
        let recent = StaleCache::default();
        let at = |seconds: u64| Timestamp::from_millis(0).plus(Duration::from_secs(seconds));
        let counted = |value: u32| async move { Ok::<_, String>(value) };
        assert_eq!(recent.get("all", at(0), counted(1)).await.expect("counts"), 1);
        assert_eq!(recent.get("all", at(9), counted(2)).await.expect("counts"), 1, "fresh");
        assert_eq!(recent.get("team", at(9), counted(3)).await.expect("counts"), 3, "another question");
        assert_eq!(recent.get("all", at(20), counted(4)).await.expect("counts"), 1, "shown once more");
        while recent.known("all", at(20)).is_some_and(|(value, _)| value == Some(1)) {
            tokio::task::yield_now().await;
        }
        assert_eq!(recent.get("all", at(21), counted(5)).await.expect("counts"), 4);
        assert_eq!(recent.get("all", at(700), counted(6)).await.expect("counts"), 6, "too old to show");
    }

    #[tokio::test]
    async fn a_page_that_cannot_wait_gets_figures_later() {
        let recent = StaleCache::default();
        let now = Timestamp::from_millis(0);
        let counted = |value: u32| async move { Ok::<_, String>(value) };
        assert_eq!(recent.soon("all", now, counted(1)), None);
        assert_eq!(recent.soon("all", now, counted(2)), None, "one count is enough");
        while recent.known("all", now).is_some_and(|(value, _)| value.is_none()) {
            tokio::task::yield_now().await;
        }
        assert_eq!(recent.soon("all", now, counted(3)), Some(1));
    }
}

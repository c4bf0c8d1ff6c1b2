//! Fetches client metadata documents, at a bounded rate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::text::debug_as;
use crate::model::actor::Actor;
use crate::model::ports::{ClientAnswer, ClientFile, Fetch};

/// Within this time at most [`MOST_OF_ONE`] requests are sent to one host, at most as many for one person, and at most
/// [`MOST`] in all.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);

pub(crate) const MOST_OF_ONE: u32 = 10;

pub(crate) const MOST: u32 = 60;

/// Fetches documents, and counts the requests.
#[derive(Clone)]
pub struct ClientDocuments {
    fetch: Arc<dyn Fetch>,
    /// Requests for people who are signed in.
    by_people: Arc<Mutex<Asked>>,
    /// Requests that a program caused. Strangers can do that for a client that is known.
    by_programs: Arc<Mutex<Asked>>,
    /// Documents that could not be used for a program, and when: such a document is not asked for again at once.
    failed: Arc<Mutex<HashMap<String, Timestamp>>>,
}

/// The most failures that are remembered.
const MOST_FAILED: usize = 4096;

/// Requests of one window, by host and by person.
#[derive(Default)]
pub(crate) struct Asked {
    window: i64,
    total: u32,
    of_one: HashMap<String, u32>,
}

impl Asked {
    /// Whether one more request may be sent, which is counted for each of `limited`.
    pub(crate) fn may_ask(&mut self, limited: &[&str], now: Timestamp) -> bool {
        let window = now.millis().div_euclid(WINDOW.as_millis() as i64);
        if self.window != window {
            *self = Self { window, ..Self::default() };
        }
        let is_full = |one: &&str| self.of_one.get(*one).is_some_and(|count| *count >= MOST_OF_ONE);
        if self.total >= MOST || limited.iter().any(is_full) {
            return false;
        }
        self.total += 1;
        for one in limited {
            *self.of_one.entry((*one).to_owned()).or_default() += 1;
        }
        true
    }
}

impl ClientDocuments {
    pub(crate) fn new(fetch: Arc<dyn Fetch>) -> Self {
        Self { fetch, by_people: Arc::default(), by_programs: Arc::default(), failed: Arc::default() }
    }

    /// The document at `url`, asked for by `actor`, or by the client itself.
    ///
    /// # Errors
    ///
    /// What to tell the person: too many requests, or what went wrong with this one.
    pub(crate) async fn get(&self, actor: Option<&Actor>, url: &str, now: Timestamp) -> Result<ClientAnswer, String> {
        let limited: Vec<&str> = [host(url)].into_iter().chain(actor.map(Actor::id)).collect();
        let budget = if actor.is_some() { &self.by_people } else { &self.by_programs };
        let has_failed = actor.is_none() && self.has_failed(url, now);
        if has_failed || !budget.lock().unwrap_or_else(PoisonError::into_inner).may_ask(&limited, now) {
            return Err("It was asked for too often. Try again in a minute.".to_owned());
        }
        let answer = self.fetch.of_client(ClientFile::Document, url).await;
        answer.map_err(|problem| format!("It could not be fetched: {problem}."))
    }
}

impl ClientDocuments {
    /// Remembers that the document could not be used for a program.
    pub(crate) fn remember_failure(&self, url: &str, now: Timestamp) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= MOST_FAILED {
            failed.clear();
        }
        failed.insert(url.to_owned(), now);
    }

    fn has_failed(&self, url: &str, now: Timestamp) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get(url).is_some_and(|at| at.is_recent(now, WINDOW))
    }
}

debug_as!(ClientDocuments, "ClientDocuments");

/// The host of an address of a document, with its port if it is not the usual one.
pub fn host(url: &str) -> &str {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    rest.split(['/', '?']).next().unwrap_or_default()
}

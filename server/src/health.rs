//! `/healthz` and `/readyz`. The body of a 503 says in one word why the server is not ready; the log says more.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::error::Fault;
use tokio::sync::Mutex;

use crate::http::error;
use crate::state::{AppState, Shared};

/// How long a finding is believed, so that frequent questions cost the database nothing.
const BELIEVED: Duration = Duration::from_secs(1);
/// A clock that differs more from the database's is worth a warning.
const SUSPICIOUS_CLOCK: Duration = Duration::from_secs(5);
/// With a clock that differs more, tokens and assertions would be judged wrongly.
const WRONG_CLOCK: Duration = Duration::from_secs(30);

/// Why a server must not get requests. To add a reason, add a variant with its word, and find it in [`find`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotReady {
    /// The server was asked to stop.
    Stopping,
    /// Nothing can be read from the database, or nothing can be written to it.
    Database,
    /// The clock of this machine differs from the clock of the database.
    Clock,
    /// No signing key can be used.
    Key,
}

impl NotReady {
    /// The body of the answer.
    const fn word(self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::Database => "database",
            Self::Clock => "clock",
            Self::Key => "key",
        }
    }
}

/// The last finding.
#[derive(Debug, Default)]
pub(crate) struct Health {
    last: Mutex<Finding>,
}

/// What was found, and when.
#[derive(Debug, Clone, Copy, Default)]
struct Finding {
    at: Option<Instant>,
    reason: Option<NotReady>,
    /// Whether the clock differs so much that the log says it.
    clock_is_suspicious: bool,
}

impl Health {
    /// Why the server cannot exchange tokens; `None` when it can. A change is logged once.
    pub(crate) async fn reason(&self, state: &Shared) -> Option<NotReady> {
        // Other requests wait meanwhile, and get the same finding.
        let mut last = self.last.lock().await;
        if last.at.is_some_and(|at| at.elapsed() < BELIEVED) {
            return last.reason;
        }
        let result = find(state).await;
        let reason = result.as_ref().err().map(|(reason, _)| *reason);
        if last.reason != reason {
            match &result {
                Ok(_) => tracing::info!("the server is ready again"),
                Err((reason, detail)) => tracing::error!(reason = reason.word(), detail, "the server is not ready"),
            }
        }
        // While the database is away, nothing is known of the difference.
        if let Ok(difference) = result {
            let is_suspicious = difference > SUSPICIOUS_CLOCK;
            match (last.clock_is_suspicious, is_suspicious) {
                (false, true) => tracing::warn!(
                    difference = difference.as_secs(),
                    "the clock of this machine and the database's differ by so many seconds"
                ),
                (true, false) => tracing::info!("the clock of this machine and the database's agree again"),
                _ => {}
            }
            last.clock_is_suspicious = is_suspicious;
        }
        (last.at, last.reason) = (Some(Instant::now()), reason);
        reason
    }
}

/// Looks for a reason, with its details for the log. Without a reason: the difference between the clock of this machine
/// and the database's, in whole seconds.
async fn find(state: &Shared) -> Result<Duration, (NotReady, String)> {
    let context = &state.context;
    let database = |problem: &dyn std::fmt::Display| (NotReady::Database, problem.to_string());
    let before = context.now();
    let written = context.store.probe_write(before).await.map_err(|error| database(&error))?;
    let after = context.now();
    let mut difference = Duration::ZERO;
    if let Some(database_time) = written.filter(|_| state.compares_clocks) {
        // The question took a while. The database's clock was read at some moment of it.
        let (behind, ahead) = (database_time.since(after), before.since(database_time));
        context.metrics.clock_difference(behind, ahead);
        difference = Duration::from_secs(behind.max(ahead).as_secs());
        if difference > WRONG_CLOCK {
            let seconds = difference.as_secs();
            let detail = format!("the clock of this machine and the database's differ by {seconds} seconds");
            return Err((NotReady::Clock, detail));
        }
    }
    match context.keys.signing.reload(&context.store, context.now()).await {
        Ok(()) => Ok(difference),
        Err(Fault::Store(error)) => Err(database(&error)),
        Err(fault) => Err((NotReady::Key, fault.to_string())),
    }
}

/// The process is alive: it answers.
pub(crate) async fn healthz() -> StatusCode {
    StatusCode::OK
}

/// The server can exchange: the database can be written, the clock is right, a signing key can be used, and the server
/// is not stopping.
pub(crate) async fn readyz(State(state): State<AppState>) -> Response {
    let reason = match state.is_draining() {
        true => Some(NotReady::Stopping),
        false => state.health.reason(&state).await,
    };
    let (status, word) = match reason {
        None => (StatusCode::OK, "ready"),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason.word()),
    };
    let mut response = (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], word).into_response();
    error::retry_if_unavailable(&mut response);
    response
}

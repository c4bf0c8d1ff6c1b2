//! What is recorded of the calls in one request, however it ends.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use domain::base::clock::Timestamp;
use domain::model::server::gateway::call::{Call, CallKind, CallOutcome, CallerKey, OTHER};
use domain::services::gateways::Snapshot;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::gateway::limits::UnderWay;
use crate::gateway::message::Message;
use crate::http::request_id::RequestId;
use crate::state::AppState;

/// The calls in one request. They are recorded when this is dropped.
pub(super) struct Record {
    state: AppState,
    snapshot: Arc<Snapshot>,
    caller: CallerKey,
    address: Option<IpAddr>,
    request_id: String,
    at: Timestamp,
    started: Instant,
    calls: Vec<OneCall>,
    /// How a call ended of which no answer was found.
    otherwise: CallOutcome,
    /// The calls count as under way as long as this lives.
    _under_way: Option<UnderWay>,
}

struct OneCall {
    id: Option<Value>,
    kind: CallKind,
    name: String,
    outcome: Option<CallOutcome>,
}

impl Record {
    /// A record of the calls among these messages. Until more is known, the client hung up.
    pub(super) fn of(
        state: &AppState,
        snapshot: &Arc<Snapshot>,
        caller: CallerKey,
        address: Option<IpAddr>,
        messages: &[Message],
        (at, started): (Timestamp, Instant),
    ) -> Self {
        let call = |message: &Message| {
            let (kind, item) = message.call()?;
            let name = snapshot.counted_name(item).unwrap_or_else(|| OTHER.to_owned());
            Some(OneCall { id: message.id.clone(), kind, name, outcome: None })
        };
        Self {
            state: state.clone(),
            snapshot: Arc::clone(snapshot),
            caller,
            address,
            request_id: RequestId::current().map(|id| id.to_string()).unwrap_or_default(),
            at,
            started,
            calls: messages.iter().filter_map(call).collect(),
            otherwise: CallOutcome::Cancelled,
            _under_way: None,
        }
    }

    /// How many calls there are.
    pub(super) fn calls(&self) -> u32 {
        u32::try_from(self.calls.len()).unwrap_or(u32::MAX)
    }

    /// The calls count as under way until the record is written.
    pub(super) fn hold(&mut self, under_way: UnderWay) {
        self._under_way = Some(under_way);
    }

    /// Whether answers of calls are still to be found.
    pub(super) fn is_open(&self) -> bool {
        self.calls.iter().any(|call| call.outcome.is_none())
    }

    /// How the calls ended of which no answer is found.
    pub(super) fn end(&mut self, outcome: CallOutcome) {
        self.otherwise = outcome;
    }

    /// Looks for answers of the calls in a message, or in a list of messages.
    pub(super) fn note(&mut self, text: &str) {
        if !self.is_open() {
            return;
        }
        // An untagged enum would read the text into a tree first.
        let answers: Result<Vec<Answer>, _> = match text.trim_start().starts_with('[') {
            true => serde_json::from_str(text),
            false => serde_json::from_str(text).map(|answer| vec![answer]),
        };
        let Ok(answers) = answers else { return };
        for answer in answers {
            let outcome = match (&answer.error, &answer.result) {
                (Some(_), _) => CallOutcome::Error,
                (None, Some(result)) if result.is_error == Some(true) => CallOutcome::ToolError,
                (None, Some(_)) => CallOutcome::Ok,
                (None, None) => continue,
            };
            let call = self.calls.iter_mut().find(|call| call.id.is_some() && call.id == answer.id);
            if let Some(call) = call {
                call.outcome = Some(outcome);
            }
        }
    }
}

/// The part of an answer that says how a call ended.
#[derive(Deserialize)]
struct Answer {
    id: Option<Value>,
    error: Option<IgnoredAny>,
    result: Option<ResultPart>,
}

#[derive(Deserialize)]
struct ResultPart {
    #[serde(rename = "isError")]
    is_error: Option<bool>,
}

impl Drop for Record {
    fn drop(&mut self) {
        let milliseconds = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        for call in std::mem::take(&mut self.calls) {
            self.state.context.calls.record(Call {
                caller: self.caller.clone(),
                server: self.snapshot.server.id.clone(),
                kind: call.kind,
                name: call.name,
                at: self.at,
                outcome: call.outcome.unwrap_or(self.otherwise),
                milliseconds,
                request_id: self.request_id.clone(),
                address: self.address.map(|address| address.to_string()),
            });
        }
    }
}

//! The messages of a request (JSON-RPC 2.0), as far as a decision needs them. The body goes on to the server behind the
//! gateway byte for byte. So everything that two readers could read differently is refused: repeated members, and
//! members that differ from known ones only in case.

mod params;

use std::fmt;

use domain::model::server::gateway::call::CallKind;
use domain::model::server::gateway::rules::Item;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::gateway::message::params::Params;

/// The most messages of a batch.
const MOST_MESSAGES: usize = 100;

/// The body of a request.
#[derive(Debug, PartialEq)]
pub(super) struct Messages {
    pub(super) list: Vec<Message>,
    /// Whether the body is a list.
    pub(super) is_batch: bool,
}

/// One message.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Message {
    /// Its identifier. A notification has none.
    pub(super) id: Option<Value>,
    /// Its method. An answer to a request of the server has none.
    pub(super) method: Option<String>,
    /// The parameters that matter.
    params: Params,
}

/// Why a body is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MessageError {
    /// It is not JSON, or not a message (codes -32700 and -32600 of JSON-RPC).
    NotMessage(&'static str),
    /// A message for which rules exist does not say what it wants (code -32602).
    NoName,
}

impl Messages {
    /// Reads a body.
    pub(super) fn parse(body: &[u8]) -> Result<Self, MessageError> {
        const NOT_JSON: &str = "The body must be one JSON-RPC 2.0 message, without repeated or unclear members.";
        // What is skipped below is not checked for this.
        let text = std::str::from_utf8(body).map_err(|_| MessageError::NotMessage("The body is not UTF-8."))?;
        let messages: Self = serde_json::from_str(text).map_err(|_| MessageError::NotMessage(NOT_JSON))?;
        for message in &messages.list {
            message.item()?;
        }
        Ok(messages)
    }
}

impl Message {
    /// What the message uses, if rules exist for its method.
    pub(super) fn item(&self) -> Result<Option<Item<'_>>, MessageError> {
        fn named(name: Option<&String>) -> Result<&str, MessageError> {
            name.map(String::as_str).ok_or(MessageError::NoName)
        }
        Ok(Some(match self.method.as_deref() {
            Some("tools/call") => Item::Tool(named(self.params.name.as_ref())?),
            Some("prompts/get") => Item::Prompt(named(self.params.name.as_ref())?),
            Some("resources/read" | "resources/subscribe" | "resources/unsubscribe") => {
                Item::Resource(named(self.params.uri.as_ref())?)
            }
            Some("completion/complete") => match &self.params.reference {
                Some((kind, name)) if kind == "ref/prompt" => Item::Prompt(name),
                Some((kind, uri)) if kind == "ref/resource" => Item::Resource(uri),
                _ => return Err(MessageError::NoName),
            },
            _ => return Ok(None),
        }))
    }

    /// Everything that the message uses, if rules exist for its method.
    pub(super) fn items(&self) -> impl Iterator<Item = Item<'_>> {
        let subscriptions = match self.method.as_deref() {
            Some("subscriptions/listen") => self.params.subscriptions.as_slice(),
            _ => &[],
        };
        let subscribed = subscriptions.iter().map(|uri| Item::Resource(uri));
        self.item().ok().flatten().into_iter().chain(subscribed)
    }

    /// What is counted: calls of tools, prompts and resources.
    pub(super) fn call(&self) -> Option<(CallKind, Item<'_>)> {
        let kind = match self.method.as_deref()? {
            "tools/call" => CallKind::Tool,
            "prompts/get" => CallKind::Prompt,
            "resources/read" => CallKind::Resource,
            _ => return None,
        };
        self.item().ok().flatten().map(|item| (kind, item))
    }

    /// Whether it asks for a list, out of which something may have to be taken.
    pub(super) fn is_list(&self) -> bool {
        let method = self.method.as_deref();
        matches!(method, Some("tools/list" | "prompts/list" | "resources/list" | "resources/templates/list"))
    }

    /// The name that `Mcp-Name` must have: what the message is about (SEP-2243).
    pub(super) fn header_name(&self) -> Option<&str> {
        match self.method.as_deref()? {
            "tools/call" | "prompts/get" => self.params.name.as_deref(),
            "resources/read" => self.params.uri.as_deref(),
            _ => None,
        }
    }
}

/// A member in the form in which lenient readers compare it: some do not distinguish case, by the rules of Unicode.
fn folded(member: &str) -> String {
    member.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Refuses a member that a lenient reader takes for one of `known`.
fn refuse_twin<E: Error>(member: &str, known: &[&str]) -> Result<(), E> {
    // Most members are short and lower-case ASCII: then only equality matters, which the caller has asked.
    if member.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') || !known.contains(&folded(member).as_str())
    {
        return Ok(());
    }
    Err(E::custom("an unclear member"))
}

/// Sets a value that may appear once.
fn set<T, E: Error>(place: &mut Option<T>, value: T) -> Result<(), E> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom("a repeated member")),
    }
}

impl<'de> Deserialize<'de> for Messages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Messages;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a message or a list of messages")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut messages: A) -> Result<Messages, A::Error> {
                let mut list = Vec::new();
                while let Some(message) = messages.next_element::<Message>()? {
                    if list.len() == MOST_MESSAGES {
                        return Err(A::Error::custom("too many messages"));
                    }
                    list.push(message);
                }
                if list.is_empty() {
                    return Err(A::Error::custom("an empty list"));
                }
                Ok(Messages { list, is_batch: true })
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Messages, A::Error> {
                Ok(Messages { list: vec![MessageVisitor.visit_map(members)?], is_batch: false })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MessageVisitor)
    }
}

struct MessageVisitor;

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = Message;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Message, A::Error> {
        const KNOWN: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
        let (mut version, mut id, mut method, mut params) = (None, None, None, None);
        let (mut result, mut error) = (None, None);
        while let Some(member) = members.next_key::<String>()? {
            match member.as_str() {
                "jsonrpc" => set(&mut version, members.next_value::<String>()?)?,
                "id" => set(&mut id, members.next_value::<Identifier>()?.0)?,
                "method" => set(&mut method, members.next_value::<String>()?)?,
                "params" => set(&mut params, members.next_value::<Params>()?)?,
                "result" => set(&mut result, members.next_value::<IgnoredAny>()?)?,
                "error" => set(&mut error, members.next_value::<IgnoredAny>()?)?,
                other => {
                    refuse_twin(other, &KNOWN)?;
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        let has_outcome = result.is_some() || error.is_some();
        if version.as_deref() != Some("2.0") || method.is_some() == has_outcome {
            return Err(A::Error::custom("not a message of JSON-RPC 2.0"));
        }
        // An error about a message that could not be read has no other identifier.
        let is_usable = |id: &Value| id.is_string() || id.is_number() || (id.is_null() && has_outcome);
        if !id.as_ref().is_none_or(is_usable) {
            return Err(A::Error::custom("the identifier is no text and no number"));
        }
        Ok(Message { id, method, params: params.unwrap_or_default() })
    }
}

/// An identifier: a text, a number or null. Everything else is an error.
struct Identifier(Value);

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self(Value::Null))
    }
}

impl<'de> Visitor<'de> for Identifier {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text or a number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self, E> {
        Ok(Self(text.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self, E> {
        Ok(Self(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self, E> {
        Ok(Self(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self, E> {
        Ok(Self(number.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(text: &str) -> Message {
        let mut messages = Messages::parse(text.as_bytes()).expect("a message");
        assert!(!messages.is_batch);
        messages.list.remove(0)
    }

    #[test]
    fn what_a_message_uses_is_found() {
        let call = one(
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","arguments":{"name":"x","Name":"y"}}}"#,
        );
        assert_eq!((call.id.clone(), call.item()), (Some(json!(7)), Ok(Some(Item::Tool("search")))));
        assert_eq!(call.call(), Some((CallKind::Tool, Item::Tool("search"))));
        assert_eq!(call.header_name(), Some("search"));
        for (method, params, item) in [
            ("prompts/get", r#"{"name":"p"}"#, Item::Prompt("p")),
            ("resources/read", r#"{"uri":"file:///a"}"#, Item::Resource("file:///a")),
            ("resources/subscribe", r#"{"uri":"file:///a"}"#, Item::Resource("file:///a")),
            ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"p"},"argument":{}}"#, Item::Prompt("p")),
            ("completion/complete", r#"{"ref":{"type":"ref/resource","uri":"a:{b}"}}"#, Item::Resource("a:{b}")),
        ] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":"x","method":"{method}","params":{params}}}"#);
            assert_eq!(one(&text).item(), Ok(Some(item)), "{text}");
        }
        let listing = one(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"2"}}"#);
        assert_eq!((listing.is_list(), listing.item()), (true, Ok(None)));
        let answer = one(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        assert_eq!((answer.method, answer.id), (None, Some(json!(1))));
        let batch = Messages::parse(br#"[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","id":1,"error":{}}]"#);
        assert!(batch.is_ok_and(|batch| batch.is_batch && batch.list.len() == 2));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for wrong in [
            "",
            "{}",
            "[]",
            "7",
            r#"{"jsonrpc":"2.0"}"#,
            r#"{"jsonrpc":"1.0","method":"a"}"#,
            r#"{"method":"a"}"#,
            r#"{"jsonrpc":"2.0","method":"a"} x"#,
            r#"{"jsonrpc":"2.0","method":"a"}{"jsonrpc":"2.0","method":"b"}"#,
            r#"{"jsonrpc":"2.0","method":"a","method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","method":"a","Method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","method":"a","METHOD":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"},"Params":{"name":"b"}}"#,
            "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"a\"},\"param\u{17f}\":{\"name\":\"b\"}}",
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a","name":"b"}}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a","Name":"b"}}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a","n\u0061me":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"a","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":[1],"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourcesubscriptions":["a:b"]}}}"#,
            r#"[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"a","method":"b"}]"#,
            r#"[[{"jsonrpc":"2.0","method":"a"}]]"#,
        ] {
            assert!(matches!(Messages::parse(wrong.as_bytes()), Err(MessageError::NotMessage(_))), "{wrong}");
        }
        assert!(Messages::parse(b"{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"x\":\"\xff\"}").is_err());
        let many = format!("[{}]", vec![r#"{"jsonrpc":"2.0","method":"a"}"#; MOST_MESSAGES + 1].join(","));
        assert!(Messages::parse(many.as_bytes()).is_err());
        for nameless in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["a"]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"other","name":"a"}}}"#,
        ] {
            assert_eq!(Messages::parse(nameless.as_bytes()), Err(MessageError::NoName), "{nameless}");
        }
    }
}

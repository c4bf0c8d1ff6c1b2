//! Whether a message may hold a list of tools, prompts or resources. This reads every JSON that a client may accept,
//! also values that are refused elsewhere: half a pair of surrogates, numbers without a limit.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The members that hold a list.
const LISTS: [&str; 4] = ["tools", "prompts", "resources", "resourceTemplates"];

/// What a message may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// No list.
    NoList,
    /// A list: something may have to be taken out.
    List,
    /// It is no JSON, so nobody can say.
    Unclear,
}

impl Shape {
    /// Looks at the text of a message or of a batch.
    pub(super) fn of(text: &[u8]) -> Self {
        if text.trim_ascii().is_empty() {
            return Self::NoList;
        }
        match serde_json::from_slice::<Within<true>>(text) {
            Ok(Within(true)) => Self::List,
            Ok(Within(false)) => Self::NoList,
            Err(_) => Self::Unclear,
        }
    }
}

/// Whether a value has a list: a message in its member `result`, or a result itself.
struct Within<const MESSAGE: bool>(bool);

impl<'de, const MESSAGE: bool> Deserialize<'de> for Within<MESSAGE> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self(false))
    }
}

impl<'de, const MESSAGE: bool> Visitor<'de> for Within<MESSAGE> {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut has_list = false;
        while let Some(member) = members.next_key::<String>()? {
            if MESSAGE && member == "result" {
                has_list |= members.next_value::<Within<false>>()?.0;
            } else {
                has_list |= !MESSAGE && LISTS.contains(&member.as_str());
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Self(has_list))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self, A::Error> {
        let mut has_list = false;
        while let Some(value) = values.next_element::<Self>()? {
            has_list |= value.0;
        }
        Ok(Self(has_list))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_found_wherever_a_client_would_find_it() {
        for (text, shape) in [
            ("", Shape::NoList),
            (" \n", Shape::NoList),
            (r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"text":"\ud83d"}]}}"#, Shape::NoList),
            (r#"{"jsonrpc":"2.0","id":1,"result":{"content":1e999}}"#, Shape::NoList),
            (r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#, Shape::NoList),
            (r#"{"params":{"tools":[]}}"#, Shape::NoList),
            (r#"{"id":1,"result":{"tools":[{"description":"\ud83d"}]}}"#, Shape::List),
            (r#"{"id":1,"result":{"t\u006fols":[]}}"#, Shape::List),
            (r#"{"id":1,"result":{},"result":{"prompts":[]}}"#, Shape::List),
            (r#"[{"id":1,"result":{}},{"id":2,"result":{"resources":[]}}]"#, Shape::List),
            (r#"[[{"id":2,"result":{"resourceTemplates":[]}}]]"#, Shape::List),
            (r#"{"id":1,"result":{"tools":NaN}}"#, Shape::Unclear),
            ("{\"id\":1,\"result\":{}}{}", Shape::Unclear),
            ("7", Shape::NoList),
        ] {
            assert_eq!(Shape::of(text.as_bytes()), shape, "{text}");
        }
        let deep = format!(r#"{{"result":{{"tools":{}{}}}}}"#, "[".repeat(200), "]".repeat(200));
        assert_eq!(Shape::of(deep.as_bytes()), Shape::List);
    }
}

//! The parameters of a message, as far as a decision needs them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::gateway::message::{MOST_MESSAGES, folded, refuse_twin, set};

/// The parameters that matter.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Params {
    pub(super) name: Option<String>,
    pub(super) uri: Option<String>,
    /// What a completion is for.
    pub(super) reference: Option<(String, String)>,
    /// The resources whose changes a stream is to tell (2026-07-28).
    pub(super) subscriptions: Vec<String>,
}

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Params;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("parameters")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Params, A::Error> {
                const KNOWN: [&str; 4] = ["name", "uri", "ref", "notifications"];
                let (mut name, mut uri, mut reference, mut notifications) = (None, None, None, None);
                while let Some(member) = members.next_key::<String>()? {
                    match member.as_str() {
                        "name" => set(&mut name, members.next_value::<TextOrOther>()?)?,
                        "uri" => set(&mut uri, members.next_value::<TextOrOther>()?)?,
                        "ref" => set(&mut reference, members.next_value::<Reference>()?)?,
                        "notifications" => set(&mut notifications, members.next_value::<Notifications>()?)?,
                        other => {
                            refuse_twin(other, &KNOWN)?;
                            members.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Params {
                    name: name.and_then(|name| name.0),
                    uri: uri.and_then(|uri| uri.0),
                    reference: reference.and_then(|reference| reference.0),
                    subscriptions: notifications.map(|notifications| notifications.0).unwrap_or_default(),
                })
            }

            /// Parameters by position. No method of the protocol has them, so they name nothing.
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Params, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Params::default())
            }

            fn visit_unit<E: Error>(self) -> Result<Params, E> {
                Ok(Params::default())
            }
        }

        deserializer.deserialize_any(Read)
    }
}

/// A text. Methods without rules may have anything in its place.
struct TextOrOther(Option<String>);

impl<'de> Deserialize<'de> for TextOrOther {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self(None))
    }
}

/// Nothing but a text is kept: a large value in its place costs no memory.
impl<'de> Visitor<'de> for TextOrOther {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self, E> {
        Ok(Self(Some(text.to_owned())))
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self)
    }
}

/// The resources that `subscriptions/listen` names.
struct Notifications(Vec<String>);

impl<'de> Deserialize<'de> for Notifications {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Notifications;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("kinds of notifications")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Notifications, A::Error> {
                let mut uris = None;
                while let Some(member) = members.next_key::<String>()? {
                    // Not lower-case, so both forms are known to the comparison of twins.
                    if member == "resourceSubscriptions" {
                        set(&mut uris, members.next_value::<Uris>()?.0)?;
                    } else if folded(&member) == "resourcesubscriptions" {
                        return Err(A::Error::custom("an unclear member"));
                    } else {
                        members.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Notifications(uris.unwrap_or_default()))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

/// A list of URIs, at most [`MOST_MESSAGES`].
struct Uris(Vec<String>);

impl<'de> Deserialize<'de> for Uris {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Uris;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of URIs")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Uris, A::Error> {
                let mut uris = Vec::new();
                while let Some(uri) = list.next_element::<String>()? {
                    if uris.len() == MOST_MESSAGES {
                        return Err(A::Error::custom("too many URIs"));
                    }
                    uris.push(uri);
                }
                Ok(Uris(uris))
            }
        }

        deserializer.deserialize_seq(Read)
    }
}

/// What a completion is for: its type, and a name or a URI.
struct Reference(Option<(String, String)>);

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Reference;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a reference")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Reference, A::Error> {
                let (mut kind, mut name, mut uri) = (None, None, None);
                while let Some(member) = members.next_key::<String>()? {
                    match member.as_str() {
                        "type" => set(&mut kind, members.next_value::<String>()?)?,
                        "name" => set(&mut name, members.next_value::<String>()?)?,
                        "uri" => set(&mut uri, members.next_value::<String>()?)?,
                        other => {
                            refuse_twin(other, &["type", "name", "uri"])?;
                            members.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                let named = match kind.as_deref() {
                    Some("ref/prompt") => name,
                    Some("ref/resource") => uri,
                    _ => None,
                };
                Ok(Reference(kind.zip(named)))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

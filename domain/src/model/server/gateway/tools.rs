//! Definitions of tools. The definition that an administrator accepted is kept: a server that changes what a tool says
//! about itself can make a model do something else with it.

use serde_json::{Map, Value};

use crate::base::clock::Timestamp;
use crate::base::digest;

/// The members of a tool that are kept and compared: what a model or a person reads before a call, and what the call
/// must look like.
const MEMBERS: [&str; 6] = ["annotations", "description", "inputSchema", "name", "outputSchema", "title"];
/// The longest definition that is kept, in bytes. Of a longer one, the beginning and a digest are kept.
pub(crate) const LONGEST_DEFINITION: usize = 64 * 1024;
/// The most tools of a server whose definitions are kept.
pub(crate) const MOST_TOOLS: usize = 1000;
/// The longest name of a tool, in bytes.
pub const LONGEST_NAME: usize = 200;

/// A definition in the form in which two definitions are compared: members in order, no spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition(String);

impl Definition {
    /// The definition of a tool as a server sends it, with its name. `None` when it has no name that can be
    /// kept.
    pub fn of(tool: &Value) -> Option<(String, Self)> {
        let tool = tool.as_object()?;
        let name = tool.get("name")?.as_str().filter(|name| is_name(name))?;
        let mut text = String::new();
        let kept: Map<String, Value> =
            tool.iter().filter(|(member, _)| MEMBERS.contains(&member.as_str())).map(cloned).collect();
        write(&Value::Object(kept), &mut text);
        if text.len() > LONGEST_DEFINITION {
            let digest = digest::sha256(text.as_bytes());
            text = format!("{}… {digest}", &text[..floor(&text, LONGEST_DEFINITION)]);
        }
        Some((name.to_owned(), Self(text)))
    }

    /// A definition that was stored.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text that is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The definition as JSON; null when it was too long.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// The description, for people and models.
    pub fn description(&self) -> String {
        self.value()["description"].as_str().unwrap_or_default().to_owned()
    }

    /// What the server says that the tool does.
    pub fn hint(&self) -> Hint {
        let value = self.value();
        let hint = |name: &str| value["annotations"][name].as_bool();
        match (hint("readOnlyHint"), hint("destructiveHint")) {
            (Some(true), _) => Hint::Reads,
            (_, Some(true)) => Hint::Destroys,
            (Some(false), _) | (_, Some(false)) => Hint::Writes,
            (None, None) => Hint::Unknown,
        }
    }
}

/// Whether a tool or a prompt can have this name. Databases cannot hold each control character.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST_NAME && !name.chars().any(char::is_control)
}

fn cloned((member, value): (&String, &Value)) -> (String, Value) {
    (member.clone(), value.clone())
}

/// The last place at or before `end` where a character begins.
fn floor(text: &str, end: usize) -> usize {
    (0..=end).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0)
}

/// Writes JSON with the members of each object in order.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(member, _)| *member);
            text.push('{');
            for (place, (member, value)) in members.into_iter().enumerate() {
                text.push_str(if place > 0 { "," } else { "" });
                text.push_str(&Value::from(member.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for (place, value) in values.iter().enumerate() {
                text.push_str(if place > 0 { "," } else { "" });
                write(value, text);
            }
            text.push(']');
        }
        value => text.push_str(&value.to_string()),
    }
}

/// What a tool does, by its own account. No rule depends on it: it helps the person who writes the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// It changes nothing.
    Reads,
    /// It adds or changes something.
    Writes,
    /// It may remove or overwrite something.
    Destroys,
    /// It does not say.
    Unknown,
}

/// A tool of a server, as it was accepted and as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The accepted definition.
    pub accepted: Option<Definition>,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// The definition that the server sent last. `None` when the server no longer has the tool.
    pub seen: Option<Definition>,
    /// When that definition was seen for the first time.
    pub seen_at: Option<Timestamp>,
}

/// How a tool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolState {
    /// The server sends what was accepted.
    Accepted,
    /// The server sends something else.
    Changed,
    /// It was never accepted.
    New,
    /// The server no longer has it.
    Gone,
}

impl Tool {
    /// How the tool stands.
    pub fn state(&self) -> ToolState {
        match (&self.accepted, &self.seen) {
            (_, None) => ToolState::Gone,
            (None, Some(_)) => ToolState::New,
            (Some(accepted), Some(seen)) if accepted == seen => ToolState::Accepted,
            (Some(_), Some(_)) => ToolState::Changed,
        }
    }

    /// The definition to show: the latest that is known.
    pub fn definition(&self) -> Option<&Definition> {
        self.seen.as_ref().or(self.accepted.as_ref())
    }

    /// What the tool does, by the latest definition that is known.
    pub fn hint(&self) -> Hint {
        self.definition().map_or(Hint::Unknown, Definition::hint)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_compared_does_not_depend_on_order_and_extras() {
        let one = json!({ "name": "a", "inputSchema": { "b": 1, "a": [{ "d": 1, "c": 2 }] }, "_meta": { "x": 1 } });
        let two: Value =
            serde_json::from_str(r#"{"inputSchema":{"a":[{"c":2,"d":1}],"b":1},"icons":[],"name":"a"}"#).expect("JSON");
        let (name, first) = Definition::of(&one).expect("a definition");
        assert_eq!((name.as_str(), Some(first.clone())), ("a", Definition::of(&two).map(|(_, second)| second)));
        assert_eq!(first.as_str(), r#"{"inputSchema":{"a":[{"c":2,"d":1}],"b":1},"name":"a"}"#);
        for changed in [
            json!({ "name": "a", "inputSchema": { "b": 1, "a": [{ "d": 1, "c": 3 }] } }),
            json!({ "name": "a", "inputSchema": { "b": 1, "a": [{ "d": 1, "c": 2 }] }, "description": "" }),
            json!({ "name": "a", "inputSchema": { "b": 1, "a": [{ "d": 1, "c": 2 }] }, "annotations": {} }),
        ] {
            assert_ne!(Definition::of(&changed).expect("a definition").1, first, "{changed}");
        }
        for nameless in
            [json!({}), json!({ "name": "" }), json!({ "name": 1 }), json!("a"), json!({ "name": "a".repeat(201) })]
        {
            assert_eq!(Definition::of(&nameless), None);
        }
    }

    #[test]
    fn a_definition_that_is_too_long_is_shortened_and_never_panics() {
        let long = |end: &str| {
            let tool = json!({ "name": "a", "description": format!("{}{end}", "ä".repeat(LONGEST_DEFINITION)) });
            Definition::of(&tool).expect("a definition").1
        };
        let definition = long("a");
        assert!(definition.as_str().len() < LONGEST_DEFINITION + 100);
        assert_ne!(definition, long("b"), "the end counts too");
        assert_eq!((definition.hint(), definition.description()), (Hint::Unknown, String::new()));
    }

    #[test]
    fn hints_are_read_as_the_server_gives_them() {
        let hint = |annotations: Value| {
            Definition::of(&json!({ "name": "a", "annotations": annotations })).map(|(_, definition)| definition.hint())
        };
        assert_eq!(hint(json!({ "readOnlyHint": true, "destructiveHint": true })), Some(Hint::Reads));
        assert_eq!(hint(json!({ "destructiveHint": true })), Some(Hint::Destroys));
        assert_eq!(hint(json!({ "readOnlyHint": false, "destructiveHint": false })), Some(Hint::Writes));
        assert_eq!(hint(json!({ "title": "x" })), Some(Hint::Unknown));
    }
}

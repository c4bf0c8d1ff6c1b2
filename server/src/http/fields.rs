//! Fields of the dashboard's forms and addresses. People type them, so parsing is lenient. The domain rules check the
//! values.

use url::form_urlencoded;

/// Names and values, in order.
#[derive(Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form body or a query string.
    pub fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The first value of `name`, or nothing.
    pub fn get(&self, name: &str) -> String {
        self.find(name).unwrap_or_default().to_owned()
    }

    /// The first value of `name`, if the field is present.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The fields except those with these names.
    pub fn without(self, names: &[&str]) -> Vec<(String, String)> {
        self.0.into_iter().filter(|(own, _)| !names.contains(&own.as_str())).collect()
    }

    /// Every value of `name`.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect()
    }
}

/// A value that is read from the fields.
pub trait FromFields {
    /// The value of the field `name`.
    fn read(fields: &Fields, name: &str) -> Self;
}

impl FromFields for String {
    fn read(fields: &Fields, name: &str) -> Self {
        fields.get(name)
    }
}

impl FromFields for Option<String> {
    fn read(fields: &Fields, name: &str) -> Self {
        fields.find(name).map(str::to_owned)
    }
}

impl FromFields for Vec<String> {
    fn read(fields: &Fields, name: &str) -> Self {
        fields.all(name)
    }
}

/// Reads a struct from fields: `read!(fields => Typed { name, scopes: "scope" })`. A member is read from the field of
/// its name, or of the name behind it.
macro_rules! read {
    ($fields:expr => $($typed:ident)::+ { $($member:ident $(: $name:literal)?),* }) => {
        $($typed)::+ { $($member: $crate::http::fields::read!(@ $fields, $member $($name)?)),* }
    };
    (@ $fields:expr, $member:ident) => {
        $crate::http::fields::FromFields::read(&$fields, stringify!($member))
    };
    (@ $fields:expr, $member:ident $name:literal) => {
        $crate::http::fields::FromFields::read(&$fields, $name)
    };
}
pub(crate) use read;

impl std::fmt::Debug for Fields {
    /// Prints names only, because a value may be a password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Typed {
        name: String,
        note: Option<String>,
        scopes: Vec<String>,
    }

    #[test]
    fn a_struct_is_read_from_the_fields_of_its_names() {
        let typed = |encoded: &[u8]| read!(Fields::parse(encoded) => Typed { name, note, scopes: "scope" });
        let scopes = vec!["x".to_owned(), "y".to_owned()];
        let expected = Typed { name: "a b".to_owned(), note: None, scopes };
        assert_eq!(typed(b"name=a+b&name=c&scope=x&scope=y"), expected);
        assert_eq!(typed(b"note="), Typed { name: String::new(), note: Some(String::new()), scopes: Vec::new() });
    }
}

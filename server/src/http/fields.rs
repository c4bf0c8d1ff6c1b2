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

    /// Every value of `name`.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect()
    }
}

impl std::fmt::Debug for Fields {
    /// Prints names only, because a value may be a password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

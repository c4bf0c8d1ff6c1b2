//! What is wrong with the fields of a form.

/// What is wrong with one field of a form, in words for the person who filled it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name on the wire.
    pub field: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl FieldError {
    /// An error at `field`.
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

impl From<FieldError> for Vec<FieldError> {
    fn from(error: FieldError) -> Self {
        vec![error]
    }
}

/// The result of a check, which says what is wrong but not where.
pub(crate) trait AtField<T> {
    /// The same result, whose error is at `field`.
    fn at(self, field: &'static str) -> Result<T, FieldError>;
}

impl<T, Message: Into<String>> AtField<T> for Result<T, Message> {
    fn at(self, field: &'static str) -> Result<T, FieldError> {
        self.map_err(|message| FieldError::new(field, message))
    }
}

/// Collects all errors, so that a form shows them at once.
#[derive(Default)]
pub(crate) struct Errors(pub Vec<FieldError>);

impl Errors {
    /// The result of a check of `field`; without it the error is collected.
    pub(crate) fn take<T>(&mut self, field: &'static str, result: Result<T, impl Into<String>>) -> Option<T> {
        result.map_err(|message| self.push(field, message)).ok()
    }

    pub(crate) fn push(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    /// Succeeds if there are none.
    pub(crate) fn none(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

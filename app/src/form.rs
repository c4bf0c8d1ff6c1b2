//! Forms: what was typed, what is wrong with it, and why a form was refused.

use domain::error::Fault;
use domain::model::field_error::FieldError;

use crate::error::ActionError;

/// The state of a form that its page shows.
#[derive(Debug, Clone, Default)]
pub struct Form<T = ()> {
    /// What was typed.
    pub typed: T,
    /// What is wrong with it.
    pub errors: Errors,
    /// Whether the form was sent back because the last proof of who the person is, is too old.
    pub confirm: bool,
}

impl<T> Form<T> {
    /// A form that was not sent yet.
    pub fn new(typed: T) -> Self {
        Self { typed, errors: Errors::default(), confirm: false }
    }
}

/// The errors of a form, by field.
#[derive(Debug, Clone, Default)]
pub struct Errors(pub Vec<FieldError>);

impl Errors {
    /// What is wrong with `field`.
    pub fn at(&self, field: &str) -> Option<String> {
        self.0.iter().find(|error| error.field == field).map(|error| error.message.clone())
    }

    /// The errors in the order of the form, whose fields `fields` are. Errors of other fields come last.
    pub(crate) fn in_order(mut self, fields: &[&str]) -> Self {
        self.0.sort_by_key(|error| fields.iter().position(|field| *field == error.field).unwrap_or(fields.len()));
        self
    }

    /// The status of the page that shows them.
    pub fn status(&self) -> u16 {
        if self.0.is_empty() { 200 } else { 422 }
    }
}

/// Why a form was refused. The errors of all operations are converted to this type.
#[derive(Debug)]
pub enum Refused {
    /// Something typed is wrong.
    Invalid(Vec<FieldError>),
    /// The person must first prove again who they are. The errors say what is missing or wrong.
    Unconfirmed(Vec<FieldError>),
    /// The form was sent before. The text identifies what it made that time. It is empty when no name is needed.
    AlreadySubmitted(String),
    /// Every problem that is not about the form, including internal errors.
    Action(ActionError),
}

impl Refused {
    /// Refuses a form that was sent before and made `earlier` that time.
    ///
    /// # Errors
    ///
    /// [`Refused::AlreadySubmitted`] when there is something earlier.
    pub fn if_sent_before(earlier: Option<impl ToString>) -> Result<(), Self> {
        earlier.map_or(Ok(()), |earlier| Err(Self::AlreadySubmitted(earlier.to_string())))
    }
}

impl From<FieldError> for Refused {
    fn from(error: FieldError) -> Self {
        Self::Invalid(vec![error])
    }
}

impl From<Vec<FieldError>> for Refused {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::Invalid(errors)
    }
}

impl From<ActionError> for Refused {
    fn from(error: ActionError) -> Self {
        Self::Action(error)
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Action(fault.into())
    }
}

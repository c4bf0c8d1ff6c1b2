//! Names that most operations import. An operation takes a [`Context`] and, if it changes something, an [`Actor`].
//! It commits a [`Change`] with its [`Event`]s, and fails with what is wrong in a form or with a [`Fault`].

pub(crate) use crate::base::clock::Timestamp;
pub(crate) use crate::change::Change;
pub(crate) use crate::context::Context;
pub(crate) use crate::error::{Fault, Result, operation_error, through_denied, through_fault};
pub(crate) use crate::model::actor::Actor;
pub(crate) use crate::model::audit::{Action, Changes, Event, Target};
pub(crate) use crate::model::field_error::{AtField, Errors, FieldError};

//! The passkey's answer in a form.

use domain::person::passkey::PasskeyAnswer;

use crate::http::fields::Fields;

/// The passkey's answer that the browser sent, if any.
pub fn read(fields: &Fields) -> Option<PasskeyAnswer> {
    let credential = fields.get("passkey_answer");
    (!credential.is_empty()).then(|| PasskeyAnswer { state: fields.get("passkey_state"), credential })
}

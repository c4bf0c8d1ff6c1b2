//! What the browser sent of a passkey.

use domain::person::passkey::Answer;

use crate::http::fields::Fields;

/// What the browser sent of a passkey, if it sent anything.
pub fn read(fields: &Fields) -> Option<Answer> {
    let credential = fields.get("passkey_answer");
    (!credential.is_empty()).then(|| Answer { state: fields.get("passkey_state"), credential })
}

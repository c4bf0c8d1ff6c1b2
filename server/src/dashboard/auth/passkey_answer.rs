//! What the browser sent of a passkey.

use domain::person::passkey::PasskeyAnswer;

use crate::http::fields::Fields;

/// What the browser sent of a passkey, if it sent anything.
pub fn read(fields: &Fields) -> Option<PasskeyAnswer> {
    let credential = fields.get("passkey_answer");
    (!credential.is_empty()).then(|| PasskeyAnswer { state: fields.get("passkey_state"), credential })
}

//! The signing secret of a webhook: `whsec_` and the base64 of 32 random bytes, as Standard Webhooks writes it. Also
//! the signature of a message: its HMAC.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::base::id::WebhookId;
use crate::base::random::Random;
use crate::base::text::debug_as;
use crate::crypto::keys::purpose::WEBHOOK_SECRET;
use crate::crypto::keys::{KeyError, MasterKey};

const PREFIX: &str = "whsec_";
const BYTES: usize = 32;

/// Signs messages. This type is neither `Clone` nor `Serialize`, is wiped when dropped, and its `Debug` shows nothing.
pub struct SigningSecret(Zeroizing<Vec<u8>>);

impl SigningSecret {
    pub(crate) fn generate(random: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new(vec![0; BYTES]);
        random.fill(&mut bytes);
        Self(bytes)
    }

    pub(crate) fn wrap(&self, keys: &MasterKey, webhook: &WebhookId, random: &dyn Random) -> Result<String, KeyError> {
        keys.wrap(WEBHOOK_SECRET, webhook.as_str(), &self.0, random)
    }

    pub(crate) fn unwrap(keys: &MasterKey, webhook: &WebhookId, wrapped: &str) -> Result<Self, KeyError> {
        Ok(Self(keys.unwrap(WEBHOOK_SECRET, webhook.as_str(), wrapped)?))
    }

    /// The secret itself, for the one answer that shows it.
    pub fn expose(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(STANDARD.encode(self.0.as_slice()));
        Zeroizing::new(format!("{PREFIX}{}", encoded.as_str()))
    }

    /// One value of `webhook-signature`: HMAC-SHA-256 over identifier, timestamp and body.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body.as_bytes());
        format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
    }
}

debug_as!(SigningSecret, "SigningSecret(redacted)");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_published_example() {
        // The test vector of the reference libraries of Standard Webhooks.
        let bytes = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let secret = SigningSecret(Zeroizing::new(bytes));
        assert_eq!(secret.expose().as_str(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{secret:?}"), "SigningSecret(redacted)");
    }
}

//! The provider's endpoints, read from its discovery document (OpenID Connect Discovery 1.0 §3, RFC 8414 §2).

use serde_json::Value;
use url::Url;

use crate::base::clock::Timestamp;
use crate::person::openid::{OpenIdError, Result};
use crate::services::relying_party::RelyingParty;

/// The parts of the document that we use.
pub(crate) struct Endpoints {
    /// The authorization endpoint, to which people are sent.
    pub authorization: Url,
    /// The token endpoint, at which codes are redeemed.
    pub token: String,
    /// Whether the client secret goes into the form, not into the `Authorization` header.
    pub secret_in_form: bool,
    /// Whether the answer must name its issuer in `iss` (RFC 9207 §3).
    pub names_itself: bool,
}

pub(crate) async fn endpoints(relying_party: &RelyingParty, now: Timestamp) -> Result<Endpoints> {
    let issuer = &relying_party.provider.issuer;
    let document = relying_party.keys.document(issuer, now).await;
    read(issuer, &*document.map_err(|error| OpenIdError::Unavailable(error.to_string()))?)
}

fn read(issuer: &str, document: &Value) -> Result<Endpoints> {
    let endpoint = |name: &str| {
        let url = document.get(name).and_then(Value::as_str).and_then(|text| Url::parse(text).ok());
        // Plain http is allowed only when the operator chose it for the issuer itself.
        let allowed = |url: &Url| url.scheme() == "https" || (url.scheme() == "http" && issuer.starts_with("http:"));
        url.filter(|url| url.has_host() && url.fragment().is_none() && allowed(url))
            .ok_or_else(|| OpenIdError::Unavailable(format!("the discovery document has no usable {name}")))
    };
    let methods = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
    let supports = |method: &str| methods.is_some_and(|methods| methods.iter().any(|known| known == method));
    Ok(Endpoints {
        authorization: endpoint("authorization_endpoint")?,
        token: endpoint("token_endpoint")?.into(),
        // The default is the header (OpenID Connect Discovery 1.0 §3).
        secret_in_form: supports("client_secret_post") && !supports("client_secret_basic"),
        names_itself: document.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn endpoints_are_https_unless_the_issuer_is_not() {
        let document = |authorization: &str| json!({ "authorization_endpoint": authorization, "token_endpoint": "https://login.example/token" });
        let endpoints = read("https://login.example", &document("https://login.example/authorize?tenant=a"));
        let endpoints = endpoints.expect("usable");
        assert_eq!(endpoints.authorization.as_str(), "https://login.example/authorize?tenant=a");
        assert!(!endpoints.secret_in_form && !endpoints.names_itself);
        assert!(read("http://localhost:9000", &document("http://localhost:9000/authorize")).is_ok());
        for wrong in ["http://login.example/authorize", "javascript:alert(1)", "/authorize", "https://a.example/#x", ""]
        {
            assert!(read("https://login.example", &document(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_secret_goes_into_the_form_where_nothing_else_is_taken() {
        let with = |methods: Value| {
            let document = json!({
                "authorization_endpoint": "https://login.example/authorize", "token_endpoint": "https://login.example/token",
                "token_endpoint_auth_methods_supported": methods, "authorization_response_iss_parameter_supported": true,
            });
            read("https://login.example", &document).expect("usable")
        };
        assert!(with(json!(["client_secret_post"])).secret_in_form);
        assert!(!with(json!(["client_secret_post", "client_secret_basic"])).secret_in_form);
        assert!(!with(json!(["private_key_jwt"])).secret_in_form);
        assert!(with(json!([])).names_itself);
    }
}

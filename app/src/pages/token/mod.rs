//! Tokens: looking one up, and testing a credential by getting one.

pub mod look_up;
pub mod trial;

use domain::model::token::claims::SignatureCheck;

use crate::prelude::*;

/// What a token says: name and value of each claim, and what it means.
fn claims_table(check: SignatureCheck, issuer: &str) -> AnyView {
    let SignatureCheck { claims, kid, algorithm } = check;
    let at = |seconds: i64| domain::base::clock::Timestamp::from_millis(seconds.saturating_mul(1000));
    let code = |text: String| html! { <code>{text}</code> };
    let ours = if claims.iss == issuer { "This Countersign" } else { "A former address of this Countersign" };
    let rows = [
        cells!["Issuer", code(claims.iss), ours],
        cells!["Audience", code(claims.aud), "The MCP server that must accept the token"],
        cells!["Scopes", scope_tags(claims.scope.split(' ')), "What the token allows"],
        cells!["Client", code(claims.client_id), "The credential"],
        cells!["Issued", moment(at(claims.iat)), distance(at(claims.iat))],
        cells!["Expires", moment(at(claims.exp)), distance(at(claims.exp))],
        cells!["Token ID", code(claims.jti), "Its entry in the ledger"],
        cells!["Signed by", code(kid), algorithm],
    ];
    table(["Claim", "Value", "Meaning"], rows)
}

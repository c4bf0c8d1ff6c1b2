//! The fields that prove a credential: public keys, and identities of other issuers.

use domain::crypto::public_key::holds_private_key;
use leptos::prelude::*;

use crate::components::form::field::{Select, TextArea, TextField, options};
use crate::components::parts::small_link;
use crate::form::Errors;
use crate::html::html;

/// The key fields as the person typed them.
#[derive(Debug, Clone, Default)]
pub struct TypedKeys {
    /// JWK, JWKS or PEM.
    pub public_key: String,
    /// Where the program publishes its keys, in place of a key.
    pub jwks_uri: String,
    /// The client ID metadata document of the program, in place of both.
    pub document: String,
    /// Name of the key.
    pub label: String,
    /// When the key stops working. Used only where a key is added to an existing credential.
    pub expiry: String,
    /// The day for `date`.
    pub expires_on: String,
}

impl TypedKeys {
    /// The same fields without a private key. A private key that was pasted by mistake is not sent back to the browser.
    fn without_private_key(mut self) -> Self {
        if holds_private_key(&self.public_key) {
            self.public_key.clear();
        }
        self
    }
}

/// The identity fields as the person typed them.
#[derive(Debug, Clone, Default)]
pub struct TypedIdentity {
    /// Issuer.
    pub issuer: String,
    /// Subject or pattern.
    pub subject: String,
    /// Audience.
    pub audience: String,
    /// Conditions: `name=value`, one a line.
    pub claims: String,
    /// Pasted keys of the issuer.
    pub jwks: String,
}

/// A field to paste a key, a button to choose a file, and a button to make a key pair. The private key of that pair
/// never leaves the browser.
#[component]
pub(crate) fn KeyFields(typed: TypedKeys, errors: Errors) -> AnyView {
    let typed = typed.without_private_key();
    let kinds = [("ES256", "ES256 (P-256)"), ("RS256", "RS256 (RSA 3072)"), ("EdDSA", "EdDSA (Ed25519)")];
    let options = options(kinds);
    html! {
        <TextField id="label" label="Key label" value=typed.label error=errors.at("label")
            hint="What you call this key, such as runner 2026."/>
        <TextArea id="public_key" label="Public key" value=typed.public_key error=errors.at("public_key")
            placeholder="-----BEGIN PUBLIC KEY-----"
            hint="A JWK, a JWKS, or PEM (public key or certificate): RSA from 2048 bits, EC P-256 or P-384, Ed25519."/>
        <div class="stack needs-script">
            <div class="field">
                <label for="key-file">"Or read it from a file"</label>
                <input id="key-file" type="file" accept=".pem,.pub,.crt,.cer,.json,.jwk,.jwks"/>
            </div>
            <Select id="key-kind" label="Or generate a pair in this browser" options chosen="ES256"/>
            <div class="row">
                <button type="button" class="button" id="generate-key">"Generate key pair"</button>
                <a class="button" id="private-key" download="private-key.pem" hidden=true>"Download private key"</a>
            </div>
            <p class="muted" id="key-status" role="status">"The private key is offered for download and never sent."</p>
        </div>
        <details>
            <summary>"Create a key pair with OpenSSL"</summary>
            <pre tabindex="0" role="region" aria-label="Commands">
                "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out private-key.pem\n"
                "openssl pkey -in private-key.pem -pubout -out public-key.pem\n"
            </pre>
        </details>
    }
}

/// A kind of issuer, with an example that fills the fields.
struct Preset {
    word: &'static str,
    label: &'static str,
    issuer: &'static str,
    subject: &'static str,
    claims: &'static str,
}

const PRESETS: [Preset; 5] = [
    Preset {
        word: "github",
        label: "GitHub Actions",
        issuer: "https://token.actions.githubusercontent.com",
        subject: "repo:OWNER/REPOSITORY:ref:refs/heads/main",
        claims: "repository_owner=OWNER",
    },
    // The subjects of newer repositories also have the numbers of owner and repository.
    Preset {
        word: "github-numbers",
        label: "GitHub with owner and repository IDs",
        issuer: "https://token.actions.githubusercontent.com",
        subject: "repo:OWNER@OWNER-ID/REPOSITORY@REPOSITORY-ID:ref:refs/heads/main",
        claims: "repository_owner=OWNER",
    },
    Preset {
        word: "gitlab",
        label: "GitLab CI",
        issuer: "https://gitlab.com",
        subject: "project_path:GROUP/PROJECT:ref_type:branch:ref:main",
        claims: "ref_protected=true",
    },
    Preset {
        word: "kubernetes",
        label: "Kubernetes",
        issuer: "https://kubernetes.default.svc.cluster.local",
        subject: "system:serviceaccount:NAMESPACE:SERVICE-ACCOUNT",
        claims: "",
    },
    Preset {
        word: "google",
        label: "Google Cloud",
        issuer: "https://accounts.google.com",
        subject: "UNIQUE-ID-OF-THE-SERVICE-ACCOUNT",
        claims: "email=NAME@PROJECT.iam.gserviceaccount.com\nemail_verified=true",
    },
];

impl TypedIdentity {
    /// The example of a kind of issuer. Empty when `word` names no kind.
    pub fn example(word: &str) -> Self {
        let preset = PRESETS.iter().find(|preset| preset.word == word);
        preset.map_or_else(Self::default, |preset| Self {
            issuer: preset.issuer.to_owned(),
            subject: preset.subject.to_owned(),
            claims: preset.claims.to_owned(),
            ..Self::default()
        })
    }

    /// The same fields without a private key. A private key that was pasted by mistake is not sent back to the browser.
    fn without_private_key(mut self) -> Self {
        if holds_private_key(&self.jwks) {
            self.jwks.clear();
        }
        self
    }

    /// The conditions, one a line.
    pub(crate) fn conditions(&self) -> Vec<(String, String)> {
        let split = |line: &str| {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            (name.to_owned(), value.to_owned())
        };
        self.claims.lines().filter(|line| !line.trim().is_empty()).map(split).collect()
    }
}

/// The fields of an identity that may stand for the credential. `example` is an address; each preset appends its word
/// to it.
#[component]
pub(crate) fn IdentityFields(typed: TypedIdentity, errors: Errors, example: String) -> AnyView {
    let typed = typed.without_private_key();
    let presets = PRESETS.map(|preset| small_link(format!("{example}{}", preset.word), preset.label)).collect_view();
    html! {
        <div class="row" role="group" aria-label="Examples"><span class="muted">"Start from an example:"</span>{presets}</div>
        <TextField id="issuer" label="Issuer" value=typed.issuer error=errors.at("issuer")
            hint="Issuer URL, exactly as in the token’s iss claim."/>
        <TextField id="subject" label="Subject" value=typed.subject error=errors.at("subject")
            hint="As in the token’s sub claim. * stands for any text; the program must then send its client ID too."/>
        <TextArea id="claims" label="Further conditions" value=typed.claims error=errors.at("claims")
            placeholder="ref=refs/heads/main" hint="One claim=value per line; * stands for any text."/>
        <TextField id="audience" label="Audience" value=typed.audience error=errors.at("audience")
            hint="The aud claim of the tokens. Empty: the address of this server."/>
        <TextArea id="jwks" label="Issuer’s keys" value=typed.jwks error=errors.at("jwks") placeholder="{\"keys\":[…]}"
            hint="Empty: fetched from the issuer’s discovery document. Paste the JWKS when this server cannot reach it."/>
    }
}

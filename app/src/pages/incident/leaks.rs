//! Responding to a leak: paste a text, see which secrets it contains and what they reach, end them.
//!
//! The pasted text is in the request and nowhere else. So a handler of the server answers the form: a server function
//! would have to put the text into an address or a redirect.

use std::time::Duration;

use domain::incident::leak::{self, DelegatedLeak, Evidence, Findings, Leak, LeakSubject};
use domain::model::credential::AuthMethod;
use domain::model::person::authority::Role;
use domain::model::server::McpServer;
use domain::server;

use crate::pages::credential::head::rotate_link;
use crate::prelude::*;

/// The form.
pub async fn page(form: Form) -> Result<Page, ActionError> {
    signed_in()?;
    let status = form.errors.status();
    let lead = "Paste what was found. It is searched for secrets, tokens and client IDs, and not kept.";
    let body = view! {
        {head((), "Respond to a leak", lead, ())}
        <ErrorSummary errors=form.errors/>
        <section class="panel" aria-label="Search">{fields(7)}</section>
    };
    Ok(Page::new("Respond to a leak", body).answering(status))
}

/// Finds the secrets in `text`, with their use in the last `days`.
pub async fn result(text: String, days: &str) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let days = days.parse().ok().filter(|days| (1..=90).contains(days)).unwrap_or(7_u32);
    if text.trim().is_empty() {
        return Err(ActionError::Invalid(
            "Paste what was found: a secret, a token, a client ID, or all of a log.".to_owned(),
        ));
    }
    let since = visit.now().minus(Duration::from_secs(24 * 3600) * days);
    let findings = leak::find(&visit.context, visit.authority()?, &text, since).await?;
    let servers = server::list(&visit.context).await?;
    let body = view! {
        {head((), "Respond to a leak", summary(&findings), ())}
        {all_at_once(&visit, &findings)}
        {findings.delegated.into_iter().map(|leak| one_of_people(&visit, leak)).collect_view()}
        {findings.leaks.into_iter().map(|leak| one(&visit, leak, &servers, days)).collect_view()}
        <section class="panel" aria-label="Search another text">
            <details class="more"><summary>"Search another text"</summary>{fields(days)}</details>
        </section>
    };
    Ok(Page::new("Leak", body))
}

fn fields(days: u32) -> AnyView {
    let options = options([("1", "24 hours"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days")]);
    html! {
        <form method="post" action=links::LEAKS class="body" autocomplete="off">
            <FormToken/>
            <TextArea id="text" label="Leaked text" value="" placeholder="css_…"
                hint="A secret, a token, a client ID, a .env file or a piece of a log, up to 20 kB. For more: countersign leak FILE."/>
            <Select id="days" label="Show its use of the last" options chosen=days.to_string()/>
            <div class="row"><button class="button" data-kind="primary">"Find credential"</button></div>
        </form>
    }
}

/// What was found, in a sentence.
fn summary(findings: &Findings) -> String {
    let credentials = counted(findings.leaks.len(), "credential", "credentials");
    let delegated = counted(findings.delegated.len(), "app or personal token", "apps and personal tokens");
    let mut words = match (findings.leaks.is_empty(), findings.delegated.is_empty()) {
        (true, true) if findings.elsewhere > 0 => "Nothing in the text is yours to see.".to_owned(),
        (true, true) => "Nothing in the text belongs to this Countersign.".to_owned(),
        (false, true) => format!("The text is about {credentials}."),
        (true, false) => format!("The text is about {delegated}."),
        (false, false) => format!("The text is about {credentials} and {delegated}."),
    };
    if findings.unknown > 0 {
        let secrets = counted(findings.unknown, "secret of the right form is", "secrets of the right form are");
        words += &format!(" {secrets} not known here: of another instance, perhaps.");
    }
    if findings.elsewhere > 0 {
        words += &format!(
            " It also gives away {} of teams or people that you do not answer for: tell an administrator, or send it to \
             /leaks/report, which takes it from anybody.",
            counted(findings.elsewhere, "secret or token", "secrets and tokens")
        );
    }
    if findings.more {
        words += " There is more in it than is looked up at once: search the rest after this.";
    }
    words
}

const REASON: &str = "Leaked";

fn revoke_form(client_ids: String, verb: String) -> AnyView {
    post_button(
        links::REVOKE_CREDENTIALS_NOW,
        [("client_ids", client_ids), ("reason", REASON.to_owned())],
        Some("danger"),
        false,
        verb,
    )
}

/// The actions on everything that still works, together.
fn all_at_once(visit: &Visit, findings: &Findings) -> AnyView {
    let usable: Vec<_> = findings
        .leaks
        .iter()
        .filter(|leak| leak.credential.revoked_at.is_none() && leak.evidence.iter().any(Evidence::works))
        .filter(|leak| visit.may(&leak.credential.team, Role::Member))
        .map(|leak| &leak.credential)
        .collect();
    let joined = |method: Option<AuthMethod>| {
        let ids = usable.iter().filter(|credential| method.is_none_or(|method| credential.auth_method == method));
        ids.map(|credential| credential.client_id.as_str()).collect::<Vec<_>>()
    };
    let (ids, secrets) = (joined(None), joined(Some(AuthMethod::ClientSecret)));
    let renew = |how: &'static str, verb: String| {
        post_button(links::RENEW, [("client_ids", secrets.join(" ")), ("how", how.to_owned())], None, false, verb)
    };
    let renewals = (secrets.len() > 1).then(|| {
        view! {
            {renew("rotate", format!("Rotate all {}", secrets.len()))}
            {renew("replace", format!("Generate {} replacements", secrets.len()))}
        }
    });
    let words = view! {
        <p>"A person who has the text can use several credentials."</p>
        <div class="row">{revoke_form(ids.join(" "), format!("Revoke all {}", ids.len()))}{renewals}</div>
    };
    (ids.len() > 1).then(|| notice("danger", words)).into_any()
}

fn evidence_words(evidence: &Evidence) -> AnyView {
    match evidence {
        Evidence::Secret { hint, works: true } => {
            html! { <p><b>{format!("Its secret css_…{hint}")}</b>" is in the text, and works."</p> }
        }
        Evidence::Secret { hint, works: false } => {
            html! { <p>{format!("Its secret css_…{hint} is in the text; it does not work any more.")}</p> }
        }
        Evidence::Token { ends_at, works: true } => {
            html! { <p><b>"An access token of it"</b>" is in the text, and works until "{moment(*ends_at)}"."</p> }
        }
        Evidence::Token { ends_at, works: false } => {
            html! { <p>"An access token of it is in the text; it does not work any more (its end: "{distance(*ends_at)}")."</p> }
        }
        Evidence::ClientId => {
            html! { <p>"Its client ID is in the text. That is no secret: nothing can be done with it alone."</p> }
        }
    }
}

/// A client or token that acts for a person, with the button that ends it.
fn one_of_people(visit: &Visit, leak: DelegatedLeak) -> AnyView {
    let DelegatedLeak { found, works } = leak;
    let (name, what) = match &found {
        LeakSubject::PersonalToken(listed) => {
            (listed.token.name.clone(), format!("A personal token of {}", listed.person_name))
        }
        LeakSubject::Consent(listed) => {
            (listed.client_name.clone(), format!("A token with which this app acts for {}", listed.person_name))
        }
        LeakSubject::Client(client) => (client.name.clone(), "The secret of this client".to_owned()),
        LeakSubject::Registration(client) => {
            (client.name.clone(), "The token with which this client manages its registration".to_owned())
        }
    };
    let state = if works { "is in the text, and works." } else { "is in the text; it does not work any more." };
    let button = |action: &'static str, field: &'static str, value: String, verb: &'static str| {
        post_button(action, [(field, value)], Some("danger"), false, verb)
    };
    let action = match found {
        _ if !works => html! { <p class="muted">"Nothing is left to do."</p> },
        LeakSubject::PersonalToken(listed) => {
            let own = visit.viewer.as_ref().is_some_and(|viewer| viewer.id == listed.token.person);
            let verb = if own { "Revoke token" } else { "Revoke their token" };
            button(links::REVOKE_PERSONAL_TOKEN, "token", listed.token.id.to_string(), verb)
        }
        LeakSubject::Consent(listed) => button(links::END_ACCESS, "grant", listed.consent.id.to_string(), "End access"),
        LeakSubject::Client(client) | LeakSubject::Registration(client) => html! {
            <a class="button" href=links::client(&client.id)>"Open the client"</a>
            <p class="muted">
                "Remove it: that ends its secret, and the access people gave it. Then it is added again, or registers itself again."
            </p>
        },
    };
    html! {
        <section class="panel" aria-label=name.clone()>
            <header><h2>{name.clone()}</h2></header>
            <div class="body"><p><b>{what}</b>" "{state}</p><div class="row">{action}</div></div>
        </section>
    }
}

/// One credential: what was found of it, what it reaches, and the actions.
fn one(visit: &Visit, leak: Leak, servers: &[McpServer], days: u32) -> AnyView {
    let Leak { credential, evidence, impact, reach } = leak;
    let status = credential.status(visit.now());
    let address = links::credential(&credential.client_id);
    let revoked = credential.revoked_at.is_some();
    let name_of = |id| servers.iter().find(|server| server.id == id).map(|server| server.resource.clone());
    let or_none = |words: Vec<String>| if words.is_empty() { "None".to_owned() } else { words.join(", ") };
    let used =
        reach.servers.into_iter().filter_map(|(id, count)| Some(format!("{} ({})", name_of(id)?, grouped(count))));
    let addresses = reach.addresses.iter().map(|(address, count)| format!("{address} ({})", grouped(*count)));
    let (used, addresses) = (or_none(used.collect()), or_none(addresses.collect()));
    let period = counted(days, "day", "days");
    let like = links::credential_like(&credential.client_id);
    let actions = if !visit.may(&credential.team, Role::Member) {
        html! { <p class="muted">"Your role in its team lets you look. Tell a member or an administrator now."</p> }
    } else if revoked {
        primary_link(like, "Generate a replacement")
    } else {
        html! {
            {revoke_form(credential.client_id.to_string(), "Revoke credential".to_owned())}
            {rotate_link(&credential)}
            {button_link(like, "Generate a replacement")}
        }
    };
    html! {
        <section class="panel" aria-label=credential.name.clone()>
            <header>
                <h2 class="row"><a href=address>{credential.name.clone()}</a>{status_chip(status)}</h2>
                <code>{credential.client_id.to_string()}</code>
            </header>
            <div class="body">{evidence.iter().map(evidence_words).collect_view()}</div>
            <dl class="facts">
                <div><dt>"Live tokens"</dt><dd>{grouped(impact.live_tokens)}</dd></div>
                <div><dt>{format!("Exchanges in {period}")}</dt><dd>{grouped(reach.exchanges)}</dd></div>
                <div><dt>"MCP servers used"</dt><dd>{used}</dd></div>
                <div><dt>"From"</dt><dd>{addresses}</dd></div>
                <div><dt>"May ask for"</dt>
                    <dd>{scope_tags(credential.scopes.iter())}</dd></div>
            </dl>
            <div class="body"><div class="row">{actions}</div></div>
        </section>
    }
}

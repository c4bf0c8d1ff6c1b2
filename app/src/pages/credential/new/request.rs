//! Credentials that members ask for: their list, and the page on which a manager decides and the member generates.

use std::time::Duration;

use domain::base::id::RequestId;
use domain::credential::generate::request;
use domain::model::credential::draft::{Draft, DraftProof, Expiry};
use domain::model::credential::request::{GenerationRequest, RequestState};
use domain::model::person::authority::Role;
use domain::{person, server};

use crate::components::parts::pairs;
use crate::pages::credential::fields::rule_words;
use crate::pages::credential::list::short_resource;
use crate::prelude::*;

fn state_chip(request: &GenerationRequest, visit: &Visit) -> AnyView {
    match request.state {
        RequestState::Waiting => chip("Waiting", "warn"),
        RequestState::Approved if request.is_open(visit.now()) => chip("Approved", "ok"),
        RequestState::Approved => chip("Approved, not used", "idle"),
        RequestState::Declined => chip("Declined", "danger"),
        RequestState::Withdrawn => chip("Withdrawn", "idle"),
        RequestState::Used => chip("Generated", "ok"),
    }
}

/// `GET /requests`
pub async fn list() -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let requests = request::list(&visit.context, visit.authority()?).await?;
    let rows: Vec<_> = requests
        .into_iter()
        .map(|one| {
            let state = state_chip(&one, &visit);
            cells![
                html! { <a class="name" href=links::request(&one.id)>{one.name}</a> },
                one.team_name,
                one.person_name,
                state,
                distance(one.created_at),
            ]
        })
        .collect();
    let content = match rows.is_empty() {
        true => empty("Nobody asked for a credential. Where a policy lets managers approve, requests stand here."),
        false => table(["Credential", "Team", "Asked by", "State", "Asked"], rows),
    };
    let body = view! {
        {head((links::CREDENTIALS, "Credentials"), "Requests", "Credentials that members asked their managers for.", ())}
        <section class="panel" aria-label="Requests">{content}</section>
    };
    Ok(Page::new("Requests", body))
}

/// How many requests of the teams in which the person is a manager wait; and how many of their own are approved.
pub(crate) async fn to_do(visit: &Visit) -> Result<(i64, i64), ActionError> {
    let requests = request::list(&visit.context, visit.authority()?).await?;
    let own = &visit.viewer()?.id;
    let count = |is_counted: &dyn Fn(&GenerationRequest) -> bool| {
        i64::try_from(requests.iter().filter(|one| is_counted(one)).count()).unwrap_or(i64::MAX)
    };
    let waiting = count(&|one| one.state == RequestState::Waiting && visit.may(&one.team, Role::Manager));
    Ok((waiting, count(&|one| one.person == *own && one.is_open(visit.now()))))
}

/// The request with this identifier.
///
/// # Errors
///
/// [`ActionError::NotFound`] when there is none that the person sees.
pub async fn find(visit: &Visit, id: &str) -> Result<GenerationRequest, ActionError> {
    let id = RequestId::parse(id).ok_or(ActionError::NotFound)?;
    request::find(&visit.context, visit.authority()?, &id).await?.ok_or(ActionError::NotFound)
}

/// What a manager typed.
#[derive(Debug, Clone, Default)]
pub struct TypedDecision {
    /// What the manager says to the member.
    pub answer: String,
}

/// `GET /requests/{request_id}`, and the page again after a form was refused. `done` names the receipt.
pub async fn show(id: String, form: Form<TypedDecision>, done: Option<String>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let found = find(&visit, &id).await?;
    let Form { typed, errors, .. } = form;
    let status = errors.status();
    let is_own = found.person == visit.viewer()?.id;
    let asks = visit.must_confirm().then(|| view! { <ConfirmPassword errors=errors.clone()/> });
    let manages = visit.may(&found.team, Role::Manager);
    let action = match found.state {
        RequestState::Waiting if manages => Some(decision(&id, typed, asks.into_any(), &errors)),
        RequestState::Approved if is_own && found.is_open(visit.now()) => Some(generation(&found, asks.into_any())),
        _ => None,
    };
    let may_withdraw = match found.state {
        RequestState::Waiting => is_own,
        RequestState::Approved => is_own || manages,
        _ => false,
    };
    let withdraw = may_withdraw.then(|| {
        let button = submit(None, "Withdraw the request");
        post_form(links::withdraw_request(&id), "row", html! { {button} })
    });
    let again = is_own.then(|| {
        let href = links::with_query(links::NEW_CREDENTIAL, &[("request", id.as_str())]);
        html! { <div class="row">{button_link(href, "Ask again with changes")}</div> }
    });
    let draft = facts(&visit, &found).await?;
    let title = format!("Request: {}", found.name);
    // A receipt is of the state that it brought: a page that is loaded again may show another.
    let done = done.filter(|word| {
        Done::read(On::Request, Some(word)).is_some_and(|done| match found.state {
            RequestState::Waiting => done == Done::RequestSent,
            RequestState::Approved => done == Done::RequestApproved && !is_own,
            RequestState::Declined => done == Done::RequestDeclined && !is_own,
            RequestState::Withdrawn => done == Done::RequestWithdrawn,
            RequestState::Used => false,
        })
    });
    // The receipt of the sender says already who decides.
    let standing = if done.is_some() && found.state == RequestState::Waiting {
        ().into_any()
    } else {
        standing(&found, is_own, manages)
    };
    let body = view! {
        <ErrorSummary errors/>
        <Receipt on=On::Request done=done.as_deref()/>
        <div class="head">
            <div>
                <nav class="crumb" aria-label="Breadcrumb"><a href=links::REQUESTS>"Requests"</a></nav>
                <div class="title"><h1>{title.clone()}</h1>{state_chip(&found, &visit)}</div>
                <p class="lead">{format!("{} asked for this credential of the team {} ", found.person_name, found.team_name)}{distance(found.created_at)}"."</p>
            </div>
        </div>
        {standing}
        {panel("draft", "What was asked for", (), draft)}
        {action}
        {withdraw}
        {again}
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).answering(status))
}

/// What became of the request, and what comes next.
fn standing(found: &GenerationRequest, is_own: bool, manages: bool) -> AnyView {
    let by = found.decided_by.clone().unwrap_or_default();
    let at = found.decided_at.map(distance);
    let answer = found.answer.clone().filter(|answer| !answer.is_empty());
    let said = answer.map(|answer| html! { <p class="lines">{format!("{by} wrote: {answer}")}</p> });
    match found.state {
        RequestState::Waiting if manages => ().into_any(),
        RequestState::Waiting => notice("warn", view! { <p>"Waiting for a manager of the team."</p> }),
        RequestState::Approved => {
            let until = found.open_until().map(moment);
            let next = if is_own { "Generate it below" } else { "The member can generate it" };
            notice("ok", view! { <p><b>"Approved "{at}" by "{by}". "</b>{next}", until "{until}"."</p>{said} })
        }
        RequestState::Declined => notice("danger", view! { <p><b>"Declined "{at}" by "{by}"."</b></p>{said} }),
        RequestState::Withdrawn => notice("idle", view! { <p>"Withdrawn "{at}" by "{by}"."</p> }),
        RequestState::Used => {
            let made =
                found.client_id.as_ref().map(|id| view! { <a href=links::credential(id)>"Go to the credential"</a> });
            notice("ok", view! { <p>"Approved by "{by}" and generated. "{made}</p>{said} })
        }
    }
}

/// The form of a manager.
fn decision(id: &str, typed: TypedDecision, asks: AnyView, errors: &Errors) -> AnyView {
    let fields = view! {
        <section class="panel body" aria-label="Decision">
            <TextArea id="answer" label="To the member" value=typed.answer error=errors.at("answer")
                hint="Optional. The member reads it on this page."/>
        </section>
        {asks}
        <div class="row">
            <button class="button" data-kind="primary" name="decision" value="approve">"Approve"</button>
            <button class="button" name="decision" value="decline">"Decline"</button>
        </div>
    };
    post_form(links::decide_request(id), "stack", fields)
}

/// The form of the member whose request is approved.
fn generation(found: &GenerationRequest, asks: AnyView) -> AnyView {
    let words = match found.draft.proof {
        DraftProof::Secret => "The next page shows the secret, once.",
        _ => "There is no secret to store.",
    };
    let fields = view! {
        {asks}
        <div class="row"><button class="button" data-kind="primary">"Generate credentials"</button>{muted(words)}</div>
    };
    post_form(links::generate_request(&found.id), "stack", fields)
}

/// The whole draft, for the manager who decides. A new field of a draft does not compile without a line here.
async fn facts(visit: &Visit, found: &GenerationRequest) -> Result<AnyView, ActionError> {
    let Draft {
        // Above the facts.
        team: _,
        name: _,
        description,
        notes,
        owner,
        tags,
        servers,
        scopes,
        expiry,
        token_lifetime,
        ip_ranges,
        proof,
        assertions,
        replaces,
    } = &found.draft;
    let known = server::list(&visit.context).await?;
    let name = |asked: &String| {
        let server = known.iter().find(|server| server.resource == *asked || server.id.as_str() == asked);
        server.map_or_else(|| short_resource(asked), |server| format!("{} ({})", server.name, server.resource))
    };
    let end = match expiry {
        Expiry::After(time) if *time >= Duration::from_secs(24 * 3600) => {
            let days = i64::try_from(time.as_secs() / (24 * 3600)).unwrap_or(i64::MAX);
            format!("{} after it is generated", counted(days, "day", "days")).into_any()
        }
        Expiry::After(time) => format!("{} after it is generated", duration(*time)).into_any(),
        Expiry::At(at) => moment(*at),
        Expiry::Never => "Never".into_any(),
    };
    let owner = match owner {
        None => format!("{}, who asks", found.person_name),
        Some(id) => match person::find(&visit.context, id).await? {
            Some(person) => format!("{} ({})", person.name, person.email),
            None => id.to_string(),
        },
    };
    let or = |text: String, otherwise: &'static str| if text.is_empty() { muted(otherwise) } else { lines(text) };
    let mut facts = vec![
        ("Needed for", or(found.reason.clone(), "Nothing said")),
        ("MCP servers", lines(servers.iter().map(name).collect::<Vec<_>>().join("\n"))),
        ("Scopes", lines(scopes.join(" "))),
        ("Proof", lines(proof_words(proof))),
        ("Ends", end),
        ("Token lifetime", token_lifetime.map_or_else(|| muted("Server default"), |time| duration(time).into_any())),
        ("Networks", lines(if ip_ranges.is_empty() { "Every address".to_owned() } else { ip_ranges.join("\n") })),
        ("Owner", owner.into_any()),
    ];
    let exceptions = rule_words(*assertions).join(", ");
    let replaces = replaces.as_ref().map(ToString::to_string).unwrap_or_default();
    for (label, text) in [
        ("Assertions", exceptions),
        ("Replaces", replaces),
        ("Tags", tags.join(" ")),
        ("Description", description.clone()),
        ("Notes", notes.clone()),
    ] {
        if !text.is_empty() {
            facts.push((label, lines(text)));
        }
    }
    Ok(pairs(facts))
}

fn lines(text: String) -> AnyView {
    html! { <span class="lines">{text}</span> }
}

/// How the credential would prove itself, with everything that decides who can.
fn proof_words(proof: &DraftProof) -> String {
    match proof {
        DraftProof::Secret => "Client secret".to_owned(),
        DraftProof::Keys(keys) => format!("Public key\n{}", keys.text.trim()),
        DraftProof::KeysAt(address) | DraftProof::Document(address) => format!("Public keys at {address}"),
        DraftProof::Federated(identity) => {
            let mut words = vec![
                "Federated identity".to_owned(),
                format!("Issuer: {}", identity.issuer),
                format!("Subject: {}", identity.subject),
            ];
            if !identity.audience.is_empty() {
                words.push(format!("Audience: {}", identity.audience));
            }
            words.extend(identity.claims.iter().map(|(name, value)| format!("{name}: {value}")));
            if !identity.jwks.is_empty() {
                words.push(format!("Keys: {}", identity.jwks.trim()));
            }
            words.join("\n")
        }
    }
}

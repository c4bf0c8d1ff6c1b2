//! The page on which a person lets a client act for them.

use domain::client::authorization::AuthorizationRequest;
use domain::client::offer::Offer;
use domain::model::client::redirect_uri::Destination;
use domain::model::client::{AppClient, ClientKind};
use domain::model::server::scope::Scopes;
use domain::model::server::{McpServer, ScopeDescription, allows_for_person};
use domain::services::client_documents::host;

use crate::pages::message::message;
use crate::prelude::*;

/// The page. `query` is the request as it arrived. The form sends it back with the decision and with the MCP server
/// that the page showed, and the server reads it again. `must_choose`: the person did not choose one of several MCP
/// servers. `has_changed`: the person allowed something else than the app would get.
pub async fn page(
    request: AuthorizationRequest,
    query: String,
    must_choose: bool,
    has_changed: bool,
) -> Result<Page, ActionError> {
    let viewer = signed_in()?.viewer()?.clone();
    if let [only] = request.offers.as_slice()
        && !only.server.access.admits(&viewer.authority)
    {
        return Ok(not_open(&request, &only.server.name, query, &viewer.email));
    }
    let AuthorizationRequest { client, redirect_uri, offers, .. } = request;
    let (lead, warning) = runs_at(redirect_uri.destination());
    let facts = view! { <div><dt class="sub">"Runs at"</dt><dd>{lead}", "<b>{redirect_uri.host()}</b></dd></div> };
    let warning = warning.map(|words| view! { <p>{words}</p> }.into_any());
    let (action, field) = (links::AUTHORIZE, hidden("request", query));
    let form = Question { action, field, must_choose, has_changed, is_device: false };
    Ok(form.page(client, offers, facts, warning, viewer.email))
}

/// The page with which a person allows or denies what a client asks for.
pub(super) struct Question {
    /// Where the form goes.
    pub action: &'static str,
    /// The hidden field that names the request.
    pub field: AnyView,
    /// Whether the person did not choose one of several MCP servers.
    pub must_choose: bool,
    /// Whether the person allowed something else than the app would get.
    pub has_changed: bool,
    /// Whether a device asks.
    pub is_device: bool,
}

impl Question {
    /// The page. `facts` say where the client is, and `warning` what the person should check. `email` is the person's.
    pub(super) fn page(
        self,
        client: AppClient,
        offers: Vec<Offer>,
        facts: impl IntoAny,
        warning: Option<AnyView>,
        email: String,
    ) -> Page {
        let Self { action, field, must_choose, has_changed, is_device } = self;
        let shown = offers.iter().map(|offer| hidden("shown", offer.shown())).collect_view();
        let changed = has_changed.then(|| {
            notice("warn", view! { <p>"What the app may do has changed since you opened the page. Read it again."</p> })
        });
        let Wanted { wanted, scopes, resource, lifetime, server } = Wanted::of(offers, must_choose);
        // Nobody checked the other clients. So the page does not lead to "Allow". A device can use the name of any
        // client that has no secret.
        let is_certain = client.kind == ClientKind::Registered && (!is_device || client.proves_itself());
        let allow = is_certain.then_some("primary");
        let vouched = match is_device && client.kind == ClientKind::Registered && !is_certain {
            true => {
                "An administrator registered this name, but any program can ask under it: only the code shows that it \
                     is yours"
                    .to_owned()
            }
            false => vouched(&client),
        };
        let described = client.id.document().map(|url| {
            view! { <div><dt class="sub">"Described at"</dt><dd>{url.to_owned()}</dd></div> }
        });
        let body = view! {
            <section class="panel body" aria-labelledby="title">
                <h1 id="title">"Allow access"</h1>
                {changed}
                <p><b>{client.name}</b>" wants to use "{wanted}" as you, "{email}"."</p>
                <p class="sub">{vouched}"."</p>
                {scopes}
                <dl class="stack">
                    {described}
                    {resource}
                    {facts.into_any()}
                    <div><dt class="sub">"For"</dt><dd>
                        "90 days at most. The access ends earlier when the app does not use it for 30 days."{lifetime}
                    </dd></div>
                </dl>
                {warning.map(|words| notice("warn", words))}
                <form method="post" action=action class="stack">
                    <FormToken/>{field}{server}{shown}
                    <div class="row">
                        <button class="button" data-kind=allow name="decision" value="allow">"Allow"</button>
                        <button class="button" name="decision" value="deny">"Deny"</button>
                    </div>
                </form>
            </section>
            <p class="sub">"You can end the access at any time under Connected apps."</p>
        };
        let page = Page::new("Allow access", body).framed(Frame::Gate);
        match (must_choose, has_changed) {
            (true, _) => page.with_status(422),
            (_, true) => page.with_status(409),
            _ => page,
        }
    }
}

/// Who stands for the name of the client.
fn vouched(client: &AppClient) -> String {
    match (client.kind, client.id.document()) {
        (ClientKind::Registered, _) => "Registered by an administrator".to_owned(),
        (ClientKind::Document, Some(url)) => {
            format!("{} describes the app under this name. Nobody else has checked the name", host(url))
        }
        _ => "The app registered itself under this name. Nobody has checked the name".to_owned(),
    }
}

/// What the page says about the MCP server: one, or several of which the person chooses one.
struct Wanted {
    wanted: AnyView,
    scopes: AnyView,
    resource: AnyView,
    lifetime: String,
    server: AnyView,
}

impl Wanted {
    fn of(offers: Vec<Offer>, must_choose: bool) -> Self {
        if let [Offer { server, scopes }] = offers.as_slice() {
            return Self {
                wanted: html! { <b>{server.name.clone()}</b> },
                scopes: html! { <h2>"The app may"</h2><ul>{allowed(server, scopes)}</ul> },
                resource: html! { <div><dt class="sub">"MCP server"</dt><dd>{server.resource.clone()}</dd></div> },
                lifetime: format!(" Each token works for {}.", duration(server.token_lifetime)),
                server: hidden("server", server.id.as_str()),
            };
        }
        let error = must_choose.then(|| "Choose an MCP server.".to_owned());
        let hint = "The app does not say which one. It gets access to the one that you choose, and to no other.";
        Self {
            wanted: "an MCP server".into_any(),
            scopes: ().into_any(),
            resource: ().into_any(),
            lifetime: String::new(),
            server: choices("server", "MCP server", Some(hint), offers.into_iter().map(option), error),
        }
    }
}

/// Which kind of program gets the answer, and what the person must know about it.
fn runs_at(destination: Destination<'_>) -> (&'static str, Option<&'static str>) {
    match destination {
        Destination::Website(_) => ("The website", None),
        Destination::Loopback => (
            "A program on this computer",
            Some(
                "A program on this computer gets the access. Allow it only if you have just started that program \
                 yourself.",
            ),
        ),
        Destination::Scheme(_) => (
            "The program that has claimed",
            Some(
                "Your computer opens the program that claimed this kind of address. Any program can claim it, and \
                 Countersign cannot see which one did. Allow it only if you have just started the request in that \
                 program yourself.",
            ),
        ),
    }
}

/// What the scopes allow at the server, one line each.
fn allowed(server: &McpServer, scopes: &Scopes) -> AnyView {
    let line = |scope: &ScopeDescription| {
        let words = allows_for_person(scope).to_owned();
        let words = (!words.is_empty()).then(|| format!("{words} "));
        view! { <li>{words}<span class="scope">{scope.name.clone()}</span></li> }
    };
    server.scopes.iter().filter(|scope| scopes.contains(&scope.name)).map(line).collect_view().into_any()
}

/// One of several MCP servers, with what the app may do there.
fn option(offer: Offer) -> AnyView {
    let Offer { server, scopes } = offer;
    let about = view! {
        <span>{server.name.clone()}</span>
        <span class="hint">
            {server.resource.clone()}". Each token works for "{duration(server.token_lifetime)}". The app may:"
        </span>
    };
    html! {
        {choice("radio", "server", server.id.as_str(), false, about)}
        <div class="hint"><ul>{allowed(&server, &scopes)}</ul></div>
    }
}

/// The page for a person whose teams may not use the MCP server. Its button tells the client.
fn not_open(request: &AuthorizationRequest, server: &str, query: String, email: &str) -> Page {
    let AuthorizationRequest { client, redirect_uri, .. } = request;
    let form = view! {
        <form method="post" action=links::AUTHORIZE>
            <FormToken/>{hidden("request", query)}
            <div class="row">
                <button class="button" data-kind="primary" name="decision" value="deny">
                    {format!("Go back to {}", redirect_uri.host())}
                </button>
            </div>
        </form>
    };
    cannot_allow(&client.name, server, email, form)
}

/// The page for a person whose teams may not use the MCP server. `form` tells the client.
pub(super) fn cannot_allow(client: &str, server: &str, email: &str, form: impl IntoAny) -> Page {
    let (name, server) = (client.to_owned(), server.to_owned());
    let body = view! {
        <section class="panel body" aria-labelledby="title">
            <h1 id="title">"You cannot allow this"</h1>
            <p><b>{name}</b>" wants to use "<b>{server.clone()}</b>" as you, "{email.to_owned()}"."</p>
            <p>{server}" is not open to your teams. Ask an administrator of Countersign to add one of your teams to it, then start again in the app."</p>
            {form.into_any()}
        </section>
    };
    Page::new("You cannot allow this", body).framed(Frame::Gate).with_status(403)
}

/// The page for a request that cannot be answered, because the client or its redirect URI is not known.
pub fn refused(problem: &str) -> Page {
    let text = format!(
        "{problem} You were not sent back, because the sender could not be recognised. Start again in the \
         program; if it happens again, tell its developer."
    );
    message(400, "This request cannot be answered", text, (links::OVERVIEW, "Open the dashboard")).framed(Frame::Gate)
}

/// The page for a request with an error, of a client that nobody vouches for. The link tells the client.
pub fn refused_with_link(problem: &str, host: &str, address: String) -> Page {
    let text = format!(
        "{problem} The app that sent you here registered itself, and nobody has checked it. So Countersign does not \
         lead you back by itself. The link leads to {host}. Follow it only if you know this address."
    );
    let words = format!("Go back to {host}");
    message(400, "This request cannot be answered", text, (address, words)).framed(Frame::Gate)
}

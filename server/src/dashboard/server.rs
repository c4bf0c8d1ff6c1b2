//! MCP servers.

use app::form::Errors;
use app::pages::audit::receipt::recorded;
use app::pages::credential::usage::read_period;
use app::pages::server::access::{self, TypedAccess};
use app::pages::server::edit::TypedEdit;
use app::pages::server::gateway::{self as gateway_page, TypedGateway};
use app::pages::server::tools::{self, TypedRule};
use app::pages::server::{CallersQuery, archive, check, edit, list, new, show};
use domain::base::id::McpServerId;
use domain::model::field_error::FieldError;
use domain::model::server::McpServer;
use domain::server::{self, edit::ServerEdit, gateway};

use crate::dashboard::prelude::{
    ActionError, Answer, Done, Fields, PageResult, Refused, Response, Submission, links, read,
};
use crate::http::fields::FromFields;

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::server::archive::{archive_form, remove_form, unarchive_form};
pub(crate) use app::pages::server::{
    check::form as check_form, edit::form as edit_form, gateway::form as gateway_form, new::form as new_form,
    tools::look_form, tools::rules_form,
};

/// `GET /servers`
pub(crate) async fn list(fields: Fields) -> PageResult {
    list::page(&fields.get("status"), fields.find("done")).await
}

/// `GET /servers/{id}`
pub(crate) async fn show(id: String, fields: Fields) -> PageResult {
    let query = read!(fields => CallersQuery { kind, scope, after });
    let receipt = (fields.find("done"), fields.find("default"));
    show::page(id, &fields.get("view"), query, read_period(fields.find("period")), receipt).await
}

fn read_id(id: &str) -> Result<McpServerId, ActionError> {
    McpServerId::parse(id).ok_or(ActionError::NotFound)
}

async fn find(form: &Submission, id: &McpServerId) -> Result<McpServer, Refused> {
    Ok(server::find(form.context(), id).await?.ok_or(ActionError::NotFound)?)
}

/// `POST /servers/new`
pub(crate) async fn add(form: Submission) -> Response {
    let typed = read!(form.fields => new::Typed {
        name, mode, resource, upstream, slug, header_name, header_value, scopes, token_lifetime, alg, access
    });
    form.run(typed, new::form, async |form, typed| {
        let draft = typed.draft().map_err(Refused::Invalid)?;
        let Some(gateway) = typed.gateway() else {
            let server = server::add(form.context(), &form.actor().await?, &draft).await?;
            return Ok(Answer::Next(Done::ServerAdded.at(links::server(&server.id))));
        };
        let server = gateway::add(form.context(), &form.actor().await?, &draft, &gateway).await?;
        look(form, &server, Done::ServerAdded, "The server is behind the gateway, but it gave no answer yet. ").await
    })
    .await
}

/// Looks at the server behind the gateway. When it gives no answer, the page says why, after `before`.
async fn look(form: &Submission, server: &McpServer, done: Done, before: &str) -> Result<Answer, Refused> {
    let actor = form.visit.actor()?;
    match gateway::tools::look(form.context(), &*form.state.mcp_servers, &actor, &server.id).await? {
        Ok(_) => Ok(Answer::Next(format!("{}&view=tools", done.at(links::server(&server.id))))),
        Err(problem) => {
            let upstream = gateway::find(form.context(), &server.id).await?.map(|gateway| gateway.upstream);
            let words = tools::problem_words(&problem, &upstream.unwrap_or_default());
            let error = FieldError::new("main", format!("{before}{words}"));
            let server = server.clone();
            Ok(Answer::page(move || tools::look_again(&server, Errors(vec![error]))))
        }
    }
}

/// `POST /servers/{id}/tools/look`
pub(crate) async fn look_at_tools(form: Submission, id: String) -> Response {
    form.run_of(id, (), tools::look_form, async |form, id, ()| {
        let server = find(form, &read_id(id)?).await?;
        look(form, &server, Done::ServerLookedAt, "").await
    })
    .await
}

/// `POST /servers/{id}/tools/accept`
pub(crate) async fn accept_tools(form: Submission, id: String) -> Response {
    let seen = form.get("seen");
    form.run_of(id, (), tools::look_form, async |form, id, ()| {
        let id = read_id(id)?;
        gateway::tools::accept(form.context(), &form.actor().await?, &id, &seen).await?;
        Ok(Answer::Next(format!("{}&view=tools", Done::ServerToolsAccepted.at(links::server(&id)))))
    })
    .await
}

/// The rules of a form: one for each scope that it is about.
fn typed_rules(fields: &Fields) -> Vec<TypedRule> {
    let of = |name: &str, scope: &String| fields.all(name).contains(scope);
    let rule = |scope: String| {
        let beginning = format!("{scope} ");
        let tools =
            fields.all("tool").into_iter().filter_map(|value| value.strip_prefix(&beginning).map(str::to_owned));
        TypedRule {
            all_tools: of("all_tools", &scope),
            tools: tools.collect(),
            all_prompts: of("all_prompts", &scope),
            prompts: fields.get(&format!("prompts {scope}")),
            all_resources: of("all_resources", &scope),
            resources: fields.get(&format!("resources {scope}")),
            scope,
        }
    };
    fields.all("scope").into_iter().map(rule).collect()
}

/// `POST /servers/{id}/tools`. Rules that allow more need the password when that is due.
pub(crate) async fn set_rules(form: Submission, id: String) -> Response {
    let (typed, shown) = (typed_rules(&form.fields), form.fields.all("shown"));
    form.run_of(id, typed, tools::rules_form, async |form, id, typed| {
        let id = read_id(id)?;
        let before = gateway::find(form.context(), &id).await?.ok_or(ActionError::NotFound)?.rules;
        let rules = typed.iter().map(|rule| rule.rule(&shown)).collect::<Result<Vec<_>, _>>()?;
        if gateway::rules::widen(&before, &rules) {
            form.confirm().await?;
        }
        gateway::rules::set(form.context(), &form.actor().await?, &id, &rules).await?;
        Ok(Answer::Next(format!("{}&view=tools", Done::ServerRulesSaved.at(links::server(&id)))))
    })
    .await
}

/// `POST /servers/{id}/tools/scope`
pub(crate) async fn add_ready_scope(form: Submission, id: String) -> Response {
    let kind = form.get("kind");
    form.run_of(id, (), tools::look_form, async |form, id, ()| {
        let id = read_id(id)?;
        let gateway = gateway::find(form.context(), &id).await?.ok_or(ActionError::NotFound)?;
        let [read, all] = tools::ready_names(&gateway);
        let (name, only_reads) = if kind == "read" { (read, true) } else { (all, false) };
        gateway::rules::add_ready_scope(form.context(), &form.actor().await?, &id, &name, only_reads).await?;
        Ok(Answer::Next(format!("{}&view=tools", Done::ServerScopeAdded.at(links::server(&id)))))
    })
    .await
}

/// `POST /servers/{id}/gateway`
pub(crate) async fn edit_gateway(form: Submission, id: String) -> Response {
    let typed = read!(form.fields => TypedGateway {
        upstream, header, header_name, header_value, identity, on_change, reports, per_minute, concurrent,
        per_minute_each, concurrent_each, limits
    });
    form.run_of(id, typed, gateway_page::form, async |form, id, typed| {
        let id = read_id(id)?;
        let edit = typed.edit()?;
        gateway::edit(form.context(), &form.actor().await?, &id, &edit).await?;
        Ok(Answer::Next(Done::ServerGatewaySaved.at(links::server(&id))))
    })
    .await
}

impl FromFields for TypedAccess {
    fn read(fields: &Fields, _: &str) -> Self {
        read!(fields => TypedAccess { access, teams: "team", closes, then })
    }
}

/// `GET /servers/{id}/access`
pub(crate) async fn access_form(id: String, fields: Fields) -> PageResult {
    access::present(id, &fields.get("open"), fields.get("then")).await
}

/// `POST /servers/{id}/access`. A change that lets somebody in needs the password when that is due. A change that only
/// shuts out never waits for it: it needs a confirmation.
pub(crate) async fn set_access(form: Submission, id: String) -> Response {
    let typed = TypedAccess::read(&form.fields, "access");
    form.run_of(id, typed, access::form, async |form, id, typed| {
        let chosen = typed.chosen()?;
        let id = read_id(id)?;
        let server = find(form, &id).await?;
        if !chosen.is_within(&server.access) {
            form.confirm().await?;
        }
        let closes = !typed.closes.is_empty();
        server::set_access(form.context(), &form.actor().await?, &id, &chosen, closes).await?;
        Ok(Answer::Next(Done::ServerAccessSaved.at(typed.next(&id))))
    })
    .await
}

/// `POST /servers/{id}/edit`. An edit that can let programs do more needs the password when that is due.
pub(crate) async fn edit(form: Submission, id: String) -> Response {
    let typed = read!(form.fields => TypedEdit { name, scopes, token_lifetime, alg, removes });
    form.run_of(id, typed, edit::form, async |form, id, typed| {
        let id = read_id(id)?;
        let server = find(form, &id).await?;
        let edit = typed.edit(&server)?;
        if edit.widens(&server) {
            form.confirm().await?;
        }
        server::edit::edit(form.context(), &form.actor().await?, &id, &edit).await?;
        let next = Done::ServerEdited.at(links::server(&id));
        Ok(Answer::Next(match new_default(&server, &edit) {
            Some(scope) => format!("{next}&{}", links::query_string(&[("default", scope)])),
            None => next,
        }))
    })
    .await
}

/// The scope that becomes the default with this edit.
fn new_default<'edit>(before: &McpServer, edit: &'edit ServerEdit) -> Option<&'edit str> {
    let first = &edit.scopes.as_ref()?.first()?.name;
    before.scopes.first().is_none_or(|before| before.name != *first).then_some(first)
}

/// `POST /servers/{id}/archive`
pub(crate) async fn archive(form: Submission, id: String) -> Response {
    form.run_of(id, (), archive::archive_form, async |form, id, ()| {
        let id = read_id(id)?;
        server::archive::archive(form.context(), &form.actor().await?, &id).await?;
        Ok(Answer::Next(Done::ServerArchived.at(links::server(&id))))
    })
    .await
}

/// `POST /servers/{id}/unarchive`
pub(crate) async fn unarchive(form: Submission, id: String) -> Response {
    form.run_of(id, (), archive::unarchive_form, async |form, id, ()| {
        let id = read_id(id)?;
        server::archive::unarchive(form.context(), &form.actor().await?, &id).await?;
        Ok(Answer::Next(Done::ServerUnarchived.at(links::server(&id))))
    })
    .await
}

/// `POST /servers/{id}/remove`
pub(crate) async fn remove(form: Submission, id: String) -> Response {
    form.run_of(id, (), archive::remove_form, async |form, id, ()| {
        let id = read_id(id)?;
        server::archive::remove(form.context(), &form.actor().await?, &id).await?;
        Ok(Answer::Next(recorded(&form.visit, Done::ServersRemoved.at(links::SERVERS), &id).await))
    })
    .await
}

/// `POST /servers/{id}/check`
pub(crate) async fn check(form: Submission, id: String) -> Response {
    form.run_of(id, (), check::form, async |form, id, ()| {
        let id = read_id(id)?;
        server::check::run(form.context(), &*form.state.probe, &form.actor().await?, &id).await?;
        Ok(Answer::Next(format!("{}&view=check", Done::ServerChecked.at(links::server(&id)))))
    })
    .await
}

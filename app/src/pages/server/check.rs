//! The check of an MCP server: its result, and the page that starts it.

use domain::model::server::McpServer;
use domain::model::server::check::{ServerCheck, StepOutcome, StepResult};

use crate::pages::server::access::find;
use crate::prelude::*;

/// The page that starts a check. It is shown again when the check could not run.
pub async fn form(id: String, form: Form) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let server = find(&visit, &id).await?;
    let page = FormPage::new(format!("Check {}", server.name), links::check_server(&id), "Check now")
        .back(links::server(&id), server.name.clone())
        .question(WHAT_IS_SENT);
    Ok(page.page(form.errors))
}

const WHAT_IS_SENT: &str = "Countersign sends three requests to the server: one for its metadata, one without a token, and \
    one with a token for another audience that lives 60 seconds and is valid nowhere. Each must be answered within 5 \
    seconds. Redirects are not followed.";

/// A check in one word.
pub(super) fn verdict(check: &ServerCheck) -> AnyView {
    match check.problems() {
        0 => chip("Passed", "ok"),
        _ if check.is_unanswered() => chip("Not reached", "warn"),
        _ => chip("Failed", "danger"),
    }
}

/// The receipt of a check, in the tone of its result.
pub(super) fn receipt(check: &ServerCheck) -> AnyView {
    let steps = counted(check.problems(), "step", "steps");
    match check.problems() {
        0 => html! { <DoneNotice text="Check finished: every step passed.".to_owned()/> },
        _ if check.is_unanswered() => notice("warn", "Check finished: the server was not reached.".to_owned()),
        _ => notice("danger", format!("Check finished: {steps} did not pass.")),
    }
}

/// The button that starts a check.
pub(super) fn button(server: &McpServer) -> AnyView {
    post_form(links::check_server(&server.id), "", view! { <button class="button">"Check now"</button> })
}

/// The view of the last check.
pub(super) fn panel_of(server: &McpServer, issuer: &str, check: Option<ServerCheck>, administers: bool) -> AnyView {
    let Some(check) = check else {
        let words = match administers {
            true => "This server was not checked yet.",
            false => "This server was not checked yet. An administrator can do that.",
        };
        return panel(
            "check",
            "Check",
            (),
            view! { <div class="body"><p>{words}</p><p class="muted">{WHAT_IS_SENT}</p></div> },
        );
    };
    let rows = check.steps.iter().map(|step| row(step, server, issuer, administers));
    let columns = ["Step", "Result", "Received, and what to do"].map(Column::from);
    let aside = html! { <span class="muted">{distance(check.at)}{format!(" by {}", check.by)}</span> };
    let private = (administers && check.needs_exception()).then(|| {
        notice("warn", view! {
            <p>
                <b>"The check could not reach the server. "</b>
                "Countersign asks only public addresses over https. For a server on this machine or in your own network, list \
                 its host in the setting "<code>"private_upstreams"</code>", for example "<code>"localhost:9000"</code>", and restart."
            </p>
        })
    });
    html! { {private}{panel("check", "Check", aside, table(columns, rows))} }
}

/// One step. What was received says which addresses of the network answer: that is for administrators.
fn row(step: &StepResult, server: &McpServer, issuer: &str, administers: bool) -> Vec<AnyView> {
    let (word, tone) = match step.outcome {
        StepOutcome::Passed => ("Passed", "ok"),
        _ if step.is_unanswered() => ("Not reached", "idle"),
        StepOutcome::Failed => ("Failed", "danger"),
        StepOutcome::Skipped => ("Not checked", "idle"),
    };
    let remedy = (step.outcome == StepOutcome::Failed).then(|| step.remedy(server, issuer));
    let received = html! {
        <div class="received">{administers.then(|| view! { <span class="muted">{step.received.clone()}</span> })}{remedy.map(|remedy| view! { <b>{remedy}</b> })}</div>
    };
    cells![step.step.title(), chip(word, tone), received]
}

//! The pages on which a person enters the code of a device, and allows or denies what it asks for (RFC 8628 §3.3).

use std::time::Duration;

use domain::client::device::{self, WaitingDevice};
use domain::client::offer::Offer;
use domain::model::client::AppClient;
use domain::model::client::device::UserCode;
use domain::person::sign_in::wait_words;

use crate::pages::client::consent::{Question, cannot_allow};
use crate::pages::message::message;
use crate::prelude::*;

const TITLE: &str = "Sign in on a device";
/// What a person must know who got the code from somebody else (RFC 8628 §5.4).
const WARNING: &str = "Allow this only if you started it yourself and the code is the one on your device. Nobody from Countersign \
                       or your company asks you to enter a code that they send.";

/// Ends the request of a device whose code was found in a text.
#[server(prefix = "/fn", endpoint = "end_device")]
pub(crate) async fn end_device(device: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    device::end(&visit.context, &visit.actor()?, &device).await.map_err(|error| match error {
        device::DeviceError::Fault(fault) => fault.into(),
        _ => ActionError::NotFound,
    })?;
    Ok(links::LEAKS.to_owned())
}

/// The page on which a person enters a code. A code in the address is filled in, and the person still sends it.
pub async fn enter(form: Form<String>) -> Result<Page, ActionError> {
    let Form { typed, errors, .. } = form;
    let fields = view! {
        <TextField id="user_code" label="Code" value=typed required=true autofocus=true error=errors.at("user_code")
            hint="The eight letters that the program or the device shows. Capital or small, with or without the hyphen."/>
    };
    let page = FormPage::new(TITLE, links::DEVICE, "Continue")
        .lead("A program without a browser shows a code. Enter it to see what the program asks for.");
    Ok(page.panel("What the device shows", fields).cancel(links::OVERVIEW).page(errors))
}

/// The page that asks the person who entered the code `entered`. `must_choose`: the person did not choose one of
/// several MCP servers. `has_changed`: the person allowed something else than the app would get.
pub fn ask(
    visit: &Visit,
    device: WaitingDevice,
    entered: String,
    must_choose: bool,
    has_changed: bool,
) -> Result<Page, ActionError> {
    let viewer = visit.viewer()?;
    let WaitingDevice { request, client, offers } = device;
    let code = UserCode::parse(&entered).map(|code| code.shown());
    let field = hidden("user_code", entered);
    if let [only] = offers.as_slice()
        && !only.server.access.admits(&viewer.authority)
    {
        let form = view! {
            <form method="post" action=links::DEVICE>
                <FormToken/>{field}
                <div class="row">
                    <button class="button" data-kind="primary" name="decision" value="deny">"Tell the device"</button>
                </div>
            </form>
        };
        return Ok(cannot_allow(&client.name, &only.server.name, &viewer.email, form));
    }
    let place = request.asked_from.unwrap_or_else(|| "an unknown address".to_owned());
    let agent = request.agent.map(|agent| {
        view! { <div><dt class="sub">"Program, as it says"</dt><dd>{agent}</dd></div> }
    });
    let facts = view! {
        <div><dt class="sub">"Code"</dt><dd><b>{code}</b></dd></div>
        <div><dt class="sub">"Runs at"</dt><dd>"A device that asked from "<b>{place}</b></dd></div>
        {agent}
        <div><dt class="sub">"Asked"</dt><dd>{moment(request.created_at)}", "{distance(request.created_at)}</dd></div>
    };
    let question = Question { action: links::DEVICE, field, must_choose, has_changed, is_device: true };
    let warning = view! { <p>{WARNING}</p> }.into_any();
    Ok(question.page(client, offers, facts, Some(warning), viewer.email.clone()))
}

/// The receipt of a person who allowed it.
pub fn allowed(client: &AppClient, offer: &Offer) -> Page {
    let text = format!(
        "{} gets access to {} within seconds. Go back to the device. You can end the access at any time under Connected apps.",
        client.name, offer.server.name
    );
    message(200, "Access allowed", text, (links::APPS, "Open connected apps"))
}

/// The receipt of a person who denied it.
pub fn denied(client: &AppClient) -> Page {
    let text = format!(
        "{} gets no access. The device is told so. If you did not start it, you need do nothing more.",
        client.name
    );
    message(200, "Access denied", text, (links::APPS, "Open connected apps"))
}

/// The page for a code whose app cannot be allowed, and why.
pub fn refused(problem: &str) -> Page {
    message(
        400,
        "This device cannot be allowed",
        format!("{problem} Start again on the device."),
        (links::DEVICE, "Enter another code"),
    )
}

/// The page for a person who entered too many wrong codes.
pub fn too_many(wait: Duration) -> Page {
    let text = format!("Wait {}, then try again with the code that the device shows then.", wait_words(wait));
    message(429, "Too many wrong codes", text, (links::OVERVIEW, "Go to the overview"))
}

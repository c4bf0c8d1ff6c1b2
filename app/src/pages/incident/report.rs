//! The public page on which anybody stops a leaked secret: whoever holds it has proved enough. Its answer says what
//! was done, and never whose the secret was.

use domain::incident::leak::Reported;

use crate::prelude::*;

/// What the page asks for. The text is never shown again: it may hold secrets.
#[derive(Debug, Clone, Default)]
pub struct TypedReport {
    /// Where the text was found.
    pub url: String,
}

/// Signed in, the page has the navigation.
fn frame() -> Frame {
    if Visit::current().viewer.is_some() { Frame::Narrow } else { Frame::Gate }
}

const TITLE: &str = "Report a leaked secret";

/// The form.
pub async fn page(form: Form<TypedReport>) -> Result<Page, ActionError> {
    let Form { typed, errors, .. } = form;
    let status = errors.status();
    let (text, place) = (errors.at("token"), errors.at("url"));
    let fields = view! {
        <TextArea id="token" label="Leaked secret" value="" placeholder="css_…" error=text autofocus=true
            hint="A secret or token of this Countersign, or the text that holds it, up to 20 kB. It is not stored."/>
        <TextField id="url" label="Where you found it" value=typed.url error=place
            hint="Optional. For example the address of a page or a repository."/>
        <div class="row"><button class="button" data-kind="danger">"Report and stop it"</button></div>
    };
    let body = view! {
        <ErrorSummary errors/>
        <section class="panel body" aria-labelledby="title">
            <div class="stack">
                <h1 id="title">{TITLE}</h1>
                <p class="muted">
                    "Anyone who has a leaked secret can use it. Paste it here, and it stops working. You need no account."
                </p>
            </div>
            {post_form(links::REPORTED, "stack", fields)}
        </section>
    };
    Ok(Page::new(TITLE, body).framed(frame()).answering(status))
}

/// What the report did.
pub fn result(reported: &Reported) -> Page {
    let Reported { stopped, ended_before, left_to_people, unknown, damaged, more, .. } = *reported;
    let (title, tone) = match (stopped, left_to_people, ended_before) {
        _ if more => ("There is more to report", "warn"),
        (0, 0, 0) => ("Nothing was found to stop", "warn"),
        (0, 0, _) => ("It had stopped working before", "ok"),
        (_, 0, _) => ("It no longer works", "ok"),
        _ => ("The report was taken", "warn"),
    };
    let lines = [
        (stopped > 0).then(|| {
            let things = counted(stopped, "secret or token was", "secrets and tokens were");
            let them = if stopped == 1 { "it" } else { "them" };
            format!("{things} stopped. Whoever uses {them} is refused from now on.")
        }),
        (left_to_people > 0).then(|| {
            let (things, verb) = match left_to_people {
                1 => ("1 secret or token".to_owned(), "works"),
                count => (format!("{count} secrets and tokens"), "work"),
            };
            format!("{things} still {verb}: here people decide what happens. They see your report.")
        }),
        (ended_before > 0).then(|| {
            let things = counted(ended_before, "secret or token", "secrets and tokens");
            format!("{things} did not work any more.")
        }),
        (unknown > 0).then(|| {
            let things = counted(unknown, "secret or token is", "secrets and tokens are");
            format!("{things} not known here. Perhaps another Countersign issued them.")
        }),
        (damaged > 0).then(|| {
            let texts = counted(damaged, "text looks", "texts look");
            format!("{texts} like a secret that is cut off or mistyped. Paste all of it: css_ and 49 characters.")
        }),
        more.then(|| "The text holds more than one report handles. Report the rest as well.".to_owned()),
        (!reported.is_known() && unknown + damaged == 0).then(|| {
            "The text holds no secret and no token of Countersign. A secret is css_ and 49 characters, an access token \
             begins with eyJ."
                .to_owned()
        }),
    ];
    let lines = lines.into_iter().flatten().map(|line| view! { <p>{line}</p> }).collect_view();
    let thanks = (stopped + left_to_people > 0)
        .then(|| view! { <p>"Thank you. The people who own it find your report in their Countersign."</p> });
    let onward = match Visit::current().viewer {
        Some(_) => button_link(links::LEAKS, "Leaks"),
        None => button_link(links::SIGN_IN, "Sign in"),
    };
    let body = view! {
        <section class="panel body" aria-labelledby="title">
            <h1 id="title">{title}</h1>
            <div role="status">{notice(tone, html! { {lines}{thanks} })}</div>
            <div class="row">{button_link(links::REPORT, "Report another one")}{onward}</div>
        </section>
    };
    Page::new(title, body).framed(frame())
}

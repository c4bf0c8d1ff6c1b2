//! Form fields: label, control, hint and error belong together and say so to assistive technology.

use domain::model::person::Factors;
use leptos::prelude::*;

use crate::components::form::button::PasskeyButton;
use crate::components::icon::{Drawing, Icon};
use crate::form::Errors;
use crate::html::{escaped, html};
use crate::links;
use crate::visit::Visit;

/// The options of a [`Select`]: value and text of each.
pub fn options<Value: Into<String>, Word: Into<String>>(
    words: impl IntoIterator<Item = (Value, Word)>,
) -> Vec<(String, String)> {
    words.into_iter().map(|(value, word)| (value.into(), word.into())).collect()
}

/// The same after a first option whose value is empty.
pub(crate) fn options_after(first: &str, rest: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    [(String::new(), first.to_owned())].into_iter().chain(rest).collect()
}

/// Label, control, hint and error. `control` gets the values of `aria-invalid` and `aria-describedby`.
fn labelled<Control: IntoView + 'static>(
    id: &'static str,
    label: &'static str,
    hint: &'static str,
    error: Option<String>,
    control: impl FnOnce(Option<&'static str>, Option<String>) -> Control,
) -> AnyView {
    let notes = [(!hint.is_empty(), "hint"), (error.is_some(), "error")];
    let notes: Vec<String> = notes.iter().filter(|(there, _)| *there).map(|(_, note)| format!("{id}-{note}")).collect();
    let control = control(error.is_some().then_some("true"), (!notes.is_empty()).then(|| notes.join(" ")));
    html! {
        <div class="field">
            <label for=id>{label}</label>
            {control}
            {(!hint.is_empty()).then(|| view! { <p class="hint" id=format!("{id}-hint")>{hint}</p> })}
            {error.map(|error| view! {
                <p class="error" id=format!("{id}-error")><Drawing icon=Icon::Warning/>{error}</p>
            })}
        </div>
    }
}

/// One line of text. `id` is also the field's name on the wire, unless `name` sets another one. Use `name` when two
/// forms of a page have the same field.
#[component]
pub(crate) fn TextField(
    id: &'static str,
    label: &'static str,
    #[prop(default = "text")] kind: &'static str,
    #[prop(into, default = String::new())] value: String,
    #[prop(default = "off")] autocomplete: &'static str,
    #[prop(default = "")] hint: &'static str,
    #[prop(default = false)] required: bool,
    #[prop(default = None)] error: Option<String>,
    #[prop(default = None)] name: Option<&'static str>,
    #[prop(default = false)] autofocus: bool,
) -> AnyView {
    labelled(id, label, hint, error, |invalid, described| {
        view! {
            <input id=id name=name.unwrap_or(id) type=kind value=value autocomplete=autocomplete required=required
                autofocus=autofocus aria-invalid=invalid aria-describedby=described/>
        }
    })
}

/// Several lines of text.
#[component]
pub(crate) fn TextArea(
    id: &'static str,
    label: &'static str,
    #[prop(into)] value: String,
    #[prop(default = "")] hint: &'static str,
    #[prop(default = "")] placeholder: &'static str,
    #[prop(default = None)] error: Option<String>,
    #[prop(default = false)] autofocus: bool,
) -> AnyView {
    labelled(id, label, hint, error, |invalid, described| {
        view! {
            <textarea id=id name=id rows="3" autofocus=autofocus placeholder=placeholder aria-invalid=invalid aria-describedby=described>
                {text_area_content(&value)}
            </textarea>
        }
    })
}

/// The content of a `<textarea>`. Leptos does not escape the text of that element. A line break is put first, because
/// browsers drop the first line break after the tag.
pub(crate) fn text_area_content(value: &str) -> String {
    format!("\n{}", escaped(value))
}

/// A choice of one of a few options. `otherwise` is chosen where `chosen` is empty.
#[component]
pub(crate) fn Select(
    id: &'static str,
    label: &'static str,
    options: Vec<(String, String)>,
    #[prop(into)] chosen: String,
    #[prop(default = "")] otherwise: &'static str,
    #[prop(default = "")] hint: &'static str,
    #[prop(default = None)] error: Option<String>,
) -> AnyView {
    let chosen = if chosen.is_empty() { otherwise.to_owned() } else { chosen };
    let option = |(value, word): (String, String)| {
        let selected = value == chosen;
        view! { <option value=value selected=selected>{word}</option> }
    };
    let options = options.into_iter().map(option).collect_view();
    labelled(id, label, hint, error, |invalid, described| {
        view! { <select id=id name=id aria-invalid=invalid aria-describedby=described>{options}</select> }
    })
}

/// One box or button of several: `kind` is `checkbox` or `radio`.
pub fn choice(
    kind: &'static str,
    name: &'static str,
    value: impl Into<String>,
    checked: bool,
    content: impl IntoAny,
) -> AnyView {
    let value: String = value.into();
    html! {
        <label class="choice"><input type=kind name=name value=value checked=checked/>{content.into_any()}</label>
    }
}

/// A group of [`choice`]s.
pub fn choices(
    id: &'static str,
    legend: &'static str,
    hint: Option<&'static str>,
    choices: impl IntoIterator<Item = AnyView>,
    error: Option<String>,
) -> AnyView {
    html! {
        <fieldset class="stack" id=id>
            <legend>{legend}</legend>
            {hint.map(|hint| view! { <p class="hint">{hint}</p> })}
            <div>{choices.into_iter().collect_view()}</div>
            {error.map(|error| view! { <p class="error">{error}</p> })}
        </fieldset>
    }
}

/// Asks for the password, and for a code when the person has a second factor. It appears before a sensitive action when
/// the last proof is too old.
#[component]
pub(crate) fn ConfirmPassword(errors: Errors) -> AnyView {
    let viewer = Visit::current().viewer;
    let factors = viewer.as_ref().map(|viewer| viewer.factors).unwrap_or_default();
    let what = match factors {
        _ if viewer.is_some_and(|viewer| !viewer.has_password) => {
            "You have no password. Sign out and sign in again, or set a password under Account within 5 minutes of that."
        }
        Factors { passkeys: true, .. } => "Use a passkey, or enter your password and a code.",
        Factors { app: true, .. } => "Enter your password and a code to continue.",
        _ => "Enter your password to continue.",
    };
    html! {
        <section class="panel body" aria-labelledby="confirm-title">
            <h2 id="confirm-title">"Confirm it is you"</h2>
            <p class="muted">{format!("This needs a confirmation from the last 5 minutes. {what}")}</p>
            <ProofFields errors/>
        </section>
    }
}

/// The fields of [`ConfirmPassword`], for a form that has a frame of its own. `ids` are the IDs of the password field
/// and of the code field. They must differ between the forms of a page.
#[component]
pub(crate) fn ProofFields(
    errors: Errors,
    #[prop(default = "")] hint: &'static str,
    #[prop(default = ("your_password", "your_code"))] ids: (&'static str, &'static str),
) -> AnyView {
    let (password, code) = ids;
    let factors = Visit::current().viewer.map(|viewer| viewer.factors).unwrap_or_default();
    html! {
        <div class="stack" data-proof="">
            <TextField id=password name=Some("your_password") label="Your password" kind="password"
                autocomplete="current-password" required=true hint error=errors.at("your_password")/>
            <CodeField id=code name=Some("your_code") factors error=errors.at("your_code")/>
            {confirming_passkey(factors)}
        </div>
    }
}

/// The button that proves with a passkey who the person is, when they have one.
pub(crate) fn confirming_passkey(factors: Factors) -> AnyView {
    let challenge = format!("{}?for=confirm", links::PASSKEY_CHALLENGE);
    factors.passkeys.then(|| view! { <PasskeyButton challenge words="Use a passkey"/> }).into_any()
}

/// The field for a code, beside the password, when the person has a second factor.
#[component]
pub(crate) fn CodeField(
    id: &'static str,
    factors: Factors,
    error: Option<String>,
    #[prop(default = None)] name: Option<&'static str>,
) -> AnyView {
    if factors.app {
        return html! {
            <TextField id name label="Code from your authenticator app" autocomplete="one-time-code" required=true
                hint="Or one of your recovery codes." error/>
        };
    }
    factors
        .any()
        .then(|| view! { <TextField id name label="Recovery code" required=true hint="Each works once." error/> })
        .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_looks_like_markup_stays_text() {
        let evil = "</textarea></title><script>alert(1)</script>\"'&";
        let owner = Owner::new_root(None);
        let html = owner.with(|| {
            view! {
                <TextArea id="a" label="A" value=evil error=Some(evil.to_owned())/>
                <TextField id="b" label="B" value=evil/>
                <Select id="c" label="C" options=vec![(evil.to_owned(), evil.to_owned())] chosen=evil/>
            }
            .to_html()
        });
        assert!(!html.contains("<script"), "{html}");
        assert_eq!(html.matches("</textarea>").count(), 1, "{html}");
        assert!(html.contains("&lt;/textarea&gt;&lt;/title&gt;"), "{html}");
    }

    #[test]
    fn a_field_names_its_hint_and_its_error() {
        let owner = Owner::new_root(None);
        let html = owner.with(|| {
            view! { <TextField id="name" label="Name" hint="A word." error=Some("Enter a name.".to_owned())/> }
                .to_html()
        });
        assert!(html.contains(r#"aria-describedby="name-hint name-error""#), "{html}");
        assert!(html.contains(r#"aria-invalid="true""#), "{html}");
    }
}

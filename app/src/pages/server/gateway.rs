//! The form that says how the gateway calls an MCP server, and how much it may be called.

use domain::model::field_error::FieldError;
use domain::model::server::gateway::{CallLimits, ChangePolicy, Gateway};
use domain::server::gateway::{self, GatewayEdit, HeaderEdit, UpstreamHeader};

use crate::pages::server::access::find;
use crate::prelude::*;

/// What was typed. It has no `Debug`, because it may hold a secret.
#[derive(Clone, Default)]
pub struct TypedGateway {
    /// The address of the server.
    pub upstream: String,
    /// `keep`, `remove` or `replace`.
    pub header: String,
    /// The name of the header.
    pub header_name: String,
    /// Its value.
    pub header_value: String,
    /// Not empty: the server is told who calls.
    pub identity: String,
    /// `warn` or `block`.
    pub on_change: String,
    /// Not empty: webhooks are told of the first use of a destructive tool.
    pub reports: String,
    /// Calls a minute of all callers.
    pub per_minute: String,
    /// Calls at the same time of all callers.
    pub concurrent: String,
    /// Calls a minute of each caller.
    pub per_minute_each: String,
    /// Calls at the same time of each caller.
    pub concurrent_each: String,
    /// `observe` or `enforce`.
    pub limits: String,
}

impl TypedGateway {
    fn of(gateway: &Gateway) -> Self {
        let text = |limit: Option<u32>| limit.map(|limit| limit.to_string()).unwrap_or_default();
        let yes = |is_on: bool| if is_on { "yes".to_owned() } else { String::new() };
        let limits = gateway.limits;
        Self {
            upstream: gateway.upstream.clone(),
            header: "keep".to_owned(),
            header_name: gateway.header.clone().unwrap_or_else(|| "Authorization".to_owned()),
            header_value: String::new(),
            identity: yes(gateway.sends_identity),
            on_change: gateway.on_change.as_str().to_owned(),
            reports: yes(gateway.reports_destructive),
            per_minute: text(limits.per_minute),
            concurrent: text(limits.concurrent),
            per_minute_each: text(limits.per_minute_each),
            concurrent_each: text(limits.concurrent_each),
            limits: if limits.is_enforced { "enforce" } else { "observe" }.to_owned(),
        }
    }

    /// Converts the fields to the input of the domain rules.
    pub fn edit(&self) -> Result<GatewayEdit, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut limit = |field: &'static str, text: &str| match text.trim() {
            "" => None,
            text => text.parse().map_err(|_| errors.push(FieldError::new(field, NOT_A_LIMIT))).ok(),
        };
        let limits = CallLimits {
            per_minute: limit("per_minute", &self.per_minute),
            concurrent: limit("concurrent", &self.concurrent),
            per_minute_each: limit("per_minute_each", &self.per_minute_each),
            concurrent_each: limit("concurrent_each", &self.concurrent_each),
            is_enforced: self.limits == "enforce",
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        let header = match self.header.as_str() {
            "remove" => HeaderEdit::Remove,
            "replace" => HeaderEdit::Replace(UpstreamHeader::new(&self.header_name, &self.header_value)),
            _ => HeaderEdit::Keep,
        };
        Ok(GatewayEdit {
            upstream: Some(self.upstream.clone()),
            header,
            sends_identity: Some(!self.identity.is_empty()),
            on_change: ChangePolicy::parse(&self.on_change),
            reports_destructive: Some(!self.reports.is_empty()),
            limits: Some(limits),
        })
    }
}

const NOT_A_LIMIT: &str = "Enter a whole number, or nothing for no limit.";

/// The form. When nothing was sent it shows the present values.
pub async fn form(id: String, form: Form<Option<TypedGateway>>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let server = find(&visit, &id).await?;
    let gateway = gateway::find(&visit.context, &server.id).await?.ok_or(ActionError::NotFound)?;
    let Form { typed, errors, confirm } = form;
    let typed = typed.unwrap_or_else(|| TypedGateway::of(&gateway));
    let present = match &gateway.header {
        Some(name) => format!("Keep {name}: its value is stored, and nobody can read it"),
        None => "Send no header".to_owned(),
    };
    let mut headers =
        vec![choice("radio", "header", "keep", typed.header != "replace" && typed.header != "remove", present)];
    if gateway.header.is_some() {
        headers.push(choice("radio", "header", "remove", typed.header == "remove", "Remove it: send no header"));
    }
    let other = if gateway.header.is_some() { "Replace it" } else { "Send this header" };
    headers.push(choice("radio", "header", "replace", typed.header == "replace", other));
    let policies = [
        ("warn", "Warn: this page and the webhooks say so, and the tool stays in use"),
        ("block", "Block: clients neither see nor call the tool until an administrator accepts its definition"),
    ];
    let policies = policies.map(|(value, words)| choice("radio", "on_change", value, typed.on_change == value, words));
    let modes = [
        ("observe", "Let calls over a limit pass, and count them in the metrics"),
        ("enforce", "Refuse calls over a limit (429)"),
    ];
    let modes = modes.map(|(value, words)| choice("radio", "limits", value, typed.limits == value, words));
    let called = view! {
        <TextField id="upstream" label="Address of the MCP server" value=typed.upstream required=true error=errors.at("upstream")
            hint="Hosts in your own network, and plain http, must stand in the setting private_upstreams."/>
        {choices("header", "Header that proves Countersign", Some("Clients never see it, and the server never sees their tokens."), headers, None)}
        <TextField id="header_name" label="Name of the header" value=typed.header_name error=errors.at("header_name")/>
        <TextField id="header_value" label="Value of the header" kind="password" value=typed.header_value error=errors.at("header_value")
            hint="For “Replace it”, such as Bearer and the key of the server. It is stored encrypted and never shown again."/>
        {choices("identity", "Identity", Some("A header Countersign-Identity with a JWT that names credential, scopes and person. The server can verify it with our keys."),
            [choice("checkbox", "identity", "yes", !typed.identity.is_empty(), "Tell the server who calls")], None)}
    };
    let definitions = view! {
        {choices("on_change", "When the definition of a tool changes", None, policies, None)}
        {choices("reports", "Destructive tools", None,
            [choice("checkbox", "reports", "yes", !typed.reports.is_empty(), "Tell webhooks when a caller uses one for the first time")], None)}
    };
    let limits = view! {
        <TextField id="per_minute" label="Calls a minute, all callers" value=typed.per_minute error=errors.at("per_minute")/>
        <TextField id="concurrent" label="Calls at the same time, all callers" value=typed.concurrent error=errors.at("concurrent")/>
        <TextField id="per_minute_each" label="Calls a minute, each caller" value=typed.per_minute_each error=errors.at("per_minute_each")/>
        <TextField id="concurrent_each" label="Calls at the same time, each caller" value=typed.concurrent_each error=errors.at("concurrent_each")
            hint="A caller is a credential, an app of one person, or a personal token. Each node of Countersign counts for itself."/>
        {choices("limits", "Over a limit", None, modes, None)}
    };
    let page =
        FormPage::new(format!("Gateway settings of {}", server.name), links::gateway_settings(&id), "Save changes")
            .back(links::server(&id), server.name.clone())
            .lead("Changes count from the next call.")
            .panel("How the server is called", called)
            .panel("Definitions of tools", definitions)
            .panel("Limits", limits);
    Ok(page.confirm(confirm).page(errors))
}

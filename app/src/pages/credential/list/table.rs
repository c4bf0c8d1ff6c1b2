//! The table of the list.
//!
//! A row holds only its own data, and nothing that repeats: fifty rows with buttons and icons weighed 90 kB. The script
//! adds the buttons of a row from a template, and one menu serves all rows. Without script, the name links to the page
//! that has all actions.

use domain::base::clock::Timestamp;

use crate::components::status::{StatusView, status_with_rotation};
use crate::components::table::tick_all;
use crate::pages::credential::list::{CredentialRow, CredentialsQuery, server_archived};
use crate::prelude::*;

/// A column that can be chosen.
pub(super) struct ListColumn {
    /// Its name in addresses and in the style sheet.
    pub word: &'static str,
    pub title: &'static str,
    /// Whether it is shown before anybody chooses.
    is_usual: bool,
    /// The orders of its head: the first click, and the second one.
    sorts: Option<[(&'static str, &'static str); 2]>,
}

const fn column(word: &'static str, title: &'static str, is_usual: bool) -> ListColumn {
    ListColumn { word, title, is_usual, sorts: None }
}

const fn sorted(
    column: ListColumn,
    first: (&'static str, &'static str),
    second: (&'static str, &'static str),
) -> ListColumn {
    ListColumn { sorts: Some([first, second]), ..column }
}

const UP: &str = "ascending";
const DOWN: &str = "descending";

/// The column of the names, which is always shown.
const NAME: ListColumn = sorted(column("name", "Name", true), ("name", UP), ("name_desc", DOWN));

pub(super) const COLUMNS: [ListColumn; 10] = [
    column("status", "Status", true),
    column("server", "MCP server", true),
    column("scopes", "Scopes", false),
    column("proof", "Authentication", true),
    column("team", "Team", true),
    column("owner", "Owner", false),
    column("tags", "Tags", false),
    sorted(column("last_used", "Last used", true), ("last_used", DOWN), ("last_used_asc", UP)),
    sorted(column("expires", "Expires", true), ("expires", UP), ("expires_desc", DOWN)),
    sorted(column("created", "Created", false), ("", DOWN), ("oldest", UP)),
];

/// The columns of this page. The address names them, or the browser remembers them; otherwise they are the usual ones.
pub(super) fn columns(query: &CredentialsQuery, remembered: &str, several_teams: bool) -> Vec<&'static ListColumn> {
    let remembered: Vec<&str> = remembered.split('.').filter(|word| !word.is_empty()).collect();
    let chosen: Vec<&str> = match query.column.as_slice() {
        [] => remembered,
        chosen => chosen.iter().map(String::as_str).collect(),
    };
    let is_shown = |column: &&ListColumn| match chosen.as_slice() {
        [] => column.is_usual && (several_teams || column.word != "team"),
        chosen => chosen.contains(&column.word),
    };
    COLUMNS.iter().filter(is_shown).collect()
}

/// The chosen columns, as the browser remembers them. Nothing when none were chosen.
pub fn remembered(chosen: &[String]) -> Option<String> {
    let known = |word: &&str| *word == NAME.word || COLUMNS.iter().any(|column| column.word == *word);
    let words: Vec<&str> = chosen.iter().map(String::as_str).filter(known).collect();
    (!words.is_empty()).then(|| words.join("."))
}

fn column_head(query: &CredentialsQuery, column: &ListColumn) -> AnyView {
    let Some([first, second]) = column.sorts else {
        return html! { <th scope="col" class=column.word>{column.title}</th> };
    };
    // The names have a class of their own in each row.
    let class = (column.word != NAME.word).then_some(column.word);
    let present = [first, second].into_iter().find(|(word, _)| *word == query.sort);
    let next = if query.sort == first.0 { second } else { first };
    html! {
        <th scope="col" class=class aria-sort=present.map(|(_, direction)| direction)>
            <a href=query.with("sort", next.0)>{column.title}</a>
        </th>
    }
}

/// The table. Ticked rows go together to the page that asks first.
pub(super) fn table(query: &CredentialsQuery, rows: Vec<CredentialRow>, columns: &[&'static ListColumn]) -> AnyView {
    let can_tick = rows.iter().any(can_tick);
    let list = query.to_text();
    let rows = rows.into_iter().map(|row| table_row(row, columns, can_tick, &list)).collect_view();
    html! {
        <form id="bulk" method="get" action=links::SEVERAL class="scroll">
            {(!list.is_empty()).then(|| hidden("list", list.clone()))}
            <table id="list">
                <thead>
                    <tr>
                        {can_tick.then(|| view! { <td class="tick">{tick_all()}</td> })}
                        {column_head(query, &NAME)}
                        {columns.iter().map(|column| column_head(query, column)).collect_view()}
                        <td class="corner needs-script"><span class="vh">"Actions"</span></td>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </form>
    }
}

/// Whether the visitor may do something to several such credentials: what is revoked can be moved and exported.
fn can_tick(row: &CredentialRow) -> bool {
    row.actions.iter().any(|action| action == "duplicate")
}

fn table_row(row: CredentialRow, columns: &[&'static ListColumn], ticks: bool, list: &str) -> AnyView {
    let tick = can_tick(&row).then(|| {
        let label = format!("Select {}", row.name);
        view! { <input type="checkbox" name="client_id" value=row.client_id.clone() aria-label=label/> }
    });
    let cells = columns.iter().map(|column| cell(column, &row)).collect_view();
    // A long name may be cut: then the pointer shows all of it.
    let whole = (row.name.chars().count() > 24).then(|| row.name.clone());
    let actions = (!row.actions.is_empty()).then(|| row.actions.join(" "));
    let disabled = (row.status == StatusView::Disabled).then_some("");
    html! {
        <tr data-can=actions data-disabled=disabled>
            {ticks.then(|| view! { <td class="tick">{tick}</td> })}
            <th scope="row">
                <a class="name" title=whole href=links::credential_in_list(&row.client_id, list)>{row.name}</a>
                <code>{row.client_id}</code>
            </th>
            {cells}
            <td class="corner needs-script"></td>
        </tr>
    }
}

fn cell(column: &ListColumn, row: &CredentialRow) -> AnyView {
    let at = |moment: Option<i64>| distance_or(moment.map(Timestamp::from_millis), "Never");
    let content = match column.word {
        "status" if row.only_archived => {
            html! { {server_archived()}{row.rotating.then(|| status_with_rotation(StatusView::InUse, true))} }
        }
        "status" => status_with_rotation(row.status, row.rotating),
        "server" => short(&row.servers),
        "scopes" => html! { <span title=row.scopes.join(" ")>{short(&row.scopes)}</span> },
        "proof" => row.proof.clone().into_any(),
        "team" => row.team.clone().into_any(),
        "owner" => row.owner.clone().into_any(),
        "tags" => short(&row.tags),
        "last_used" => at(row.last_used_at),
        "expires" if row.revoked_at.is_some() => html! { "Revoked "{at(row.revoked_at)} },
        "expires" if row.status == StatusView::Expired => html! { "Expired "{at(row.ends_at)} },
        "expires" if row.end_needs_attention => html! { <span class="soon">{at(row.ends_at)}</span> },
        "expires" => at(row.ends_at),
        _ => at(Some(row.created_at)),
    };
    html! { <td class=column.word>{content}</td> }
}

/// The first of several, and how many more there are: "docs +1".
fn short(names: &[String]) -> AnyView {
    let Some((first, more)) = names.split_first() else { return ().into_any() };
    match more {
        [] => first.clone().into_any(),
        more => html! { <span title=names.join(", ")>{format!("{first} +{}", more.len())}</span> },
    }
}

/// What the script needs: the buttons of a row, and the menu of all rows. `*` in an address stands for the credential.
pub(super) fn script() -> AnyView {
    let action = |action: &'static str, words: &'static str, href: String| {
        let tone = (action == "revoke").then_some("danger");
        view! { <li><a data-do=action data-tone=tone data-to=href>{words}</a></li> }
    };
    html! {
        <template id="row-tools">
            <button type="button" class="button" data-kind="quiet" data-size="icon" data-copy="" aria-label="Copy client ID of ">
                <Drawing icon=Icon::Copy/>
            </button>
            <button type="button" class="button" data-kind="quiet" data-size="icon" popovertarget="row-menu" aria-label="Actions for ">
                <Drawing icon=Icon::More/>
            </button>
        </template>
        <ul id="row-menu" class="menu" popover="">
            {action("edit", "Edit", links::edit_credential('*'))}
            {action("rotate", "Rotate", links::rotate_credential('*'))}
            {action("disable", "Disable", links::disable_credential('*'))}
            {action("enable", "Enable", links::enable_credential('*'))}
            {action("duplicate", "Duplicate", links::duplicate_of('*'))}
            {action("revoke", "Revoke", links::revoke_credential('*'))}
        </ul>
    }
}

/// A button for what is ticked in the form `bulk`.
pub(crate) fn several_button(action: &'static str, words: &'static str) -> AnyView {
    let kind = (action == "revoke").then_some("danger");
    html! { <button class="button" form="bulk" name="do" value=action data-kind=kind>{words}</button> }
}

/// The bar for the ticked credentials. It belongs to the form of the table, and sticks to the lower edge of the window
/// while something is ticked. Without script it stands below the list.
///
/// The list of what is being rotated has the ends of a rotation in place of its beginning.
pub(super) fn bulk_bar(query: &CredentialsQuery, can_manage: bool, can_move: bool) -> AnyView {
    let button = several_button;
    let rotation = match query.status.as_str() {
        "rotating" => html! { {button("finish", "Finish rotation")}{button("deadline", "Change deadline")} },
        _ => button("rotate", "Rotate"),
    };
    html! {
        <div class="bulk" role="group" aria-label="Selected credentials">
            <span id="ticked">"Selected:"</span>
            {rotation}
            {button("disable", "Disable")}
            {button("enable", "Enable")}
            {can_move.then(|| button("move", "Move to team"))}
            {can_manage.then(|| button("owner", "Change owner"))}
            {can_manage.then(|| button("tag", "Tag"))}
            {button("export", "Export")}
            {button("revoke", "Revoke")}
        </div>
    }
}

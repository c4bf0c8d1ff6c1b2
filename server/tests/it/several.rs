//! One action on several credentials: what it foresees, what its receipt says, and how it is reversed.

use std::time::Duration;

use axum::http::StatusCode;
use domain::base::id::{ClientId, TeamId};
use domain::credential::generate::generate;
use domain::credential::inspect;
use domain::model::credential::Credential;
use domain::model::credential::draft::Draft;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::model::server::ScopeDescription;
use domain::model::server::access::ServerAccess;
use domain::person;
use domain::server::{self, ServerDraft};

use crate::roles::{joined, new_team, operator, signed_in_as};
use crate::support::{App, Browser, EMAIL, PASSWORD, basic, basic_of};

/// The page without the marks of the renderer.
fn text(body: &str) -> String {
    body.replace("<!>", "")
}

async fn read(app: &App, id: &ClientId) -> Credential {
    inspect::find(&app.instance.context, &Authority::Everything, id).await.expect("reads").expect("exists")
}

/// The owner of a credential, by identifier.
async fn owner(app: &App, id: &ClientId) -> Option<String> {
    read(app, id).await.owner.map(|owner| owner.id.to_string())
}

/// Generates a credential of the team for these MCP servers.
async fn of_team(app: &App, name: &str, team: &TeamId, servers: &[&str]) -> ClientId {
    let draft = Draft {
        name: name.to_owned(),
        team: Some(team.clone()),
        servers: servers.iter().map(|server| (*server).to_owned()).collect(),
        ..Draft::default()
    };
    generate(&app.instance.context, &operator(), &draft, None).await.expect("generates").credential.client_id
}

/// Registers an MCP server that only this team may use.
async fn server_of(app: &App, name: &str, access: ServerAccess) -> String {
    let draft = ServerDraft {
        name: name.to_owned(),
        resource: format!("https://{name}.example.com/mcp"),
        scopes: vec![ScopeDescription::parse(&format!("{name}:read"))],
        access,
        ..ServerDraft::default()
    };
    server::add(&app.instance.context, &operator(), &draft).await.expect("added").resource
}

fn question(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("/credentials/several?{}", pairs.join("&"))
}

/// Sends the form, and returns the receipt.
async fn done(browser: &Browser<'_>, fields: &[(&str, &str)]) -> String {
    let answer = browser.submit(&question(fields), "/credentials/several", fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    text(&browser.get(answer.header("location")).await.body)
}

/// Follows “Undo” of a receipt and sends its form.
async fn undone(browser: &Browser<'_>, receipt: &str) -> String {
    let before_words = receipt.split(">Undo</a>").next().expect("a link to undo");
    let href = before_words.rsplit("href=\"").next().and_then(|rest| rest.split('"').next()).expect("its address");
    let href = href.replace("&amp;", "&");
    let query = href.split_once('?').expect("a query").1;
    let fields: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    done(browser, &fields).await
}

#[tokio::test]
async fn a_move_says_before_what_it_would_do_and_is_reversed_with_the_owners() {
    let app = App::new().await;
    let (payments, search) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let grace = joined(&app, "grace@example.com", InvitedRole::Team(payments.clone(), Role::Manager)).await;
    let alan = joined(&app, "alan@example.com", InvitedRole::Team(search.clone(), Role::Member)).await;
    let closed = server_of(&app, "payouts", ServerAccess::Teams([payments.clone()].into())).await;
    let free = of_team(&app, "free", &payments, &[]).await;
    let bound = of_team(&app, "bound", &payments, &[&closed]).await;
    let browser = app.signed_in().await;
    let ids = [("client_id", free.as_str()), ("client_id", bound.as_str())];
    done(&browser, &[&[("do", "owner")], &ids[..], &[("owner", grace.id.as_str())]].concat()).await;

    let to_search = [&[("do", "move")], &ids[..], &[("team", search.as_str())]].concat();
    let page = text(&browser.get(&question(&to_search)).await.body);
    for expected in [
        "1 credential uses payouts, not open to Search: it stays.",
        "Open it to Search",
        "1 credential loses their owner: the owner is not in Search.",
        ">Move 1 of 2 credentials</button>",
        "Stays: one of its MCP servers is not open to the new team",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    // The link that opens the server leads back to the same question.
    let href = page.split("/access?").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    let server = server::find_named(&app.instance.context, &closed).await.expect("reads").expect("payouts").id;
    let path = format!("/servers/{server}/access");
    let form = browser.get(&format!("{path}?{}", href.replace("&amp;", "&"))).await.body;
    let then = form.split("name=\"then\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("the query");
    let then = then.replace("&amp;", "&");
    let open = [("access", "teams"), ("team", payments.as_str()), ("then", then.as_str())];
    let saved = browser.submit(&path, &path, &open).await;
    assert_eq!(saved.header("location"), format!("/credentials/several?{then}&done=access"));
    let asked = browser.get(saved.header("location")).await.body;
    assert!(asked.contains("Access saved.") && asked.contains("Move 1 of 2 credentials"), "{asked}");
    let broken = [("access", "teams"), ("team", payments.as_str()), ("then", "a\r\nb")];
    let saved = browser.submit(&path, &path, &broken).await;
    assert_eq!(saved.header("location"), format!("/servers/{server}?done=access"));

    let receipt = done(&browser, &[&to_search[..], &[("owner", alan.id.as_str())]].concat()).await;
    assert!(
        receipt.contains("1 credential moved, 1 could not be moved.") && receipt.contains("data-tone=\"warn\""),
        "{receipt}"
    );
    assert!(receipt.contains("team: Payments → Search"), "{receipt}");
    assert_eq!(read(&app, &free).await.team, search);
    assert_eq!(owner(&app, &free).await, Some(alan.id.to_string()), "the owner who was chosen");
    assert_eq!(owner(&app, &bound).await, Some(grace.id.to_string()), "what stays keeps its owner");

    let reversed = undone(&browser, &receipt).await;
    assert!(reversed.contains("1 credential changed back."), "{reversed}");
    let after = read(&app, &free).await;
    assert_eq!((after.team, after.owner.map(|owner| owner.id)), (payments.clone(), Some(grace.id.clone())));

    // The new owner sees the old team too. The earlier owner comes back all the same.
    let ada = person::find_by_email(&app.instance.context, EMAIL).await.expect("reads").expect("Ada");
    let receipt = done(&browser, &[&to_search[..], &[("owner", ada.id.as_str())]].concat()).await;
    assert!(receipt.contains("owner: grace → Ada Lovelace"), "{receipt}");
    assert_eq!(owner(&app, &free).await, Some(ada.id.to_string()));
    undone(&browser, &receipt).await;
    assert_eq!(owner(&app, &free).await, Some(grace.id.to_string()));

    // Without another owner, the move leaves nobody; reversing it brings the owner back.
    let receipt = done(&browser, &to_search).await;
    assert_eq!(owner(&app, &free).await, None);
    assert!(receipt.contains("1 credential has no owner."), "{receipt}");
    let list = browser.get("/credentials?owner=none").await.body;
    assert!(list.contains(">free<") && !list.contains(">bound<"), "{list}");
    undone(&browser, &receipt).await;
    assert_eq!(owner(&app, &free).await, Some(grace.id.to_string()));
}

#[tokio::test]
async fn another_owner_and_other_tags_are_reversed_unless_somebody_changed_them_since() {
    let app = App::new().await;
    let team = TeamId::first();
    let manager = InvitedRole::Team(team.clone(), Role::Manager);
    let grace = joined(&app, "grace@example.com", manager.clone()).await;
    let alan = joined(&app, "alan@example.com", manager).await;
    let (one, two) = (of_team(&app, "one", &team, &[]).await, of_team(&app, "two", &team, &[]).await);
    let browser = app.signed_in().await;
    done(&browser, &[("do", "owner"), ("client_id", one.as_str()), ("owner", grace.id.as_str())]).await;
    let ids = [("client_id", one.as_str()), ("client_id", two.as_str())];
    let receipt = done(&browser, &[&[("do", "owner")], &ids[..], &[("owner", alan.id.as_str())]].concat()).await;
    assert!(receipt.contains("owner: grace → alan") && receipt.contains("owner: nobody → alan"), "{receipt}");
    // Somebody takes one of them over before it is reversed.
    done(&browser, &[("do", "owner"), ("client_id", two.as_str()), ("owner", grace.id.as_str())]).await;
    let reversed = undone(&browser, &receipt).await;
    assert!(reversed.contains("1 credential changed back, 1 could not be changed back."), "{reversed}");
    assert!(reversed.contains("was changed since"), "{reversed}");
    assert_eq!(owner(&app, &one).await, Some(grace.id.to_string()));
    assert_eq!(owner(&app, &two).await, Some(grace.id.to_string()));

    let receipt = done(&browser, &[&[("do", "tag")], &ids[..], &[("add", "env:prod"), ("remove", "")]].concat()).await;
    assert!(receipt.contains("tags: none → env:prod"), "{receipt}");
    undone(&browser, &receipt).await;
    assert!(read(&app, &one).await.tags.is_empty() && read(&app, &two).await.tags.is_empty());

    // Who manages nothing of it reverses nothing.
    let other = new_team(&app, "Search").await;
    let stranger = joined(&app, "mallory@example.com", InvitedRole::Team(other, Role::Manager)).await;
    let stranger = signed_in_as(&app, &stranger).await;
    let fields = [("do", "undo"), ("entries", "1-900"), ("client_id", one.as_str())];
    let refused = stranger.submit("/credentials", "/credentials/several", &fields).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.body);
}

#[tokio::test]
async fn an_mcp_server_is_taken_from_several_credentials_that_have_another_one() {
    let app = App::new().await;
    let team = TeamId::first();
    let docs = server_of(&app, "docs", ServerAccess::All).await;
    let tickets = server_of(&app, "tickets", ServerAccess::All).await;
    let both = of_team(&app, "both", &team, &[&docs, &tickets]).await;
    let only = of_team(&app, "only", &team, &[&docs]).await;
    let none = of_team(&app, "none", &team, &[&tickets]).await;
    let server = server::find_named(&app.instance.context, &docs).await.expect("reads").expect("docs").id.to_string();
    let browser = app.signed_in().await;
    let fields = [
        ("do", "unassign"),
        ("client_id", both.as_str()),
        ("client_id", only.as_str()),
        ("client_id", none.as_str()),
        ("server", server.as_str()),
    ];
    let page = text(&browser.get(&question(&fields)).await.body);
    assert!(page.contains("Nothing: 1 of 3") && page.contains("tickets: 2 of 3"), "{page}");
    let receipt = done(&browser, &fields).await;
    for expected in [
        "1 credential changed, 1 needed no change, 1 could not be changed.",
        "has no other MCP server: give it one first, or revoke it",
        "does not have this MCP server",
        "MCP servers: https://docs.example.com/mcp, https://tickets.example.com/mcp → https://tickets.example.com/mcp",
    ] {
        assert!(receipt.contains(expected), "{expected}: {receipt}");
    }
    let after = read(&app, &both).await;
    assert_eq!((after.servers.len(), after.scopes.to_string()), (1, "tickets:read".to_owned()));
    assert_eq!(read(&app, &only).await.servers.len(), 1);
    undone(&browser, &receipt).await;
    let after = read(&app, &both).await;
    assert_eq!((after.servers.len(), after.scopes.to_string()), (2, "docs:read tickets:read".to_owned()));

    // Another server takes its place: with its default scope where no scope has the same name.
    let instead = server::find_named(&app.instance.context, &tickets).await.expect("reads").expect("tickets").id;
    let chosen = [&fields[..], &[("instead", instead.as_str())]].concat();
    let page = text(&browser.get(&question(&chosen)).await.body);
    for expected in [
        ">Put tickets in place of docs in 3 credentials?</h1>",
        ">Change 2 of 3 credentials</button>",
        "Stays: does not have this MCP server",
        "data-label=\"Scopes now\">docs:read</td><td data-label=\"Scopes after it\">tickets:read<",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let receipt = done(&browser, &chosen).await;
    assert!(receipt.contains("2 credentials changed, 1 needed no change."), "{receipt}");
    let after = read(&app, &only).await;
    assert_eq!((after.servers, after.scopes.to_string()), (vec![instead.clone()], "tickets:read".to_owned()));
    assert_eq!(read(&app, &both).await.scopes.to_string(), "tickets:read");
    undone(&browser, &receipt).await;
    assert_eq!(read(&app, &only).await.scopes.to_string(), "docs:read");

    // An archived server does not come back.
    let receipt = done(&browser, &[&fields[..], &[("instead", instead.as_str())]].concat()).await;
    let archived = server::find_named(&app.instance.context, &docs).await.expect("reads").expect("docs").id;
    server::archive::archive(&app.instance.context, &operator(), &archived).await.expect("archives");
    let reversed = undone(&browser, &receipt).await;
    assert!(reversed.contains("an MCP server is archived: unarchive it first"), "{reversed}");

    // Another server widens what a credential may call, so the person proves again who they are.
    app.instance.clock.advance(Duration::from_secs(301));
    let wider = [
        ("do", "unassign"),
        ("client_id", none.as_str()),
        ("server", instead.as_str()),
        ("instead", archived.as_str()),
    ];
    let asked = browser.submit(&question(&wider), "/credentials/several", &wider).await;
    assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(asked.body.contains("Your password"), "{}", asked.body);
}

#[tokio::test]
async fn rotations_are_finished_together_where_the_program_has_moved() {
    let app = App::new().await;
    let mut generated = Vec::new();
    for name in ["moved", "waiting", "still"] {
        generated.push(app.generated(name, &["mcp:read"]).await);
    }
    let ids: Vec<String> = generated.iter().map(|one| one.credential.client_id.to_string()).collect();
    let browser = app.signed_in().await;
    let both = format!("{} {}", ids[0], ids[1]);
    let fields = [("client_ids", both.as_str()), ("how", "rotate"), ("confirmed", "yes"), ("list", "q=o")];
    let revealed = browser.submit("/credentials", "/credentials/renew", &fields).await.body;
    for expected in [
        "name,client_id,client_secret\n\"moved\"",
        "href=\"/credentials?q=o\"",
        ">finish these rotations</a>",
        "download=\"secrets.csv\"",
    ] {
        assert!(revealed.contains(expected), "{expected}: {revealed}");
    }
    let line = format!("\"moved\",\"{}\",", ids[0]);
    let new = revealed.split(&line).nth(1).and_then(|rest| rest.lines().next()).expect("the new secret").to_owned();
    app.instance.clock.advance(Duration::from_secs(60));
    let exchange =
        async |headers: String| app.token(&[("authorization", &headers)], "grant_type=client_credentials").await.status;
    assert_eq!(exchange(basic_of(&ids[0], &new)).await, StatusCode::OK);

    let fields: Vec<(&str, &str)> = ids.iter().map(|id| ("client_id", id.as_str())).collect();
    let finish = [&[("do", "finish"), ("list", "status=rotating")], &fields[..]].concat();
    let page = text(&browser.get(&question(&finish).replace("status=rotating", "status%3Drotating")).await.body);
    for expected in [
        ">Finish 2 rotations?</h1>",
        "Only 1 rotation that is safe to finish",
        "Only the new one was used",
        "The new one was not used",
        "No rotation is under way",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let list = browser.get("/credentials?status=rotating").await.body;
    assert!(list.contains(">Finish rotation</button>") && list.contains(">Change deadline</button>"), "{list}");
    let unsure = browser.submit(&question(&finish), "/credentials/several", &finish).await;
    assert!(unsure.body.contains("Choose which rotations to finish."), "{}", unsure.body);
    let receipt = done(&browser, &[&finish[..], &[("which", "moved")]].concat()).await;
    assert!(receipt.contains("1 rotation finished, 2 could not be finished."), "{receipt}");
    assert!(receipt.contains("a program may still need the old secret or key"), "{receipt}");
    assert_eq!(exchange(basic(&generated[0])).await, StatusCode::UNAUTHORIZED, "the old secret ended");
    assert_eq!(exchange(basic(&generated[1])).await, StatusCode::OK, "its program has not moved");

    let deadline = [&[("do", "deadline")], &fields[..], &[("overlap", "604800")]].concat();
    let receipt = done(&browser, &deadline).await;
    assert!(receipt.contains("1 rotation given another deadline, 2 could not be given another deadline."), "{receipt}");
    assert!(receipt.contains("the old secret or key works until 20"), "{receipt}");
    app.instance.clock.advance(Duration::from_secs(2 * 24 * 3600));
    assert_eq!(exchange(basic(&generated[1])).await, StatusCode::OK, "the first deadline has passed");
    browser.sign_in(PASSWORD).await;
    done(&browser, &[&[("do", "finish")], &fields[..], &[("which", "all")]].concat()).await;
    assert_eq!(exchange(basic(&generated[1])).await, StatusCode::UNAUTHORIZED);
}

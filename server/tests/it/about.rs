//! What the dashboard says about the instance itself.

use std::time::Duration;

use app::pages::operations::about::ShownSetting;
use axum::http::StatusCode;
use domain::operations::backup;
use domain::store::Engine;
use server::state::AppState;

use crate::support::{App, PASSWORD, router};
use crate::words::{text, title};

#[tokio::test]
async fn administrators_see_the_version_the_database_and_the_settings_in_force() {
    let app = App::new().await;
    let shown =
        |name: &str, value: &str, source| ShownSetting { name: name.to_owned(), value: value.to_owned(), source };
    let settings = vec![shown("listen", "127.0.0.1:9000", "Flag"), shown("metrics_listen", "", "Default")];
    let state = AppState::new(app.instance.context.clone(), vec![], vec![]).with_settings(settings);
    let app = App { router: router(state), ..app };
    let page = app.signed_in().await.get("/settings/about").await;
    assert_eq!((page.status, title(&page.body)), (StatusCode::OK, "About · Countersign"));
    for expected in [env!("CARGO_PKG_VERSION"), "127.0.0.1:9000", "Flag", "Not set", "http://localhost:8080", "SQL"] {
        assert!(text(&page.body).contains(expected), "{expected}: {}", page.body);
    }
}

#[tokio::test]
async fn administrators_see_how_the_instance_does() {
    let app = App::new().await;
    let context = &app.instance.context;
    let browser = app.signed_in().await;
    let page = async || text(&browser.get("/settings/about").await.body);
    let before = page().await;
    for expected in ["schema", "Last proved backup", "None", "ES256, created", "Webhooks"] {
        assert!(before.contains(expected), "{expected}: {before}");
    }
    let clock = match context.store.engine() {
        Engine::Sqlite => "That of this machine",
        Engine::Postgres => "of the database",
    };
    assert!(before.contains(clock), "{before}");
    let folder = domain::testing::folder();
    backup::write(context, &folder.join("backup.db"), &mut |_, _| ()).await.expect("a backup");
    app.instance.clock.advance(Duration::from_secs(3 * 24 * 3600));
    let again = app.browser();
    again.sign_in(PASSWORD).await;
    let after = text(&again.get("/settings/about").await.body);
    assert!(after.contains("3 days ago"), "{after}");
    // A folder that remains is untidy, but does no harm.
    let _ = std::fs::remove_dir_all(folder);
}

//! What the dashboard says about the instance itself.

use app::pages::operations::about::ShownSetting;
use axum::http::StatusCode;
use server::state::AppState;

use crate::support::{App, router};
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

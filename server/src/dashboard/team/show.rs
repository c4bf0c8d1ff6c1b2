//! The page of one team.

use app::error::ActionError;
use app::pages::team::show as page;
use app::visit::Visit;
use axum::extract::{Extension, Path, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use domain::base::id::TeamId;
use domain::person::team::{self, TeamError};

use crate::dashboard::respond::{fields_of, respond};
use crate::http::fields::Fields;

/// `GET /teams/{team_id}`
pub async fn page(
    Extension(visit): Extension<Visit>,
    Path(team_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = fields_of(query);
    respond(visit, || page::page(team_id, fields.find("done"), None, Vec::new())).await
}

/// `POST /teams/{team_id}/name`
pub async fn rename(
    Extension(visit): Extension<Visit>,
    Path(team_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let name = fields.get("name");
    let result = async {
        let id = TeamId::parse(&team_id).ok_or(TeamError::NotFound)?;
        let actor = visit.actor().map_err(|_| TeamError::NotFound)?;
        team::rename(&visit.context, &actor, &id, &name).await
    };
    match result.await {
        Ok(()) => Redirect::to(&format!("/teams/{team_id}?done=name")).into_response(),
        Err(TeamError::Invalid(errors)) => respond(visit, || page::page(team_id, None, Some(name), errors)).await,
        Err(error) => respond(visit, async || Err(ActionError::from(error))).await,
    }
}

//! Every address of the private listener.

use axum::Router;
use axum::routing::{any, get, post};

use super::desk::Desk;
use super::html::Pages;
use super::problem::Problem;
use super::{answer, api, health, intake, pages};

/// The addresses, and who answers at them.
pub fn router(desk: Desk, html: Pages) -> Router {
    let machines = Router::new()
        .route("/in/{source}", any(intake::without_token))
        .route("/in/{source}/{token}", any(intake::with_token))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/api/v1/incidents", get(api::list).post(api::declare))
        .route("/api/v1/incidents/{id}", get(api::show))
        .route("/api/v1/incidents/{id}/timeline", get(api::entries))
        .route("/api/v1/incidents/{id}/{verb}", post(api::act))
        .route("/api/v1/oncall", get(api::oncall))
        .route("/api/v1/command", get(api::command))
        .route("/api/{*rest}", any(api::nothing))
        .with_state(desk.clone());
    let people = Router::new()
        .route("/r/{token}", get(answer::show).post(answer::answer))
        .route("/", get(pages::index))
        .route("/login", get(pages::login).post(pages::log_in))
        .route("/incidents/{id}", get(pages::incident))
        .with_state((desk, html));
    machines
        .merge(people)
        .fallback(|| async { Problem::not_found("nothing lives at this address") })
        .method_not_allowed_fallback(|| async {
            Problem::method_not_allowed("another method; see the Allow header")
        })
}

//! Every address of the private listener.

use axum::Router;
use axum::routing::{any, get, post};
use tower_http::csrf::CsrfLayer;

use super::desk::Desk;
use super::html::Pages;
use super::problem::Problem;
use super::{alertmanager_api, answer, api, calendar, compat, health, heartbeat, intake, opsgenie, pages};

/// The addresses, and who answers at them.
pub fn router(desk: Desk, html: Pages) -> Router {
    let machines = Router::new()
        .route("/in/{source}", any(intake::without_token))
        .route("/in/{source}/{token}", any(intake::with_token))
        .route("/in/{source}/api/v2/{*rest}", any(alertmanager_api::without_token))
        .route("/in/{source}/{token}/api/v2/{*rest}", any(alertmanager_api::with_token))
        .route("/v2/enqueue", post(compat::enqueue))
        .route("/v2/change/enqueue", post(compat::change))
        .route("/generic/2010-04-15/create_event.json", post(compat::create_event))
        .route("/v2/alerts", get(opsgenie::alerts).post(opsgenie::alerts))
        .route("/v2/alerts/{*rest}", get(opsgenie::about).post(opsgenie::about).put(opsgenie::about))
        .route("/heartbeat/{name}/{token}", get(heartbeat::ping).post(heartbeat::ping))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/api/v1/incidents", get(api::history::incidents).post(api::declare))
        .route("/api/v1/alerts", get(api::history::alerts))
        .route("/api/v1/incidents/{id}", get(api::show))
        .route("/api/v1/incidents/{id}/timeline", get(api::entries))
        .route("/api/v1/incidents/{id}/{verb}", post(api::act))
        .route("/api/v1/oncall", get(api::oncall))
        .route("/api/v1/calendars", get(api::calendars::list).post(api::calendars::create))
        .route("/api/v1/calendars/{id}/revoke", post(api::calendars::revoke))
        .route("/calendar/{file}", get(calendar::show))
        .route("/api/v1/command", get(api::command))
        .route("/api/v1/reports/noise", get(api::report::noise))
        .route("/api/v1/tokens", get(api::tokens::list).post(api::tokens::create))
        .route("/api/v1/tokens/{id}/revoke", post(api::tokens::revoke))
        .route("/api/v1/silences", get(api::silences::list).post(api::silences::add))
        .route("/api/v1/silences/{id}", get(api::silences::show))
        .route("/api/v1/silences/{id}/expire", post(api::silences::expire))
        .route("/api/v1/conditions", get(api::conditions::list).post(api::conditions::add))
        .route("/api/v1/conditions/{id}", get(api::conditions::show))
        .route("/api/v1/conditions/{id}/end", post(api::conditions::end))
        .route("/api/v1/verify", get(api::store::verify))
        .route("/api/v1/verify/{id}", get(api::store::verify_one))
        .route("/api/v1/unreadable", get(api::store::kept))
        .route("/api/v1/unreadable/{id}/replay", post(api::store::replay))
        .route("/api/{*rest}", any(api::nothing))
        .with_state(desk.clone());
    let people = Router::new()
        .route("/r/{token}", get(answer::show).post(answer::answer))
        .route("/", get(pages::index))
        // A login that another site sends would make a stranger's session out of this browser's. The answer
        // link needs no such guard: its token is the whole authority.
        .merge(Router::new().route("/login", get(pages::login).post(pages::log_in)).layer(CsrfLayer::new()))
        .route("/incidents/{id}", get(pages::incident))
        .route("/silences", get(pages::held::page))
        .with_state((desk, html));
    machines
        .merge(people)
        .fallback(|| async { Problem::not_found("nothing lives at this address") })
        .method_not_allowed_fallback(|| async {
            // The router adds the methods of the address, where no Allow is set.
            Problem { wants: None, ..Problem::method_not_allowed("another method; see the Allow header") }
        })
}

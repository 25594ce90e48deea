//! Every address of the private listener.

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{any, get, post};
use http::{HeaderValue, header};
use tower_http::csrf::CsrfLayer;

use super::desk::Desk;
use super::html::Pages;
use super::problem::Problem;
use super::{
    alertmanager_api, answer, answers, api, calendar, compat, health, heartbeat, intake, opsgenie, pages,
    scripts,
};

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
        .route("/answers/twilio/sms", post(answers::twilio::sms))
        .route("/answers/twilio/voice", post(answers::twilio::voice))
        .route("/answers/twilio/status", post(answers::twilio::status))
        .route("/answers/slack", post(answers::slack::pressed))
        .route("/answers/mattermost", post(answers::mattermost::pressed))
        .route("/answers/telegram", post(answers::telegram::pressed))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/api/v1/incidents", get(api::history::incidents).post(api::declare))
        .route("/api/v1/alerts", get(api::history::alerts))
        .route("/api/v1/incidents/{id}", get(api::show))
        .route("/api/v1/incidents/{id}/timeline", get(api::entries))
        .route("/api/v1/incidents/{id}/export", get(api::export::export))
        .route("/api/v1/incidents/{id}/brief", get(api::export::brief))
        .route("/api/v1/incidents/{id}/pages", get(api::reach::pages))
        .route("/api/v1/incidents/{id}/{verb}", post(api::act))
        .route("/api/v1/oncall", get(api::oncall::now))
        .route("/api/v1/oncall/preview", get(api::oncall::preview))
        .route("/api/v1/oncall/drill", get(api::drill::show).post(api::drill::begin))
        .route("/api/v1/calendars", get(api::calendars::list).post(api::calendars::create))
        .route("/api/v1/calendars/{id}/revoke", post(api::calendars::revoke))
        .route("/calendar/{file}", get(calendar::show))
        .route("/api/v1/overrides", get(api::roster::overrides).post(api::roster::add_override))
        .route("/api/v1/overrides/{id}", get(api::roster::show_override))
        .route("/api/v1/overrides/{id}/end", post(api::roster::end_override))
        .route("/api/v1/swaps", post(api::roster::swap))
        .route("/api/v1/leaves", get(api::roster::leaves).post(api::roster::add_leave))
        .route("/api/v1/leaves/{id}", get(api::roster::show_leave))
        .route("/api/v1/leaves/{id}/end", post(api::roster::end_leave))
        .route("/api/v1/people", get(api::reach::people))
        .route("/api/v1/people/{name}/test", post(api::reach::test))
        .route("/api/v1/tests/{n}", get(api::reach::show_test))
        .route("/api/v1/command", get(api::command))
        .route("/api/v1/reports/noise", get(api::report::noise))
        .route("/api/v1/reports/load", get(api::load::report))
        .route("/api/v1/tokens", get(api::tokens::list).post(api::tokens::create))
        .route("/api/v1/tokens/{id}/revoke", post(api::tokens::revoke))
        .route("/api/v1/login-links", post(api::sessions::link))
        .route("/api/v1/sessions", get(api::sessions::list))
        .route("/api/v1/subscribers", get(api::subscribers::list))
        .route("/api/v1/subscribers/remove", post(api::subscribers::remove))
        .route("/api/v1/sessions/revoke", post(api::sessions::revoke_all))
        .route("/api/v1/sessions/{id}/revoke", post(api::sessions::revoke))
        .route("/api/v1/silences", get(api::silences::list).post(api::silences::add))
        .route("/api/v1/silences/{id}", get(api::silences::show))
        .route("/api/v1/silences/{id}/expire", post(api::silences::expire))
        .route("/api/v1/statements", get(api::statements::list).post(api::statements::draft))
        .route("/api/v1/statements/{id}", get(api::statements::show))
        .route("/api/v1/statements/{id}/{verb}", post(api::statements::act))
        .route("/api/v1/conditions", get(api::conditions::list).post(api::conditions::add))
        .route("/api/v1/conditions/{id}", get(api::conditions::show))
        .route("/api/v1/conditions/{id}/end", post(api::conditions::end))
        .route("/api/v1/verify", get(api::store::verify))
        .route("/api/v1/verify/{id}", get(api::store::verify_one))
        .route("/api/v1/unreadable", get(api::store::kept))
        .route("/api/v1/unreadable/{id}/replay", post(api::store::replay))
        .route("/api/{*rest}", any(api::nothing))
        .with_state(desk.clone());
    let own = own_forms(&desk.house.get().answers.external_url);
    let people = Router::new()
        .route("/", get(pages::index))
        // A login that another site sends would make a stranger's session out of this browser's. An answer link needs no such
        // guard for its answer: its token is the whole authority. For the session that may come of it, `answer/here.rs` has one.
        .merge(
            Router::new()
                .route("/login", get(pages::login::show).post(pages::login::ask))
                .route("/login/{secret}", get(pages::login::link).post(pages::login::open))
                .route("/logout", post(pages::login::out))
                .layer(own.clone()),
        )
        .route("/incidents/{id}", get(pages::incident::page))
        .route("/incidents/{id}/brief", get(pages::incident::brief))
        .route("/incidents/{id}/export", get(pages::incident::export))
        .route("/silences", get(pages::held::page))
        .route("/scripts/{file}", get(scripts::show))
        // What another site sends must not be said in the name of who is logged in here.
        .merge(
            Router::new()
                .route("/incidents", post(pages::declare::declare))
                .route("/incidents/{id}/{verb}", post(pages::incident::act))
                .route("/statements", get(pages::statements::page).post(pages::statements::draft))
                .route("/statements/{id}/{verb}", post(pages::statements::act))
                .route("/oncall", get(pages::oncall::page))
                .route("/oncall/overrides", post(pages::oncall::add_override))
                .route("/oncall/overrides/{id}/end", post(pages::oncall::end_override))
                .route("/oncall/leaves", post(pages::oncall::add_leave))
                .route("/oncall/leaves/{id}/end", post(pages::oncall::end_leave))
                .layer(own),
        )
        // Browsers that say nothing else of where a form stood say so by its origin, which no-referrer would make `null`.
        .layer(map_response(same_origin))
        // Its address is a secret, and nobody hears it.
        .route("/r/{token}", get(answer::show).post(answer::answer))
        .with_state((desk, html));
    machines
        .merge(people)
        .fallback(|| async { Problem::not_found("nothing lives at this address") })
        .method_not_allowed_fallback(|| async {
            // The router adds the methods of the address, where no Allow is set.
            Problem { wants: None, ..Problem::method_not_allowed("another method; see the Allow header") }
        })
}

/// Refuses forms of other sites: our own is also the one that people see from outside.
fn own_forms(external_url: &str) -> CsrfLayer {
    let own = origin_of(external_url).map(|origin| CsrfLayer::new().add_trusted_origin(origin));
    own.and_then(Result::ok).unwrap_or_default()
}

/// The origin of an address, as browsers write it.
fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (scheme, host) = (scheme.to_ascii_lowercase(), rest.split('/').next()?.to_ascii_lowercase());
    let usual = if scheme == "https" { ":443" } else { ":80" };
    Some(format!("{scheme}://{}", host.strip_suffix(usual).unwrap_or(&host)))
}

async fn same_origin(mut response: Response) -> Response {
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        let origin = |url| origin_of(url).unwrap();
        assert_eq!(origin("https://OnScene.example.net:443/x"), "https://onscene.example.net");
        assert_eq!(origin("http://10.0.0.7:8080"), "http://10.0.0.7:8080");
        assert_eq!(origin("http://10.0.0.7:80"), "http://10.0.0.7");
    }
}

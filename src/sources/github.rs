//! GitHub: workflows that fail.
//!
//! Wire facts, with their origin (docs.github.com, webhook events and best practices; octokit/webhooks'
//! schemas):
//! - `POST`; `X-GitHub-Event` says what the body is, `X-GitHub-Delivery` is the same when a delivery is sent
//!   again by hand, `X-Hub-Signature-256` signs it. Content type `application/x-www-form-urlencoded` puts the
//!   JSON into the field `payload`.
//! - `workflow_run` comes with the actions requested, in_progress and completed; only a completed one has a
//!   `conclusion`. failure, timed_out and startup_failure fire, success resolves. cancelled, skipped,
//!   neutral, stale and action_required say nothing of whether the workflow works, so they change nothing.
//! - `ping` comes when the webhook is made. It and every other event is understood, with nothing to say.
//! - **A fork's branch may be called `main` too**, and anybody can make a pull request from it. Its runs
//!   belong to the same workflow, so the key has the fork's name in it. Where the fork is gone,
//!   `head_repository` is null.
//! - Other events, such as `deployment_status`, carry a `workflow_run` beside what they are about.
//! - 10 seconds are waited for an answer, and nothing is sent again by itself.
//!
//! The key is the repository's number, the workflow's number, what started the run (`push`, `schedule`,
//! `workflow_dispatch`...) and the branch: names can be changed, and a push that works says nothing of what runs
//! at night. Runs started by hand are not told apart by their inputs, which GitHub does not send. The time
//! is that of the run's last change, so that of two runs the one that ended last counts.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Delivery, Kind, Unreadable, sign, wire};
use crate::core::alert::{Event, Status};

/// GitHub.
pub const KIND: Kind = Kind {
    headers: &["x-github-event", "x-github-delivery"],
    signs: Some(sign::GITHUB),
    ..Kind::new(
        "github",
        "GitHub Actions",
        "Settings → Webhooks → Add webhook, of a repository or an organisation. Payload URL: ADDRESS, Content \
         type: application/json, Secret: the secret of this source's signature. Choose \"Let me choose \
         individual events\" and tick only Workflow runs. A run that fails on any branch fires, and so does one of a \
         pull request: let a route ask for the label default_branch=true where only the default branch shall wake \
         people. A failure is over when the same workflow, started in the same way on the same branch, succeeds.",
        read,
    )
};

fn read(delivery: &Delivery<'_>) -> Result<Vec<Event>, Unreadable> {
    let body = wire::utf8(delivery.body)?;
    let (text, what) = if body.starts_with(['{', '[']) || !body.contains('=') {
        (Cow::Borrowed(body), "the body")
    } else {
        let payload = wire::parameters(body)?
            .into_iter()
            .find_map(|(name, value)| (name == "payload").then_some(value))
            .ok_or_else(|| wire::unreadable("the form has no field `payload`"))?;
        (Cow::Owned(payload), "`payload`")
    };
    let body = wire::json(text.trim(), what)?;
    let fields = wire::object(&body, what)?;
    let run = fields.get("workflow_run").and_then(Value::as_object);
    let run = match (delivery.header("x-github-event").map(str::trim), run) {
        (Some("workflow_run"), Some(run)) => run,
        (Some("workflow_run"), None) => return Err(wire::unreadable("there is no object `workflow_run`")),
        (Some(_), _) => return Ok(vec![]),
        (None, Some(run)) if !["deployment", "check_run"].iter().any(|name| fields.contains_key(*name)) => {
            run
        }
        // Everything that GitHub sends has one of these.
        (None, _)
            if ["zen", "hook", "repository", "organization", "sender"]
                .iter()
                .any(|name| fields.get(*name).is_some_and(|value| !value.is_null())) =>
        {
            return Ok(vec![]);
        }
        (None, _) => {
            return Err(wire::unreadable("there is no `workflow_run`; is this really GitHub's webhook?"));
        }
    };
    let Some(mut event) = event(fields, run)? else { return Ok(vec![]) };
    event.delivery_id = delivery.header("x-github-delivery").map(|id| id.trim().to_owned());
    event.delivery_id = event.delivery_id.filter(|id| !id.is_empty());
    Ok(vec![wire::bounded(event)?])
}

/// What a run says, when it is over and says whether the workflow works.
fn event(fields: &Map<String, Value>, run: &Map<String, Value>) -> Result<Option<Event>, Unreadable> {
    let action = wire::text(fields, &["action"]).or_else(|| wire::text(run, &["status"]));
    if !action.is_some_and(|action| action.eq_ignore_ascii_case("completed")) {
        return Ok(None);
    }
    let conclusion = wire::text(run, &["conclusion"]).map(|conclusion| conclusion.to_ascii_lowercase());
    let (status, says) = match conclusion.as_deref() {
        Some("failure") => (Status::Firing, "failed"),
        Some("timed_out") => (Status::Firing, "took too long"),
        Some("startup_failure") => (Status::Firing, "could not start"),
        Some("success") => (Status::Resolved, "succeeded"),
        Some("cancelled" | "skipped" | "neutral" | "stale" | "action_required") => return Ok(None),
        Some(_) => return Err(wire::unreadable("`workflow_run.conclusion` is a word that is not known")),
        None => return Err(wire::unreadable("the run is completed, but has no `workflow_run.conclusion`")),
    };
    let nothing = Map::new();
    let repository = part(fields, "repository").or_else(|| part(run, "repository")).unwrap_or(&nothing);
    let workflow = part(fields, "workflow").unwrap_or(&nothing);
    let name = wire::text(run, &["name"])
        .or_else(|| wire::text(workflow, &["name"]))
        .or_else(|| wire::text(run, &["path"]))
        .unwrap_or_else(|| "A workflow".to_owned());
    let full_name = wire::text(repository, &["full_name", "name"]);
    let branch = wire::text(run, &["head_branch"]);
    let trigger = wire::text(run, &["event"]).unwrap_or_default();
    let fork = fork(run, repository, &trigger);

    let workflow_id = wire::text(run, &["workflow_id", "path", "name"]);
    let (Some(repository_id), Some(workflow_id)) =
        (wire::text(repository, &["id", "full_name"]), workflow_id)
    else {
        return Err(wire::unreadable("there is neither a `repository.id` nor a `workflow_run.workflow_id`"));
    };
    let from = fork.as_deref().map(|fork| format!("{fork}:")).unwrap_or_default();
    let key =
        format!("{repository_id}/{workflow_id}/{trigger}/{from}{}", branch.as_deref().unwrap_or_default());

    let on = branch.as_deref().map(|branch| format!(" on {from}{branch}")).unwrap_or_default();
    let of = full_name.as_deref().map(|full_name| format!(" of {full_name}")).unwrap_or_default();
    let mut event = Event::new(key, status, format!("{name} {says}{on}{of}"));
    event.occurred_at = wire::time(run, &["updated_at", "run_started_at", "created_at"]);

    let commit = part(run, "head_commit").unwrap_or(&nothing);
    let actor = ["triggering_actor", "actor"]
        .iter()
        .find_map(|name| wire::text(part(run, name)?, &["login"]))
        .or_else(|| wire::text(part(fields, "sender")?, &["login"]));
    event.body = body(run, commit, actor.as_deref());

    let is_default =
        branch.is_some() && fork.is_none() && branch == wire::text(repository, &["default_branch"]);
    for (label, value) in [
        ("repository", full_name),
        ("workflow", Some(name)),
        ("branch", branch),
        ("fork", fork),
        ("event", Some(trigger).filter(|trigger| !trigger.is_empty())),
        ("conclusion", conclusion),
        ("actor", actor),
        ("default_branch", Some(is_default.to_string())),
    ] {
        event.labels.extend(value.map(|value| (label.to_owned(), value)));
    }
    for name in ["path", "run_number", "run_attempt", "head_sha"] {
        event.labels.extend(wire::text(run, &[name]).map(|value| (name.to_owned(), value)));
    }
    wire::link(&mut event.links, &wire::word(run, &["html_url"]).unwrap_or_default());
    Ok(Some(event))
}

fn part<'a>(of: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    of.get(name).and_then(Value::as_object)
}

/// The repository a run's branch is in, when it is another one.
fn fork(run: &Map<String, Value>, repository: &Map<String, Value>, trigger: &str) -> Option<String> {
    let Some(head) = part(run, "head_repository") else {
        // A fork that is gone. Only a pull request can come from one.
        let is_gone = trigger.starts_with("pull_request") && run.contains_key("head_repository");
        return is_gone.then(|| "unknown".to_owned());
    };
    let (here, there) = (wire::text(repository, &["id"]), wire::text(head, &["id"]));
    let is_same = match (here, there) {
        (Some(here), Some(there)) => here == there,
        _ => wire::text(repository, &["full_name"]) == wire::text(head, &["full_name"]),
    };
    if is_same { None } else { wire::text(head, &["full_name", "id"]).or_else(|| Some("unknown".to_owned())) }
}

fn body(run: &Map<String, Value>, commit: &Map<String, Value>, actor: Option<&str>) -> String {
    let mut body = String::new();
    let message = wire::text(commit, &["message"]).or_else(|| wire::text(run, &["display_title"]));
    let subject = message.as_deref().and_then(|message| message.lines().next()).unwrap_or_default();
    let sha: String = wire::text(run, &["head_sha"]).unwrap_or_default().chars().take(12).collect();
    wire::line(
        &mut body,
        &match (sha.is_empty(), subject.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!("commit: {subject}"),
            (false, _) => format!("commit: {sha} {subject}"),
        },
    );
    if let Some(actor) = actor {
        wire::line(&mut body, &format!("by: {actor}"));
    }
    if let Some(attempt) = wire::text(run, &["run_attempt"]).filter(|attempt| attempt != "1") {
        wire::line(&mut body, &format!("attempt: {attempt}"));
    }
    body
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::tests::{delivery, post};

    fn run(conclusion: &str) -> Value {
        json!({"action": "completed", "repository": {"id": 1, "full_name": "acme/shop", "default_branch": "main"},
            "workflow_run": {"id": 9, "name": "Deploy", "workflow_id": 5, "head_branch": "main", "event": "push",
                "conclusion": conclusion, "updated_at": "2026-01-02T03:04:05Z",
                "head_repository": {"id": 1, "full_name": "acme/shop"}}})
    }

    fn read_all(body: &Value) -> Result<Vec<Event>, Unreadable> {
        post(&KIND, body.to_string().as_bytes())
    }

    fn under(name: &str, body: &Value) -> Result<Vec<Event>, Unreadable> {
        let headers = [("x-github-event", name), ("x-github-delivery", "d-1")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let bytes = body.to_string();
        (KIND.read)(&Delivery { headers: &headers, ..delivery("POST", "", bytes.as_bytes()) })
    }

    #[test]
    fn a_failure_and_the_next_success_of_a_workflow_have_the_same_key() {
        let mut over = run("success");
        over["workflow_run"]["id"] = json!(10);
        over["workflow_run"]["name"] = json!("Deploy to production");
        let (fires, over) = (read_all(&run("failure")).unwrap(), read_all(&over).unwrap());
        assert_eq!((fires[0].status, over[0].status), (Status::Firing, Status::Resolved));
        assert_eq!(fires[0].key, over[0].key);
        assert_eq!(fires[0].title, "Deploy failed on main of acme/shop");
    }

    #[test]
    fn a_forks_branch_of_the_same_name_has_another_key() {
        let key = |head: Value| {
            let mut body = run("failure");
            body["workflow_run"]["event"] = json!("pull_request");
            body["workflow_run"]["head_repository"] = head;
            read_all(&body).unwrap().remove(0).key
        };
        let own = key(json!({"id": 1, "full_name": "acme/shop"}));
        assert_eq!(key(json!({"id": "1"})), own);
        assert_ne!(key(json!({"id": 2, "full_name": "contributor/shop"})), own);
        assert_ne!(key(Value::Null), own);
    }

    #[test]
    fn a_push_that_works_does_not_resolve_what_runs_at_night() {
        let key = |conclusion: &str, trigger: &str| {
            let mut body = run(conclusion);
            body["workflow_run"]["event"] = json!(trigger);
            read_all(&body).unwrap().remove(0).key
        };
        assert_ne!(key("failure", "schedule"), key("success", "push"));
        assert_ne!(key("failure", "schedule"), key("success", "workflow_dispatch"));
        assert_eq!(key("failure", "schedule"), key("success", "schedule"));
    }

    #[test]
    fn only_the_default_branch_has_the_label_for_it() {
        let label = |branch: &str| {
            let mut body = run("failure");
            body["workflow_run"]["head_branch"] = json!(branch);
            read_all(&body).unwrap().remove(0).labels["default_branch"].clone()
        };
        assert_eq!((label("main").as_str(), label("topic").as_str()), ("true", "false"));
    }

    #[test]
    fn what_says_nothing_of_the_workflow_changes_nothing() {
        for conclusion in ["cancelled", "skipped", "neutral", "stale", "action_required"] {
            assert_eq!(read_all(&run(conclusion)), Ok(vec![]), "{conclusion}");
        }
        let mut begun = run("failure");
        begun["action"] = json!("in_progress");
        assert_eq!(read_all(&begun), Ok(vec![]));
        assert!(!read_all(&run("hunter2")).unwrap_err().0.contains("hunter2"));
    }

    #[test]
    fn the_header_says_what_the_body_is_and_the_delivery_has_its_id() {
        let events = under("workflow_run", &run("failure")).unwrap();
        assert_eq!(events[0].delivery_id.as_deref(), Some("d-1"));
        assert_eq!(under("ping", &json!({"zen": "Keep it logically awesome.", "hook_id": 1})), Ok(vec![]));
        assert_eq!(under("deployment_status", &run("failure")), Ok(vec![]));
        assert!(under("workflow_run", &json!({"action": "completed"})).is_err());
    }

    #[test]
    fn without_the_header_the_body_is_told_by_its_fields() {
        assert_eq!(read_all(&json!({"zen": "Design for failure.", "hook": {}})), Ok(vec![]));
        assert_eq!(read_all(&json!({"ref": "refs/heads/main", "repository": {"id": 1}})), Ok(vec![]));
        let mut deployed = run("failure");
        deployed["deployment"] = json!({"id": 3});
        assert_eq!(read_all(&deployed), Ok(vec![]));
        assert!(read_all(&json!({"ref": "x"})).unwrap_err().0.contains("really GitHub"));
    }

    #[test]
    fn a_form_holds_the_json_in_its_field_payload() {
        let body = run("failure").to_string();
        let encoded = percent_encoding::utf8_percent_encode(&body, percent_encoding::NON_ALPHANUMERIC);
        let form = format!("payload={encoded}");
        assert_eq!(post(&KIND, form.as_bytes()), read_all(&run("failure")));
        assert!(post(&KIND, b"a=b").unwrap_err().0.contains("no field `payload`"));
    }
}

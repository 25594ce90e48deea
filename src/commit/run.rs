//! One command inside the transaction, by its kind.

use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::acts::Work;
use super::door::Job;
use super::{
    Command, DELIVERIES_KEPT, Done, DoorError, Effects, FILL_MAX, FORGET_MAX, Memory, REVOKED_KEPT, Reply,
    SILENCES_KEPT, SignIn, TOKENS_MAX, UNREADABLE_BYTES_MAX, UNREADABLE_MAX, Unread,
};
use crate::core::decide::Act;
use crate::core::timeline::Route;
use crate::house::House;
use crate::store::{
    StoreError, Tx, calendars, conditions, drills, letters, nodes, reach, roster, silences, subscribers,
    tokens, unreadable,
};

/// Runs one command. The outer error ends the whole transaction; the inner one is this command's own.
pub(super) fn run(
    tx: &Tx<'_>,
    house: &House,
    effects: &mut Effects,
    memory: &mut Memory,
    job: &Job,
) -> Result<Result<Done, DoorError>, StoreError> {
    let mut work = Work {
        tx,
        house,
        effects,
        memory,
        received_at: None,
        heard_at: None,
        unheard: false,
        replayed: false,
        in_part: false,
        pushed_for: None,
    };
    let reply = match &*job.command {
        Command::Events(delivered) => return work.take(delivered).map(|results| Ok(Done::Heard(results))),
        Command::Unreadable(unread) if let Some(id) = unread.rest.replays => {
            let taken = work.take_more(id, unread)?;
            return Ok(Ok(taken.map_or(Done::Reply(Reply::Done), Done::Heard)));
        }
        Command::Unreadable(unread) => {
            if let Some(done) = work.post_unread(unread)? {
                return Ok(Ok(done));
            }
            let Unread { kept, rest, once, .. } = &**unread;
            // Alerts are taken also where there is no room for what is odd about them; sent again, they are repeats.
            if !rest.events.is_empty() {
                work.in_part = true;
                work.take(rest)?;
                work.heard_at = None;
            }
            let (waiting, bytes) = unreadable::waiting_of(tx, &kept.source)?;
            if waiting >= UNREADABLE_MAX || bytes >= UNREADABLE_BYTES_MAX {
                return Ok(Err(DoorError::TooManyKept(waiting)));
            }
            match once {
                Some(id) if !unreadable::first_time(tx, &kept.source, id)? => Ok(Reply::KeptBefore),
                _ => Ok(Reply::Kept(work.keep(kept, rest)?)),
            }
        }
        Command::Mail(posted) => return work.post(posted).map(Ok),
        Command::Act { incident, act, by } => {
            // A page is answered where its incident has gone.
            let answers = matches!(act, Act::Answer { .. } | Act::Decline | Act::CheckIn | Act::Note { .. });
            let follows = by.route == Route::AnswerLink || by.actor.person().is_some() && answers;
            let home = if follows { work.home_of(*incident)? } else { *incident };
            work.act(home, act.clone(), by)?
        }
        Command::Press(press) => work.press(press)?,
        Command::Answer(answering) => work.take_answer(answering)?,
        Command::Merge { incident, into, term, by } => work.merge(*incident, *into, *term, by)?,
        Command::Split { incident, part, term, by } => work.split(*incident, part, *term, by)?,
        Command::Declare { title, service, severity, by } => work.declare(title, service, *severity, by)?,
        Command::HeartbeatDue { name, heard_since } => {
            Ok(Reply::Looked(work.heartbeat_is_due(name, *heard_since)?))
        }
        Command::AlertDue { alert, hearing } => Ok(Reply::Looked(work.alert_is_due(*alert, *hearing)?)),
        Command::FillInhibitors { after, patient } => Ok(work.fill_inhibitors(after, *patient)?),
        Command::PutSilence { silence, fresh } => work.put_silence(silence, fresh)?,
        Command::EndSilence { id, source } => work.end_silence(id, source.as_deref())?,
        Command::AddCondition { condition, by } => work.add_condition(condition, by)?,
        Command::EndCondition { id, who, by } => work.end_condition(id, who, by)?,
        Command::NoteDuty => Ok(Reply::Looked(work.note_duty()?)),
        Command::Roster(change) => work.change_roster(change)?,
        Command::Reach(asked) => work.reach(asked)?,
        Command::Drill(drilling) => work.drill(drilling)?,
        Command::Report(report) => work.report(report)?,
        // Nobody would send what is handed to one who has gone.
        Command::Claim(_) if job.answer.is_closed() => Err(DoorError::Late),
        Command::Claim(wanted) => {
            let claims = letters::claim(tx, wanted)?;
            Ok(Reply::Claims(work.without_outdated(claims)?))
        }
        Command::Settle { claim, settlement, alone } => {
            work.settle(claim, settlement, *alone)?;
            Ok(Reply::Done)
        }
        // Nobody would ever see it.
        Command::MakeToken { .. } if job.answer.is_closed() => Err(DoorError::Late),
        Command::MakeToken { token, holder } => match tokens::working_of(tx, holder)? {
            made if made >= TOKENS_MAX => Err(DoorError::TooManyTokens(made)),
            _ => Ok(Reply::Made(tokens::put_api(tx, token.expose_secret(), holder)?)),
        },
        Command::RevokeToken { id } => match tokens::revoke_api(tx, id)? {
            true => Ok(Reply::Done),
            false => Err(DoorError::NoToken(id.clone())),
        },
        // Nobody would ever have its secret.
        Command::SignIn(
            SignIn::Link { .. } | SignIn::Open { .. } | SignIn::Token { .. } | SignIn::Answered { .. },
        ) if job.answer.is_closed() => Err(DoorError::Late),
        Command::SignIn(asked) => work.sign_in(asked)?,
        Command::Subscribe(asked) => Ok(work.subscribe(asked)?),
        Command::Calendar(asked) => Ok(work.calendar(asked)?),
        // Nobody would ever see it.
        Command::LinkCalendar { .. } if job.answer.is_closed() => Err(DoorError::Late),
        Command::LinkCalendar { token, subject, by } => work.link_calendar(token, subject, by)?,
        Command::UnlinkCalendar { id } => match calendars::revoke_link(tx, id)? {
            true => Ok(Reply::Done),
            false => Err(DoorError::NoLink(id.clone())),
        },
        Command::Leave { node, heard_since } => {
            nodes::leave(tx, node, *heard_since)?;
            Ok(Reply::Done)
        }
        Command::Beat(present) => {
            nodes::beat(tx, present)?;
            Ok(Reply::Done)
        }
        Command::Forget => {
            // What was heard a moment ago is not old.
            work.memory.write(tx)?;
            let before = |age| tx.now.saturating_sub(age).unwrap_or(Timestamp::MIN);
            unreadable::forget(tx, before(DELIVERIES_KEPT))?;
            tokens::forget(tx, before(REVOKED_KEPT))?;
            work.forget_signed_in()?;
            subscribers::forget(tx, |channel, address| house.is_named(channel, address))?;
            calendars::forget(tx, before(REVOKED_KEPT))?;
            reach::forget(tx, before(REVOKED_KEPT))?;
            drills::forget(tx, before(REVOKED_KEPT))?;
            silences::forget(tx, before(SILENCES_KEPT))?;
            let nodes = nodes::forget(tx, FORGET_MAX)?;
            let filled = crate::store::history::fill(tx, FILL_MAX)?;
            let Some(retention) = house.retention else {
                let more = filled || nodes >= u64::from(FORGET_MAX);
                return Ok(Ok(Done::Reply(Reply::Forgotten { more })));
            };
            // What was known is told in a review, as long as there are incidents to review.
            conditions::forget(tx, before(retention))?;
            let turns = crate::store::load::forget(tx, before(retention), FORGET_MAX)?;
            roster::forget(tx, before(retention))?;
            let (_, incidents) = crate::store::incidents::forget(tx, before(retention), FORGET_MAX)?;
            let alerts = crate::store::alerts::forget_loose(tx, before(retention), FORGET_MAX)?;
            work.memory.forget();
            let more = filled || incidents || alerts.max(nodes).max(turns) >= u64::from(FORGET_MAX);
            Ok(Reply::Forgotten { more })
        }
    };
    Ok(reply.map(Done::Reply))
}

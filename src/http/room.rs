//! Room for bodies: a thousand clients with the largest bodies must not take all of the memory.
//!
//! Who has shown a token takes the room that his body may need at once, out of the large purse. Of whom nobody knows yet
//! whether he may send, takes it as his bytes come, out of a small one, and not for long: so that those who say that they will
//! send much, and send nothing, keep nobody out.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::body::{self, BodyProblem};
use super::desk::Desk;
use super::problem::Problem;

/// What a body that nobody has proven yet takes at first, in KiB; then twice as much each time.
const FIRST_KIB: usize = 16;

/// Room in a purse, until it is dropped.
pub(super) type Room = OwnedSemaphorePermit;

/// Takes room for as much as a body may need, reads it.
pub(super) async fn read(desk: &Desk, body: Body) -> Result<(Bytes, Room), Problem> {
    let most = body.size_hint().upper().and_then(|most| usize::try_from(most).ok());
    let most = most.unwrap_or(desk.limits.body_max).min(desk.limits.body_max);
    let room = take_known(desk, kib(most))?;
    let bytes = body::read(body, desk.limits.body_max, desk.limits.body_timeout).await?;
    Ok((bytes, room))
}

/// Reads a body of which nobody knows yet whether he may send it who sends it.
pub(super) async fn read_unproven(desk: &Desk, body: Body) -> Result<(Bytes, Room), Problem> {
    read_unproven_to(desk, body, desk.limits.body_max).await
}

/// The same, where no honest body is larger than this.
pub(super) async fn read_unproven_to(
    desk: &Desk,
    body: Body,
    body_max: usize,
) -> Result<(Bytes, Room), Problem> {
    let limits = &desk.limits;
    let mut room = take(&desk.unproven, FIRST_KIB)?;
    let grow = |bytes: usize| {
        let (has, needs) = (room.num_permits(), kib(bytes));
        if needs <= has {
            return Ok(());
        }
        let more = needs.max(has.saturating_mul(2).min(kib(body_max))).saturating_sub(has);
        room.merge(take(&desk.unproven, more)?);
        Ok(())
    };
    let deadline = limits.unproven_timeout.min(limits.body_timeout);
    let bytes = body::read_with(body, body_max, deadline, grow).await?;
    Ok((bytes, room))
}

/// Moves a body that was proven out of the small purse, which is for others then.
pub(super) fn proven(desk: &Desk, bytes: &Bytes, unproven: Room) -> Result<Room, Problem> {
    let room = take_known(desk, kib(bytes.len()))?;
    drop(unproven);
    Ok(room)
}

fn kib(bytes: usize) -> usize {
    bytes / 1024 + 1
}

/// Room for somebody who has shown that he may send: whoever falls silent now may have been refused. Strangers who are
/// refused say nothing of that, or anybody could keep alerts from being over; nor do those whose signature is yet to be
/// looked at, for nothing that comes so is ever over by itself (`sources/mod.rs` has a test of that).
fn take_known(desk: &Desk, kib: usize) -> Result<Room, Problem> {
    Ok(take(&desk.bodies, kib).inspect_err(|_| desk.door.away().was_deaf_now())?)
}

fn take(purse: &Arc<Semaphore>, kib: usize) -> Result<Room, BodyProblem> {
    let kib = u32::try_from(kib).unwrap_or(u32::MAX);
    purse.clone().try_acquire_many_owned(kib).map_err(|_| BodyProblem::NoRoom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::House;
    use crate::http::desk::tests::desk_with;

    #[tokio::test]
    async fn strangers_who_are_refused_keep_no_alert_from_being_over() {
        let (desk, _kept) = desk_with(House::default(), [Semaphore::new(0), Semaphore::new(FIRST_KIB)]);
        desk.door.away().take_deaf();
        let large = || Body::from(vec![b'x'; FIRST_KIB * 1024 * 2]);
        assert!(read_unproven(&desk, large()).await.is_err(), "no room to grow");
        let _all = desk.unproven.clone().acquire_many_owned(16).await.unwrap();
        assert!(read_unproven(&desk, Body::empty()).await.is_err(), "no room at all");
        assert!(!desk.door.away().take_deaf());
        assert!(read(&desk, large()).await.is_err());
        assert!(desk.door.away().take_deaf(), "one who may send");
    }
}

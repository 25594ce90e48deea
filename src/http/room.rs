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
    let room = take(desk, &desk.bodies, kib(most))?;
    let bytes = body::read(body, desk.limits.body_max, desk.limits.body_timeout).await?;
    Ok((bytes, room))
}

/// Reads a body of which nobody knows yet whether he may send it who sends it.
pub(super) async fn read_unproven(desk: &Desk, body: Body) -> Result<(Bytes, Room), Problem> {
    let limits = &desk.limits;
    let mut room = take(desk, &desk.unproven, FIRST_KIB)?;
    let grow = |bytes: usize| {
        let (has, needs) = (room.num_permits(), kib(bytes));
        if needs <= has {
            return Ok(());
        }
        let more = needs.max(has.saturating_mul(2).min(kib(limits.body_max))).saturating_sub(has);
        room.merge(take(desk, &desk.unproven, more).map_err(|_| BodyProblem::NoRoom)?);
        Ok(())
    };
    let deadline = limits.unproven_timeout.min(limits.body_timeout);
    let bytes = body::read_with(body, limits.body_max, deadline, grow).await?;
    Ok((bytes, room))
}

/// Moves a body that was proven out of the small purse, which is for others then.
pub(super) fn proven(desk: &Desk, bytes: &Bytes, unproven: Room) -> Result<Room, Problem> {
    let room = take(desk, &desk.bodies, kib(bytes.len()))?;
    drop(unproven);
    Ok(room)
}

fn kib(bytes: usize) -> usize {
    bytes / 1024 + 1
}

fn take(desk: &Desk, purse: &Arc<Semaphore>, kib: usize) -> Result<Room, Problem> {
    let kib = u32::try_from(kib).unwrap_or(u32::MAX);
    purse.clone().try_acquire_many_owned(kib).map_err(|_| {
        // Whoever falls silent now may have been refused.
        desk.door.away().was_deaf_now();
        BodyProblem::NoRoom.into()
    })
}

//! Reads a request's body within a size and a deadline.
//!
//! A body that says it is too large is refused before a byte of it is asked for: a client that sent
//! `Expect: 100-continue` gets its answer in place of the go-ahead and keeps its upload.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

use super::problem::Problem;

/// Reserved at first for a body that does not say its size; a lie in `Content-Length` costs no more either.
const RESERVED_BYTES: usize = 16 * 1024;

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyProblem {
    /// It is, or says it is, larger than allowed.
    #[error("the body is larger than {body_max} bytes")]
    TooLarge {
        /// What is allowed.
        body_max: usize,
    },
    /// It did not come in time.
    #[error("the body did not come within {} s", .after.as_secs_f32())]
    TooSlow {
        /// How long was waited.
        after: Duration,
    },
    /// The client went away, or sent something that is no body.
    #[error("the body ended before its end")]
    Broken,
    /// Others have taken the room there is for bodies.
    #[error("too many large requests at the same time; try again in a moment")]
    NoRoom,
}

impl From<BodyProblem> for Problem {
    fn from(problem: BodyProblem) -> Self {
        match problem {
            BodyProblem::TooLarge { body_max } => Self::too_large(body_max),
            BodyProblem::TooSlow { .. } => Self::timeout(problem.to_string()),
            BodyProblem::Broken => Self::bad_request(problem.to_string()),
            BodyProblem::NoRoom => Self::unavailable(problem.to_string(), 1),
        }
    }
}

impl IntoResponse for BodyProblem {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

/// Reads the whole body: at most `body_max` bytes, within `deadline` from now.
///
/// # Errors
/// When it is too large, too slow or broken off. The answer is then 413, 408 or 400.
pub async fn read(body: Body, body_max: usize, deadline: Duration) -> Result<Bytes, BodyProblem> {
    read_with(body, body_max, deadline, |_| Ok(())).await
}

/// [`read`], where room has to be had: `room` is asked before so many bytes of it are kept.
///
/// # Errors
/// As [`read`], and what `room` says.
pub async fn read_with(
    body: Body,
    body_max: usize,
    deadline: Duration,
    room: impl FnMut(usize) -> Result<(), BodyProblem>,
) -> Result<Bytes, BodyProblem> {
    // The lower bound is the Content-Length where there is one.
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > body_max {
        return Err(BodyProblem::TooLarge { body_max });
    }
    match tokio::time::timeout(deadline, collect(body, body_max, declared, room)).await {
        Ok(read) => read,
        Err(_) => Err(BodyProblem::TooSlow { after: deadline }),
    }
}

async fn collect(
    mut body: Body,
    body_max: usize,
    declared: usize,
    mut room: impl FnMut(usize) -> Result<(), BodyProblem>,
) -> Result<Bytes, BodyProblem> {
    let mut whole = BytesMut::with_capacity(declared.min(RESERVED_BYTES));
    while let Some(frame) = body.frame().await {
        // Trailers say nothing that anybody here listens to.
        let Ok(data) = frame.map_err(|_| BodyProblem::Broken)?.into_data() else { continue };
        if data.len() > body_max - whole.len() {
            return Err(BodyProblem::TooLarge { body_max });
        }
        room(whole.len() + data.len())?;
        // Most alerts come in one piece, which is then handed on without a copy.
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    const SOON: Duration = Duration::from_secs(1);

    /// A body of pieces that says nothing of its size; with `forever` it never ends.
    struct Pieces {
        pieces: VecDeque<&'static [u8]>,
        forever: bool,
    }

    impl hyper::body::Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
            match self.pieces.pop_front() {
                Some(piece) => Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(piece))))),
                None if self.forever => Poll::Pending,
                None => Poll::Ready(None),
            }
        }
    }

    fn pieces(pieces: &[&'static [u8]], forever: bool) -> Body {
        Body::new(Pieces { pieces: pieces.iter().copied().collect(), forever })
    }

    #[tokio::test]
    async fn a_body_of_exactly_the_limit_is_read() {
        assert_eq!(read(Body::from("abcd"), 4, SOON).await.unwrap(), "abcd");
        assert_eq!(read(pieces(&[b"ab", b"", b"cd"], false), 4, SOON).await.unwrap(), "abcd");
        assert_eq!(read(Body::empty(), 0, SOON).await.unwrap(), "");
    }

    #[tokio::test]
    async fn one_byte_more_is_refused_declared_or_not() {
        let too_large = Err(BodyProblem::TooLarge { body_max: 4 });
        assert_eq!(read(Body::from("abcde"), 4, SOON).await, too_large);
        // It never ends, so it was refused while it was still coming.
        assert_eq!(read(pieces(&[b"ab", b"cde"], true), 4, SOON).await, too_large);
    }

    #[tokio::test]
    async fn room_is_asked_for_as_the_bytes_come() {
        let mut asked = Vec::new();
        let room = |bytes| {
            asked.push(bytes);
            if bytes > 4 { Err(BodyProblem::NoRoom) } else { Ok(()) }
        };
        let read = read_with(pieces(&[b"ab", b"cd", b"ef"], true), 100, SOON, room).await;
        assert_eq!((read, asked), (Err(BodyProblem::NoRoom), vec![2, 4, 6]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up_at_the_deadline() {
        let read = read(pieces(&[b"ab"], true), 4, SOON).await;
        assert_eq!(read, Err(BodyProblem::TooSlow { after: SOON }));
        assert_eq!(read.unwrap_err().into_response().status(), 408);
    }
}

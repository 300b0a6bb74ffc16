//! Answers that come before a request's body was read: a body that is too large, a stranger's upload, a wrong path. The server closes a
//! connection over HTTP/1.1 when a body's reader is dropped early, and bytes that come then reset it: a client that is still sending gets a
//! broken pipe in place of the answer. So what nobody reads is read on within bounds after the answer.
use axum::{
    body::{Body, BodyDataStream, Bytes, HttpBody},
    extract::Request,
    http::{Version, header},
    middleware::Next,
    response::Response,
};
use futures::{Stream, StreamExt};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::sync::Semaphore;

/// How much of a body is read that nobody wants, for how long in all, and for how long a silence.
const BYTES: usize = 64 << 20;
const LONGEST: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(2);
/// Bodies that are read on at the same time.
static PERMITS: Semaphore = Semaphore::const_new(500);

/// A body whose rest is read when it is dropped.
struct ReadOn {
    /// `None` once it has ended, or failed.
    body: Option<BodyDataStream>,
    /// The client sends nothing before it is told to go on (`Expect: 100-continue`), and reading would tell it so.
    is_awaited: bool,
}

/// Lets what a handler leaves unread of a request's body be read after the answer.
pub async fn read_on(request: Request, next: Next) -> Response {
    if request.version() == Version::HTTP_2 || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let is_awaited = request.headers().contains_key(header::EXPECT);
    let wrap = |body: Body| Body::from_stream(ReadOn { body: Some(body.into_data_stream()), is_awaited });
    next.run(request.map(wrap)).await
}

impl Stream for ReadOn {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.is_awaited = false;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let piece = ready!(body.poll_next_unpin(cx));
        if !matches!(piece, Some(Ok(_))) {
            this.body = None;
        }
        Poll::Ready(piece)
    }
}

impl Drop for ReadOn {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|_| !self.is_awaited) else { return };
        if let (Ok(runtime), Ok(permit)) = (tokio::runtime::Handle::try_current(), PERMITS.try_acquire()) {
            runtime.spawn(async move {
                let _ = tokio::time::timeout(LONGEST, discard(body)).await;
                drop(permit);
            });
        }
    }
}

async fn discard(mut body: BodyDataStream) {
    let mut left = BYTES;
    while let Ok(Some(Ok(piece))) = tokio::time::timeout(SILENCE, body.next()).await {
        left = left.saturating_sub(piece.len());
        if left == 0 {
            return;
        }
    }
}

//! A build context on its way to the engine: packed on a blocking thread, sent in pieces, never whole in memory.
use crate::context::Context;
use bytes::Bytes;
use futures::Stream;
use std::io::{self, Write};
use tokio::sync::mpsc;

/// The size of a piece, and how many may wait.
const PIECE: usize = 64 * 1024;
const WAITING: usize = 8;

/// The archive as a stream of pieces. Whoever drops it stops the packing.
pub(super) fn stream(context: Context) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (to, pieces) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let pipe = Pipe { to: to.clone() };
        if let Err(why) = context.pack(io::BufWriter::with_capacity(PIECE, pipe)) {
            let _ = to.blocking_send(Err(why));
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(pieces)
}

struct Pipe {
    to: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for Pipe {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let taken = piece.len().min(PIECE);
        let sent = self.to.blocking_send(Ok(Bytes::copy_from_slice(&piece[..taken])));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

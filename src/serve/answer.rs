//! Bodies that are written while they are sent.

use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use datafusion::common::runtime::SpawnedTask;
use futures::StreamExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::log::log;
use crate::output::{Output, OutputError};

/// Pieces that wait for the client.
const PIECES: usize = 2;

/// Bytes that wait for each other before they are a piece.
const PIECE: usize = 64 << 10;

/// Where a body is written to.
pub(super) struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    /// How long a client may take nothing.
    patience: Duration,
    buffer: Vec<u8>,
}

impl Output for Pieces {
    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// An error: the client has gone.
    async fn flush_if_full(&mut self) -> Result<(), OutputError> {
        if self.buffer.len() < PIECE { Ok(()) } else { self.flush().await }
    }
}

impl Pieces {
    async fn flush(&mut self) -> Result<(), OutputError> {
        let piece = Bytes::from(std::mem::take(&mut self.buffer));
        let sent = self.sender.send_timeout(Ok(piece), self.patience).await;
        Ok(sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?)
    }

    /// Sends an error, by which the client knows that this is not the end.
    async fn abort(self) {
        let error = io::Error::other("the answer could not be completed");
        // The client may have gone.
        let _ = self.sender.send_timeout(Err(error), self.patience).await;
    }
}

/// A body that is written while it is sent. The place among the requests is free again when it is complete, when the client has gone,
/// or when it has taken nothing for `patience`.
pub(super) fn streamed(permit: OwnedSemaphorePermit, patience: Duration, body: impl WriteBody) -> Body {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(PIECES);
    let mut pieces = Pieces { sender, patience, buffer: vec![] };
    let task = SpawnedTask::spawn(async move {
        let _permit = permit;
        let written = match body.write(&mut pieces).await {
            Ok(()) => pieces.flush().await,
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => {}
            // A client may go whenever it wants to.
            Err(OutputError::Write(_)) => pieces.abort().await,
            Err(error) => {
                log(format_args!("error: an answer broke off: {error}"));
                pieces.abort().await;
            }
        }
    });
    // The task ends with the body that it writes.
    Body::from_stream(ReceiverStream::new(receiver).inspect(move |_| _ = &task))
}

/// What writes a body.
pub(super) trait WriteBody: Send + 'static {
    fn write(self, pieces: &mut Pieces) -> impl Future<Output = Result<(), OutputError>> + Send;
}

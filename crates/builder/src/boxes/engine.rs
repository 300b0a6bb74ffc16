//! What is asked of a box's engine, over its socket. A box is hostile: its answers are bounded in time and bytes, and parsed by us.
use crate::seam::BuilderError;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, BodyStream, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{net::UnixStream, time::timeout};

/// The longest answer that is taken in as a whole.
const LONGEST: usize = 1 << 20;

/// A box's engine.
#[derive(Debug, Clone)]
pub struct Engine {
    socket: PathBuf,
}

/// An answer whose body has not come yet. Dropping it hangs up, and what the engine does for it ends.
pub struct Answer {
    pub status: StatusCode,
    pub body: Incoming,
    pub connection: Connection,
}

impl Answer {
    /// The body, and what keeps its connection open.
    pub fn split(self) -> (Incoming, Connection) {
        (self.body, self.connection)
    }
}

/// The connection ends with this.
pub struct Connection(tokio::task::JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Engine {
    pub fn at(socket: &Path) -> Engine {
        Engine { socket: socket.to_path_buf() }
    }

    /// A connection to the engine.
    pub async fn connect(&self) -> Result<UnixStream, BuilderError> {
        UnixStream::connect(&self.socket).await.map_err(|_| BuilderError::Away)
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send<B>(&self, request: Request<B>) -> Result<Answer, BuilderError>
    where
        B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = self.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| BuilderError::Away)?;
        let connection = Connection(tokio::spawn(async move {
            let _ = connection.await;
        }));
        let answer = sender.send_request(request).await.map_err(|_| BuilderError::Away)?;
        let (head, body) = answer.into_parts();
        Ok(Answer { status: head.status, body, connection })
    }

    /// Asks and takes in the whole answer, within `patience`.
    pub async fn ask(&self, method: Method, path: &str, body: Bytes, patience: Duration) -> Result<(StatusCode, Bytes), BuilderError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "box")
            .header("content-type", "application/json")
            .body(Full::new(body));
        let request = request.map_err(|why| BuilderError::Broken(why.to_string()))?;
        let asked = async {
            let answer = self.send(request).await?;
            let mut all = BytesMut::new();
            let mut body = BodyStream::new(answer.body);
            while let Some(frame) = body.next().await {
                let Ok(data) = frame.map_err(|_| BuilderError::Away)?.into_data() else { continue };
                if all.len() + data.len() > LONGEST {
                    return Err(BuilderError::Broken("the builder’s engine answers without end".into()));
                }
                all.extend_from_slice(&data);
            }
            Ok((answer.status, all.freeze()))
        };
        timeout(patience, asked)
            .await
            .unwrap_or_else(|_| Err(BuilderError::Broken(format!("the builder’s engine did not answer within {} s", patience.as_secs()))))
    }

    /// Whether the engine answers.
    pub async fn answers(&self, patience: Duration) -> bool {
        matches!(self.ask(Method::GET, "/_ping", Bytes::new(), patience).await, Ok((StatusCode::OK, _)))
    }

    /// Whether the engine knows what its disk holds. One that was killed at the wrong moment does not, for ever, and would never
    /// remove anything again.
    pub async fn is_whole(&self) -> bool {
        let asked = self.ask(Method::GET, "/system/df", Bytes::new(), Duration::from_secs(60)).await;
        matches!(asked, Ok((StatusCode::OK, body)) if serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|df| df.get("LayersSize").is_some()))
    }

    /// Takes in what is left of an answer, up to a bound; for errors.
    pub async fn rest(body: Incoming) -> String {
        let collected = http_body_util::Limited::new(body, 64 << 10).collect().await;
        collected.map(|all| String::from_utf8_lossy(&all.to_bytes()).into_owned()).unwrap_or_default()
    }
}

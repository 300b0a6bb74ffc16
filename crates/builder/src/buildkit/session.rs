//! The session: what BuildKit may ask of us while it builds. It is two things, this organization's credential for a host and this build's
//! secrets. There is no `FetchToken`: a token is fetched from where a registry says, and so from within the box, where the wall is. There
//! are no files either, for the context is the request's body.
//!
//! BuildKit is the HTTP/2 client here, on a connection that we opened and it took over. What it asks is untrusted.
use super::proto::{fields, put, text};
use crate::{
    boxes::engine::Engine,
    seam::{BuilderError, HostCredential, SecretValue},
};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::JoinHandle,
    time::timeout,
};
use tracing::debug;

const CREDENTIALS: &str = "/moby.filesync.v1.Auth/Credentials";
const SECRET: &str = "/moby.buildkit.secrets.v1.Secrets/GetSecret";
const HEALTH: &str = "/grpc.health.v1.Health/Check";
/// The longest question, and the longest head of the engine's answer.
const LONGEST: usize = 64 << 10;
/// Questions of a session in all; an honest build asks some dozens beside a sign of life every few seconds.
const QUESTIONS: u32 = 20_000;
const OPENED_WITHIN: Duration = Duration::from_secs(10);

/// gRPC's codes for what we can't answer.
const INVALID: u8 = 3;
const NOT_FOUND: u8 = 5;
const UNIMPLEMENTED: u8 = 12;

/// What a session may tell.
#[derive(Debug, Default)]
pub struct Known {
    pub credentials: Vec<HostCredential>,
    pub secrets: BTreeMap<String, SecretValue>,
}

/// An open session; it ends with this.
#[derive(Debug)]
pub struct Session {
    pub id: String,
    served: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// The answer to a question: a message, or gRPC's code.
fn answer(known: &Known, method: &str, question: &[u8]) -> Result<Vec<u8>, u8> {
    let asked = fields(question).ok_or(INVALID)?;
    let mut out = Vec::new();
    match method {
        // SERVING.
        HEALTH => out.extend([1 << 3, 1]),
        CREDENTIALS => {
            let host = text(&asked, 1);
            // An empty answer means that there is none, and the registry is asked as nobody.
            if let Some(of) = known.credentials.iter().find(|of| of.host == host) {
                put(&mut out, 1, of.username.as_bytes());
                put(&mut out, 2, of.password.0.as_bytes());
            }
        }
        SECRET => put(&mut out, 1, known.secrets.get(&text(&asked, 1)).ok_or(NOT_FOUND)?.0.as_bytes()),
        _ => return Err(UNIMPLEMENTED),
    }
    Ok(out)
}

impl Session {
    /// Opens one with a box's engine.
    pub async fn open(engine: &Engine, id: String, known: Known) -> Result<Session, BuilderError> {
        let opened = async {
            let mut stream = engine.connect().await?;
            let mut ask = format!(
                "POST /session HTTP/1.1\r\nHost: box\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nX-Docker-Expose-Session-Uuid: {id}\r\n"
            );
            ask.push_str("X-Docker-Expose-Session-Name: build\r\n");
            for method in [CREDENTIALS, SECRET] {
                ask.push_str(&format!("X-Docker-Expose-Session-Grpc-Method: {method}\r\n"));
            }
            stream.write_all(format!("{ask}\r\n").as_bytes()).await?;
            let mut head = Vec::new();
            // Byte by byte: what follows the head is HTTP/2 already.
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await?);
                if head.len() > LONGEST {
                    return Err(BuilderError::Broken("the builder’s engine answers without end".into()));
                }
            }
            if !head.starts_with(b"HTTP/1.1 101") {
                let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_string();
                return Err(BuilderError::Broken(format!("the builder’s engine opens no session: {line}")));
            }
            Ok(stream)
        };
        let stream = timeout(OPENED_WITHIN, opened)
            .await
            .map_err(|_| BuilderError::Broken("the builder’s engine opens no session in time".into()))??;
        Ok(Session { id, served: tokio::spawn(serve(stream, Arc::new(known))) })
    }
}

async fn serve(stream: UnixStream, known: Arc<Known>) {
    let Ok(mut connection) =
        h2::server::Builder::new().max_concurrent_streams(32).max_header_list_size(16 << 10).handshake::<_, Bytes>(stream).await
    else {
        return;
    };
    let mut questions = 0;
    while let Some(Ok((request, respond))) = connection.accept().await {
        questions += 1;
        if questions > QUESTIONS {
            return;
        }
        tokio::spawn(one(request, respond, known.clone()));
    }
}

async fn one(request: http::Request<h2::RecvStream>, mut respond: h2::server::SendResponse<Bytes>, known: Arc<Known>) -> Option<()> {
    let method = request.uri().path().to_string();
    let (mut body, mut question) = (request.into_body(), BytesMut::new());
    while let Some(piece) = body.data().await {
        let piece = piece.ok()?;
        body.flow_control().release_capacity(piece.len()).ok()?;
        if question.len() + piece.len() > LONGEST {
            return None;
        }
        question.put_slice(&piece);
    }
    let mut head = Response::new(());
    head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut send = respond.send_response(head, false).ok()?;
    // A message has a byte for compression and its length before it.
    let code = match answer(&known, &method, question.get(5..).unwrap_or_default()) {
        Ok(out) => {
            let mut framed = BytesMut::with_capacity(out.len() + 5);
            framed.put_u8(0);
            framed.put_u32(u32::try_from(out.len()).ok()?);
            framed.put_slice(&out);
            send.send_data(framed.freeze(), false).ok()?;
            0
        }
        Err(code) => {
            debug!(method, code, "a build's question is not answered");
            code
        }
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(u16::from(code)));
    send.send_trailers(trailers).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known {
            credentials: vec![HostCredential { host: "ghcr.io".into(), username: "ada".into(), password: SecretValue("pw".into()) }],
            secrets: [("npm".to_string(), SecretValue("token".into()))].into(),
        }
    }

    fn named(name: &str) -> Vec<u8> {
        let mut of = Vec::new();
        put(&mut of, 1, name.as_bytes());
        of
    }

    #[test]
    fn a_credential_goes_to_its_own_host_alone() {
        let told = answer(&known(), CREDENTIALS, &named("ghcr.io")).unwrap();
        let of = fields(&told).unwrap();
        assert_eq!((text(&of, 1), text(&of, 2)), ("ada".into(), "pw".into()));
        for other in ["ghcr.io.evil.example", "GHCR.IO", "", "10.0.0.1"] {
            assert_eq!(answer(&known(), CREDENTIALS, &named(other)), Ok(vec![]), "{other}");
        }
    }

    #[test]
    fn only_secrets_and_credentials_are_told_and_no_token_is_fetched() {
        assert_eq!(answer(&known(), SECRET, &named("npm")), Ok(named("token")));
        assert_eq!(answer(&known(), SECRET, &named("other")), Err(NOT_FOUND));
        for method in
            ["/moby.filesync.v1.Auth/FetchToken", "/moby.filesync.v1.FileSync/DiffCopy", "/moby.sshforward.v1.SSH/ForwardAgent", "/"]
        {
            assert_eq!(answer(&known(), method, &[]), Err(UNIMPLEMENTED), "{method}");
        }
        assert_eq!(answer(&known(), CREDENTIALS, &[0xff]), Err(INVALID));
    }

    #[tokio::test]
    async fn an_engine_that_asks_gets_grpc_s_answers() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let _session = Session { id: "s".into(), served: tokio::spawn(serve(ours, Arc::new(known()))) };
        let (mut client, connection) = h2::client::handshake(theirs).await.unwrap();
        tokio::spawn(connection);
        for (method, question, status) in
            [(HEALTH, vec![], "0"), (SECRET, named("npm"), "0"), ("/moby.filesync.v1.Auth/FetchToken", vec![], "12")]
        {
            let request = http::Request::post(format!("http://box{method}")).body(()).unwrap();
            let (answer, mut send) = client.send_request(request, false).unwrap();
            let mut framed = vec![0];
            framed.extend((question.len() as u32).to_be_bytes());
            framed.extend(question);
            send.send_data(framed.into(), true).unwrap();
            let mut body = answer.await.unwrap().into_body();
            while body.data().await.is_some() {}
            assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], status, "{method}");
        }
    }
}

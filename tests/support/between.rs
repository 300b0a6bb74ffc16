//! Somebody between a panel and its authority, who answers in its place where a test wants that: refusals, limits, trouble of its own.
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// An answer in the authority's place, to the requests whose path begins so.
struct Answer {
    path: &'static str,
    status: u16,
    retry_after: Option<String>,
    body: String,
    /// How often yet.
    times: usize,
}

/// The one in between.
#[derive(Clone)]
pub struct Between {
    pub address: SocketAddr,
    behind: SocketAddr,
    client: reqwest::Client,
    answers: Arc<Mutex<Vec<Answer>>>,
}

impl Between {
    /// Stands before the authority at this address, with its certificate.
    pub fn start(folder: &Path, behind: SocketAddr) -> Self {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(folder.join("ca.pem")).unwrap()).unwrap();
        let client = reqwest::Client::builder().no_proxy().http1_only().tls_certs_only([ca]).build().unwrap();
        let chain = CertificateDer::pem_file_iter(folder.join("cert.pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
        let tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let between = Between { address, behind, client, answers: Arc::default() };
        let router = Router::new().fallback(pass_on).with_state(between.clone());
        let listener = Listener { tcp: TcpListener::from_std(listener).unwrap(), tls: TlsAcceptor::from(Arc::new(tls)) };
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        between
    }

    /// Answers the next so many requests at a path with a problem of this kind (RFC 8555, 6.7).
    pub fn problem(&self, times: usize, path: &'static str, status: u16, kind: &str, retry_after: Option<&str>) {
        let body = json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": "said the test", "status": status });
        self.answer(times, path, status, body.to_string(), retry_after);
    }

    /// Answers them with something.
    pub fn answer(&self, times: usize, path: &'static str, status: u16, body: String, retry_after: Option<&str>) {
        let answer = Answer { path, status, retry_after: retry_after.map(str::to_string), body, times };
        self.answers.lock().unwrap().push(answer);
    }

    /// Whether all that it was to answer was asked for.
    pub fn is_spent(&self) -> bool {
        self.answers.lock().unwrap().is_empty()
    }

    fn own(&self, path: &str) -> Option<Response> {
        let mut answers = self.answers.lock().unwrap();
        let at = answers.iter().position(|answer| path.starts_with(answer.path))?;
        let answer = &mut answers[at];
        let kind = if serde_json::from_str::<Value>(&answer.body).is_ok() { "application/problem+json" } else { "text/html" };
        let mut response = Response::builder().status(answer.status).header("content-type", kind);
        if let Some(after) = &answer.retry_after {
            response = response.header("retry-after", after);
        }
        let response = response.body(Body::from(answer.body.clone())).unwrap();
        answer.times -= 1;
        if answer.times == 0 {
            answers.remove(at);
        }
        Some(response)
    }
}

async fn pass_on(State(between): State<Between>, request: Request) -> Response {
    let path = request.uri().path().to_string();
    if let Some(own) = between.own(&path) {
        return own;
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    // The host stays: the authority makes its addresses of it, and a signature covers them.
    let to = format!("https://{}{path}", between.behind);
    let sent = between.client.request(parts.method, to).headers(parts.headers).body(body).send().await;
    let Ok(answer) = sent else { return Response::builder().status(502).body(Body::empty()).unwrap() };
    let mut response = Response::builder().status(answer.status());
    for name in ["content-type", "location", "link", "replay-nonce", "retry-after"] {
        for value in answer.headers().get_all(name) {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(answer.bytes().await.unwrap_or_default())).unwrap()
}

struct Listener {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            if let Ok((stream, from)) = self.tcp.accept().await
                && let Ok(stream) = self.tls.accept(stream).await
            {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

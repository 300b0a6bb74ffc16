//! TLS with real clients: certificates by name, versions, sessions, challenges, and what happens as certificates change.
use super::*;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{
    io::{Read, Write},
    sync::Mutex,
};

/// A certificate for names, and its DER.
fn certificate(names: &[&str]) -> (Certificate, Vec<u8>) {
    let owned = names.iter().map(|name| if *name == "*" { "fallback.invalid".to_string() } else { name.to_string() }).collect::<Vec<_>>();
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(owned).unwrap();
    let names = names.iter().map(|name| name.to_string()).collect();
    (Certificate { names, chain: cert.pem(), key: signing_key.serialize_pem() }, cert.der().to_vec())
}

/// Takes any certificate and remembers the last one.
#[derive(Debug, Default)]
struct Curious(Mutex<Vec<u8>>);

impl ServerCertVerifier for Curious {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.0.lock().unwrap() = end_entity.to_vec();
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn config(versions: &[&'static rustls::SupportedProtocolVersion], alpn: &[&str]) -> (Arc<ClientConfig>, Arc<Curious>) {
    let curious = Arc::new(Curious::default());
    let builder = ClientConfig::builder_with_protocol_versions(versions).dangerous().with_custom_certificate_verifier(curious.clone());
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    (Arc::new(config), curious)
}

/// What came of one connection.
#[derive(Debug)]
struct Seen {
    version: rustls::ProtocolVersion,
    alpn: Option<Vec<u8>>,
    is_resumed: bool,
    answer: String,
}

/// Connects, asks for `/` where there is HTTP/1.1 to ask with, and tells.
fn connect(address: SocketAddr, name: &str, config: &Arc<ClientConfig>) -> Result<Seen, String> {
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let server = ServerName::try_from(name.to_string()).unwrap();
    let mut client = ClientConnection::new(config.clone(), server).unwrap();
    while client.is_handshaking() {
        client.complete_io(&mut socket).map_err(|why| why.to_string())?;
    }
    let mut answer = Vec::new();
    if client.alpn_protocol().is_none_or(|alpn| alpn == b"http/1.1") {
        let mut stream = rustls::Stream::new(&mut client, &mut socket);
        write!(stream, "GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n").unwrap();
        let _ = stream.read_to_end(&mut answer);
    }
    Ok(Seen {
        version: client.protocol_version().unwrap(),
        alpn: client.alpn_protocol().map(<[u8]>::to_vec),
        is_resumed: client.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
        answer: String::from_utf8_lossy(&answer).into_owned(),
    })
}

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

fn secure() -> TestEdge {
    TestEdge::with(EdgeConfig { listen: vec![Listener { tls: true, ..free() }], ..EdgeConfig::default() })
}

impl TestEdge {
    fn tls_address(&self) -> SocketAddr {
        self.handle.addresses()[1]
    }

    fn lead_hosts(&self, hosts: &[&str], task: &Task, certificates: Vec<Certificate>, challenges: Vec<Challenge>) {
        let routes = hosts.iter().map(|host| Route::new(*host, "app_1", to(&[task]))).collect();
        self.publish(Snapshot { routes, certificates, challenges, ..Snapshot::default() });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_chosen_by_name() {
    let (edge, task) = (secure(), Task::plain("r1.a"));
    let [(exact, exact_der), (wild, wild_der), (any, any_der)] =
        [&["a.example.com"][..], &["*.example.com", "example.com"], &["*"]].map(certificate);
    edge.lead_hosts(&["*.example.com"], &task, vec![exact.clone(), wild.clone()], Vec::new());
    let (config, curious) = config(BOTH, &["http/1.1"]);
    let ask = |name: &'static str| {
        let (config, address) = (config.clone(), edge.tls_address());
        tokio::task::spawn_blocking(move || connect(address, name, &config))
    };
    for (name, der) in [("a.example.com", &exact_der), ("b.example.com", &wild_der), ("example.com", &wild_der)] {
        ask(name).await.unwrap().unwrap();
        assert!(*curious.0.lock().unwrap() == *der, "{name}");
    }
    for name in ["a.b.example.com", "example.org"] {
        let why = ask(name).await.unwrap().unwrap_err();
        assert!(why.contains("alert"), "{name} is refused in words of TLS: {why}");
    }
    edge.lead_hosts(&["*.example.com"], &task, vec![exact, wild, any], Vec::new());
    let unknown = ask("example.org").await.unwrap().unwrap();
    assert!(*curious.0.lock().unwrap() == any_der && unknown.answer.starts_with("HTTP/1.1 404 "), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_are_spoken_and_sessions_go_on() {
    let (edge, task) = (secure(), Task::plain("r1.a"));
    edge.lead_hosts(&["a.example.com"], &task, vec![certificate(&["a.example.com"]).0], Vec::new());
    for version in BOTH {
        let (config, _) = config(&[version], &["http/1.1"]);
        for n in 0..3 {
            let (config, address) = (config.clone(), edge.tls_address());
            let seen = tokio::task::spawn_blocking(move || connect(address, "a.example.com", &config)).await.unwrap().unwrap();
            assert!(seen.version == version.version && seen.is_resumed == (n > 0), "{n}: {seen:?}");
            assert!(seen.answer.starts_with("HTTP/1.1 200 ") && seen.answer.ends_with("r1.a"), "{seen:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_chosen_where_the_client_offers_it() {
    let (edge, task) = (
        secure(),
        Task::app(
            "r1.a",
            Router::new().route(
                "/",
                any(|headers: axum::http::HeaderMap| async move {
                    format!("{} {}", headers["x-forwarded-proto"].to_str().unwrap(), headers["x-forwarded-port"].to_str().unwrap())
                }),
            ),
        ),
    );
    let hsts = Some(HstsRule { max_age: 300, include_subdomains: true, preload: false });
    let policy = Policy { hsts, https_only: true, ..Policy::default() };
    let route = Route { policy: Some(Box::new(policy)), ..Route::new("a.example.com", "app_1", to(&[&task])) };
    edge.publish(Snapshot { routes: vec![route], certificates: vec![certificate(&["a.example.com"]).0], ..Snapshot::default() });
    let (config, _) = config(BOTH, &["h2", "http/1.1"]);
    let address = edge.tls_address();
    let seen = tokio::task::spawn_blocking(move || connect(address, "a.example.com", &config)).await.unwrap().unwrap();
    assert_eq!(seen.alpn.as_deref(), Some(&b"h2"[..]));
    let client =
        reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).resolve("a.example.com", address).build().unwrap();
    for _ in 0..20 {
        let answer = client.get(format!("https://a.example.com:{}/", address.port())).send().await.unwrap();
        assert_eq!(answer.version(), axum::http::Version::HTTP_2);
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=300; includeSubDomains");
        assert_eq!(answer.text().await.unwrap(), format!("https {}", address.port()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_agrees_on_http2_has_to_begin_it() {
    let header_timeout = Duration::from_millis(300);
    let edge = TestEdge::with(EdgeConfig { listen: vec![Listener { tls: true, ..free() }], header_timeout, ..EdgeConfig::default() });
    let task = Task::plain("r1.a");
    edge.lead_hosts(&["a.example.com"], &task, vec![certificate(&["a.example.com"]).0], vec![]);
    for (begun, address) in [(&b""[..], edge.tls_address()), (b"PRI * HTTP/2.0\r\n", edge.tls_address())] {
        let (config, _) = config(BOTH, &["h2"]);
        let ends = tokio::task::spawn_blocking(move || {
            let mut session = ClientConnection::new(config, ServerName::try_from("a.example.com").unwrap()).unwrap();
            let mut socket = std::net::TcpStream::connect(address).unwrap();
            socket.set_read_timeout(Some(LONG)).unwrap();
            let mut stream = rustls::Stream::new(&mut session, &mut socket);
            stream.write_all(begun).unwrap();
            stream.flush().unwrap();
            loop {
                match stream.read(&mut [0; 512]) {
                    Ok(0) => return true,
                    Ok(_) => {}
                    Err(why) => {
                        return why.kind() == std::io::ErrorKind::UnexpectedEof || why.kind() == std::io::ErrorKind::ConnectionReset;
                    }
                }
            }
        });
        assert!(ends.await.unwrap(), "it is closed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panels_host_leads_to_tls_once_it_has_a_certificate() {
    let panel = Task::plain("panel");
    let route = PanelRoute { hosts: vec!["panel.example.com".into()], address: panel.backend.address };
    let trusted = vec!["127.0.0.1/32".parse().unwrap()];
    let edge = TestEdge::with(EdgeConfig { panel: Some(route), trusted, ..EdgeConfig::default() });
    let ask = || edge.request_to("panel.example.com", "GET", "/sign-in?next=%2F");
    edge.publish(Snapshot { certificates: vec![certificate(&["*.other.example.com"]).0], ..Snapshot::default() });
    assert_eq!(ask().send().await.unwrap().status(), 200, "another's certificate is not its own");
    for name in ["panel.example.com", "*.example.com"] {
        edge.publish(Snapshot { certificates: vec![certificate(&[name]).0], ..Snapshot::default() });
        let answer = ask().send().await.unwrap();
        assert_eq!(answer.status(), 308, "{name}");
        assert_eq!(answer.headers()["location"], "https://panel.example.com/sign-in?next=%2F");
        let behind = ask().header("x-forwarded-proto", "https").send().await.unwrap();
        assert_eq!(behind.status(), 200, "whoever ends TLS in front is believed");
    }
    edge.publish(Snapshot::default());
    assert_eq!(ask().send().await.unwrap().status(), 200, "without one there is nowhere to lead to");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_shown_to_the_authority_alone() {
    let (edge, task) = (secure(), Task::plain("r1.a"));
    let [(own, own_der), (proof, proof_der)] = [certificate(&["a.example.com"]), certificate(&["a.example.com"])];
    edge.lead_hosts(&["a.example.com"], &task, vec![own], vec![Challenge::TlsAlpn { certificate: proof }]);
    let address = edge.tls_address();
    for (alpn, der) in
        [(&["acme-tls/1"][..], Some(&proof_der)), (&["http/1.1"], Some(&own_der)), (&["http/1.1", "acme-tls/1"], Some(&own_der))]
    {
        let (config, curious) = config(BOTH, alpn);
        let seen = tokio::task::spawn_blocking(move || connect(address, "a.example.com", &config)).await.unwrap().unwrap();
        assert!(*curious.0.lock().unwrap() == *der.unwrap(), "{alpn:?}: {seen:?}");
        assert_eq!(seen.alpn.as_deref(), Some(alpn[0].as_bytes()));
    }
    let (config, _) = config(BOTH, &["acme-tls/1"]);
    assert!(tokio::task::spawn_blocking(move || connect(address, "b.example.com", &config)).await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_holds_at_once_and_cuts_nobody_off() {
    let (edge, task) = (secure(), Task::plain("r1.a"));
    let [(old, _), (new, new_der)] = [certificate(&["a.example.com"]), certificate(&["a.example.com"])];
    edge.lead_hosts(&["a.example.com"], &task, vec![old], Vec::new());
    let address = edge.tls_address();
    let client = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).http1_only().pool_max_idle_per_host(1);
    let client = client.resolve("a.example.com", address).build().unwrap();
    let url = format!("https://a.example.com:{}/", address.port());
    assert_eq!(client.get(&url).send().await.unwrap().text().await.unwrap(), "r1.a");
    let (config, curious) = config(BOTH, &["http/1.1"]);
    let mut broken = certificate(&["b.example.com"]).0;
    broken.key = "no key".into();
    edge.lead_hosts(&["a.example.com"], &task, vec![new, broken], Vec::new());
    assert_eq!(client.get(&url).send().await.unwrap().text().await.unwrap(), "r1.a", "on the connection from before");
    tokio::task::spawn_blocking(move || connect(address, "a.example.com", &config)).await.unwrap().unwrap();
    assert!(*curious.0.lock().unwrap() == new_der);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_tls_ends_soon_and_harms_nobody() {
    let (edge, task) = (secure(), Task::plain("r1.a"));
    edge.lead_hosts(&["a.example.com"], &task, vec![certificate(&["a.example.com"]).0], Vec::new());
    let junk: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n",
        b"\x16\x03\x01\xff\xff\x01",
        b"\x16\x03\x01\0\x05\x01\0\0\x01\0",
        b"\x80\x2e\x01\x03\x01",
        &[0; 100],
    ];
    for bytes in junk {
        let mut socket = TcpStream::connect(edge.tls_address()).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        if bytes.len() > 6 {
            let mut answer = Vec::new();
            let _ = tokio::time::timeout(LONG, socket.read_to_end(&mut answer)).await.unwrap();
            assert!(answer.len() < 10 && !answer.starts_with(b"HTTP"), "{}", answer.escape_ascii());
        }
    }
    let (config, _) = config(BOTH, &["http/1.1"]);
    let address = edge.tls_address();
    assert!(tokio::task::spawn_blocking(move || connect(address, "a.example.com", &config)).await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_balancers_word_comes_before_tls() {
    let listener = Listener { tls: true, proxy_protocol: true, ..free() };
    let edge =
        TestEdge::with(EdgeConfig { listen: vec![listener], trusted: vec!["127.0.0.1/32".parse().unwrap()], ..EdgeConfig::default() });
    let task = Task::app(
        "r1.a",
        Router::new()
            .route("/", any(|headers: axum::http::HeaderMap| async move { headers["x-forwarded-for"].to_str().unwrap().to_string() })),
    );
    edge.lead_hosts(&["a.example.com"], &task, vec![certificate(&["a.example.com"]).0], Vec::new());
    let (config, _) = config(BOTH, &["http/1.1"]);
    let address = edge.tls_address();
    let answer = tokio::task::spawn_blocking(move || {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket.write_all(b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n").unwrap();
        let mut client = ClientConnection::new(config, "a.example.com".try_into().unwrap()).unwrap();
        let mut stream = rustls::Stream::new(&mut client, &mut socket);
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    });
    assert!(answer.await.unwrap().ends_with("203.0.113.9"));
}

#[test]
fn certificates_that_did_not_change_are_not_read_again() {
    let certs = super::super::certs::Certs::default();
    let all: Vec<_> = (0..200).map(|n| certificate(&[&format!("a{n}.example.com")]).0).collect();
    certs.publish(&all, &[]);
    let start = Instant::now();
    (0..10).for_each(|_| certs.publish(&all, &[]));
    assert_eq!(certs.names(), 200);
    println!("200 certificates again: {:?}", start.elapsed() / 10);
    certs.publish(&all[..1], &[]);
    assert_eq!(certs.names(), 1);
}

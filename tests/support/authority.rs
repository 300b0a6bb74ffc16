//! A real certificate authority for a test: Let's Encrypt's `pebble` with `pebble-challtestsrv` as the name server of both it and the panel.
//! They are there where `SKYPANEL_TEST_PEBBLE` names a scratch folder; `scripts/test/acme.sh` sets it.
use super::between::Between;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use serde_json::{Value, json};
use skypanel::edges::server::material::EdgeMaterial;
use skypanel::{
    edges::server::material::covers,
    runtime::{config::Config, panel::Panel},
};
use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Where a test's authority keeps its files; none where these tests are not asked for.
pub fn folder() -> Option<PathBuf> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let base = std::env::var_os("SKYPANEL_TEST_PEBBLE")?;
    let own = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = PathBuf::from(base).join(own);
    std::fs::create_dir_all(&folder).unwrap();
    Some(folder)
}

/// A port that nobody listens on, and that the system gives to nobody by itself: what is told to one program must be free when another
/// takes it.
pub fn free_port() -> u16 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let from = (std::process::id() as usize).wrapping_mul(97);
    for _ in 0..10_000 {
        let port = 12_000 + u16::try_from((from + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000).unwrap();
        let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok() && std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok();
        if is_free(port) {
            return port;
        }
    }
    panic!("no port is free")
}

/// A program that ends with the test.
pub struct Running(Child);

impl Running {
    /// Starts it, and says where its log is where it does not come up.
    pub fn start(folder: &std::path::Path, name: &str, command: &mut Command) -> Self {
        let log = std::fs::File::create(folder.join(format!("{name}.log"))).unwrap();
        let child = command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        Running(child.unwrap_or_else(|why| panic!("{name} can't be started: {why}")))
    }

    /// Waits until it listens.
    pub fn listens(&self, port: u16) {
        let end = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "nothing listens on {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// What a test wants of its authority.
#[derive(Default)]
pub struct Wish {
    /// Percent of all requests whose nonce is refused.
    pub bad_nonces: u8,
    /// Another name server than the one that comes along.
    pub dns: Option<SocketAddr>,
    /// Somebody stands in between.
    pub between: bool,
}

/// The authority, its name server, and the ports where it visits domains.
pub struct Authority {
    pub folder: PathBuf,
    pub directory: String,
    pub dns: SocketAddr,
    pub http_port: u16,
    pub tls_port: u16,
    /// The root that its own address is trusted by.
    pub ca_file: PathBuf,
    /// The roots that visitors trust; see [`Authority::trust`].
    pub trusted_roots: PathBuf,
    pub between: Option<Between>,
    management: u16,
    listen: u16,
    roots: u16,
    wish: Wish,
    pebble: Option<Running>,
    _names: Running,
}

impl Authority {
    /// A running authority; none where these tests are not asked for.
    pub fn start(wish: Wish) -> Option<Self> {
        let folder = folder()?;
        let [listen, roots, management, names, http_port, tls_port] = std::array::from_fn(|_| free_port());
        let (ca_file, trusted_roots) = (folder.join("ca.pem"), folder.join("trusted.pem"));
        own_certificate(&folder);
        let at = |port: u16| format!("127.0.0.1:{port}");
        let mut command = Command::new("pebble-challtestsrv");
        command.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", "", "-defaultIPv4", ""]);
        command.args(["-dns01", &at(names), "-management", &at(management)]);
        let running = Running::start(&folder, "names", &mut command);
        running.listens(management);
        let config = json!({ "pebble": {
            "listenAddress": at(listen), "managementListenAddress": at(roots), "httpPort": http_port, "tlsPort": tls_port,
            "certificate": folder.join("cert.pem"), "privateKey": folder.join("key.pem"),
            "ocspResponderURL": "", "externalAccountBindingRequired": false,
        } });
        std::fs::write(folder.join("pebble.json"), config.to_string()).unwrap();
        let mut authority = Authority {
            directory: format!("https://127.0.0.1:{listen}/dir"),
            dns: wish.dns.unwrap_or_else(|| ([127, 0, 0, 1], names).into()),
            folder,
            http_port,
            tls_port,
            ca_file,
            trusted_roots,
            between: None,
            management,
            listen,
            roots,
            wish,
            pebble: None,
            _names: running,
        };
        authority.up();
        if authority.wish.between {
            let between = Between::start(&authority.folder, ([127, 0, 0, 1], listen).into());
            authority.directory = format!("https://{}/dir", between.address);
            authority.between = Some(between);
        }
        Some(authority)
    }

    /// Starts it, with nothing in its memory.
    pub fn up(&mut self) {
        let mut command = Command::new("pebble");
        command.arg("-config").arg(self.folder.join("pebble.json")).arg("-dnsserver").arg(self.dns.to_string());
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_AUTHZREUSE", "0");
        command.env("PEBBLE_WFE_NONCEREJECT", self.wish.bad_nonces.to_string());
        let running = Running::start(&self.folder, "pebble", &mut command);
        running.listens(self.listen);
        running.listens(self.roots);
        self.pebble = Some(running);
    }

    /// It is gone.
    pub fn down(&mut self) {
        self.pebble = None;
    }

    /// What a panel is told of it.
    pub fn configure(&self, config: &mut Config) {
        config.acme.directory = Some(self.directory.clone());
        config.acme.ca_file = Some(self.ca_file.clone());
        config.acme.trusted_roots = Some(self.trusted_roots.clone());
        config.acme.settle_seconds = 0;
        config.acme.platform = false;
        config.domains.name_servers = vec![self.dns];
        config.domains.http_port = self.http_port;
        config.edge.public_addresses = vec!["127.0.0.1".parse().unwrap()];
        config.edge.apps_domain = "apps.sky.example".into();
    }

    async fn manage(&self, what: &str, body: Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let done = client.post(format!("http://127.0.0.1:{}/{what}", self.management)).body(body.to_string()).send().await.unwrap();
        assert!(done.status().is_success(), "{what}");
    }

    /// A text at a name.
    pub async fn txt(&self, name: &str, value: &str) {
        self.manage("set-txt", json!({ "host": format!("{name}."), "value": value })).await;
    }

    /// The one address of a name.
    pub async fn address(&self, name: &str, ip: &str) {
        self.manage("clear-a", json!({ "host": format!("{name}.") })).await;
        self.manage("add-a", json!({ "host": format!("{name}."), "addresses": [ip] })).await;
    }

    /// Lets only this authority issue for a name.
    pub async fn only(&self, name: &str, authority: &str) {
        let policies = json!([{ "tag": "issue", "value": authority }]);
        self.manage("add-caa", json!({ "host": format!("{name}."), "policies": policies })).await;
    }

    /// Lets everybody issue for it again.
    pub async fn anybody(&self, name: &str) {
        self.manage("clear-caa", json!({ "host": format!("{name}.") })).await;
    }

    /// Lets visitors trust the root that it has now, and no other.
    pub async fn trust(&self) {
        std::fs::write(&self.trusted_roots, self.root().await).unwrap();
    }

    /// The root of the certificates that it issues, in PEM.
    pub async fn root(&self) -> String {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(&self.ca_file).unwrap()).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
        client.get(format!("https://127.0.0.1:{}/roots/0", self.roots)).send().await.unwrap().text().await.unwrap()
    }
}

/// The certificate of the authority's own address.
fn own_certificate(folder: &std::path::Path) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root_key = KeyPair::generate().unwrap();
    std::fs::write(folder.join("ca.pem"), params.self_signed(&root_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, root_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".into(), "localhost".into()]).unwrap().signed_by(&key, &issuer).unwrap();
    std::fs::write(folder.join("cert.pem"), leaf.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

/// Chooses what the panel holds for the edge: an answer to a challenge, or the certificate of the host.
struct Material(Arc<Panel>);

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Material")
    }
}

impl ResolvesServerCert for Material {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name()?.to_string();
        let challenge = hello.alpn().is_some_and(|mut all| all.any(|name| name == b"acme-tls/1"));
        let material = self.0.of::<EdgeMaterial>().load();
        let (chain, key) = if challenge {
            let answer = material.handshakes.iter().find(|it| it.host == host)?;
            (answer.certificate.clone(), answer.key.0.clone())
        } else {
            let served = material.certificates.iter().find(|it| covers(&it.name, &host))?;
            (served.chain.clone(), served.key.0.clone())
        };
        Some(Arc::new(certified(&chain, &key)))
    }
}

fn certified(chain: &str, key: &str) -> CertifiedKey {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    CertifiedKey::new(chain, rustls::crypto::ring::sign::any_supported_type(&key).unwrap())
}

/// Answers TLS handshakes, and a line of HTTP to whoever goes on, from what the panel holds for the edge.
pub fn answer_handshakes(port: u16, panel: Arc<Panel>) {
    let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(Arc::new(Material(panel.clone())));
    config.alpn_protocols = vec![b"acme-tls/1".to_vec(), b"http/1.1".to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if panel.stop.is_cancelled() {
                return;
            }
            let config = config.clone();
            std::thread::spawn(move || talk(stream, config));
        }
    });
}

fn talk(mut stream: std::net::TcpStream, config: Arc<ServerConfig>) {
    use std::io::{Read, Write};
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut connection = rustls::ServerConnection::new(config).unwrap();
    let mut tls = rustls::Stream::new(&mut connection, &mut stream);
    let mut request = [0; 4096];
    if tls.read(&mut request).is_ok_and(|length| length > 0) {
        tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello").ok();
        tls.conn.send_close_notify();
        tls.flush().ok();
    }
}

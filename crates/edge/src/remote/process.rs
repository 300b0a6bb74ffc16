//! `skypanel edge`: its start and its end.
use super::{
    link::Link,
    lookout,
    node::{EdgeNode, token_in},
    reporter::Reporter,
    store::SnapshotFile,
};
use crate::{Edge, EdgeConfig, Listener, self_signed};
use base::error::{Error, Result};
use ipnet::IpNet;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use swarm::docker::{Endpoint, Engine};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

/// How long open requests may go on after the signal to end.
const GRACE: Duration = Duration::from_secs(30);
/// How long the last reports may take.
const LAST_WORDS: Duration = Duration::from_secs(3);

fn unavailable(why: impl Into<String>) -> Error {
    Error::Unavailable(why.into())
}

/// Where the panel is.
///
/// # Errors
/// [`Error::Unavailable`] with what to set.
fn panel(settings: &RemoteSettings) -> Result<String> {
    let text = settings.panel_url.clone().ok_or_else(|| unavailable("Say where the panel is: --panel https://panel.example.com."))?;
    let url = url::Url::parse(&text).ok().filter(|url| url.has_host() && url.username().is_empty() && url.query().is_none());
    let url = url.ok_or_else(|| unavailable("edge.panel_url: an address like https://panel.example.com."))?;
    let is_here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => {}
        "http" if is_here || settings.panel_insecure => {}
        "http" => {
            let why = "Private keys of certificates come from the panel, so its address has to begin with https://. Where the network between is \
                       private, set edge.panel_insecure=true.";
            return Err(unavailable(why));
        }
        _ => return Err(unavailable("edge.panel_url: an address that begins with https://.")),
    }
    Ok(url.as_str().trim_end_matches('/').to_string())
}

fn lock(folder: &Path) -> Result<std::fs::File> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|why| unavailable(format!("The data folder {} can’t be made: {why}.", folder.display())))?;
    let file = std::fs::File::options().create(true).truncate(false).write(true).open(folder.join("edge.lock"));
    let file = file.map_err(|why| unavailable(format!("The data folder {} can’t be used: {why}.", folder.display())))?;
    let taken =
        |_| unavailable(format!("Another edge is running on {}. Stop it first, or name another folder by --data.", folder.display()));
    file.try_lock().map_err(taken)?;
    Ok(file)
}

/// What an operator says of an edge that runs on a machine of its own. Names of settings in errors are those of the configuration.
#[derive(Debug, Clone, Default)]
pub struct RemoteSettings {
    /// Where the table of routes, the token's successor and unsent reports are kept.
    pub data_dir: PathBuf,
    /// Where the panel is: `https://panel.example.com`.
    pub panel_url: Option<String>,
    /// Lets the panel's address begin with `http://` although it is another machine's.
    pub panel_insecure: bool,
    /// A PEM file with the authorities that the panel's certificate is verified by, where the machine's own do not have them.
    pub panel_ca_file: Option<PathBuf>,
    /// A file that holds the edge's token.
    pub token_file: Option<PathBuf>,
    /// The engine of a manager beside which this edge stands: `unix:///path` or `tcp://host:port`.
    pub swarm_endpoint: Option<String>,
    pub listen: Vec<SocketAddr>,
    pub listen_tls: Vec<SocketAddr>,
    /// The port of addresses with TLS where it differs from the one listened on.
    pub public_https_port: Option<u16>,
    pub proxy_protocol: bool,
    pub trusted_proxies: Vec<IpNet>,
    pub threads: usize,
}

/// The proxy's settings.
fn proxy(settings: &RemoteSettings) -> Result<EdgeConfig> {
    let listener = |tls: bool| move |address: &SocketAddr| Listener { address: *address, tls, proxy_protocol: settings.proxy_protocol };
    let plain = settings.listen.iter().map(listener(false));
    let tls = settings.listen_tls.iter().map(listener(true));
    Ok(EdgeConfig {
        listen: plain.chain(tls).collect(),
        threads: settings.threads,
        grace: GRACE,
        trusted: settings.trusted_proxies.clone(),
        https_port: settings.public_https_port.or(settings.listen_tls.first().map(SocketAddr::port)).unwrap_or(443),
        last_resort: Some(self_signed()?),
        ..EdgeConfig::default()
    })
}

/// Runs an edge until a signal comes.
///
/// # Errors
/// [`Error::Unavailable`] with what keeps it from starting.
#[expect(clippy::disallowed_methods, reason = "it is waited for, or ends with the process")]
pub async fn run(settings: RemoteSettings) -> Result<()> {
    let listen = |kind: SignalKind| signal(kind).map_err(|why| unavailable(format!("Signals can’t be heard: {why}.")));
    let (mut term, mut int, mut hup) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?, listen(SignalKind::hangup())?);
    let panel = panel(&settings)?;
    let file = settings.token_file.clone().ok_or_else(|| unavailable("Name the file that holds the edge’s token: --token-file."))?;
    let token = token_in(&file).map_err(unavailable)?;
    let authorities = settings.panel_ca_file.as_ref().map(|file| {
        std::fs::read(file).map_err(|why| unavailable(format!("edge.panel_ca_file: {} can’t be read: {why}.", file.display())))
    });
    let link =
        Link::new(&panel, authorities.transpose()?.as_deref()).map_err(|why| unavailable(format!("The edge can’t start: {why}.")))?;
    let _lock = lock(&settings.data_dir)?;
    let handle = Edge::start(proxy(&settings)?)?;
    let node = Arc::new(EdgeNode::new(handle, token, file, SnapshotFile::new(&settings.data_dir)));
    let mut reporter = Reporter::new(&node);
    let manager = settings.swarm_endpoint.as_deref().map(str::parse::<Endpoint>).transpose();
    let manager = manager.map_err(|why| unavailable(format!("edge.swarm_endpoint: {why}")))?;
    if let Some(manager) = manager {
        tokio::spawn(lookout::watch(Arc::new(Engine::new(manager)), node.clone(), node.stop.clone()));
    }
    let ending = node.clone();
    let signals = tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = term.recv() => break,
                _ = int.recv() => break,
                _ = hup.recv() => {
                    info!("reading the token again");
                    ending.read_token();
                    ending.retry.notify_one();
                }
            }
        }
        info!("ending");
        ending.stop.cancel();
    });
    tokio::join!(link.follow(&node), reporter.run(&node, &link), node.keep());
    node.handle().stop().await;
    tokio::time::timeout(LAST_WORDS, reporter.finish(&node, &link)).await.ok();
    signals.abort();
    Ok(())
}

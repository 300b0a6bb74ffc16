//! `skypanel edge`: its start and its end.
use super::{
    link::Link,
    node::{Node, token_in},
    reporter::Reporter,
    store::Store,
};
use crate::{
    agent::lookout,
    edge::{Edge, EdgeConfig, Listener, self_signed},
    error::{Error, Result},
    platform::config::{self, Config},
    swarm::docker::{Endpoint, Engine},
};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
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
fn panel(config: &Config) -> Result<String> {
    let text = config.edge.panel_url.clone().ok_or_else(|| unavailable("Say where the panel is: --panel https://panel.example.com."))?;
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
        "http" if is_here || config.edge.panel_insecure => {}
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

/// The proxy's settings. An edge of its own is there for others: without a word it listens on every address.
fn settings(config: &Config) -> Result<EdgeConfig> {
    let (edge, usual) = (&config.edge, config::EdgeConfig::default());
    let on_all = |given: &[SocketAddr], usual: &[SocketAddr], port: u16| match given == usual {
        true => vec![SocketAddr::from(([0, 0, 0, 0], port))],
        false => given.to_vec(),
    };
    let (plain, tls) = (on_all(&edge.listen, &usual.listen, 80), on_all(&edge.listen_tls, &usual.listen_tls, 443));
    let listener = |tls: bool| move |address: &SocketAddr| Listener { address: *address, tls, proxy_protocol: edge.proxy_protocol };
    Ok(EdgeConfig {
        listen: plain.iter().map(listener(false)).chain(tls.iter().map(listener(true))).collect(),
        threads: edge.threads,
        grace: GRACE,
        trusted: edge.trusted_proxies.clone(),
        https_port: edge.public_https_port.or(tls.first().map(SocketAddr::port)).unwrap_or(443),
        last_resort: Some(self_signed()?),
        ..EdgeConfig::default()
    })
}

/// Runs an edge until a signal comes.
///
/// # Errors
/// [`Error::Unavailable`] with what keeps it from starting.
pub async fn run(config: Config) -> Result<()> {
    let listen = |kind: SignalKind| signal(kind).map_err(|why| unavailable(format!("Signals can’t be heard: {why}.")));
    let (mut term, mut int, mut hup) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?, listen(SignalKind::hangup())?);
    let panel = panel(&config)?;
    let file = config.edge.token_file.clone().ok_or_else(|| unavailable("Name the file that holds the edge’s token: --token-file."))?;
    let token = token_in(&file).map_err(unavailable)?;
    let authorities = config.edge.panel_ca_file.as_ref().map(|file| {
        std::fs::read(file).map_err(|why| unavailable(format!("edge.panel_ca_file: {} can’t be read: {why}.", file.display())))
    });
    let link =
        Link::new(&panel, authorities.transpose()?.as_deref()).map_err(|why| unavailable(format!("The edge can’t start: {why}.")))?;
    let _lock = lock(&config.data_dir)?;
    let handle = Edge::start(settings(&config)?)?;
    let node = Arc::new(Node::new(handle, token, file, Store::new(&config.data_dir)));
    let mut reporter = Reporter::new(&node);
    let manager = config.edge.swarm_endpoint.as_deref().map(str::parse::<Endpoint>).transpose();
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

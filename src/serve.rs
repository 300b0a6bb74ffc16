//! The start-up of `skypanel serve`, and its end: the panel is made, its loops run, its doors open, and on the first signal everything
//! ends in order: doors close, open streams end, deployments under way are left for whoever starts next.
use crate::{
    accounts::server::service as accounts,
    agent::{self, Iptables, Keeper, Walls},
    audit::server::{chain, service as audit},
    clusters::server::service as clusters,
    deployments::server::task::{self as queue, garbage},
    domains::server::{material, task::own},
    edge::{Edge, EdgeConfig, EdgeHandle, Listener, PanelRoute, self_signed},
    error::{Error, Result},
    fault::Because,
    features,
    mail::server::{smtp::Smtp, task as mail},
    metrics::server::task as metrics,
    router,
    runtime::{
        clock::SystemClock,
        config::Config,
        fault_reports,
        panel::Panel,
        swarms::{Swarms, engine},
    },
    store::{Db, secrets::Secrets},
    swarm::{SwarmError, docker::Began},
};
use axum::serve::ListenerExt;
use leptos::prelude::LeptosOptions;
use std::{net::SocketAddr, os::unix::fs::DirBuilderExt, sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long open requests may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Makes the panel: data folder, master key, database, swarm, edge.
pub async fn open(config: Config) -> Result<Arc<Panel>> {
    // The master key lies there: nobody else on the machine may look into it.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.data_dir).because("making the data folder")?;
    let lock = lock(&config)?;
    own_scratch(&config)?;
    let secrets = Secrets::open(&config.data_dir.join("master.key"))?;
    let db = Db::connect(&config.database()).await?;
    db.migrate().await?;
    begin_swarm(&config, &db).await?;
    let edge = edge(&config)?;
    chain::attach(&db, &secrets);
    let panel = Panel::new(config, db, Arc::new(SystemClock), secrets, Swarms::default(), Some(edge));
    panel.hold(lock);
    crate::features::introduce(&panel);
    audit::adopt(&panel).await?;
    fault_reports::collect(&panel);
    if let Err(why) = crate::git::check().await {
        tracing::warn!("repositories can't be read: {why}");
    }
    clusters::found(&panel).await?;
    // Before the first routes are told: customers' domains must not be missing in them.
    material::publish(&panel).await?;
    Ok(panel)
}

/// Keeps a second panel out of the same data folder: on an embedded database it would take over what this one is doing. The lock goes with
/// the process, however that ends.
fn lock(config: &Config) -> Result<std::fs::File> {
    let path = config.data_dir.join("panel.lock");
    let file = std::fs::File::options().create(true).truncate(false).write(true).open(&path).because("opening the data folder's lock")?;
    let taken = || Error::Unavailable(format!("Another panel is running on {}. Stop it first.", config.data_dir.display()));
    file.try_lock().map_err(|_| taken())?;
    Ok(file)
}

/// Puts temporary folders below the data folder, where those that a crash left are swept at the start.
fn own_scratch(config: &Config) -> Result<()> {
    let scratch = std::path::absolute(config.data_dir.join("tmp")).because("naming the folder for temporary files")?;
    std::fs::remove_dir_all(&scratch).ok();
    std::fs::create_dir_all(&scratch).because("making the folder for temporary files")?;
    // Set already where a process opens a second panel, as tests do: the first one's folder serves both.
    tempfile::env::override_temp_dir(&scratch).ok();
    Ok(())
}

/// Makes a swarm of one machine where there is none yet.
async fn begin_swarm(config: &Config, db: &Db) -> Result<()> {
    if config.swarm.endpoint.starts_with("fake:") {
        return Ok(());
    }
    match engine(config)?.ensure_swarm(config.swarm.advertise).await {
        Ok(Began::Now) => {
            tracing::info!("began a swarm on this machine; the ports of its tasks are open on {} only", config.swarm.advertise)
        }
        Ok(Began::Already { binding: Some(address) }) => tracing::info!("found a swarm; the ports of its tasks are open on {address} only"),
        Ok(Began::Already { binding: None }) => {
            tracing::warn!("found a swarm whose tasks' ports are open on every address of the machine: a firewall must close them");
        }
        // Not the first start: what runs there goes on, and the panel finds it when the engine is back.
        Err(SwarmError::Unreachable(why)) if clusters::is_founded(db).await? => {
            tracing::warn!("Docker at {} does not answer yet ({why})", config.swarm.endpoint);
        }
        Err(why) => return Err(Error::Unavailable(format!("Docker at {} can’t be used: {why}.", config.swarm.endpoint))),
    }
    Ok(())
}

/// Starts the edge of this process. Addresses that the operator named must be had; the address with TLS that is there by default is a
/// convenience, and another program may have it.
fn edge(config: &Config) -> Result<EdgeHandle> {
    let usual = crate::runtime::config::EdgeConfig::default().listen_tls;
    let started = start_edge(config, &config.edge.listen_tls);
    match started {
        Err(why) if config.edge.listen_tls == usual && config.edge.listen.iter().all(|address| is_free(*address)) => {
            tracing::warn!("{why} Applications are served without TLS; set edge.listen_tls.");
            start_edge(config, &[])
        }
        started => started,
    }
}

fn is_free(address: SocketAddr) -> bool {
    std::net::TcpListener::bind(address).is_ok()
}

fn start_edge(config: &Config, with_tls: &[SocketAddr]) -> Result<EdgeHandle> {
    let panel = own::of_panel(config).map(|host| PanelRoute { hosts: vec![host], address: own::address(config) });
    let config = &config.edge;
    let listener = |tls: bool| move |address: &SocketAddr| Listener { address: *address, tls, proxy_protocol: config.proxy_protocol };
    Edge::start(EdgeConfig {
        listen: config.listen.iter().map(listener(false)).chain(with_tls.iter().map(listener(true))).collect(),
        threads: config.threads,
        grace: GRACE,
        trusted: config.trusted_proxies.clone(),
        https_port: config.public_https_port.or(config.listen_tls.first().map(SocketAddr::port)).unwrap_or(443),
        panel,
        last_resort: Some(self_signed()?),
        ..EdgeConfig::default()
    })
}

/// Runs every loop of the panel until it stops.
pub fn run_loops(panel: &Arc<Panel>) -> JoinSet<()> {
    features::loops().filter(|one| one.is_needed(panel)).map(|one| one.run(panel.clone())).collect()
}

/// Serves until a signal comes.
#[expect(clippy::disallowed_methods, reason = "it waits for the signal that ends the process")]
pub async fn serve(config: Config, options: LeptosOptions) -> Result<()> {
    let ending = signal()?;
    let panel = open(config).await?;
    // Nobody else can work on an embedded database: what was left is taken over or removed at once.
    if panel.config.database().starts_with("sqlite:") {
        queue::take_over_all(&panel).await?;
        garbage::after_crash(&panel).await?;
        mail::take_over_all(&panel).await?;
    }
    let address = panel.config.panel.listen;
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener = listener.map_err(|why| Error::Unavailable(format!("The panel can’t listen on {address}: {why}. Set panel.listen.")))?;
    let mut loops = run_loops(&panel);
    welcome(&panel).await?;
    let stop = panel.stop.clone();
    tokio::spawn(async move {
        ending.await;
        tracing::info!("ending");
        stop.cancel();
    });
    let service = router::router(panel.clone(), options).into_make_service_with_connect_info::<SocketAddr>();
    // Pages go out in pieces; waiting for acknowledgements between them (Nagle) would cost 40 ms a page.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let serving = axum::serve(listener, service).with_graceful_shutdown(panel.stop.clone().cancelled_owned());
    let ended = async {
        panel.stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        done = serving => done.because("serving")?,
        () = ended => tracing::warn!("some requests did not end in time"),
    }
    panel.stop.cancel();
    tokio::time::timeout(GRACE, async { while loops.join_next().await.is_some() {} }).await.ok();
    panel.of::<Smtp>().close().await;
    if let Some(edge) = &panel.edge {
        edge.stop().await;
    }
    // What the last requests were is known only now.
    metrics::pass(&panel).await.map(|_| ())
}

/// Keeps the walls of a machine until a signal comes: `skypanel agent`.
#[expect(clippy::disallowed_methods, reason = "it waits for the signal that ends the process")]
pub async fn run_agent(config: Config) -> Result<()> {
    if !agent::is_privileged() {
        return Err(Error::Unavailable("The agent may not change the packet filter. Run it as root.".into()));
    }
    let (ending, stop) = (signal()?, CancellationToken::new());
    let stopped = stop.clone();
    tokio::spawn(async move {
        ending.await;
        stopped.cancel();
    });
    agent::keep(engine(&config)?, config.wall_settings(), Walls::default(), stop).await;
    Ok(())
}

/// Puts the walls up once: before Docker starts, for instance.
pub async fn apply_firewall(config: &Config) -> Result<()> {
    let (facts, is_known) = config.wall_settings().facts(&engine(config)?).await;
    let keeper = Keeper::new(Iptables);
    if !is_known && keeper.is_up().await.map_err(Error::Unavailable)? {
        println!("Walls stand already, and Docker does not answer: they stay as they are.");
        return Ok(());
    }
    keeper.pass(&facts).await.map_err(Error::Unavailable)?;
    println!("The walls are up.");
    Ok(())
}

/// Takes the walls of this machine down.
pub async fn remove_firewall() -> Result<()> {
    Keeper::new(Iptables).remove().await.map_err(Error::Unavailable)?;
    println!("The walls are down.");
    Ok(())
}

/// Binds the gateway bridge of a machine that is about to join.
pub async fn prepare(config: &Config, address: std::net::IpAddr) -> Result<()> {
    engine(config)?.prepare(address).await.map_err(|why| Error::Unavailable(format!("This machine can’t be prepared: {why}.")))?;
    println!("Ports of tasks will be open on {address} only. Now let the machine join the swarm.");
    Ok(())
}

/// Says where the panel is and, the first time, how to sign in.
async fn welcome(panel: &Panel) -> Result<()> {
    let url = panel.config.public_url();
    println!("\n  SkyPanel is at {url}");
    println!("  Applications will be at {}", panel.config.app_url("<name>"));
    match accounts::setup_link(panel).await? {
        Some(link) => println!("\n  Create the first administrator here (good once, for a day):\n  {link}\n"),
        None => println!("  Sign in at {url}/sign-in\n"),
    }
    Ok(())
}

/// Waits for the first signal to end. The handlers are in place when this returns: a signal that comes early is not lost.
fn signal() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).because("listening to signals")?;
    let mut int = signal(SignalKind::interrupt()).because("listening to signals")?;
    Ok(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
    })
}

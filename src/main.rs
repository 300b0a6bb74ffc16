//! The command line and the whole start-up, on one screen.
use clap::{Parser, Subcommand};
use leptos::config::{Env, LeptosOptions, get_configuration};
use skypanel::runtime::config::{Config, LogFormat};
use skypanel::{
    admin::server::{command, doctor},
    audit::server::verify::Anchor,
    id::OrgId,
    serve,
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Pages are many small strings: glibc's allocator takes twice the time for one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, by its place in mimalloc's list of options (`mimalloc.h`), which the binding does not name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Lets the allocator give free pages back to the system at once. It would keep them for a second and look after them when it is next asked
/// for much, which in a panel that went quiet is never: the start, a hashed password or a long list would stay in memory for good.
fn give_memory_back() {
    #[expect(unsafe_code, reason = "the binding has no safe call for it")]
    // SAFETY: the call stores a number, and mimalloc takes it at any time.
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, 0)
    };
}

/// A platform on Docker Swarm that can be sold to strangers.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    /// A TOML file; without it skypanel.toml, where there is one.
    #[arg(long, global = true, env = "SKYPANEL_CONFIG")]
    config: Option<PathBuf>,
    /// Sets one value over file and environment, like edge.apps_domain=apps.example.com.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the panel, its loops and an edge.
    Serve,
    /// Keeps the walls of a machine on which no panel runs. Wants to be root, and needs Docker's socket.
    Agent {
        #[command(subcommand)]
        what: Option<AgentCommand>,
    },
    /// Runs an edge alone: it gets routes and certificates from a panel elsewhere, and serves on when that is away.
    Edge {
        /// Where the panel is, like https://panel.example.com; edge.panel_url.
        #[arg(long)]
        panel: Option<String>,
        /// The file that holds this edge's token; edge.token_file.
        #[arg(long)]
        token_file: Option<PathBuf>,
        /// The folder that the last routes are kept in; data_dir.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Looks at the configuration.
    Config {
        #[command(subcommand)]
        what: ConfigCommand,
    },
    /// What the operator does on the machine itself; the panel may run meanwhile.
    Admin {
        #[command(subcommand)]
        what: AdminCommand,
    },
}

#[derive(Subcommand)]
enum AgentCommand {
    /// Puts the walls up once and ends; with 1 where they can't be put up.
    Once,
    /// Prepares a machine that is about to join a swarm: its tasks' ports will open on this address only.
    Prepare {
        /// The private address under which the other machines reach this one.
        address: std::net::IpAddr,
    },
    /// Takes the walls down, for a machine that leaves the platform.
    Remove,
}

#[derive(Subcommand)]
enum AdminCommand {
    /// Looks whether this machine is fit to serve, and says what to do where it is not. Wants to be root. Ends with 1 where something fails.
    Doctor {
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Looks after the audit trail.
    Audit {
        #[command(subcommand)]
        what: AuditCommand,
    },
    /// Looks after people.
    User {
        #[command(subcommand)]
        what: UserCommand,
    },
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Finds rows that were altered or removed, and names them. Ends with 1 where there are any.
    Verify {
        /// Reads the chain of one organization only.
        #[arg(long)]
        organization: Option<OrgId>,
        /// Compares with the end of a chain that was printed earlier, ORGANIZATION:NUMBER:HASH; may be given several times.
        #[arg(long)]
        anchor: Vec<Anchor>,
        /// Prints the end of each chain, to be kept elsewhere.
        #[arg(long)]
        anchors: bool,
    },
}

#[derive(Subcommand)]
enum UserCommand {
    /// Makes somebody an operator of the platform.
    Promote {
        /// The address that she signs in with.
        email: String,
    },
    /// Ends somebody's sessions and lets her in no more.
    Suspend {
        /// The address that she signs in with.
        email: String,
        /// Why; she is told.
        #[arg(long)]
        reason: String,
    },
    /// Lets somebody in again.
    Resume {
        /// The address that she signs in with.
        email: String,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Reads the configuration, says what is wrong with it or prints what is in force.
    Check,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_string(), value.to_string()))
}

/// Lets SQLite count no memory: the counters are one lock that every allocation of every connection takes, and nobody reads them.
fn count_no_memory_of_sqlite() {
    #[expect(unsafe_code, reason = "the binding has no safe call for it")]
    // SAFETY: nothing of SQLite runs yet, which is when it takes settings; a refusal changes nothing.
    unsafe {
        libsqlite3_sys::sqlite3_config(libsqlite3_sys::SQLITE_CONFIG_MEMSTATUS, 0)
    };
}

fn main() -> ExitCode {
    give_memory_back();
    count_no_memory_of_sqlite();
    let mut cli = Cli::parse();
    if let Command::Edge { panel, token_file, data } = &cli.command {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let given =
            [("edge.panel_url", panel.clone()), ("edge.token_file", token_file.as_ref().map(path)), ("data_dir", data.as_ref().map(path))];
        cli.set.extend(given.into_iter().filter_map(|(key, value)| Some((key.to_string(), value?))));
    }
    let config = match Config::load(cli.config.as_deref(), cli.set) {
        Ok(config) => config,
        Err(why) => return fail(&why),
    };
    match cli.command {
        Command::Config { what: ConfigCommand::Check } => {
            println!("{}", config.printed());
            ExitCode::SUCCESS
        }
        Command::Serve => run(config),
        Command::Agent { what } => attend(config, what),
        Command::Edge { .. } => run_edge(config),
        Command::Admin { what } => administer(config, what),
    }
}

fn attend(config: Config, what: Option<AgentCommand>) -> ExitCode {
    log(&config);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return fail(&format!("The agent can't start: {why}.")),
    };
    let done = runtime.block_on(async {
        match what {
            None => serve::run_agent(config).await,
            Some(AgentCommand::Once) => serve::apply_firewall(&config).await,
            Some(AgentCommand::Prepare { address }) => serve::prepare(&config, address).await,
            Some(AgentCommand::Remove) => serve::remove_firewall().await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(&why.to_string()),
    }
}

fn administer(config: Config, what: AdminCommand) -> ExitCode {
    log(&config);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return fail(&format!("The program can't start: {why}.")),
    };
    let done = runtime.block_on(async {
        match what {
            AdminCommand::Doctor { json } => doctor::run(config, json).await,
            AdminCommand::Audit { what: AuditCommand::Verify { organization, anchor, anchors } } => {
                command::verify(config, organization, &anchor, anchors).await
            }
            AdminCommand::User { what: UserCommand::Promote { email } } => command::promote(config, &email).await,
            AdminCommand::User { what: UserCommand::Suspend { email, reason } } => command::suspend(config, &email, &reason).await,
            AdminCommand::User { what: UserCommand::Resume { email } } => command::resume(config, &email).await,
        }
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => fail(&why.to_string()),
    }
}

fn run(config: Config) -> ExitCode {
    log(&config);
    // One provider for the whole process: libraries that bring none of their own ask for it.
    rustls::crypto::ring::default_provider().install_default().ok();
    let options = match site() {
        Ok(options) => options,
        Err(why) => return fail(&format!("The site's configuration can't be read: {why}.")),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return fail(&format!("The panel can't start its threads: {why}.")),
    };
    match runtime.block_on(serve::serve(config, options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(&why.to_string()),
    }
}

fn run_edge(config: Config) -> ExitCode {
    log(&config);
    rustls::crypto::ring::default_provider().install_default().ok();
    // The proxy has threads of its own; what is left is little.
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return fail(&format!("The edge can't start its threads: {why}.")),
    };
    match runtime.block_on(skypanel::edge::remote::run(config.remote_edge())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(&why.to_string()),
    }
}

/// The site lies beside the program as it is shipped; elsewhere it is where Leptos.toml says.
fn site() -> Result<LeptosOptions, String> {
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("site"))).filter(|site| site.is_dir());
    if let Some(root) = beside {
        let options = LeptosOptions::builder().output_name("skypanel").site_root(root.to_string_lossy()).site_pkg_dir("pkg");
        return Ok(options.env(Env::PROD).hash_files(true).build());
    }
    let file = Some("Leptos.toml").filter(|file| Path::new(file).exists());
    get_configuration(file).map(|found| found.leptos_options).map_err(|why| why.to_string())
}

fn log(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log.filter).unwrap_or_else(|_| "info".into());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Pretty => lines.with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

fn fail(why: &str) -> ExitCode {
    eprintln!("skypanel: {why}");
    ExitCode::FAILURE
}

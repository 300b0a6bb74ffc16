//! The command line and the whole start-up, on one screen.
use clap::{Parser, Subcommand};
use leptos::config::{Env, LeptosOptions, get_configuration};
use skypanel::{
    admin::server::command,
    audit::server::verify::Anchor,
    id::OrgId,
    platform::config::{Config, LogFormat},
    serve,
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Pages are many small strings: glibc's allocator takes twice the time for one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
enum AdminCommand {
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

fn main() -> ExitCode {
    let cli = Cli::parse();
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
        Command::Admin { what } => administer(config, what),
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

/// The site lies beside the program as it is shipped; in development `cargo leptos` puts it where Leptos.toml says.
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

//! What the operator does on the machine itself: `skypanel admin …`.
use crate::{
    accounts::model::Email,
    admin::{model::Reason, server::service::people},
    audit::server::{
        chain::Chain,
        {
            chain,
            verify::{self, Anchor, Said},
        },
    },
    error::{Error, Result},
    id::OrgId,
    runtime::{clock::SystemClock, config::Config, panel::Panel, swarms::Swarms},
    store::{Db, secrets::Secrets},
};
use std::sync::Arc;

/// A panel without loops and doors. Another process may hold the data folder: what is done here is one transaction.
async fn open(config: Config) -> Result<Arc<Panel>> {
    let key = config.data_dir.join("master.key");
    if !key.exists() {
        return Err(Error::Unavailable(format!("There is no panel in {}: {} is missing.", config.data_dir.display(), key.display())));
    }
    let db = Db::connect(&config.database()).await?;
    let secrets = Secrets::open(&key)?;
    chain::attach(&db, &secrets);
    Ok(Panel::new(config, db, Arc::new(SystemClock), secrets, Swarms::default(), None))
}

/// Reads the audit trail and prints every row that is not as it was written; says whether all of them are.
pub async fn verify(config: Config, only: Option<OrgId>, anchors: &[Anchor], print: bool) -> Result<bool> {
    let panel = open(config).await?;
    let chain = Chain::new(panel.secrets.trail_key());
    let mut say = |said: Said| match said {
        Said::Broken(broken) => println!("{broken}"),
        Said::End(anchor) if print => println!("anchor {anchor}"),
        Said::End(_) => {}
    };
    let count = verify::verify(&panel.db, &chain, only.as_ref(), anchors, &mut say).await?;
    let read = format!("Read {} rows in {} chains.", count.rows, count.chains);
    match count.broken {
        0 => println!("{read} All are as they were written."),
        broken => println!("{read} {broken} places are not as they were written."),
    }
    Ok(count.broken == 0)
}

fn email(text: &str) -> Result<Email> {
    text.parse().map_err(|why: &str| Error::invalid("email", why))
}

/// Makes somebody an operator.
pub async fn promote(config: Config, address: &str) -> Result<bool> {
    let panel = open(config).await?;
    let person = people::promote(&panel, &email(address)?).await?;
    println!("{person} is an operator of the platform.");
    Ok(true)
}

/// Ends somebody's sessions and lets her in no more.
pub async fn suspend(config: Config, address: &str, reason: &str) -> Result<bool> {
    let panel = open(config).await?;
    let person = people::suspend_from_the_machine(&panel, &email(address)?, &Reason::parse(reason)?).await?;
    println!("{person} is suspended.");
    Ok(true)
}

/// Lets somebody in again.
pub async fn resume(config: Config, address: &str) -> Result<bool> {
    let panel = open(config).await?;
    let person = people::resume_from_the_machine(&panel, &email(address)?).await?;
    println!("{person} may sign in again.");
    Ok(true)
}

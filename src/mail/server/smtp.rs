//! One message at a time over connections that are kept open for a while. The commands are given one by one, so that it is known at which of
//! them a message was not taken: an address that does not exist, a sender that is not welcome and a connection that broke before the
//! message was handed over are different things, and only after the last line of a message can its fate be unknown.
use crate::runtime::{
    config::{Security, SmtpConfig},
    panel::Panel,
};
use lettre::{
    Address,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        commands::{Data, Mail, Rcpt, Rset},
        extension::{ClientId, Extension, MailParameter},
    },
};
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long connecting, greeting and signing in may take together.
const CONNECT: Duration = Duration::from_secs(30);
/// How long a command's answer may take.
const COMMAND: Duration = Duration::from_secs(120);
/// How long the answer to a whole message may take (RFC 5321, 4.5.3.2.6): whoever gives up earlier sends messages twice.
const ACCEPT: Duration = Duration::from_secs(600);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(45);
/// Connections that are kept at most.
const KEPT: usize = 8;

/// Open connections that nobody uses just now.
#[derive(Default)]
pub struct Smtp {
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

/// A message as it goes over the wire.
pub struct OutgoingMessage {
    /// Where it is sent back to.
    pub from: Address,
    pub to: Address,
    pub body: Vec<u8>,
}

/// What a server was told when it refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Sender,
    Recipient,
    Content,
}

/// A server's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// `550`.
    pub code: u16,
    /// The rest of what it said.
    pub text: String,
}

impl Reply {
    /// The code and the sentence.
    pub fn words(&self) -> String {
        crate::outbox::line(&format!("{} {}", self.code, self.text))
    }

    /// The enhanced status code (RFC 3463), `5.1.1`, where the server gave one.
    pub fn status(&self) -> Option<&str> {
        self.text
            .split_whitespace()
            .next()
            .filter(|word| word.split('.').count() == 3 && word.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    }
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// The server does not answer, or does not let us in: no fault of the message.
    Unreachable(String),
    /// Not now (4xx).
    Later(Reply),
    /// Not ever (5xx).
    Never(Stage, Reply),
    /// It was handed over whole and no answer came: the server may or may not have taken it.
    Unknown(String),
    /// Whoever sends it changed her mind before it was handed over.
    Withdrawn,
}

impl Smtp {
    /// Sends one message. `still` is asked after the server agreed to take it and before it is handed over; a no withdraws it.
    pub async fn send(
        &self,
        panel: &Panel,
        config: &SmtpConfig,
        letter: &OutgoingMessage,
        still: impl Future<Output = bool>,
    ) -> Result<String, NotTaken> {
        let mut connection = match self.parked().await {
            Some(connection) => connection,
            None => connect(panel, config).await?,
        };
        let done = deliver(&mut connection, letter, still).await;
        // After an answer of the server the connection is good for the next message; where none came it is not.
        let good = matches!(done, Ok(_) | Err(NotTaken::Later(_) | NotTaken::Never(..)));
        let good = good && !connection.has_broken() && command(&mut connection, Rset).await.is_ok();
        if good {
            self.park(connection)
        } else {
            drop(connection)
        }
        done
    }

    /// Tries whether the server answers and lets us in.
    pub async fn check(&self, panel: &Panel, config: &SmtpConfig) -> Result<(), NotTaken> {
        connect(panel, config).await.map(|connection| self.park(connection))
    }

    async fn parked(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let (mut connection, since) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if since.elapsed() < IDLE && tokio::time::timeout(CONNECT, connection.test_connected()).await.unwrap_or(false) {
                return Some(connection);
            }
        }
    }

    fn park(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < IDLE);
        if idle.len() < KEPT {
            idle.push((connection, Instant::now()));
        }
    }

    /// Says farewell on every idle connection.
    pub async fn close(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for (mut connection, _) in idle {
            tokio::time::timeout(Duration::from_secs(2), connection.quit()).await.ok();
        }
    }
}

async fn connect(panel: &Panel, config: &SmtpConfig) -> Result<AsyncSmtpConnection, NotTaken> {
    match tokio::time::timeout(CONNECT, open(panel, config)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(why)) => Err(NotTaken::Unreachable(crate::outbox::line(&why))),
        Err(_) => Err(NotTaken::Unreachable(format!("no answer within {} s", CONNECT.as_secs()))),
    }
}

async fn open(panel: &Panel, config: &SmtpConfig) -> Result<AsyncSmtpConnection, String> {
    let told = |why: Error| words(&why);
    let tls = || -> Result<TlsParameters, String> {
        let mut tls = TlsParameters::builder(config.host.clone());
        if let Some(path) = &config.ca_file {
            let pem = std::fs::read(path).map_err(|why| format!("the file of mail.smtp.ca_file can’t be read: {why}"))?;
            tls = tls.add_root_certificate(Certificate::from_pem(&pem).map_err(|why| words(&why))?);
        }
        tls.build_rustls().map_err(|why| words(&why))
    };
    let (address, hello) = ((config.host.as_str(), config.port()), hello(panel));
    let at_once = if config.security == Security::Tls { Some(tls()?) } else { None };
    let mut connection = AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT), &hello, at_once, None).await.map_err(told)?;
    if config.security == Security::Starttls {
        connection.starttls(tls()?, &hello).await.map_err(told)?;
    }
    if let (Some(user), Some(password)) = (&config.username, config.password()?) {
        let credentials = Credentials::new(user.clone(), password);
        connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await.map_err(told)?;
    }
    Ok(connection)
}

/// The name that we give ourselves: the panel's own where it has one.
fn hello(panel: &Panel) -> ClientId {
    let host = url::Url::parse(&panel.config.public_url()).ok().and_then(|url| url.domain().map(str::to_string));
    host.filter(|host| host.contains('.')).map_or_else(ClientId::default, ClientId::Domain)
}

async fn deliver(
    connection: &mut AsyncSmtpConnection,
    letter: &OutgoingMessage,
    still: impl Future<Output = bool>,
) -> Result<String, NotTaken> {
    let server = connection.server_info();
    let mut options = Vec::new();
    if [&letter.from, &letter.to].into_iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            let text = "5.6.7 The mail server takes no addresses with letters beyond ASCII".to_string();
            return Err(NotTaken::Never(Stage::Content, Reply { code: 553, text }));
        }
        options.push(MailParameter::SmtpUtfEight);
    }
    let refused = |stage: Stage| move |why: Error| not_taken(stage, &why);
    command(connection, Mail::new(Some(letter.from.clone()), options)).await?.map_err(refused(Stage::Sender))?;
    command(connection, Rcpt::new(letter.to.clone(), Vec::new())).await?.map_err(refused(Stage::Recipient))?;
    command(connection, Data).await?.map_err(refused(Stage::Content))?;
    if !still.await {
        return Err(NotTaken::Withdrawn);
    }
    // When the parts run out the last line follows: from then on the server may have taken the message.
    let mut parts = letter.body.chunks(16 * 1024);
    let mut handed_over = false;
    let content = std::iter::from_fn(|| {
        let part = parts.next();
        handed_over = part.is_none();
        part
    });
    let done = tokio::time::timeout(ACCEPT, connection.message_iter(content)).await;
    let lost = |why: String| if handed_over { NotTaken::Unknown(why) } else { NotTaken::Unreachable(why) };
    match done {
        Ok(Ok(answer)) => Ok(crate::outbox::line(&answer.message().collect::<Vec<_>>().join(" "))),
        Ok(Err(why)) if why.status().is_some() => Err(not_taken(Stage::Content, &why)),
        Ok(Err(why)) => Err(lost(crate::outbox::line(&words(&why)))),
        Err(_) => Err(lost(format!("no answer to the message within {} s", ACCEPT.as_secs()))),
    }
}

/// One command and its answer; the outer error is a connection that is of no more use.
async fn command(connection: &mut AsyncSmtpConnection, command: impl std::fmt::Display) -> Result<Result<(), Error>, NotTaken> {
    match tokio::time::timeout(COMMAND, connection.command(command)).await {
        Ok(Ok(_)) => Ok(Ok(())),
        Ok(Err(why)) if why.status().is_some_and(|code| u16::from(code) != 421) => Ok(Err(why)),
        Ok(Err(why)) => Err(NotTaken::Unreachable(crate::outbox::line(&words(&why)))),
        Err(_) => Err(NotTaken::Unreachable(format!("no answer within {} s", COMMAND.as_secs()))),
    }
}

fn not_taken(stage: Stage, why: &Error) -> NotTaken {
    let reply = Reply { code: why.status().map_or(0, u16::from), text: said(why) };
    if why.is_permanent() { NotTaken::Never(stage, reply) } else { NotTaken::Later(reply) }
}

/// What the server said, without its code.
fn said(why: &Error) -> String {
    std::error::Error::source(why).map(ToString::to_string).unwrap_or_default()
}

/// An error with its cause.
fn words(why: &Error) -> String {
    match why.status() {
        Some(code) => format!("{code} {}", said(why)),
        None => why.to_string(),
    }
}

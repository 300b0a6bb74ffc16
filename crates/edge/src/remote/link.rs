//! The connection to the panel: the stream that an edge listens to, opened again and again, and its reports. Waiting between two tries
//! grows and is spread by chance, so that a panel that comes back does not meet all edges at once.
use super::{
    held::{SyncFault, Taken},
    node::{EdgeNode, LineFault},
    wire::{EdgeReport, End, HEARTBEAT, ReportReply},
};
use futures::StreamExt;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::{info, warn};

/// The longest line that is read.
const LONGEST: usize = 256 * 1024 * 1024;
/// Silence after which the panel counts as gone.
const SILENCE: Duration = Duration::from_secs(HEARTBEAT.as_secs() * 4);
/// Waiting before the second try, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long a connection and a report may take.
const CONNECT: Duration = Duration::from_secs(5);
const REPORT: Duration = Duration::from_secs(15);

/// Why a stream is over.
#[derive(Debug)]
enum Over {
    /// The panel refuses the token.
    Refused(String),
    /// It said that it ends.
    Ended(End, String),
    /// What came did not fit what is held: open it again at once.
    Unfit(SyncFault),
    /// It broke, or there was none.
    Broken(String),
}

/// The way to the panel.
#[derive(Debug, Clone)]
pub struct Link {
    client: reqwest::Client,
    panel: String,
}

impl Link {
    /// A way to the panel at an address. Certificates are verified by the machine's authorities, or by those of a PEM file.
    ///
    /// # Errors
    /// A clause that says what can't be used.
    pub fn new(panel: &str, authorities: Option<&[u8]>) -> Result<Self, String> {
        let mut client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .user_agent(concat!("skypanel-edge/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = authorities {
            let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(|why| format!("the authorities’ file is no PEM: {why}"))?;
            client = client.tls_certs_only(roots);
        }
        let client = client.build().map_err(|why| format!("a connection can’t be prepared: {why}"))?;
        Ok(Link { client, panel: panel.trim_end_matches('/').to_string() })
    }

    /// Listens to the panel until the edge stops.
    pub async fn follow(&self, node: &Arc<EdgeNode>) {
        let mut wait = FIRST_WAIT;
        loop {
            let since = Instant::now();
            let over = tokio::select! {
                over = self.listen(node) => over,
                () = node.stop.cancelled() => return,
            };
            node.is_connected(false);
            if since.elapsed() > SILENCE {
                wait = FIRST_WAIT;
            }
            match over {
                Over::Unfit(fault) => {
                    info!("what the panel said does not fit what is live here ({fault:?}); asking for everything");
                    node.forget_digest();
                }
                Over::Ended(End::Stopping, why) => {
                    info!("the panel ended the connection: {why} Serving on with version {}.", node.version())
                }
                Over::Ended(_, why) | Over::Refused(why) => {
                    node.complain(&format!("The panel refuses this edge: {why} It serves on with version {}.", node.version()));
                    node.read_token();
                    wait = wait.max(Duration::from_secs(2));
                }
                Over::Broken(why) => {
                    node.complain(&format!("The panel does not answer ({why}). Serving on with version {}.", node.version()));
                }
            }
            let spread = wait.mul_f64(rand::random_range(0.5..1.0));
            tokio::select! {
                () = tokio::time::sleep(spread) => {}
                () = node.retry.notified() => {}
                () = node.stop.cancelled() => return,
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn listen(&self, node: &Arc<EdgeNode>) -> Over {
        let (version, digest) = node.has();
        let url = format!("{}/api/edge/stream?version={version}&digest={digest}", self.panel);
        let asked = self.client.get(url).bearer_auth(node.token()).send();
        let answer = match tokio::time::timeout(SILENCE, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return Over::Broken(told(&why)),
            Err(_) => return Over::Broken("it took too long".into()),
        };
        let status = answer.status().as_u16();
        if status != 200 {
            let text = answer.text().await.unwrap_or_default();
            let why = sentence(&text).unwrap_or_else(|| format!("It answers {status}."));
            return if status == 401 { Over::Refused(why) } else { Over::Broken(why) };
        }
        node.is_connected(true);
        let (mut bytes, mut held) = (answer.bytes_stream(), Vec::new());
        loop {
            let some = match tokio::time::timeout(SILENCE, bytes.next()).await {
                Ok(Some(Ok(some))) => some,
                Ok(Some(Err(why))) => return Over::Broken(told(&why)),
                // Half a line is no line: what it was to say comes again.
                Ok(None) => return Over::Broken("the connection ended".into()),
                Err(_) => return Over::Broken("it is silent".into()),
            };
            let mut rest = &some[..];
            while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                held.extend_from_slice(&rest[..at]);
                rest = &rest[at + 1..];
                match node.take(std::mem::take(&mut held)) {
                    Ok(Taken::New | Taken::Same | Taken::Older) => {}
                    Err(LineFault::Unreadable(why)) => return Over::Broken(format!("it says what is no message of ours: {why}")),
                    Err(LineFault::Ended(reason, message)) => return Over::Ended(reason, message),
                    Err(LineFault::Unfit(fault)) => return Over::Unfit(fault),
                }
            }
            held.extend_from_slice(rest);
            if held.len() > LONGEST {
                return Over::Broken("it says too much at once".into());
            }
        }
    }

    /// Sends a report.
    ///
    /// # Errors
    /// Whether it was refused as it is, so that it need not be sent again; and a clause that says why.
    pub async fn report(&self, token: &str, report: &EdgeReport) -> Result<ReportReply, (bool, String)> {
        #[derive(serde::Deserialize)]
        struct Said {
            data: ReportReply,
        }
        let asked = self.client.post(format!("{}/api/edge/report", self.panel)).bearer_auth(token).timeout(REPORT).json(report).send();
        let answer = asked.await.map_err(|why| (false, told(&why)))?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|why| (false, told(&why)))?;
        match status {
            200 => serde_json::from_str::<Said>(&text).map(|said| said.data).map_err(|why| (false, why.to_string())),
            400 | 413 => Err((true, sentence(&text).unwrap_or_else(|| format!("it answers {status}")))),
            _ => Err((false, sentence(&text).unwrap_or_else(|| format!("it answers {status}")))),
        }
    }
}

/// The panel's sentence in a refusal.
fn sentence(text: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(text).ok()?;
    let message = body["error"]["message"].as_str()?;
    Some(message.chars().filter(|c| !c.is_control()).take(300).collect())
}

/// What went wrong, to the root of it, without the address: its query is nobody's business.
fn told(why: &reqwest::Error) -> String {
    let mut words = why.to_string().split(" for url").next().unwrap_or_default().to_string();
    let mut cause = std::error::Error::source(why);
    while let Some(deeper) = cause {
        words = deeper.to_string();
        cause = deeper.source();
    }
    if words.is_empty() {
        warn!("a connection failed without a word");
    }
    words
}

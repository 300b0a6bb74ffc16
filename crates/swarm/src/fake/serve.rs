//! Where tasks answer: nowhere, at an address of the test's choosing, or at a small HTTP server on loopback that each gets.
use super::{
    controls::Answer,
    state::{State, id},
    *,
};
use std::net::{Ipv4Addr, TcpListener};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

/// The largest request that is understood.
const REQUEST: usize = 64 * 1024;

/// Where a task answers, by the test's own choice.
type Chosen = Arc<dyn Fn(&Task) -> Option<SocketAddr> + Send + Sync>;

#[derive(Clone)]
pub(super) enum Serving {
    Nowhere,
    Here,
    There(Chosen),
}

impl State {
    /// Gives a task that begins to run its address.
    #[expect(clippy::disallowed_methods, reason = "it is aborted when its task ends")]
    pub fn open(&mut self, number: u64) {
        let task = &self.tasks[&number];
        let (Some(machine), Some(port)) = (task.machine, task.spec.port) else { return };
        let listens = self.listeners_of(task).iter().any(|listener| listener.is_open() && listener.port == port);
        let mut server = None;
        let address = match self.serving.clone() {
            Serving::Nowhere => Some(self.ephemeral(machine)),
            Serving::There(at) => {
                let told = self.tell_task(&self.tasks[&number]);
                at(&told)
            }
            Serving::Here => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
                let address = listener.local_addr().ok();
                // The port of a task that does not listen stays closed.
                if listens {
                    server = Some(AbortOnDropHandle::new(tokio::spawn(serve(self.weak.clone(), number, listener))));
                }
                address
            }
        };
        let task = self.tasks.get_mut(&number).expect("it was there at the top");
        (task.address, task.server) = (address, server);
    }

    fn ephemeral(&mut self, machine: usize) -> SocketAddr {
        let there = &mut self.machines[machine];
        there.next_port = there.next_port.checked_add(1).unwrap_or(32768);
        SocketAddr::from((there.node.address, there.next_port))
    }

    /// How a task answers now, and the words by which it introduces itself.
    fn reply_of(&self, number: u64) -> Option<(Answer, String)> {
        let task = self.tasks.get(&number)?;
        let told = State::latest(&self.answers, &task.spec.name, &task.spec.image, &task.spec.labels).cloned();
        let words = format!("{} {} {} {}\n", task.spec.name, task.slot, id(number), task.spec.image);
        Some((told.unwrap_or(Answer::status(200)), words))
    }
}

async fn serve(inner: std::sync::Weak<Inner>, number: u64, listener: TcpListener) {
    let Ok(listener) = listener.set_nonblocking(true).and_then(|()| tokio::net::TcpListener::from_std(listener)) else { return };
    // Dropped with the server: a task that has stopped answers nobody.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let refuses = reply(&inner, number).is_none_or(|(answer, _)| matches!(answer, Answer::Refusal));
        if !refuses {
            connections.spawn(converse(inner.clone(), number, stream));
        }
        while connections.try_join_next().is_some() {}
    }
}

fn reply(inner: &std::sync::Weak<Inner>, number: u64) -> Option<(Answer, String)> {
    inner.upgrade()?.state.lock().ok()?.reply_of(number)
}

/// Answers the requests of a connection, one after the other.
async fn converse(inner: std::sync::Weak<Inner>, number: u64, mut stream: TcpStream) {
    let mut read = Vec::new();
    while let Some(request) = next_request(&mut stream, &mut read).await {
        let (status, body, after) = match reply(&inner, number) {
            Some((Answer::Status { status, body, after }, words)) => (status, body.unwrap_or(words), after),
            Some((Answer::Silence, _)) => return std::future::pending().await,
            _ => return,
        };
        tokio::time::sleep(after).await;
        let head = format!(
            "HTTP/1.1 {status} Told\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nx-task: {}\r\n\r\n",
            body.len(),
            id(number)
        );
        let body = if request.starts_with("HEAD ") { "" } else { &body };
        if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads a request with its body and answers with its head.
async fn next_request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = read.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let length = head.lines().filter_map(|l| l.split_once(':')).find(|(k, _)| k.eq_ignore_ascii_case("content-length"));
            let length: usize = length.and_then(|(_, v)| v.trim().parse().ok()).unwrap_or_default();
            if read.len() >= end + 4 + length {
                read.drain(..end + 4 + length);
                return Some(head);
            }
        }
        if read.len() > REQUEST || stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
}

//! A mail server of a test's own: takes messages, and refuses, defers, hangs up or waits where it is told to.
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// A message that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    pub from: String,
    pub to: String,
    /// As it came, with its headers.
    pub data: String,
}

impl Taken {
    /// A header's value, unfolded.
    pub fn header(&self, name: &str) -> String {
        let head = self.data.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ").replace("\r\n\t", " ");
        let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{}:", name.to_lowercase())));
        line.map_or(String::new(), |line| line.split_once(':').unwrap().1.trim().to_string())
    }
}

/// What the server does with the next message.
#[derive(Debug, Clone)]
pub enum Mood {
    /// Answers this to the sender, the recipient or the content.
    Sender(&'static str),
    Recipient(&'static str),
    Content(&'static str),
    /// Hangs up after the answer to DATA, before it has the message.
    HangUpEarly,
    /// Takes the message and hangs up without a word.
    HangUpLate,
    /// Says that DATA may come only when it is let go on.
    Wait,
}

/// The server.
#[derive(Clone)]
pub struct Post {
    pub port: u16,
    taken: Arc<Mutex<Vec<Taken>>>,
    moods: Arc<Mutex<VecDeque<Mood>>>,
    connections: Arc<AtomicUsize>,
    pub waiting: Arc<Notify>,
    pub go_on: Arc<Notify>,
}

impl Post {
    /// A server on a free port.
    pub async fn start() -> Post {
        Post::start_at(0).await
    }

    /// A server on this port.
    pub async fn start_at(port: u16) -> Post {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let post = Post {
            port: listener.local_addr().unwrap().port(),
            taken: Default::default(),
            moods: Default::default(),
            connections: Default::default(),
            waiting: Default::default(),
            go_on: Default::default(),
        };
        let server = post.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                server.connections.fetch_add(1, Ordering::Relaxed);
                let server = server.clone();
                tokio::spawn(async move { server.talk(stream).await.ok() });
            }
        });
        post
    }

    /// A port where nobody listens.
    pub fn nowhere() -> u16 {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    /// What it does with the next message.
    pub fn will(&self, mood: Mood) -> &Self {
        self.moods.lock().unwrap().push_back(mood);
        self
    }

    /// What it took.
    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    async fn talk(&self, stream: TcpStream) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 post.test ESMTP\r\n").await?;
        let (mut from, mut to, mut mood) = (String::new(), String::new(), None);
        while let Some(line) = lines.next_line().await? {
            let word = line.get(..4).unwrap_or(&line).to_uppercase();
            let answer = match word.as_str() {
                "EHLO" => "250-post.test\r\n250 ENHANCEDSTATUSCODES".into(),
                "MAIL" => {
                    from = address(&line);
                    mood = self.moods.lock().unwrap().pop_front();
                    if let Some(Mood::Sender(said)) = &mood { said.to_string() } else { "250 2.1.0 ok".into() }
                }
                "RCPT" => {
                    to = address(&line);
                    if let Some(Mood::Recipient(said)) = &mood { said.to_string() } else { "250 2.1.5 ok".into() }
                }
                "DATA" => {
                    if let Some(Mood::Wait) = &mood {
                        self.waiting.notify_one();
                        self.go_on.notified().await;
                    }
                    write.write_all(b"354 go on\r\n").await?;
                    if let Some(Mood::HangUpEarly) = &mood {
                        return Ok(());
                    }
                    let mut data = String::new();
                    loop {
                        // A message that ends without its last line was not handed over.
                        let Some(line) = lines.next_line().await? else { return Ok(()) };
                        if line == "." {
                            break;
                        }
                        data += line.strip_prefix("..").map(|rest| format!(".{rest}")).as_deref().unwrap_or(&line);
                        data += "\r\n";
                    }
                    if let Some(Mood::Content(said)) = &mood {
                        said.to_string()
                    } else {
                        self.taken.lock().unwrap().push(Taken { from: from.clone(), to: to.clone(), data });
                        if let Some(Mood::HangUpLate) = &mood {
                            return Ok(());
                        }
                        "250 2.0.0 taken as 42".into()
                    }
                }
                "QUIT" => {
                    write.write_all(b"221 2.0.0 bye\r\n").await?;
                    return Ok(());
                }
                "RSET" | "NOOP" => "250 2.0.0 ok".into(),
                _ => "502 5.5.1 what?".to_string(),
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }
}

fn address(line: &str) -> String {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(address, _)| address.to_string()).unwrap_or_default()
}

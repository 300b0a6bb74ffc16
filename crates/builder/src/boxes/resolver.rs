//! The box's resolver. It listens in the gate, where the box has no hand, and asks the machine's name servers from the machine.
//!
//! It judges: a name that leads inside, by any of its addresses, is refused as a whole, and the build's sentence can say which and where.
//! It pins: an answer stays the same for a while, so that a name can't be public for who looks and private for who goes there. All of it
//! is comfort. With the resolver off, the gate refuses the same packets.
use crate::ranges::{Place, Reach};
use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{DNSClass, RData, Record, RecordType},
};
use nix::sched::{CloneFlags, setns};
use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Questions of a box that are open at once.
const OPEN: usize = 100;
/// Questions a second; more get no answer.
const A_SECOND: u32 = 200;
/// How long a name server may take.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long a name leads where it led.
const PINNED: Duration = Duration::from_secs(300);
/// How many names are pinned at once, and how many refusals are remembered for sentences.
const PINS: usize = 4096;
const NOTES: usize = 64;
/// The largest answer by UDP; a longer one is cut, and asked again by TCP.
const UDP: usize = 1232;

/// The gate's sockets for questions.
pub struct Sockets {
    udp: Vec<std::net::UdpSocket>,
    tcp: Vec<std::net::TcpListener>,
}

impl Sockets {
    /// Opens them in the network namespace of a process. Blocks. A thread of its own goes there, for it can't be trusted to come back.
    pub fn within(process: u32) -> io::Result<Sockets> {
        let there = File::open(format!("/proc/{process}/ns/net"))?;
        let opened = std::thread::spawn(move || -> io::Result<Sockets> {
            setns(there, CloneFlags::CLONE_NEWNET)?;
            let mut of = Sockets { udp: vec![], tcp: vec![] };
            // Any address of the gate: its rules let questions come in from the box alone. Linux answers for IPv4 at `::` too.
            let any: SocketAddr = "[::]:53".parse().map_err(io::Error::other)?;
            of.udp.push(std::net::UdpSocket::bind(any)?);
            of.tcp.push(std::net::TcpListener::bind(any)?);
            of.udp.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
            of.tcp.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
            Ok(of)
        });
        opened.join().map_err(|_| io::Error::other("the resolver’s thread died"))?
    }
}

/// A name that led inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub name: String,
    pub address: IpAddr,
    pub place: Place,
}

/// What the resolver knows: the reach, its pins, and what it refused lately.
#[derive(Debug)]
struct Mind {
    reach: Reach,
    servers: Vec<SocketAddr>,
    pins: Mutex<HashMap<(String, RecordType), (Instant, Message)>>,
    notes: Mutex<VecDeque<Refusal>>,
    second: Mutex<(Instant, u32)>,
}

/// A resolver that runs, until it is stopped or the last of its handles is gone.
#[derive(Debug, Clone)]
pub struct Resolver {
    mind: Arc<Mind>,
    _over: Arc<tokio_util::sync::DropGuard>,
    token: CancellationToken,
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Resolver {
    /// Begins to answer.
    pub fn start(sockets: Sockets, servers: Vec<SocketAddr>, reach: Reach) -> io::Result<Resolver> {
        let mind =
            Arc::new(Mind { reach, servers, pins: Mutex::default(), notes: Mutex::default(), second: Mutex::new((Instant::now(), 0)) });
        let token = CancellationToken::new();
        let turns = Arc::new(Semaphore::new(OPEN));
        for socket in sockets.udp {
            let socket = Arc::new(UdpSocket::from_std(socket)?);
            let (mind, turns, token) = (mind.clone(), turns.clone(), token.clone());
            tokio::spawn(async move { token.run_until_cancelled(by_udp(socket, mind, turns)).await });
        }
        for socket in sockets.tcp {
            let listener = TcpListener::from_std(socket)?;
            let (mind, turns, token) = (mind.clone(), turns.clone(), token.clone());
            tokio::spawn(async move { token.run_until_cancelled(by_tcp(listener, mind, turns)).await });
        }
        Ok(Resolver { mind, _over: Arc::new(token.clone().drop_guard()), token })
    }

    /// Ends it and closes its sockets.
    pub fn stop(&self) {
        self.token.cancel();
    }

    /// The last refusals, oldest first.
    pub fn refusals(&self) -> Vec<Refusal> {
        open(&self.mind.notes).iter().cloned().collect()
    }
}

async fn by_udp(socket: Arc<UdpSocket>, mind: Arc<Mind>, turns: Arc<Semaphore>) {
    let mut going = JoinSet::new();
    let mut buffer = [0; 4096];
    loop {
        let Ok((n, from)) = socket.recv_from(&mut buffer).await else { return };
        while going.try_join_next().is_some() {}
        // Whoever asks more than is answered waits for its own time-out.
        let (true, Ok(turn)) = (mind.may_ask(), turns.clone().try_acquire_owned()) else { continue };
        let (question, socket, mind) = (buffer.get(..n).unwrap_or_default().to_vec(), socket.clone(), mind.clone());
        going.spawn(async move {
            let _turn = turn;
            if let Some(answer) = mind.answer(&question).await.and_then(|answer| bytes(answer, UDP)) {
                let _ = socket.send_to(&answer, from).await;
            }
        });
    }
}

async fn by_tcp(listener: TcpListener, mind: Arc<Mind>, turns: Arc<Semaphore>) {
    let mut going = JoinSet::new();
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { return };
        while going.try_join_next().is_some() {}
        let (true, Ok(turn)) = (mind.may_ask(), turns.clone().try_acquire_owned()) else { continue };
        let mind = mind.clone();
        going.spawn(async move {
            let _turn = turn;
            let served = async {
                let length = stream.read_u16().await?;
                let mut question = vec![0; usize::from(length).min(4096)];
                stream.read_exact(&mut question).await?;
                if let Some(answer) = mind.answer(&question).await.and_then(|answer| bytes(answer, usize::from(u16::MAX))) {
                    stream.write_u16(u16::try_from(answer.len()).unwrap_or(u16::MAX)).await?;
                    stream.write_all(&answer).await?;
                }
                io::Result::Ok(())
            };
            let _ = timeout(PATIENCE * 3, served).await;
        });
    }
}

/// The answer as it goes out; cut where it does not fit.
fn bytes(answer: Message, most: usize) -> Option<Vec<u8>> {
    let whole = answer.to_vec().ok()?;
    if whole.len() <= most {
        return Some(whole);
    }
    let mut cut = answer;
    cut.metadata.truncation = true;
    cut.answers.clear();
    cut.authorities.clear();
    cut.additionals.clear();
    cut.to_vec().ok()
}

/// The one question that is asked, where it is one that is answered at all.
fn question(message: &Message) -> Result<Query, ResponseCode> {
    if message.metadata.message_type != MessageType::Query || message.metadata.op_code != OpCode::Query {
        return Err(ResponseCode::NotImp);
    }
    let [query] = message.queries.as_slice() else { return Err(ResponseCode::FormErr) };
    let refused = matches!(query.query_type, RecordType::ANY | RecordType::AXFR | RecordType::IXFR | RecordType::NULL);
    if refused || query.query_class != DNSClass::IN {
        return Err(ResponseCode::Refused);
    }
    Ok(query.clone())
}

impl Mind {
    fn may_ask(&self) -> bool {
        let mut second = open(&self.second);
        if second.0.elapsed() >= Duration::from_secs(1) {
            *second = (Instant::now(), 0);
        }
        second.1 += 1;
        second.1 <= A_SECOND
    }

    /// The answer to a message from the box; nothing where it is none that one could answer.
    async fn answer(&self, raw: &[u8]) -> Option<Message> {
        let asked = Message::from_vec(raw).ok()?;
        let mut answer = match question(&asked) {
            Err(code) => Message::error_msg(asked.metadata.id, asked.metadata.op_code, code),
            Ok(query) => self.look_up(&query).await.unwrap_or_else(|| Message::error_msg(0, OpCode::Query, ResponseCode::ServFail)),
        };
        answer.metadata.id = asked.metadata.id;
        answer.metadata.recursion_desired = asked.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.queries = asked.queries;
        Some(answer)
    }

    async fn look_up(&self, query: &Query) -> Option<Message> {
        let key = (query.name.to_lowercase().to_string(), query.query_type);
        // Hints of addresses in other records would be a way past the judgement of addresses; nobody needs them.
        if matches!(query.query_type, RecordType::HTTPS | RecordType::SVCB) {
            return Some(Message::error_msg(0, OpCode::Query, ResponseCode::NoError));
        }
        if let Some((_, pinned)) = open(&self.pins).get(&key).filter(|(at, _)| at.elapsed() < PINNED) {
            return Some(pinned.clone());
        }
        for server in &self.servers {
            let Ok(Some(found)) = timeout(PATIENCE, ask(*server, query)).await else { continue };
            let judged = self.judge(&key.0, found);
            self.pin(key, &judged);
            return Some(judged);
        }
        None
    }

    /// An answer in which any address is inside is no answer at all.
    fn judge(&self, name: &str, found: Message) -> Message {
        let inside = found.answers.iter().find_map(|record| {
            let address = address(record)?;
            Some((address, self.reach.closed(address)?))
        });
        if let Some((address, place)) = inside {
            let mut notes = open(&self.notes);
            let note = Refusal { name: name.trim_end_matches('.').to_string(), address, place };
            if notes.back() != Some(&note) {
                notes.push_back(note);
            }
            if notes.len() > NOTES {
                notes.pop_front();
            }
            return Message::error_msg(0, OpCode::Query, ResponseCode::Refused);
        }
        let mut judged = Message::error_msg(0, OpCode::Query, found.metadata.response_code);
        // What says where else to ask is of no use here, and its addresses were not judged.
        judged.answers = found.answers;
        judged.authorities = found.authorities.into_iter().filter(|record| record.record_type() == RecordType::SOA).collect();
        judged
    }

    fn pin(&self, key: (String, RecordType), answer: &Message) {
        let lasting = matches!(answer.metadata.response_code, ResponseCode::NoError | ResponseCode::Refused | ResponseCode::NXDomain);
        let mut pins = open(&self.pins);
        if pins.len() >= PINS {
            pins.retain(|_, (at, _)| at.elapsed() < PINNED);
        }
        if lasting && pins.len() < PINS {
            pins.insert(key, (Instant::now(), answer.clone()));
        }
    }
}

fn address(record: &Record) -> Option<IpAddr> {
    match &record.data {
        RData::A(a) => Some(a.0.into()),
        RData::AAAA(aaaa) => Some(aaaa.0.into()),
        _ => None,
    }
}

/// Asks a name server, by UDP and where the answer was cut by TCP.
async fn ask(server: SocketAddr, query: &Query) -> Option<Message> {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(query.clone());
    let (id, raw) = (message.metadata.id, message.to_vec().ok()?);
    let fits = |answer: &Message| {
        answer.metadata.id == id && answer.queries.first().is_none_or(|q| q.name == query.name && q.query_type == query.query_type)
    };
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await.ok()?;
    socket.connect(server).await.ok()?;
    socket.send(&raw).await.ok()?;
    let mut buffer = [0; 4096];
    loop {
        let n = socket.recv(&mut buffer).await.ok()?;
        let Some(answer) = Message::from_vec(buffer.get(..n)?).ok().filter(fits) else { continue };
        if !answer.metadata.truncation {
            return Some(answer);
        }
        let mut stream = TcpStream::connect(server).await.ok()?;
        stream.write_u16(u16::try_from(raw.len()).ok()?).await.ok()?;
        stream.write_all(&raw).await.ok()?;
        let mut long = vec![0; usize::from(stream.read_u16().await.ok()?)];
        stream.read_exact(&mut long).await.ok()?;
        return Message::from_vec(&long).ok().filter(fits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::{Name, rdata::A};
    use std::{
        net::Ipv4Addr,
        sync::atomic::{AtomicU32, Ordering},
    };

    /// A name server that knows `good.example`, `lan.example`, `both.example`, and `flip.example`, which is inside every second time.
    async fn world() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let flips = AtomicU32::new(0);
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            loop {
                let (n, from) = socket.recv_from(&mut buffer).await.unwrap();
                let asked = Message::from_vec(&buffer[..n]).unwrap();
                let mut answer = Message::response(asked.metadata.id, OpCode::Query);
                answer.queries = asked.queries.clone();
                let (public, inside) = (Ipv4Addr::new(93, 184, 216, 34), Ipv4Addr::new(10, 0, 9, 9));
                let to = match asked.queries[0].name.to_string().as_str() {
                    "good.example." => vec![public],
                    "lan.example." => vec![inside],
                    "both.example." => vec![public, inside],
                    "flip.example." => {
                        vec![if flips.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { public } else { Ipv4Addr::LOCALHOST }]
                    }
                    _ => vec![],
                };
                if to.is_empty() {
                    answer.metadata.response_code = ResponseCode::NXDomain;
                }
                for ip in to {
                    answer.add_answer(Record::from_rdata(asked.queries[0].name.clone(), 1, RData::A(A(ip))));
                }
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        });
        at
    }

    /// A resolver on this machine's own loopback, and how to ask it.
    async fn resolver() -> (Resolver, SocketAddr) {
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.set_nonblocking(true).unwrap();
        let at = udp.local_addr().unwrap();
        let servers = vec![world().await];
        (Resolver::start(Sockets { udp: vec![udp], tcp: vec![] }, servers, Reach::default()).unwrap(), at)
    }

    async fn asks(at: SocketAddr, name: &str, kind: RecordType) -> (ResponseCode, Vec<IpAddr>) {
        let answer = ask(at, &Query::query(Name::from_ascii(name).unwrap(), kind)).await.unwrap();
        (answer.metadata.response_code, answer.answers.iter().filter_map(address).collect())
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_and_remembered() {
        let (resolver, at) = resolver().await;
        assert_eq!(asks(at, "good.example.", RecordType::A).await, (ResponseCode::NoError, vec!["93.184.216.34".parse().unwrap()]));
        assert_eq!(asks(at, "lan.example.", RecordType::A).await, (ResponseCode::Refused, vec![]));
        assert_eq!(asks(at, "both.example.", RecordType::A).await, (ResponseCode::Refused, vec![]), "one public address redeems nothing");
        assert_eq!(asks(at, "nope.example.", RecordType::A).await.0, ResponseCode::NXDomain);
        let names: Vec<_> = resolver.refusals().into_iter().map(|of| (of.name, of.place)).collect();
        assert_eq!(names, [("lan.example".into(), Place::Private), ("both.example".into(), Place::Private)]);
    }

    #[tokio::test]
    async fn a_name_can_not_change_its_mind() {
        let (_resolver, at) = resolver().await;
        for _ in 0..4 {
            assert_eq!(asks(at, "flip.example.", RecordType::A).await.1, vec!["93.184.216.34".parse::<IpAddr>().unwrap()]);
        }
    }

    #[tokio::test]
    async fn nobody_asks_for_everything() {
        let (_resolver, at) = resolver().await;
        for kind in [RecordType::ANY, RecordType::AXFR] {
            assert_eq!(asks(at, "good.example.", kind).await.0, ResponseCode::Refused);
        }
        assert_eq!(asks(at, "good.example.", RecordType::HTTPS).await, (ResponseCode::NoError, vec![]));
    }
}

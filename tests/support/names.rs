//! A name server that says what a test wants, and the part of an edge that answers what comes to a domain.
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use hickory_resolver::proto::{
    op::{Message, MessageType, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, AAAA, CAA, CNAME, TXT},
    },
};
use skypanel::edges::server::material::EdgeMaterial;
use skypanel::runtime::panel::Panel;
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::net::{TcpListener, UdpSocket};

type Records = Arc<Mutex<HashMap<String, Vec<RData>>>>;

/// A name server on a free port; it ends with the test's runtime.
pub struct TestDns {
    pub address: SocketAddr,
    records: Records,
    broken: Arc<AtomicBool>,
}

impl TestDns {
    /// One that knows nothing yet.
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let dns = TestDns { address: socket.local_addr().unwrap(), records: Records::default(), broken: Arc::default() };
        let (records, broken) = (dns.records.clone(), dns.broken.clone());
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
                let answer = answer(question, &records, broken.load(Ordering::SeqCst));
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        });
        dns
    }

    fn put(&self, name: &str, data: RData) {
        self.records.lock().unwrap().entry(name.to_string()).or_default().push(data);
    }

    /// A text at a name, beside others.
    pub fn txt(&self, name: &str, text: &str) {
        self.put(name, RData::TXT(TXT::new(vec![text.to_string()])));
    }

    /// An address of a name, beside others.
    pub fn address(&self, name: &str, ip: &str) {
        let data = match ip.parse().unwrap() {
            IpAddr::V4(ip) => RData::A(A(ip)),
            IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
        };
        self.put(name, data);
    }

    /// Makes a name an alias.
    pub fn alias(&self, name: &str, to: &str) {
        self.put(name, RData::CNAME(CNAME(Name::from_ascii(format!("{to}.")).unwrap())));
    }

    /// Lets only this authority issue for a name.
    pub fn only(&self, name: &str, authority: &str) {
        self.put(name, RData::CAA(CAA::new_issue(false, Some(Name::from_ascii(authority).unwrap()), vec![])));
    }

    /// Forgets all of a name.
    pub fn forget(&self, name: &str) {
        self.records.lock().unwrap().remove(name);
    }

    /// Says to everybody that it failed, or works again.
    pub fn fail(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
}

fn answer(question: Message, records: &Records, broken: bool) -> Message {
    let mut answer = Message::response(question.id, question.op_code);
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.recursion_desired = true;
    answer.metadata.recursion_available = true;
    let Some(query) = question.queries.first().cloned() else { return answer };
    let mut name = query.name().clone();
    let kind = query.query_type();
    answer.add_query(query);
    if broken {
        answer.metadata.response_code = ResponseCode::ServFail;
        return answer;
    }
    let records = records.lock().unwrap();
    let mut known = false;
    // An alias is followed, as a resolver does.
    for _ in 0..8 {
        let plain = name.to_ascii().trim_end_matches('.').to_lowercase();
        let Some(all) = records.get(&plain) else { break };
        known = true;
        let fits = |data: &&RData| data.record_type() == kind || data.record_type() == RecordType::CNAME;
        for data in all.iter().filter(fits) {
            answer.add_answer(Record::from_rdata(name.clone(), 60, data.clone()));
        }
        match all.iter().find_map(|data| if let RData::CNAME(to) = data { Some(to.0.clone()) } else { None }) {
            Some(to) => name = to,
            None => break,
        }
    }
    if !known {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    answer
}

/// A port that the part of an edge will listen on.
pub async fn door() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Answers challenges over plain HTTP from what the panel holds for the edge; or, where it is to be wrong, only our own visits.
pub fn answer_visits(listener: TcpListener, panel: Arc<Panel>, wrong: bool) {
    type Shared = State<(Arc<Panel>, bool)>;
    async fn challenge(State((panel, wrong)): Shared, Path(token): Path<String>, headers: HeaderMap) -> Result<String, StatusCode> {
        if wrong && !token.starts_with("skypanel-") {
            return Ok("somebody else".into());
        }
        let host = headers["host"].to_str().unwrap().split(':').next().unwrap();
        panel.of::<EdgeMaterial>().load().answer(host, &token).map(str::to_string).ok_or(StatusCode::NOT_FOUND)
    }
    let router = Router::new().route("/.well-known/acme-challenge/{token}", get(challenge)).with_state((panel, wrong));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
}

//! A client's connection as pingora sees it: TCP or TLS, small writes gathered, and a watch over the header of each HTTP/1 request: its
//! size, its number of lines, and how long it may take in all, however steadily its bytes drip.
use super::{headers::ForwardedFields, log_throttle::LogThrottle, strict::FIELDS_LIMIT};
use async_trait::async_trait;
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    l4::socket::SocketAddr as PingoraAddr, raw_connect::ProxyDigest, tls::SslDigest,
};
use pingora_http::ResponseHeader;
use std::{
    fmt,
    io::{self, IoSlice},
    net::SocketAddr,
    os::fd::AsRawFd,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    sync::Semaphore,
    time::{Sleep, sleep},
};
use tokio_rustls::server::TlsStream;

/// Request line and header fields together may not be larger.
pub(super) const HEADER_LIMIT: usize = 64 * 1024;
/// Writes are gathered up to this many bytes.
const GATHERED: usize = 8 * 1024;
/// What HTTP/2 without TLS begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long a connection may be silent before its first byte.
const FIRST_BYTE: Duration = Duration::from_secs(30);
/// A client that still sends when its answer is complete is read on for so long in all, for so long a silence, and for so many bytes.
/// A connection that is closed while bytes of it are unread is reset, and a reset takes the answer with it.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_SILENCE: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 64 << 20;
/// Connections that are read on at the same time. They count as nobody's any more, so there is a limit of their own.
const LINGERING: usize = 2_000;
/// Printable characters that may not stand in a request's target (RFC 3986), and that the parser behind this refuses. They are
/// percent-encoded on their way in.
const UNENCODED: [u8; 4] = *b"\"<>`";

/// What is known of a connection. The proxy finds it through pingora's digest.
#[derive(Debug)]
pub(super) struct Conn {
    /// Whose it is, as the balancer in front says where there is one.
    pub client: SocketAddr,
    /// Where it came in.
    pub is_tls: bool,
    /// Whether what `client` says of whom it speaks for is believed.
    pub is_trusted: bool,
    /// The request's epoch: an odd number while the proxy handles a request, an even one while a header is awaited.
    epoch: AtomicU32,
    /// The client is still sending, and is to read our last word all the same.
    lingers: AtomicBool,
    /// What tasks were told last of where its requests come from, for the host that it asked for.
    told: Mutex<Option<(Box<str>, ForwardedFields)>>,
}

impl Conn {
    pub fn new(client: SocketAddr, is_tls: bool, is_trusted: bool) -> Self {
        Conn { client, is_tls, is_trusted, epoch: AtomicU32::new(0), lingers: AtomicBool::new(false), told: Mutex::new(None) }
    }

    /// A request's header has come whole.
    pub fn begin(&self) {
        self.lingers.store(false, Relaxed);
        self.epoch.fetch_or(1, Relaxed);
    }

    /// The request has ended; the next one's header may come.
    pub fn end(&self) {
        self.epoch.store((self.epoch.load(Relaxed) | 1).wrapping_add(1), Relaxed);
    }

    /// What tasks are told of where its requests for a host come from; a connection mostly asks for one host.
    pub fn told<E>(&self, host: &str, say: impl FnOnce() -> Result<ForwardedFields, E>) -> Result<ForwardedFields, E> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, origin)) = told.as_ref()
            && **known == *host
        {
            return Ok(origin.clone());
        }
        let origin = say()?;
        *told = Some((host.into(), origin.clone()));
        Ok(origin)
    }

    /// The connection is going to be closed while the client sends.
    pub fn linger(&self) {
        self.lingers.store(true, Relaxed);
    }
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Gone,
}

impl Io {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Io::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_read(cx, buf),
            Io::Gone => Poll::Ready(Err(gone())),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Io::Plain(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Io::Tls(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Io::Gone => Poll::Ready(Err(gone())),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Io::Plain(_) => Poll::Ready(Ok(())),
            Io::Tls(io) => Pin::new(io).poll_flush(cx),
            Io::Gone => Poll::Ready(Err(gone())),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Io::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Io::Tls(io) => Pin::new(io).poll_shutdown(cx),
            Io::Gone => Poll::Ready(Ok(())),
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was ended")
}

/// Why a header is turned away before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeaderProblem {
    TooLarge,
    Nul,
}

/// Watches a header come.
#[derive(Default)]
struct HeaderWatch {
    /// The epoch that the rest is about.
    epoch: u32,
    bytes: usize,
    lines: usize,
    /// Bytes of the line so far, a CR at its end left out.
    line: usize,
    is_whole: bool,
    is_told: bool,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl HeaderWatch {
    fn follow(&mut self, epoch: u32) {
        if self.epoch != epoch {
            *self = HeaderWatch { epoch, ..HeaderWatch::default() };
        }
    }

    /// The bytes with the characters of [`UNENCODED`] percent-encoded within the request line; `None` where there are none of them.
    fn encoded(&mut self, epoch: u32, bytes: &[u8]) -> Option<Vec<u8>> {
        self.follow(epoch);
        if epoch & 1 == 1 || self.lines > 0 || self.is_whole {
            return None;
        }
        // Empty lines before the request line are not the request line.
        let start = if self.line > 0 { 0 } else { bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))? };
        let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at);
        let is_unencoded = |byte: &u8| UNENCODED.contains(byte);
        bytes[start..end].iter().find(|byte| is_unencoded(byte))?;
        let mut encoded = Vec::with_capacity(bytes.len() + 32);
        encoded.extend_from_slice(&bytes[..start]);
        for byte in &bytes[start..end] {
            if is_unencoded(byte) {
                encoded.extend_from_slice(format!("%{byte:02X}").as_bytes());
            } else {
                encoded.push(*byte);
            }
        }
        encoded.extend_from_slice(&bytes[end..]);
        Some(encoded)
    }

    fn is_waiting(&self) -> bool {
        self.epoch & 1 == 0 && self.bytes > 0 && !self.is_whole
    }

    /// Whether an answer that goes out now is the parser's, to a header that nobody else has seen. Says so once.
    fn is_refused(&mut self, epoch: u32) -> bool {
        let is_first = self.epoch == epoch && epoch & 1 == 0 && self.bytes > 0 && !self.is_told;
        self.is_told |= is_first;
        is_first
    }

    /// Takes note of bytes. Says what is wrong with them.
    fn saw(&mut self, bytes: &[u8]) -> Option<HeaderProblem> {
        if self.epoch & 1 == 1 || self.is_whole {
            return None;
        }
        let start = self.bytes;
        let nul = memchr::memchr(0, bytes);
        if self.is_more_than_taken(bytes) {
            return Some(HeaderProblem::TooLarge);
        }
        // The parser spells some of what cannot stand in a target so that it can; a body behind the header may have any byte.
        nul.is_some_and(|nul| nul < self.bytes - start).then_some(HeaderProblem::Nul)
    }

    fn is_more_than_taken(&mut self, bytes: &[u8]) -> bool {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let line = &bytes[start..end];
            self.line += line.strip_suffix(b"\r").unwrap_or(line).len();
            if self.line == 0 && self.lines > 0 {
                self.is_whole = true;
                self.bytes += end + 1;
                return self.is_too_much();
            }
            self.lines += usize::from(self.line > 0);
            self.line = 0;
            start = end + 1;
        }
        let rest = &bytes[start..];
        self.line += rest.strip_suffix(b"\r").unwrap_or(rest).len();
        self.bytes += bytes.len();
        self.is_too_much()
    }

    fn is_too_much(&self) -> bool {
        self.bytes > HEADER_LIMIT || self.lines > FIELDS_LIMIT + 1
    }
}

/// A client's connection.
pub(super) struct Wire {
    io: Io,
    conn: Arc<Conn>,
    proxy: Arc<ProxyDigest>,
    socket: Arc<SocketDigest>,
    fd: i32,
    alpn: Option<ALPN>,
    /// Read already, in search of a preface.
    ahead: Vec<u8>,
    /// Written, and not sent yet.
    out: Vec<u8>,
    watch: Option<HeaderWatch>,
    /// How much of the preface is awaited where HTTP/2 was agreed on with TLS, and how long: pingora waits for it without an end.
    preface: Option<(usize, Pin<Box<Sleep>>)>,
    log: Arc<LogThrottle>,
    /// How long a whole header may take.
    header_timeout: Duration,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("conn", &self.conn).finish_non_exhaustive()
    }
}

impl Wire {
    pub fn plain(io: TcpStream, conn: Arc<Conn>, log: Arc<LogThrottle>, header_timeout: Duration) -> io::Result<Self> {
        let fd = io.as_raw_fd();
        Self::new(Io::Plain(io), fd, conn, None, log, header_timeout)
    }

    pub fn tls(io: TlsStream<TcpStream>, conn: Arc<Conn>, log: Arc<LogThrottle>, header_timeout: Duration) -> io::Result<Self> {
        let fd = io.get_ref().0.as_raw_fd();
        let is_h2 = io.get_ref().1.alpn_protocol() == Some(b"h2");
        let alpn = if is_h2 { ALPN::H2 } else { ALPN::H1 };
        Self::new(Io::Tls(Box::new(io)), fd, conn, Some(alpn), log, header_timeout)
    }

    fn new(io: Io, fd: i32, conn: Arc<Conn>, alpn: Option<ALPN>, log: Arc<LogThrottle>, header_timeout: Duration) -> io::Result<Self> {
        let socket = Arc::new(SocketDigest::from_raw_fd(fd));
        let _ = socket.peer_addr.set(Some(PingoraAddr::Inet(conn.client)));
        let nothing = ResponseHeader::build(200, Some(0)).map_err(io::Error::other)?;
        let proxy = Arc::new(ProxyDigest::new(Box::new(nothing), Some(Box::new(conn.clone()))));
        let preface = matches!(alpn, Some(ALPN::H2)).then(|| (PREFACE.len(), Box::pin(sleep(header_timeout))));
        let watch = preface.is_none().then(HeaderWatch::default);
        Ok(Wire { io, conn, proxy, socket, fd, alpn, ahead: vec![], out: vec![], watch, preface, log, header_timeout })
    }

    /// Answers in the proxy's place and ends the connection.
    #[expect(clippy::disallowed_methods, reason = "the connection is over for its owner; what lingers has a time limit")]
    fn turn_away<T>(&mut self, answer: &'static [u8], why: &str) -> Poll<io::Result<T>> {
        self.log.refused(self.conn.client.ip(), "request header", why);
        let io = std::mem::replace(&mut self.io, Io::Gone);
        tokio::spawn(linger(io, answer.to_vec()));
        Poll::Ready(Err(gone()))
    }

    /// Hands on what was read already, as far as there is room.
    fn take_ahead(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead[..count]);
        self.ahead.drain(..count);
    }

    /// Sends what was gathered.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sent = 0;
        let done = loop {
            if sent == self.out.len() {
                break Poll::Ready(Ok(()));
            }
            match self.io.poll_write(cx, &[IoSlice::new(&self.out[sent..])]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => sent += count,
                Poll::Ready(Err(why)) => break Poll::Ready(Err(why)),
                Poll::Pending => break Poll::Pending,
            }
        };
        if sent == self.out.len() {
            self.out = Vec::new(); // a connection at rest holds no memory
        } else {
            self.out.drain(..sent);
        }
        done
    }
}

/// Sends the last bytes of an answer to a client that may still be sending, and reads on within bounds before the connection is closed.
async fn linger(io: Io, last: Vec<u8>) {
    static PERMITS: Semaphore = Semaphore::const_new(LINGERING);
    async fn on(mut io: impl AsyncRead + AsyncWrite + Unpin, last: Vec<u8>) {
        let talk = async {
            io.write_all(&last).await?;
            io.shutdown().await?;
            let Ok(_permit) = PERMITS.try_acquire() else { return Ok(()) };
            let (mut scrap, mut left) = (vec![0; 16 * 1024], LINGER_BYTES);
            while left > 0 {
                match tokio::time::timeout(LINGER_SILENCE, io.read(&mut scrap)).await?? {
                    0 => break,
                    count => left = left.saturating_sub(count),
                }
            }
            io::Result::Ok(())
        };
        let _ = tokio::time::timeout(LINGER, talk).await;
    }
    match io {
        Io::Plain(io) => on(io, last).await,
        Io::Tls(io) => on(*io, last).await,
        Io::Gone => {}
    }
}

impl Drop for Wire {
    /// What was written is sent all the same: a client that gets nothing at all may ask again, which is not for every request good.
    fn drop(&mut self) {
        if (self.conn.lingers.load(Relaxed) || !self.out.is_empty())
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let io = std::mem::replace(&mut self.io, Io::Gone);
            runtime.spawn(linger(io, std::mem::take(&mut self.out)));
        }
    }
}

const TOO_LARGE: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 60\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nThe request's header fields are more than are taken here.  \n";
const NO_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 44\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nThis request cannot be read: it is no HTTP.\n";
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 60\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nThe request's header did not come whole within its time.   \n";

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = if this.ahead.is_empty() {
            let read = this.io.poll_read(cx, buf);
            if let Some(watch) = &mut this.watch
                && let Some(encoded) = watch.encoded(this.conn.epoch.load(Relaxed), &buf.filled()[before..])
            {
                buf.set_filled(before);
                this.ahead = encoded;
                this.take_ahead(buf);
            }
            read
        } else {
            this.take_ahead(buf);
            Poll::Ready(Ok(()))
        };
        if let Some((awaited, end)) = &mut this.preface {
            *awaited = awaited.saturating_sub(buf.filled().len() - before);
            if *awaited == 0 {
                this.preface = None;
            } else if read.is_pending() {
                ready!(end.as_mut().poll(cx));
                this.log.refused(this.conn.client.ip(), "connection", "it began with nothing");
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        let Some(watch) = &mut this.watch else { return read };
        watch.follow(this.conn.epoch.load(Relaxed));
        if matches!(read, Poll::Ready(Ok(())))
            && let Some(wrong) = watch.saw(&buf.filled()[before..])
        {
            return match wrong {
                HeaderProblem::TooLarge => this.turn_away(TOO_LARGE, "too large"),
                HeaderProblem::Nul => this.turn_away(NO_HTTP, "it is no HTTP"),
            };
        }
        match read {
            Poll::Pending if watch.is_waiting() => {
                let deadline = watch.deadline.get_or_insert_with(|| Box::pin(sleep(this.header_timeout)));
                ready!(deadline.as_mut().poll(cx));
                this.turn_away(TOO_SLOW, "too slow")
            }
            other => other,
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(watch) = &mut this.watch
            && watch.is_refused(this.conn.epoch.load(Relaxed))
        {
            this.log.refused(this.conn.client.ip(), "request", "it is no HTTP");
        }
        let size: usize = bufs.iter().map(|buf| buf.len()).sum();
        if this.out.len() + size <= GATHERED {
            bufs.iter().for_each(|buf| this.out.extend_from_slice(buf));
            return Poll::Ready(Ok(size));
        }
        if this.out.is_empty() {
            return this.io.poll_write(cx, bufs);
        }
        if let [one] = bufs {
            // Both in one call; what is left of ours goes out before the next.
            let count = ready!(this.io.poll_write(cx, &[IoSlice::new(&this.out), IoSlice::new(one)]))?;
            let ours = count.min(this.out.len());
            this.out.drain(..ours);
            if count > ours {
                this.out = Vec::new();
                return Poll::Ready(Ok(count - ours));
            }
        }
        ready!(this.poll_out(cx))?;
        this.io.poll_write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx))?;
        this.io.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx))?;
        this.io.poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for Wire {
    async fn shutdown(&mut self) {
        if !self.conn.lingers.load(Relaxed) {
            let _ = tokio::time::timeout(LINGER_SILENCE, AsyncWriteExt::shutdown(self)).await;
        }
    }
}

#[async_trait]
impl Peek for Wire {
    /// Reads until it is clear whether this is HTTP/2. The other way it says no by what it puts into `buf`.
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        let Io::Plain(io) = &mut self.io else { return Ok(false) };
        let mut ahead = Vec::with_capacity(4096);
        let start = tokio::time::Instant::now();
        while ahead.len() < PREFACE.len() && PREFACE.starts_with(&ahead) {
            let longest = if ahead.is_empty() { FIRST_BYTE } else { self.header_timeout };
            match tokio::time::timeout_at(start + longest, io.read_buf(&mut ahead)).await {
                Ok(Ok(0)) if ahead.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Ok(0)) => break,
                Ok(Ok(_)) => {}
                Ok(Err(why)) => return Err(why),
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        let count = ahead.len().min(buf.len());
        buf[..count].copy_from_slice(&ahead[..count]);
        if ahead.starts_with(PREFACE) {
            self.watch = None;
        }
        let encoded = self.watch.as_mut().and_then(|watch| watch.encoded(self.conn.epoch.load(Relaxed), &ahead));
        self.ahead = encoded.unwrap_or(ahead);
        Ok(true)
    }
}

impl UniqueID for Wire {
    fn id(&self) -> i32 {
        self.fd
    }
}

impl Ssl for Wire {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        // Pingora asks only whether there is one; what it says is the same for all.
        static SOME: OnceLock<Arc<SslDigest>> = OnceLock::new();
        let some = || Arc::new(SslDigest::new("", "", None, None, Vec::new()));
        self.conn.is_tls.then(|| SOME.get_or_init(some).clone())
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.alpn.clone()
    }
}

impl GetTimingDigest for Wire {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Wire {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        Some(self.proxy.clone())
    }
}

impl GetSocketDigest for Wire {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(self.socket.clone())
    }
}

//! Requests that mean to leave HTTP on the connection that they came by.
use async_trait::async_trait;
use http::header;
use pingora_core::{
    connectors::l4::Connect,
    protocols::l4::{
        ext::{connect, set_tcp_keepalive},
        socket::SocketAddr,
        stream::Stream,
        virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream},
    },
    {Error, ErrorType, Result},
};
use pingora_proxy::Session;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// How a request means to leave HTTP, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Upgrade {
    #[default]
    None,
    WebSocket,
    /// To something else, which the task must know.
    Other,
    /// To another kind of HTTP, which would pass by everything here; or with a body, which no protocol needs. It goes on without.
    Denied,
}

/// Whether a protocol is another kind of HTTP, with TLS or without.
fn is_http(token: &str) -> bool {
    let name = token.trim().split('/').next().unwrap_or_default();
    matches!(name, "" | "h2" | "h2c" | "http" | "tls")
}

impl Upgrade {
    /// What a request asks for.
    pub fn of(session: &mut Session) -> Self {
        if !session.is_upgrade_req() {
            return Upgrade::None;
        }
        // Several lines are one list (RFC 9110, 5.3), and what can't be read may be anything.
        let lines = session.req_header().headers.get_all(header::UPGRADE).iter();
        let lines: Vec<String> = lines.map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase()).collect();
        let tokens = lines.join(",");
        match tokens.trim() {
            _ if !session.as_mut().is_body_empty() => Upgrade::Denied,
            "websocket" => Upgrade::WebSocket,
            tokens if tokens.split(',').any(is_http) => Upgrade::Denied,
            _ => Upgrade::Other,
        }
    }

    /// Whether what follows may be no HTTP any more.
    pub fn leaves_http(self) -> bool {
        matches!(self, Upgrade::WebSocket | Upgrade::Other)
    }
}

/// Connects to tasks for requests that mean to leave HTTP.
///
/// A request without a body ends with its header, and pingora tells its upstream half so by a message of its own. An answer that is read
/// before that message makes it the end of what follows the answer: the connection is closed as soon as it was upgraded. Which of the two is
/// taken first is left to chance where both are there, as on a machine so busy that the answer comes between two steps of the edge.
/// So the first look for an answer finds none.
#[derive(Debug)]
pub(super) struct Connector;

#[async_trait]
impl Connect for Connector {
    async fn connect(&self, address: &SocketAddr) -> Result<Stream> {
        let Some(address) = address.as_inet() else {
            return Error::e_explain(ErrorType::InternalError, "tasks have addresses of the internet only");
        };
        let stream = connect(address, None).await?;
        Ok(VirtualSocketStream::new(Box::new(Patient { stream, has_looked: false })).into())
    }
}

/// A connection on which the first look for something to read finds nothing, whatever is there, and the second follows at once.
#[derive(Debug)]
struct Patient {
    stream: TcpStream,
    has_looked: bool,
}

impl VirtualSocket for Patient {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match option {
            VirtualSockOpt::NoDelay => self.stream.set_nodelay(true),
            VirtualSockOpt::KeepAlive(keepalive) => set_tcp_keepalive(&self.stream, &keepalive).map_err(io::Error::other),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.has_looked {
            self.has_looked = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

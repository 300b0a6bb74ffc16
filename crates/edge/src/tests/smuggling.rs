//! What is no HTTP, or could be read in two ways: over raw sockets, with the answer and the end of the connection.
use super::*;

/// A task that would answer everything, and says what it saw.
fn gullible() -> Task {
    Task::raw("r1.a", |mut socket, _| async move {
        while let Some(header) = read_header(&mut socket).await {
            let body = header.lines().next().unwrap_or_default().to_string();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if socket.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    })
}

/// A second request that must not be seen, behind one that could be read in two ways.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: app.localhost\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_could_be_read_in_two_ways_is_refused_and_the_connection_ends() {
    let edge = TestEdge::start();
    let task = gullible();
    edge.lead_to(&[&task], LONG);
    let host = "Host: app.localhost\r\n";
    let corpus: &[(&str, String)] = &[
        (
            "length and encoding",
            format!("POST / HTTP/1.1\r\n{host}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"),
        ),
        (
            "encoding and length",
            format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n{HIDDEN}"),
        ),
        ("two lengths that differ", format!("POST / HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx{HIDDEN}")),
        ("two lengths that agree", format!("POST / HTTP/1.1\r\n{host}Content-Length: 2\r\nContent-Length: 2\r\n\r\nxx{HIDDEN}")),
        ("a list of lengths", format!("POST / HTTP/1.1\r\n{host}Content-Length: 2, 2\r\n\r\nxx{HIDDEN}")),
        ("a length with a sign", format!("POST / HTTP/1.1\r\n{host}Content-Length: +2\r\n\r\nxx{HIDDEN}")),
        ("a negative length", format!("POST / HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n{HIDDEN}")),
        ("a length in hex", format!("POST / HTTP/1.1\r\n{host}Content-Length: 0x2\r\n\r\nxx{HIDDEN}")),
        ("no length", format!("POST / HTTP/1.1\r\n{host}Content-Length: \r\n\r\n{HIDDEN}")),
        ("a length too long", format!("POST / HTTP/1.1\r\n{host}Content-Length: 99999999999999999999\r\n\r\n{HIDDEN}")),
        ("a length in disguise", format!("POST / HTTP/1.1\r\n{host}Content_Length: 5\r\n\r\n{HIDDEN}")),
        ("an encoding in disguise", format!("POST / HTTP/1.1\r\n{host}Transfer_Encoding: chunked\r\n\r\n{HIDDEN}")),
        ("an encoding in HTTP/1.0", format!("POST / HTTP/1.0\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("another encoding", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: gzip\r\n\r\n{HIDDEN}")),
        ("chunked not last", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("chunked twice", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n{HIDDEN}")),
        (
            "two encodings",
            format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"),
        ),
        ("xchunked", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("chunked with a vertical tab", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("a space before the colon", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("a tab before the colon", format!("POST / HTTP/1.1\r\n{host}Content-Length\t: 2\r\n\r\nxx{HIDDEN}")),
        ("a folded field", format!("GET / HTTP/1.1\r\n{host}X-A: a\r\n b\r\n\r\n{HIDDEN}")),
        ("a folded encoding", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("a field before any", format!("GET / HTTP/1.1\r\n X-A: a\r\n{host}\r\n{HIDDEN}")),
        ("bare LF", format!("GET / HTTP/1.1\nHost: app.localhost\n\n{HIDDEN}")),
        ("one bare LF", format!("GET / HTTP/1.1\r\n{host}X-A: a\nTransfer-Encoding: chunked\r\n\r\n{HIDDEN}")),
        ("bare LF at the end", format!("GET / HTTP/1.1\r\n{host}\n{HIDDEN}")),
        ("bare CR", format!("GET / HTTP/1.1\r\n{host}X-A: a\rTransfer-Encoding: chunked\r\n\r\n{HIDDEN}")),
        ("NUL in a value", format!("GET / HTTP/1.1\r\n{host}X-A: a\0b\r\n\r\n{HIDDEN}")),
        ("NUL in a name", format!("GET / HTTP/1.1\r\n{host}X\0A: a\r\n\r\n{HIDDEN}")),
        ("a control character", format!("GET / HTTP/1.1\r\n{host}X-A: a\x07b\r\n\r\n{HIDDEN}")),
        ("no name", format!("GET / HTTP/1.1\r\n{host}: a\r\n\r\n{HIDDEN}")),
        ("no colon", format!("GET / HTTP/1.1\r\n{host}X-A\r\n\r\n{HIDDEN}")),
        ("two hosts", format!("GET / HTTP/1.1\r\n{host}Host: other.localhost\r\n\r\n{HIDDEN}")),
        ("two hosts that agree", format!("GET / HTTP/1.1\r\n{host}{host}\r\n{HIDDEN}")),
        ("no host", format!("GET / HTTP/1.1\r\nX-A: a\r\n\r\n{HIDDEN}")),
        ("an empty host", format!("GET / HTTP/1.1\r\nHost: \r\n\r\n{HIDDEN}")),
        ("a host with a path", format!("GET / HTTP/1.1\r\nHost: app.localhost/x\r\n\r\n{HIDDEN}")),
        ("a host with a user", format!("GET / HTTP/1.1\r\nHost: x@app.localhost\r\n\r\n{HIDDEN}")),
        ("a host with a space", format!("GET / HTTP/1.1\r\nHost: app.localhost x\r\n\r\n{HIDDEN}")),
        ("a host with a bad port", format!("GET / HTTP/1.1\r\nHost: app.localhost:x\r\n\r\n{HIDDEN}")),
        ("the target and the host differ", format!("GET http://other.localhost/ HTTP/1.1\r\n{host}\r\n{HIDDEN}")),
        ("two spaces", format!("GET  / HTTP/1.1\r\n{host}\r\n{HIDDEN}")),
        ("a tab", format!("GET\t/ HTTP/1.1\r\n{host}\r\n{HIDDEN}")),
        ("no target", format!("GET HTTP/1.1\r\n{host}\r\n{HIDDEN}")),
        ("HTTP/1.2", format!("GET / HTTP/1.2\r\n{host}\r\n{HIDDEN}")),
        ("HTTP/3.0", format!("GET / HTTP/3.0\r\n{host}\r\n{HIDDEN}")),
        ("http/1.1", format!("GET / http/1.1\r\n{host}\r\n{HIDDEN}")),
        ("HTTP/0.9", "GET /\r\n\r\n".to_string()),
        ("a bad method", format!("G@T / HTTP/1.1\r\n{host}\r\n{HIDDEN}")),
        ("a length with a tab in it", format!("POST / HTTP/1.1\r\n{host}Content-Length: 2\t2\r\n\r\nxx{HIDDEN}")),
        ("a length with a fraction", format!("POST / HTTP/1.1\r\n{host}Content-Length: 2.0\r\n\r\nxx{HIDDEN}")),
        ("a length in other digits", format!("POST / HTTP/1.1\r\n{host}Content-Length: \u{662}\r\n\r\nxx{HIDDEN}")),
        ("an encoding in quotes", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("an encoding with a parameter", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("no encoding", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding:\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("an encoding after NUL", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: \0chunked\r\n\r\n0\r\n\r\n{HIDDEN}")),
        ("an encoding with a soft hyphen", format!("POST / HTTP/1.1\r\n{host}Transfer\u{ad}-Encoding: chunked\r\n\r\n{HIDDEN}")),
        ("a field behind a bare CR", format!("POST / HTTP/1.1\r\n{host}\rContent-Length: 50\r\n\r\n{HIDDEN}")),
        ("a target with a user", format!("GET http://app.localhost@other.localhost/ HTTP/1.1\r\n{host}\r\n{HIDDEN}")),
        ("a target of another scheme", format!("GET ftp://app.localhost/ HTTP/1.1\r\n{host}\r\n{HIDDEN}")),
        ("a target without a slash", format!("GET app.localhost/ HTTP/1.1\r\n{host}\r\n{HIDDEN}")),
        ("a target with NUL", format!("GET /\0 HTTP/1.1\r\n{host}\r\n{HIDDEN}")),
        ("a host with a comma", format!("GET / HTTP/1.1\r\nHost: app.localhost,other.localhost\r\n\r\n{HIDDEN}")),
        ("a host in disguise", format!("GET / HTTP/1.1\r\nX: y\r\nHost : app.localhost\r\n\r\n{HIDDEN}")),
        ("no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03\r\n\r\n".to_string()),
        ("SSH", "SSH-2.0-OpenSSH_9.2\r\n\r\n".to_string()),
    ];
    for (what, request) in corpus {
        println!("{what}");
        let answer = edge.answer_to(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{what}: {answer}");
    }
    assert_eq!(task.seen(), 0, "none of it reached a task");
    assert!(edge.answer_to(b"CONNECT app.localhost:80 HTTP/1.1\r\nHost: app.localhost:80\r\n\r\n").await.starts_with("HTTP/1.1 405 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_bad_chunks_is_refused_and_hides_nothing() {
    let edge = TestEdge::start();
    let task = Task::app("r1.a", Router::new().route("/", any(|body: axum::body::Bytes| async move { body.len().to_string() })));
    edge.lead_to(&[&task], LONG);
    let head = "POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (what, body) in [
        ("a size that is none", format!("zz\r\nxx\r\n0\r\n\r\n{HIDDEN}")),
        ("a negative size", format!("-2\r\nxx\r\n0\r\n\r\n{HIDDEN}")),
        ("a size in disguise", format!("0x2\r\nxx\r\n0\r\n\r\n{HIDDEN}")),
        ("a size too large", format!("fffffffffffffffff\r\nxx\r\n0\r\n\r\n{HIDDEN}")),
        ("more than the size", format!("2\r\nxxyy\r\n0\r\n\r\n{HIDDEN}")),
        ("less than the size", format!("4\r\nxx\r\n0\r\n\r\n{HIDDEN}")),
        ("LF after the size", format!("2\nxx\r\n0\r\n\r\n{HIDDEN}")),
        ("LF in an extension", format!("2;a\nxx\r\n0\r\n\r\n{HIDDEN}")),
        ("CR in an extension", format!("2;a\rb\r\nxx\r\n0\r\n\r\n{HIDDEN}")),
        ("LF after a piece", format!("2\r\nxx\n0\r\n\r\n{HIDDEN}")),
        ("nothing after a piece", format!("2\r\nxx0\r\n\r\n{HIDDEN}")),
        ("a space before the size", format!(" 2\r\nxx\r\n0\r\n\r\n{HIDDEN}")),
        ("an underscore in the size", format!("0_2\r\nxx\r\n0\r\n\r\n{HIDDEN}")),
    ] {
        println!("{what}");
        let answer = edge.answer_to(format!("{head}{body}").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{what}: {answer}");
    }
    let answer = edge.answer_to(format!("{head}\r\nxx\r\n0\r\n\r\n{HIDDEN}").as_bytes()).await;
    assert!(
        answer.ends_with("\r\n\r\n0") && answer.matches("HTTP/1.").count() == 1,
        "no size is the end, and what follows is not heard: {answer}"
    );
    let answer = edge.answer_to(format!("{head}2;name=value\r\nxx\r\n3\r\nyyy\r\n0\r\nX-Trailer: z\r\n\r\n{HIDDEN}").as_bytes()).await;
    assert!(answer.ends_with("\r\n\r\n5") && answer.matches("HTTP/1.1 200 ").count() == 1, "{answer}");
    // On a connection that is kept the next request comes after the answer.
    let mut socket = TcpStream::connect(edge.address()).await.unwrap();
    for _ in 0..3 {
        socket.write_all(format!("{head}2\r\nxx\r\n0\r\n\r\n").as_bytes()).await.unwrap();
        assert!(read_header(&mut socket).await.unwrap().starts_with("HTTP/1.1 200 "));
        assert_eq!(socket.read_u8().await.unwrap(), b'2');
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_odd_and_clear_is_taken() {
    let edge = TestEdge::start();
    let task = gullible();
    edge.lead_to(&[&task], LONG);
    for request in [
        "\r\n\r\nGET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n",
        "GET http://app.localhost/ HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nhost:app.localhost\r\nX-Empty:\r\nX-Bytes: \u{e9}\tx\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: app.localhost\r\n\r\n",
        "PROPFIND /a?b=%00&c=[x] HTTP/1.1\r\nHost: app.localhost:80\r\nConnection: close\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n",
    ] {
        let answer = edge.answer_to(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.0 200 "), "{request}{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_fields_is_refused_before_it_is_kept() {
    let edge = TestEdge::start();
    let task = gullible();
    edge.lead_to(&[&task], LONG);
    let get = |fields: &str| format!("GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n{fields}\r\n");
    assert!(edge.answer_to(get(&"X: y\r\n".repeat(120)).as_bytes()).await.starts_with("HTTP/1.1 200 "));
    for fields in [
        "X: y\r\n".repeat(127),
        "X: y\r\n".repeat(100_000),
        format!("X: {}\r\n", "y".repeat(66_000)),
        format!("{}: y\r\n", "X".repeat(2_000_000)),
    ] {
        let answer = edge.answer_to(get(&fields).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: app.localhost\r\n\r\n", "x".repeat(70_000));
    assert!(edge.answer_to(long.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    assert_eq!(task.seen(), 1);
}

//! Request targets as clients write them, and as tasks see them.
use super::*;

/// A task that answers with the request line.
fn telling() -> Task {
    Task::raw("r1.a", |mut socket, _| async move {
        let Some(header) = read_header(&mut socket).await else { return };
        let line = header.lines().next().unwrap_or_default();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{line}", line.len());
        let _ = socket.write_all(answer.as_bytes()).await;
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_unencoded_characters_reaches_the_task_encoded() {
    let edge = TestEdge::start();
    let task = telling();
    edge.lead_to(&[&task], LONG);
    for (written, seen) in [
        ("/a\"b<c>d`e", "/a%22b%3Cc%3Ed%60e"),
        ("/x?q=\"a\"<b>&r=`", "/x?q=%22a%22%3Cb%3E&r=%60"),
        ("/a%22b?c=%3C", "/a%22b?c=%3C"),
        ("/a{b}c|d\\e^f?[g]", "/a{b}c|d\\e^f?[g]"),
    ] {
        let request = format!("GET {written} HTTP/1.1\r\nHost: app.localhost\r\nX-Quoted: \"<`>\"\r\nConnection: close\r\n\r\n");
        let answer = edge.answer_to(request.as_bytes()).await;
        assert!(answer.ends_with(&format!("\r\n\r\nGET {seen} HTTP/1.1")), "{written}: {answer}");
        // The same where it comes byte by byte.
        let mut socket = TcpStream::connect(edge.address()).await.unwrap();
        socket.set_nodelay(true).unwrap();
        for byte in request.as_bytes() {
            socket.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with(&format!("\r\n\r\nGET {seen} HTTP/1.1")), "{written}, byte by byte: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_in_absolute_form_reaches_the_task_in_origin_form() {
    let edge = TestEdge::start();
    let task = telling();
    edge.lead_to(&[&task], LONG);
    for (written, seen) in [
        ("GET http://app.localhost/x?y=1", "GET /x?y=1"),
        ("GET http://app.localhost/", "GET /"),
        ("GET http://app.localhost", "GET /"),
        ("GET http://app.localhost?y=1", "GET /?y=1"),
        ("GET HTTP://app.localhost/x", "GET /x"),
        ("OPTIONS http://app.localhost", "OPTIONS *"),
        ("OPTIONS http://app.localhost/", "OPTIONS /"),
        ("OPTIONS *", "OPTIONS *"),
    ] {
        let answer = edge.answer_to(format!("{written} HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.ends_with(&format!("\r\n\r\n{seen} HTTP/1.1")), "{written}: {answer}");
    }
}

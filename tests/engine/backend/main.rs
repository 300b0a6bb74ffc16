//! A small application for tests under load, of the standard library alone: `rustc` makes a program of it that needs nothing else.
//!
//!   backend serve PORT COLLECTOR    `GET /` says the version (`VERSION`), `POST /note` notes the id that it is sent, `GET /ws` is a
//!                                   WebSocket that notes the text of each message and sends it back
//!   backend collect ADDRESS FILE    writes what was noted to a file, a line each: id, process, number within the process
//!
//! What is answered was noted: the collector has said so before the answer goes out.
use std::{
    env,
    fs::File,
    io::{BufRead, BufReader, Read, Result, Write},
    net::{TcpListener, TcpStream},
    process,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// The answer to the key of the example of RFC 6455, which the test sends.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

static ENDS: AtomicBool = AtomicBool::new(false);
static BUSY: AtomicU64 = AtomicU64::new(0);
static NUMBER: AtomicU64 = AtomicU64::new(0);
static COLLECTOR: Mutex<Option<TcpStream>> = Mutex::new(None);

unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
}

extern "C" fn end(_: i32) {
    ENDS.store(true, Ordering::SeqCst);
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", port, collector] => serve(port, collector),
        ["collect", address, file] => collect(address, file),
        _ => process::exit(2),
    }
}

fn collect(address: &str, file: &str) -> Result<()> {
    let listener = TcpListener::bind(address)?;
    let file: &'static Mutex<File> = Box::leak(Box::new(Mutex::new(File::options().create(true).append(true).open(file)?)));
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || -> Result<()> {
            stream.set_nodelay(true)?;
            let mut answers = stream.try_clone()?;
            for line in BufReader::new(stream).lines() {
                file.lock().unwrap().write_all(format!("{}\n", line?).as_bytes())?;
                answers.write_all(b"\n")?;
            }
            Ok(())
        });
    }
    Ok(())
}

/// Notes an id. A connection that breaks is made anew and the same line said again, so equal lines are one note.
fn note(collector: &str, id: &str) {
    let name = env::var("HOSTNAME").unwrap_or_default();
    let line = format!("{id} {name} {}\n", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut open = COLLECTOR.lock().unwrap();
    loop {
        let said = (|| {
            if open.is_none() {
                let stream = TcpStream::connect(collector)?;
                stream.set_nodelay(true)?;
                *open = Some(stream);
            }
            let stream = open.as_mut().unwrap();
            stream.write_all(line.as_bytes())?;
            stream.read_exact(&mut [0])
        })();
        if said.is_ok() {
            return;
        }
        *open = None;
        thread::sleep(Duration::from_millis(100));
    }
}

fn serve(port: &str, collector: &str) -> Result<()> {
    unsafe { signal(15, end) };
    let collector: &'static str = Box::leak(collector.to_string().into_boxed_str());
    let listener = TcpListener::bind(format!("0.0.0.0:{port}"))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                if let Err(why) = talk(stream, collector) {
                    eprintln!("a connection broke: {why}");
                }
            });
        }
    });
    while !ENDS.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(20));
    }
    // What is begun is ended; open sockets say goodbye by themselves.
    thread::sleep(Duration::from_secs(2));
    while BUSY.load(Ordering::SeqCst) > 0 {
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

struct Busy;

impl Busy {
    fn new() -> Busy {
        BUSY.fetch_add(1, Ordering::SeqCst);
        Busy
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::SeqCst);
    }
}

fn talk(stream: TcpStream, collector: &str) -> Result<()> {
    stream.set_nodelay(true)?;
    let version = env::var("VERSION").unwrap_or_default();
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let _busy = Busy::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        if first.starts_with("GET /ws") {
            let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
            writer.write_all(format!("{head}Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n").as_bytes())?;
            drop(_busy);
            return messages(reader, writer, collector);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let answer = if first.starts_with("POST /note") {
            let id = String::from_utf8_lossy(&body).trim().to_string();
            note(collector, &id);
            id
        } else {
            format!("version {version}")
        };
        writer.write_all(format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()).as_bytes())?;
    }
}

/// Whether nothing is wrong but that nothing came: a signal, too, ends a read that has a timeout.
fn is_only_silence(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(kind, WouldBlock | TimedOut | Interrupted)
}

/// Once it has said goodbye it takes no message any more: what was not answered by then was not noted either.
fn messages(mut reader: BufReader<TcpStream>, mut writer: TcpStream, collector: &str) -> Result<()> {
    reader.get_ref().set_read_timeout(Some(Duration::from_millis(50)))?;
    loop {
        if ENDS.load(Ordering::SeqCst) {
            // What came meanwhile is read and thrown away: a socket closed over it would take the goodbye back.
            let _busy = Busy::new();
            writer.write_all(&[0x88, 2, 0x03, 0xe9])?;
            writer.shutdown(std::net::Shutdown::Write)?;
            reader.get_ref().set_read_timeout(Some(Duration::from_secs(2)))?;
            return std::io::copy(&mut reader, &mut std::io::sink()).map(|_| ());
        }
        // Nothing of a message is taken before all of it is there.
        match reader.fill_buf() {
            Ok([]) => return Ok(()),
            Ok(_) => {}
            Err(why) if is_only_silence(why.kind()) => continue,
            Err(why) => return Err(why),
        }
        let _busy = Busy::new();
        if ENDS.load(Ordering::SeqCst) {
            continue;
        }
        reader.get_ref().set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut head = [0; 2];
        reader.read_exact(&mut head)?;
        let mut mask = [0; 4];
        reader.read_exact(&mut mask)?;
        let mut body = vec![0; usize::from(head[1] & 0x7f)];
        reader.read_exact(&mut body)?;
        body.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        match head[0] & 0x0f {
            1 => {
                note(collector, &String::from_utf8_lossy(&body));
                let mut frame = vec![0x81, body.len() as u8];
                frame.extend(&body);
                writer.write_all(&frame)?;
            }
            8 => return writer.write_all(&[0x88, 0]),
            _ => {}
        }
        reader.get_ref().set_read_timeout(Some(Duration::from_millis(50)))?;
    }
}

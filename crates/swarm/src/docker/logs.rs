//! A task's log. Where the task's engine is the one that we speak to, its container is read directly: that is prompt and loses
//! nothing. Elsewhere the manager's log broker is asked.
//!
//! The API takes whole seconds and repeats what it has told; lines are therefore filtered here by their stamp in nanoseconds, so
//! that a reader who resumes after the last line she has seen gets every later one once.
use super::*;
use bollard::{
    container::LogOutput,
    query_parameters::{LogsOptions, LogsOptionsBuilder},
};
use futures::{StreamExt, stream};

/// How often a task that runs elsewhere is asked whether it still does.
const LOOK: Duration = Duration::from_secs(2);
/// The most of a line that is kept.
const LONGEST: usize = 16 * 1024;

impl Engine {
    pub(super) async fn follow_logs(&self, task: &str, query: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>> {
        let (container, node) = self.container_of(task).await?;
        let here = self.here().await?.node;
        let local = container.filter(|_| node.is_some() && node == here);
        if local.is_none()
            && let Some(away) = self.away(node.as_deref()).await?
        {
            // Asked for it, the broker would keep silent for ever.
            return Err(SwarmError::Unreachable(format!("node {away} is away")));
        }
        if local.is_none() && !query.follow && node.is_none() {
            return Ok(stream::empty().boxed());
        }
        let client = self.patient_client(CALL).await?;
        let raw = match &local {
            Some(container) => client.logs(container, Some(options(query))).boxed(),
            // The broker goes on waiting after the task's end.
            None => client.task_logs(task, Some(options(query))).take_until(self.clone().end_of(task.to_string())).boxed(),
        };
        let mut parts = Parts { after: query.after, cut: [false; 2] };
        Ok(raw.filter_map(move |part| std::future::ready(parts.line(part))).boxed())
    }

    /// The name of a node whose heartbeats have ceased.
    async fn away(&self, node: Option<&str>) -> Result<Option<String>> {
        let Some(node) = node.filter(|n| !n.is_empty()) else { return Ok(None) };
        let away = self.list_nodes().await?.into_iter().find(|n| n.id.as_deref() == Some(node) && !nodes::is_here(n));
        Ok(away.map(|n| n.description.and_then(|d| d.hostname).unwrap_or_else(|| node.to_string())))
    }

    /// Returns when a task has ended (or its node has gone away) and its last lines have had time to arrive.
    async fn end_of(self, task: String) {
        loop {
            tokio::time::sleep(LOOK).await;
            if !matches!(self.has_ended(&task).await, Ok(false) | Err(SwarmError::Unreachable(_))) {
                return tokio::time::sleep(LOOK).await;
            }
        }
    }
}

fn options(query: LogQuery) -> LogsOptions {
    let tail = query.tail.map_or("all".into(), |n| n.to_string());
    let since = query.after.map_or(0, |n| i32::try_from(n / 1_000_000_000).unwrap_or(i32::MAX));
    LogsOptionsBuilder::default().stdout(true).stderr(true).timestamps(true).follow(query.follow).tail(&tail).since(since).build()
}

/// Puts lines together from the parts in which they arrive.
struct Parts {
    after: Option<i64>,
    /// Per stream: the last part had no line end, so the next one only continues it.
    cut: [bool; 2],
}

impl Parts {
    /// The line that a part is, or begins. A line longer than the limit arrives in several parts; what is over is dropped.
    fn line(&mut self, part: Result<LogOutput, bollard::errors::Error>) -> Option<Result<LogLine>> {
        let (stream, bytes) = match part {
            Err(why) => return Some(Err(errors::translate(why))),
            Ok(LogOutput::StdErr { message }) => (Stream::Err, message),
            // The broker's own complaint: a node is away.
            Ok(LogOutput::Console { message }) if message.first() == Some(&3) => return Some(Err(complaint(&message))),
            Ok(LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message }) => (Stream::Out, message),
        };
        let continues = std::mem::replace(&mut self.cut[usize::from(stream == Stream::Err)], bytes.last() != Some(&b'\n'));
        if continues {
            return None;
        }
        let line = parse(stream, &bytes)?;
        (self.after.is_none_or(|after| line.nanos > after)).then_some(Ok(line))
    }
}

fn parse(stream: Stream, bytes: &[u8]) -> Option<LogLine> {
    let space = bytes.iter().position(|b| *b == b' ').unwrap_or(bytes.len());
    let nanos = nanos(std::str::from_utf8(&bytes[..space]).ok()?)?;
    Some(LogLine { nanos, stream, text: text(bytes.get(space + 1..).unwrap_or_default()) })
}

/// Bytes of a line as text: bounded, without line end, invalid UTF-8 replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]).into_owned();
    let end = (0..=text.len().min(LONGEST)).rev().find(|i| text.is_char_boundary(*i)).unwrap_or_default();
    text.truncate(end);
    text
}

fn complaint(bytes: &[u8]) -> SwarmError {
    SwarmError::Unreachable(text(bytes.get(8..).unwrap_or_default()))
}

/// A time as the engine writes it, in nanoseconds since 1970.
pub(super) fn nanos(text: &str) -> Option<i64> {
    use time::{OffsetDateTime, format_description::well_known::Rfc3339};
    OffsetDateTime::parse(text, &Rfc3339).ok().and_then(|at| i64::try_from(at.unix_timestamp_nanos()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(text: &str) -> Result<LogOutput, bollard::errors::Error> {
        Ok(LogOutput::StdOut { message: text.as_bytes().to_vec().into() })
    }

    #[test]
    fn a_reader_who_resumes_gets_every_later_line_once() {
        let mut parts = Parts { after: Some(1_700_000_000_000_000_005), cut: [false; 2] };
        assert_eq!(parts.line(out("2023-11-14T22:13:20.000000005Z seen\n")), None);
        let line = parts.line(out("2023-11-14T22:13:20.000000006Z new\n")).unwrap().unwrap();
        assert_eq!((line.nanos, line.text.as_str()), (1_700_000_000_000_000_006, "new"));
    }

    #[test]
    fn a_long_line_is_one_line() {
        let mut parts = Parts { after: None, cut: [false; 2] };
        let long = format!("2023-11-14T22:13:20Z {}", "é".repeat(20_000));
        assert_eq!(parts.line(out(&long)).unwrap().unwrap().text.len(), LONGEST);
        assert_eq!(parts.line(out("2023-11-14T22:13:20Z the rest\n")), None);
        assert_eq!(parts.line(out("2023-11-14T22:13:21Z next\n")).unwrap().unwrap().text, "next");
    }

    #[test]
    fn empty_and_broken_lines_do_no_harm() {
        assert_eq!(parse(Stream::Out, b"2023-11-14T22:13:20Z \n").unwrap().text, "");
        assert_eq!(parse(Stream::Out, b"2023-11-14T22:13:20Z a\xffb\r\n").unwrap().text, "a\u{fffd}b");
        assert_eq!(parse(Stream::Out, b"no stamp here"), None);
    }
}

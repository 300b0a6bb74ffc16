//! The trail as a file: CSV or JSON lines, written while it is read, so that a million lines take no more memory than a page of them.
use crate::{
    audit::{
        model::{Activity, ExportFormat, Filter},
        server::read,
    },
    error::Result,
    fault::Because,
    id::OrgId,
    runtime::panel::Panel,
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use std::sync::Arc;

/// Lines that are read together.
const PAGE: u64 = 500;

const HEADING: [&str; 17] = [
    "seq",
    "at",
    "id",
    "user_id",
    "user_name",
    "impersonator_id",
    "impersonator_name",
    "event",
    "target",
    "target_kind",
    "credential",
    "credential_kind",
    "address",
    "agent",
    "request_id",
    "detail",
    "hash",
];

struct Export {
    panel: Arc<Panel>,
    org: OrgId,
    filter: Filter,
    format: ExportFormat,
    seq: i64,
    begun: bool,
    done: bool,
}

/// The pieces of the file, the oldest line first.
pub fn pieces(panel: Arc<Panel>, org: OrgId, filter: Filter, format: ExportFormat) -> impl Stream<Item = Result<Bytes>> {
    let export = Export { panel, org, filter, format, seq: 0, begun: false, done: false };
    let pieces = futures::stream::unfold(export, async |mut export| {
        if export.done {
            return None;
        }
        let piece = export.piece().await;
        export.done |= piece.is_err();
        Some((piece, export))
    });
    // What compresses the answer asks once more after the end.
    pieces.fuse()
}

impl Export {
    async fn piece(&mut self) -> Result<Bytes> {
        let lines = read::after(&self.panel.db, &self.org, &self.filter, self.seq, PAGE).await?;
        self.done = (lines.len() as u64) < PAGE;
        self.seq = lines.last().map_or(self.seq, |line| line.seq);
        let heading = !std::mem::replace(&mut self.begun, true);
        match self.format {
            ExportFormat::Csv => csv(&lines, heading),
            ExportFormat::Jsonl => jsonl(&lines),
        }
    }
}

fn jsonl(lines: &[Activity]) -> Result<Bytes> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line).because("writing a line of an export")?;
        text.push(b'\n');
    }
    Ok(text.into())
}

fn csv(lines: &[Activity], heading: bool) -> Result<Bytes> {
    let mut writer =
        csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if heading {
        writer.write_record(HEADING).because("writing an export's heading")?;
    }
    for line in lines {
        let (seq, at, id, detail) = (line.seq.to_string(), line.at.to_string(), line.id.to_string(), line.detail.to_string());
        let actor = |of: &Option<crate::audit::model::Actor>| of.as_ref().map(|it| (it.id.clone(), it.name.clone())).unwrap_or_default();
        let ((user, name), (operator, operator_name)) = (actor(&line.actor), actor(&line.impersonator));
        let cells = [
            &seq,
            &at,
            &id,
            &user,
            &name,
            &operator,
            &operator_name,
            &line.event,
            &line.target,
            &line.target_kind,
            &line.credential,
            &line.credential_kind,
            &line.address,
            &line.agent,
            &line.request_id,
            &detail,
            &line.hash,
        ];
        writer.write_record(cells.map(|cell| harmless(cell))).because("writing a line of an export")?;
    }
    Ok(writer.into_inner().because("writing an export")?.into())
}

/// What a spreadsheet would take for a formula, as text.
fn harmless(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) || cell.trim_start().starts_with(['=', '+', '-', '@']);
    if formula { format!("'{cell}") } else { cell.to_string() }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_formula_is_only_text() {
        for bad in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\rx", "  =cmd|' /C calc'!A0", "\n=1"] {
            assert_eq!(harmless(bad), format!("'{bad}"));
        }
        for good in ["web", "a=b", "1-2", "", "ada@example.com"] {
            assert_eq!(harmless(good), good);
        }
    }
}

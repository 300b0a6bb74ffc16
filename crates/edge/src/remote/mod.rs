//! An edge that runs elsewhere, as a process of its own. [`process`] starts it; [`node`] is what its parts share; [`link`] listens to the
//! panel and opens the connection again and again; [`held`] is what it was told, [`store`] keeps that on the disk, and [`reporter`] tells
//! the panel how it is and what it measured. [`lookout`] finds tasks that moved while no panel tells it. [`wire`] is what both sides say.
mod held;
mod link;
mod lookout;
mod node;
mod process;
mod reporter;
mod store;
mod wire;

#[cfg(test)]
mod tests;

pub use process::{RemoteSettings, run};
pub use wire::{
    Chunk, Control, EdgeReport, End, Figures, Fingerprint, HEARTBEAT, KeyedChunk, MOST_DRAINING, MOST_ENTRIES, MOST_RELEASES, ReportReply,
    TOKEN_PREFIX, chunks, digest, fingerprint, snapshot,
};

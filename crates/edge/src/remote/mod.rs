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

pub use process::{Settings, run};
pub use wire::{
    End, Figures, HEARTBEAT, Heard, Keyed, MOST_DRAINING, MOST_ENTRIES, MOST_RELEASES, Piece, Print, Report, TOKEN_PREFIX, Word, digest,
    pieces, print, snapshot,
};

//! The operator's pages of edges: all of them, and one.
mod edge;
mod list;

pub use edge::AdminEdge;
pub use list::AdminEdges;

use crate::{edges::model::EdgeState, kit::Tone};

/// Where the list is.
const HERE: &str = "/admin/edges";

fn tone(state: EdgeState) -> Tone {
    match state {
        EdgeState::New | EdgeState::Revoked => Tone::Idle,
        EdgeState::Current => Tone::Good,
        EdgeState::Behind => Tone::Warning,
        EdgeState::Away => Tone::Bad,
    }
}

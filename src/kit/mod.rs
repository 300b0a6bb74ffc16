//! What pages are made of. Everything here is plain HTML that the server renders; the few `#[island]`s are what is alive in the
//! browser. The kit knows no feature: it takes words, tones and addresses. How it looks is decided in `style/main.css`, whose
//! tokens are the only colours and sizes that exist; a class string that comes a third time becomes a component here.
mod ask;
mod banner;
mod button;
mod card;
mod chart;
mod confirm;
mod copy;
mod field;
mod form;
pub mod gallery;
mod icon;
pub mod live;
mod load;
pub mod log;
mod moment;
mod notice;
mod page;
mod request;
mod shell;
pub mod side;
mod skeleton;
mod status;
mod table;
pub mod tail;
mod theme;

pub use ask::*;
pub use banner::*;
pub use button::*;
pub use card::*;
pub use chart::*;
pub use confirm::*;
pub use copy::*;
pub use field::*;
pub use form::{Form, FormOf, FormTarget, PostedNotice};
pub use icon::*;
pub use load::*;
pub use moment::*;
pub use notice::*;
pub use page::*;
pub use request::*;
pub use shell::*;
pub use skeleton::*;
pub use status::*;
pub use table::*;
pub use theme::*;

//! The error as the answer of a server function: what Leptos could not read or send becomes one of our own refusals.
use crate::error::Error;
use server_fn::{
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};

impl FromServerFnError for Error {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(value: ServerFnErrorErr) -> Self {
        match value {
            ServerFnErrorErr::Args(why) | ServerFnErrorErr::Deserialization(why) => {
                Error::invalid("form", format!("The form could not be read: {why}."))
            }
            ServerFnErrorErr::MissingArg(name) => Error::invalid(name, "This field is missing."),
            ServerFnErrorErr::Request(why) => Error::Unavailable(format!("The panel could not be reached: {why}.")),
            other => Error::Unavailable(other.to_string()),
        }
    }
}

//! What a route of the API and a server function declare of themselves where they are named: what they cost (their class of rate limit),
//! whether they are a person's own business, and what their answers may look like. Whatever changes something must name its class; the test of
//! rights fails where one is missing, so that forgetting it is never the same as having no limit.
use crate::web::rate_limits::Class;
use axum::http::Method;
use leptos::server_fn::ServerFn;
use serde_json::Value;
use std::collections::HashMap;
use utoipa::openapi::path::{Operation, PathItem, Paths};
use utoipa_axum::router::UtoipaMethodRouter;

/// The extensions of the document that say it. The first two are published, the others tell [`crate::web::openapi`] what to add.
const RATE_LIMIT: &str = "x-rate-limit";
const IN_PERSON: &str = "x-in-person";
/// The operation may answer with server-sent events.
pub const STREAMS: &str = "x-streams";
/// The operation may answer with text.
pub const TEXT: &str = "x-text";
/// The operation reads or writes something that has a version, its `ETag`.
pub const VERSIONED: &str = "x-versioned";

/// What can be said of the operations of one path, after `routes!(…)`.
pub trait Declare: Sized {
    /// Says what each of them that changes something costs.
    fn limit(self, class: Class) -> Self;
    /// Keeps keys of the API out: it is a person's own business.
    fn in_person(self) -> Self;
    /// Says that what is read may come as server-sent events.
    fn streams(self) -> Self;
    /// Says that what is read may come as text.
    fn also_text(self) -> Self;
    /// Says that what is read and changed has a version, which `If-Match` and `If-None-Match` name.
    fn versioned(self) -> Self;
}

impl<S> Declare for UtoipaMethodRouter<S> {
    fn limit(self, class: Class) -> Self {
        mark(self, RATE_LIMIT, class.name().into(), changes)
    }

    fn in_person(self) -> Self {
        mark(self, IN_PERSON, true.into(), |_| true)
    }

    fn streams(self) -> Self {
        mark(self, STREAMS, true.into(), |method| *method == Method::GET)
    }

    fn also_text(self) -> Self {
        mark(self, TEXT, true.into(), |method| *method == Method::GET)
    }

    fn versioned(self) -> Self {
        mark(self, VERSIONED, true.into(), |method| matches!(*method, Method::GET | Method::PUT | Method::PATCH))
    }
}

/// Whether a method changes something.
pub fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn mark<S>(mut routes: UtoipaMethodRouter<S>, name: &str, value: Value, which: fn(&Method) -> bool) -> UtoipaMethodRouter<S> {
    for item in routes.1.paths.values_mut() {
        let PathItem { get, put, post, delete, patch, .. } = item;
        let all = [(Method::GET, get), (Method::PUT, put), (Method::POST, post), (Method::DELETE, delete), (Method::PATCH, patch)];
        for (_, operation) in all.into_iter().filter(|(method, _)| which(method)) {
            if let Some(operation) = operation {
                operation.extensions.get_or_insert_default().insert(name.into(), value.clone());
            }
        }
    }
    routes
}

/// A part of the API, as its document shows it.
#[derive(Debug, Clone, Copy)]
pub struct ApiTag {
    /// Where it stands among the others: the lowest first, in tens, so that another fits between two.
    pub place: u16,
    pub name: &'static str,
    /// What it is for: a sentence.
    pub about: &'static str,
}

/// A server function that changes something, and what it costs.
#[derive(Debug, Clone, Copy)]
pub struct FunctionClass {
    pub path: &'static str,
    pub class: Class,
}

/// Names a server function by its type, with what it costs.
pub const fn function<F: ServerFn>(class: Class) -> FunctionClass {
    FunctionClass { path: F::PATH, class }
}

/// What one operation declares.
#[derive(Debug, Clone, Copy, Default)]
struct OperationRules {
    class: Option<Class>,
    is_in_person: bool,
}

/// What all routes and server functions declare.
#[derive(Debug, Default)]
pub struct Declared {
    /// By method and pattern.
    operations: HashMap<(Method, String), OperationRules>,
    /// By path.
    functions: HashMap<&'static str, Class>,
}

impl Declared {
    /// Reads it out of the document's paths and the features' functions.
    pub fn new(paths: &Paths, functions: impl IntoIterator<Item = FunctionClass>) -> Self {
        let mut operations = HashMap::new();
        for (path, item) in &paths.paths {
            let PathItem { get, put, post, delete, patch, .. } = item;
            let all = [(Method::GET, get), (Method::PUT, put), (Method::POST, post), (Method::DELETE, delete), (Method::PATCH, patch)];
            for (method, operation) in all {
                if let Some(operation) = operation {
                    operations.insert((method, path.clone()), rules(operation));
                }
            }
        }
        Declared { operations, functions: functions.into_iter().map(|one| (one.path, one.class)).collect() }
    }

    fn rules(&self, method: &Method, pattern: &str) -> OperationRules {
        // What answers to HEAD is what answers to GET.
        let method = if *method == Method::HEAD { Method::GET } else { method.clone() };
        self.operations.get(&(method, pattern.to_string())).copied().unwrap_or_default()
    }

    /// What a request to a route costs. What changes nothing, and an address that leads nowhere, cost what every request does.
    pub fn class(&self, method: &Method, pattern: &str) -> Class {
        self.rules(method, pattern).class.unwrap_or(Class::Usual)
    }

    /// What a call of a server function costs.
    pub fn function(&self, path: &str) -> Class {
        self.functions.get(path).copied().unwrap_or(Class::Usual)
    }

    /// Whether a route is a person's own business.
    pub fn is_in_person(&self, method: &Method, pattern: &str) -> bool {
        self.rules(method, pattern).is_in_person
    }

    /// The routes that change something and do not say what they cost.
    pub fn without_class(&self) -> Vec<String> {
        let all = self.operations.iter().filter(|((method, _), rules)| changes(method) && rules.class.is_none());
        all.map(|((method, path), _)| format!("{method} {path}")).collect()
    }
}

fn rules(operation: &Operation) -> OperationRules {
    let said = |name: &str| operation.extensions.as_ref().and_then(|all| all.get(name));
    OperationRules {
        class: said(RATE_LIMIT).and_then(Value::as_str).and_then(Class::named),
        is_in_person: said(IN_PERSON).is_some_and(|value| *value == true),
    }
}

//! An open loop: requests go out at their times whether or not earlier ones were answered, and how long one took counts from the time
//! that it was due. A closed loop would send less while the server is slow, and so not see most of the waiting.
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// What to send.
#[derive(Deserialize)]
struct LoadPlan {
    /// Requests a second, all kinds together.
    rate: f64,
    seconds: f64,
    /// Seconds at the start that are not counted.
    warm_up: f64,
    kinds: Vec<RequestKind>,
    headers: BTreeMap<String, String>,
    /// What stands for `{id}`, in turn.
    ids: Vec<String>,
}

/// One kind of request.
#[derive(Deserialize, Clone)]
struct RequestKind {
    name: String,
    method: String,
    /// Of each hundred requests, so many.
    share: usize,
    url: String,
    body: Option<String>,
}

/// How the answers to one kind came.
#[derive(Serialize, Default)]
struct Latencies {
    count: usize,
    /// Answers that were neither a success nor a conflict, and connections that broke.
    failed: usize,
    conflicts: usize,
    p50: f64,
    p99: f64,
}

#[derive(Default)]
struct Samples {
    millis: Vec<f64>,
    failed: usize,
    conflicts: usize,
}

/// Sends what standard input says, and prints how it went.
pub async fn run() -> Result<(), String> {
    let plan: LoadPlan = crate::input()?;
    let headers = plan.headers.iter().map(|(name, value)| Ok((name.parse()?, value.parse()?)));
    let headers = headers.collect::<Result<reqwest::header::HeaderMap, Box<dyn std::error::Error>>>().map_err(|why| why.to_string())?;
    let client = reqwest::Client::builder().default_headers(headers).tcp_nodelay(true).timeout(Duration::from_secs(20));
    let client = client.redirect(reqwest::redirect::Policy::none()).build().map_err(|why| why.to_string())?;
    let order: Vec<&RequestKind> = plan.kinds.iter().flat_map(|kind| std::iter::repeat_n(kind, kind.share)).collect();
    let counted: BTreeMap<&str, Arc<Mutex<Samples>>> = plan.kinds.iter().map(|kind| (&*kind.name, Arc::default())).collect();
    let began = Instant::now();
    let mut sent = tokio::task::JoinSet::new();
    for n in 0..(plan.rate * (plan.seconds + plan.warm_up)) as usize {
        let due = began + Duration::from_secs_f64(n as f64 / plan.rate);
        tokio::time::sleep_until(due.into()).await;
        // Spread, so that kinds do not come in blocks; 37 and 100 have no factor in common.
        let kind = order[n * 37 % order.len()];
        let is_counted = due.duration_since(began).as_secs_f64() >= plan.warm_up;
        let request = request(&client, kind, plan.ids.get(n % plan.ids.len().max(1)).map_or("", String::as_str), n);
        let into = counted[&*kind.name].clone();
        sent.spawn(async move {
            let status = match request.send().await {
                Ok(answer) => (answer.status(), answer.bytes().await.is_ok()),
                Err(_) => (reqwest::StatusCode::BAD_GATEWAY, false),
            };
            let took = due.elapsed().as_secs_f64() * 1000.0;
            let mut counted = into.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            match status {
                (status, true) if status.is_success() && is_counted => counted.millis.push(took),
                (status, true) if status.is_success() => {}
                (reqwest::StatusCode::CONFLICT, true) => counted.conflicts += 1,
                _ => counted.failed += 1,
            }
        });
        while sent.try_join_next().is_some() {}
    }
    while sent.join_next().await.is_some() {}
    let came: BTreeMap<&str, Latencies> = counted.iter().map(|(name, counted)| (*name, sum(counted))).collect();
    println!("{}", serde_json::to_string(&came).map_err(|why| why.to_string())?);
    Ok(())
}

fn request(client: &reqwest::Client, kind: &RequestKind, id: &str, n: usize) -> reqwest::RequestBuilder {
    let method = kind.method.parse().unwrap_or(reqwest::Method::GET);
    let request = client.request(method, kind.url.replace("{id}", id));
    match &kind.body {
        // A value that differs from request to request, so that each write changes something.
        Some(body) => request.header("content-type", "application/json").body(body.replace("{n}", &(3000 + n % 5000).to_string())),
        None => request,
    }
}

fn sum(counted: &Mutex<Samples>) -> Latencies {
    let mut counted = counted.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    counted.millis.sort_by(f64::total_cmp);
    let at = |share: f64| counted.millis.get((counted.millis.len() as f64 * share) as usize).copied().unwrap_or_default();
    let (p50, p99) = (at(0.50), at(0.99));
    Latencies { count: counted.millis.len(), failed: counted.failed, conflicts: counted.conflicts, p50, p99 }
}

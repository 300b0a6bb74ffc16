//! What the benchmarks of the panel need beside the panel itself: a reference to compare with, and a load that does not wait for
//! answers. `panel-bench reference` is a bare axum server on the panel's database; `panel-bench load` sends requests at a fixed rate.
mod load;
mod reference;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), String> {
    // reqwest asks for one even where nothing is encrypted.
    rustls::crypto::ring::default_provider().install_default().ok();
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["reference", listen, panel] => reference::serve(listen, panel).await,
        ["load"] => load::run().await,
        _ => Err("usage: panel-bench reference ADDRESS PANEL <credentials.json | panel-bench load <plan.json".into()),
    }
}

/// What standard input holds, as JSON.
fn input<T: serde::de::DeserializeOwned>() -> Result<T, String> {
    serde_json::from_reader(std::io::stdin().lock()).map_err(|why| format!("reading what to do: {why}"))
}

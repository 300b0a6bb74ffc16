//! `skypanel-box`: the warden's program, and boxes by hand.
//!
//! ```text
//! skypanel-box lacks                       what this machine lacks for boxes, a line each
//! skypanel-box up FOLDER ORG [DISK-MIB]    starts a box and holds it until its input ends
//! ```
use base::{id::OrgId, units::Bytes};
use builder::{
    boxes::{BoxConfig, Boxes, machine, warden},
    seam::BoxSize,
};
use std::{io::Read, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        // Before there is a second thread.
        ["box-warden"] => ExitCode::from(u8::try_from(warden::main()).unwrap_or(1)),
        ["lacks"] => {
            let lacks = machine::lacks(Path::new("/sys/fs/cgroup"));
            lacks.iter().for_each(|lack| println!("{lack}"));
            if lacks.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        ["up", folder, org, rest @ ..] => held(folder, org, rest.first().copied()),
        _ => {
            eprintln!("skypanel-box lacks | up FOLDER ORG [DISK-MIB]");
            ExitCode::from(2)
        }
    }
}

fn held(folder: &str, org: &str, disk: Option<&str>) -> ExitCode {
    let run = async {
        let org: OrgId = org.parse().map_err(|why| format!("{why}"))?;
        let mut size = BoxSize::default();
        if let Some(mib) = disk {
            size.disk = Bytes::mib(mib.parse().map_err(|_| "DISK-MIB is a number".to_string())?);
        }
        let config = BoxConfig::new(folder.into()).map_err(|why| why.to_string())?;
        let boxes = Boxes::open(config).await.map_err(|why| why.to_string())?;
        let (running, warmth) = boxes.warm(&org, &size).await.map_err(|why| why.to_string())?;
        println!("{warmth:?} unix://{folder}/{}/docker.sock first process {}", base::id::Id::suffix(&org), running.first);
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.ok();
        boxes.stop(&org).await.map_err(|why| why.to_string())
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err::<(), String>(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

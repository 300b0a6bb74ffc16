//! The box's place among the machine's cgroups, both versions:
//!
//! ```text
//! <parent>/box-<id>/       limits; ours         memory, CPU, processes
//!         └ in/            the box's own root   the engine (version 2: in/daemon)
//!             └ steps/     limits; ours         memory − 192 MiB, processes − 128
//!                 └ d/     the box's            what builds run
//! ```
//! Limits are nested, so that a bomb takes the steps' processes and a hog the steps' memory, never the engine's. What is to be written
//! is a pure function (`Tree::made`, `Tree::entered`); the rest of the file does it.
use crate::seam::BoxSize;
use nix::sys::signal::{Signal, kill};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What the engine keeps for itself of the box's memory and processes.
const KEPT_MEMORY: u64 = 192 << 20;
const KEPT_PROCESSES: u32 = 128;
/// Less than this no step can live with.
const LEAST_MEMORY: u64 = 128 << 20;
const LEAST_PROCESSES: u32 = 64;
const PERIOD_US: u64 = 100_000;

/// Which cgroups the machine has, with version 1's hierarchies by their folders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hierarchy {
    V1(Vec<String>),
    V2,
}

impl Hierarchy {
    /// Looks below `/sys/fs/cgroup`.
    pub fn of(root: &Path) -> io::Result<Hierarchy> {
        if root.join("cgroup.controllers").exists() {
            return Ok(Hierarchy::V2);
        }
        let mut all = Vec::new();
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Links are second names (`cpu` of `cpu,cpuacct`); `unified` has no controllers beside version 1.
            if entry.file_type()?.is_dir() && name != "unified" {
                all.push(name);
            }
        }
        all.sort();
        Ok(Hierarchy::V1(all))
    }

    /// The controllers without which no box is made and that are missing.
    pub fn missing(&self, root: &Path) -> Vec<&'static str> {
        const NEEDED: [&str; 3] = ["memory", "cpu", "pids"];
        match self {
            Hierarchy::V1(all) => {
                let has = |name: &&str| all.iter().any(|dir| dir.split(',').any(|one| one == *name));
                let mut missing: Vec<_> = NEEDED.into_iter().filter(|name| !has(name)).collect();
                missing.extend((!has(&"freezer")).then_some("freezer"));
                missing
            }
            Hierarchy::V2 => {
                let there = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
                NEEDED.into_iter().filter(|name| !there.split_whitespace().any(|one| one == *name)).collect()
            }
        }
    }
}

/// One thing to do in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Makes a folder; a cpuset takes nobody until it is told its CPUs, so it inherits them.
    Folder(PathBuf),
    /// Writes a file. What need not be there (no swap accounting, no `io` controller) may fail.
    Write { file: PathBuf, text: String, must: bool },
    /// Gives a folder or file to the box's root.
    Give(PathBuf, u32),
}

/// The cgroups of a box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    pub root: PathBuf,
    pub hierarchy: Hierarchy,
    /// The folder of all boxes, `skypanel`.
    pub parent: String,
    pub id: String,
}

/// What a box may use, of memory and processes, and of that what its steps may.
fn nested(size: &BoxSize) -> [(u64, u32); 2] {
    let memory = size.memory.0.saturating_sub(KEPT_MEMORY).max(LEAST_MEMORY);
    [(size.memory.0, size.pids), (memory, size.pids.saturating_sub(KEPT_PROCESSES).max(LEAST_PROCESSES))]
}

impl Tree {
    fn below(&self, hierarchy: &str, rest: &str) -> PathBuf {
        self.root.join(hierarchy).join(&self.parent).join(format!("box-{}{rest}", self.id))
    }

    /// The box's folder in each hierarchy; version 2 has one.
    fn tops(&self) -> Vec<PathBuf> {
        match &self.hierarchy {
            Hierarchy::V1(all) => all.iter().map(|h| self.below(h, "")).collect(),
            Hierarchy::V2 => vec![self.below("", "")],
        }
    }

    /// The hierarchy of version 1 that a controller is in.
    fn top_of(&self, controller: &str) -> Option<PathBuf> {
        match &self.hierarchy {
            Hierarchy::V1(all) => all.iter().find(|dir| dir.split(',').any(|one| one == controller)).map(|h| self.below(h, "")),
            Hierarchy::V2 => Some(self.below("", "")),
        }
    }

    /// What is done before the box's first process exists.
    pub fn made(&self, size: &BoxSize, owner: u32) -> Vec<Deed> {
        match &self.hierarchy {
            Hierarchy::V1(all) => self.made_v1(all, size, owner),
            Hierarchy::V2 => self.made_v2(size, owner),
        }
    }

    fn made_v1(&self, all: &[String], size: &BoxSize, owner: u32) -> Vec<Deed> {
        let mut deeds = Vec::new();
        for h in all {
            deeds.push(Deed::Folder(self.root.join(h).join(&self.parent)));
            deeds.extend(["", "/in", "/in/steps", "/in/steps/d"].map(|rest| Deed::Folder(self.below(h, rest))));
            for given in ["/in", "/in/steps/d"] {
                deeds.extend(["", "/cgroup.procs", "/tasks"].map(|file| Deed::Give(self.below(h, &format!("{given}{file}")), owner)));
            }
        }
        let write = |top: PathBuf, name: &str, text: String, must| Deed::Write { file: top.join(name), text, must };
        for (rest, (memory, pids)) in ["", "in/steps"].into_iter().zip(nested(size)) {
            if let Some(top) = self.top_of("memory") {
                let (memory, sum) = (memory.to_string(), "memory.memsw.limit_in_bytes");
                // Growing, the sum comes first; shrinking, it comes last. Writing it twice is right for both.
                deeds.push(write(top.join(rest), sum, memory.clone(), false));
                deeds.push(write(top.join(rest), "memory.limit_in_bytes", memory.clone(), true));
                deeds.push(write(top.join(rest), sum, memory, false));
            }
            deeds.extend(self.top_of("pids").map(|top| write(top.join(rest), "pids.max", pids.to_string(), true)));
        }
        if let Some(top) = self.top_of("cpu") {
            deeds.push(write(top.clone(), "cpu.cfs_period_us", PERIOD_US.to_string(), true));
            deeds.push(write(top.clone(), "cpu.cfs_quota_us", quota(size).to_string(), true));
            deeds.push(write(top, "cpu.shares", "512".into(), false));
        }
        deeds.extend(self.top_of("blkio").map(|top| write(top, "blkio.weight", size.io_weight.clamp(10, 1000).to_string(), false)));
        deeds
    }

    /// Version 2 knows no processes in inner nodes: limits of the box now, those of its steps in `entered`.
    fn made_v2(&self, size: &BoxSize, owner: u32) -> Vec<Deed> {
        let parent = self.root.join(&self.parent);
        let (top, inner) = (self.below("", ""), self.below("", "/in"));
        let all = "+cpu +memory +pids".to_string();
        let enable = |dir: &Path, text: &str, must| Deed::Write { file: dir.join("cgroup.subtree_control"), text: text.into(), must };
        let mut deeds = vec![enable(&self.root, &all, false), enable(&self.root, "+io", false), Deed::Folder(parent.clone())];
        deeds.extend([enable(&parent, &all, true), enable(&parent, "+io", false), Deed::Folder(top.clone())]);
        deeds.extend(self.limits_v2(&top, nested(size)[0]));
        deeds.push(Deed::Write { file: top.join("cpu.max"), text: format!("{} {PERIOD_US}", quota(size)), must: true });
        deeds.push(Deed::Write { file: top.join("io.weight"), text: format!("default {}", size.io_weight.clamp(1, 10_000)), must: false });
        deeds.extend([enable(&top, &all, true), Deed::Folder(inner.clone()), Deed::Folder(inner.join("daemon"))]);
        deeds.extend(["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"].map(|file| Deed::Give(inner.join(file), owner)));
        deeds.extend(
            ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"].map(|f| Deed::Give(inner.join("daemon").join(f), owner)),
        );
        deeds
    }

    fn limits_v2(&self, of: &Path, (memory, pids): (u64, u32)) -> Vec<Deed> {
        let write = |name: &str, text: String, must| Deed::Write { file: of.join(name), text, must };
        vec![
            write("memory.max", memory.to_string(), true),
            write("memory.high", (memory / 20 * 19).to_string(), false),
            write("memory.swap.max", "0".into(), false),
            write("pids.max", pids.to_string(), true),
        ]
    }

    /// What is done when the first process has made its cgroup namespace in `in`: on version 2 it goes to a leaf, and only then can the
    /// steps' part be divided off.
    pub fn entered(&self, size: &BoxSize, owner: u32, first: i32) -> Vec<Deed> {
        if self.hierarchy != Hierarchy::V2 {
            return Vec::new();
        }
        let inner = self.below("", "/in");
        let (steps, room) = (inner.join("steps"), inner.join("steps/d"));
        let write = |file: PathBuf, text: String| Deed::Write { file, text, must: true };
        let mut deeds = vec![
            write(inner.join("daemon/cgroup.procs"), first.to_string()),
            write(inner.join("cgroup.subtree_control"), "+cpu +memory +pids".into()),
            Deed::Folder(steps.clone()),
        ];
        deeds.extend(self.limits_v2(&steps, nested(size)[1]));
        deeds.extend([write(steps.join("cgroup.subtree_control"), "+cpu +memory +pids".into()), Deed::Folder(room.clone())]);
        deeds.extend(["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"].map(|file| Deed::Give(room.join(file), owner)));
        deeds
    }

    /// Where a process writes its id to join the box.
    pub fn doors(&self) -> Vec<PathBuf> {
        self.tops().into_iter().map(|top| top.join("in/cgroup.procs")).collect()
    }

    /// Freezes or thaws everything in the box, and waits until it is so.
    pub fn freeze(&self, frozen: bool) -> io::Result<()> {
        let until = Instant::now() + Duration::from_secs(5);
        match &self.hierarchy {
            Hierarchy::V1(_) => {
                let file = self.top_of("freezer").ok_or(io::ErrorKind::NotFound)?.join("freezer.state");
                let word = if frozen { "FROZEN" } else { "THAWED" };
                loop {
                    // A freezer that is still at it can be told again.
                    fs::write(&file, word)?;
                    if fs::read_to_string(&file)?.trim() == word {
                        return Ok(());
                    }
                    late(until)?;
                }
            }
            Hierarchy::V2 => {
                let top = self.below("", "");
                fs::write(top.join("cgroup.freeze"), if frozen { "1" } else { "0" })?;
                let wanted = format!("frozen {}", u8::from(frozen));
                while !fs::read_to_string(top.join("cgroup.events"))?.lines().any(|line| line == wanted) {
                    late(until)?;
                }
                Ok(())
            }
        }
    }

    /// The ids of all processes in the box.
    pub fn processes(&self) -> BTreeSet<i32> {
        fn walk(dir: &Path, all: &mut BTreeSet<i32>) {
            let procs = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            all.extend(procs.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    walk(&entry.path(), all);
                }
            }
        }
        let mut all = BTreeSet::new();
        if let Some(top) = self.top_of("pids") {
            walk(&top, &mut all);
        }
        all
    }

    /// Ends every process of the box, frozen ones too, then removes its cgroups. What is gone already is success.
    pub fn end(&self, patience: Duration) -> io::Result<()> {
        let until = Instant::now() + patience;
        let _ = self.freeze(false);
        loop {
            if self.hierarchy == Hierarchy::V2 {
                let _ = fs::write(self.below("", "").join("cgroup.kill"), "1");
            }
            let left = self.processes();
            for pid in &left {
                let _ = kill(nix::unistd::Pid::from_raw(*pid), Signal::SIGKILL);
            }
            if left.is_empty() && self.tops().iter().all(|top| remove(top)) {
                return Ok(());
            }
            late(until)?;
        }
    }

    /// Memory that the box holds now and held at most, and CPU time that it used.
    pub fn usage(&self) -> Usage {
        let number = |file: Option<PathBuf>| file.and_then(|f| fs::read_to_string(f).ok()).and_then(|t| t.trim().parse().ok()).unwrap_or(0);
        let of = |controller: &str, name: &str| self.top_of(controller).map(|top| top.join(name));
        match &self.hierarchy {
            Hierarchy::V1(_) => Usage {
                memory: number(of("memory", "memory.usage_in_bytes")),
                memory_peak: number(of("memory", "memory.max_usage_in_bytes")),
                steps_peak: number(of("memory", "in/steps/memory.max_usage_in_bytes")),
                cpu: Duration::from_nanos(number(of("cpuacct", "cpuacct.usage"))),
                processes: number(of("pids", "pids.current")),
            },
            Hierarchy::V2 => {
                let stat = of("cpu", "cpu.stat").and_then(|f| fs::read_to_string(f).ok()).unwrap_or_default();
                let micros = stat.lines().find_map(|line| line.strip_prefix("usage_usec ")).and_then(|n| n.parse().ok()).unwrap_or(0);
                Usage {
                    memory: number(of("memory", "memory.current")),
                    memory_peak: number(of("memory", "memory.peak")),
                    steps_peak: number(of("memory", "in/steps/memory.peak")),
                    cpu: Duration::from_micros(micros),
                    processes: number(of("pids", "pids.current")),
                }
            }
        }
    }

    /// Begins to watch whether the steps run out of memory. Version 1 counts neither refusals nor kills where the limit is met, so that
    /// the most that they had is begun anew; version 2 counts the kills below.
    pub fn mark_memory(&self) -> u64 {
        match (&self.hierarchy, self.top_of("memory")) {
            (Hierarchy::V1(_), Some(top)) => {
                let _ = fs::write(top.join("in/steps/memory.max_usage_in_bytes"), "0");
                0
            }
            (Hierarchy::V2, Some(top)) => kills(&top),
            (_, None) => 0,
        }
    }

    /// Whether the steps were at the end of their memory since the mark.
    pub fn ran_out_of_memory(&self, mark: u64) -> bool {
        let Some(top) = self.top_of("memory") else { return false };
        if self.hierarchy == Hierarchy::V2 {
            return kills(&top) > mark;
        }
        let number = |name: &str| fs::read_to_string(top.join("in/steps").join(name)).ok().and_then(|t| t.trim().parse::<u64>().ok());
        match (number("memory.max_usage_in_bytes"), number("memory.limit_in_bytes")) {
            (Some(most), Some(limit)) => most >= limit / 100 * 98,
            _ => false,
        }
    }
}

fn kills(top: &Path) -> u64 {
    let events = fs::read_to_string(top.join("memory.events")).unwrap_or_default();
    events.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

/// What a box uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes, with what the kernel keeps for it.
    pub memory: u64,
    /// The most bytes that it had since it started.
    pub memory_peak: u64,
    /// The most bytes that its steps had since it started.
    pub steps_peak: u64,
    pub cpu: Duration,
    pub processes: u64,
}

fn quota(size: &BoxSize) -> u64 {
    (u64::from(size.cpu.0) * PERIOD_US / 1000).max(1000)
}

fn late(until: Instant) -> io::Result<()> {
    if Instant::now() > until {
        return Err(io::ErrorKind::TimedOut.into());
    }
    std::thread::sleep(Duration::from_millis(2));
    Ok(())
}

/// Removes a cgroup with those below it; true where it is gone.
fn remove(dir: &Path) -> bool {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(dir);
    !dir.exists()
}

/// Does what a plan says, in its order.
pub fn perform(deeds: &[Deed]) -> io::Result<()> {
    for deed in deeds {
        let said = |what: &Path, why: io::Error| io::Error::new(why.kind(), format!("cgroup {}: {why}", what.display()));
        match deed {
            Deed::Folder(dir) => {
                fs::create_dir_all(dir).map_err(|why| said(dir, why))?;
                inherit_cpus(dir).map_err(|why| said(dir, why))?;
            }
            Deed::Write { file, text, must } => {
                if let Err(why) = fs::write(file, text)
                    && *must
                {
                    return Err(said(file, why));
                }
            }
            Deed::Give(path, owner) => chown(path, Some(*owner), Some(*owner)).map_err(|why| said(path, why))?,
        }
    }
    Ok(())
}

fn inherit_cpus(dir: &Path) -> io::Result<()> {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let (own, parent) = (dir.join(name), dir.parent().map(|up| up.join(name)));
        // Version 2 inherits by itself, by an empty file.
        if dir.join("cgroup.controllers").exists() || !own.exists() || !fs::read_to_string(&own)?.trim().is_empty() {
            continue;
        }
        if let Some(parent) = parent.filter(|p| p.exists()) {
            fs::write(own, fs::read_to_string(parent)?.trim())?;
        }
        let _ = fs::write(dir.join("cgroup.clone_children"), "1");
    }
    Ok(())
}

/// The ids of boxes that have cgroups below `parent`, from whatever life of the platform.
pub fn found(root: &Path, hierarchy: &Hierarchy, parent: &str) -> BTreeSet<String> {
    let places = match hierarchy {
        Hierarchy::V1(all) => all.iter().map(|h| root.join(h).join(parent)).collect(),
        Hierarchy::V2 => vec![root.join(parent)],
    };
    let entries = places.into_iter().flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten());
    entries.filter_map(|entry| entry.file_name().to_str()?.strip_prefix("box-").map(str::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::units::{Bytes, MilliCpu};

    fn size() -> BoxSize {
        BoxSize { memory: Bytes::mib(1024), cpu: MilliCpu(1500), pids: 256, disk: Bytes::mib(4096), egress: Bytes(0), io_weight: 50 }
    }

    fn tree(hierarchy: Hierarchy) -> Tree {
        Tree { root: "/cg".into(), hierarchy, parent: "skypanel".into(), id: "x".into() }
    }

    fn written(deeds: &[Deed], file: &str) -> Vec<String> {
        let path = Path::new(file);
        deeds
            .iter()
            .filter_map(|d| {
                if let Deed::Write { file, text, .. } = d
                    && file == path
                {
                    Some(text.clone())
                } else {
                    None
                }
            })
            .collect()
    }

    #[test]
    fn the_steps_have_less_than_the_box_so_that_the_engine_outlives_them() {
        let v1 = tree(Hierarchy::V1(["cpu,cpuacct", "freezer", "memory", "pids"].map(String::from).to_vec())).made(&size(), 9);
        assert_eq!(written(&v1, "/cg/memory/skypanel/box-x/memory.limit_in_bytes"), ["1073741824"]);
        assert_eq!(written(&v1, "/cg/memory/skypanel/box-x/in/steps/memory.limit_in_bytes"), [(832u64 << 20).to_string()]);
        assert_eq!(written(&v1, "/cg/memory/skypanel/box-x/memory.memsw.limit_in_bytes").len(), 2);
        assert_eq!(written(&v1, "/cg/pids/skypanel/box-x/pids.max"), ["256"]);
        assert_eq!(written(&v1, "/cg/pids/skypanel/box-x/in/steps/pids.max"), ["128"]);
        assert_eq!(written(&v1, "/cg/cpu,cpuacct/skypanel/box-x/cpu.cfs_quota_us"), ["150000"]);
        // The limits are ours; what is below them is the box's.
        assert!(v1.contains(&Deed::Give("/cg/pids/skypanel/box-x/in".into(), 9)));
        assert!(!v1.iter().any(|d| matches!(d, Deed::Give(path, _) if path.ends_with("steps") || path.ends_with("box-x"))));
    }

    #[test]
    fn on_version_2_no_process_stays_in_an_inner_node() {
        let tree = tree(Hierarchy::V2);
        let (made, entered) = (tree.made(&size(), 9), tree.entered(&size(), 9, 4711));
        assert_eq!(written(&made, "/cg/skypanel/box-x/memory.max"), ["1073741824"]);
        assert_eq!(written(&made, "/cg/skypanel/box-x/cpu.max"), ["150000 100000"]);
        let at = |wanted: &str| entered.iter().position(|d| matches!(d, Deed::Write { file, .. } if file == Path::new(wanted))).unwrap();
        assert!(at("/cg/skypanel/box-x/in/daemon/cgroup.procs") < at("/cg/skypanel/box-x/in/cgroup.subtree_control"));
        assert_eq!(written(&entered, "/cg/skypanel/box-x/in/steps/pids.max"), ["128"]);
        assert!(entered.contains(&Deed::Give("/cg/skypanel/box-x/in/steps/d".into(), 9)));
        assert!(!entered.contains(&Deed::Give("/cg/skypanel/box-x/in/steps".into(), 9)));
        assert_eq!(tree.doors(), [PathBuf::from("/cg/skypanel/box-x/in/cgroup.procs")]);
    }

    #[test]
    fn a_machine_without_the_controllers_is_told_which() {
        let v1 = Hierarchy::V1(["cpu,cpuacct", "memory"].map(String::from).to_vec());
        assert_eq!(v1.missing(Path::new("/nowhere")), ["pids", "freezer"]);
        assert_eq!(Hierarchy::V2.missing(Path::new("/nowhere")), ["memory", "cpu", "pids"]);
    }
}

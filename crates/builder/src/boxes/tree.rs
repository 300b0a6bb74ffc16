//! What a box sees of the machine: `/usr` and the certificates, read only, seven device nodes, a small `/etc` of ours. No data folder, no
//! socket, no home. It is built by the machine's root in a mount namespace of its own and pivoted into by the box's first process.
use super::{disk, gate::GATE_V4};
use nix::mount::{MsFlags, mount};
use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::Path,
};

const DEVICES: [&str; 7] = ["null", "zero", "full", "random", "urandom", "tty", "fuse"];
const FOLDERS: &str = "usr etc proc sys dev run tmp var var/lib var/lib/docker root old etc/ssl etc/alternatives etc/docker";
/// Folders of the machine that are bound in, read only, where they exist.
const BOUND: [&str; 3] = ["usr", "etc/ssl", "etc/alternatives"];

/// A mount whose error says what was mounted.
pub fn mounted(from: Option<&str>, at: &Path, kind: Option<&str>, flags: MsFlags, data: Option<&str>) -> io::Result<()> {
    mount(from, at, kind, flags, data)
        .map_err(|why| io::Error::new(io::Error::from(why).kind(), format!("mounting {} at {}: {why}", from.unwrap_or("-"), at.display())))
}

/// Binds one of the machine's folders or files, without what is mounted below being writable or of use for more rights.
fn bound(what: &Path, at: &Path) -> io::Result<()> {
    mounted(what.to_str(), at, None, MsFlags::MS_BIND | MsFlags::MS_REC, None)?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mounted(None, at, None, flags, None)
}

/// Builds the tree at `at`; `owner` is who the box's root is outside.
pub fn build(at: &Path, image: &fs::File, daemon_json: &str, owner: u32) -> io::Result<()> {
    mounted(Some("tmpfs"), at, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=755,size=8m"))?;
    for dir in FOLDERS.split(' ') {
        fs::create_dir_all(at.join(dir))?;
    }
    for link in ["bin", "sbin", "lib", "lib64", "lib32", "libx32"] {
        if let Ok(to) = fs::read_link(Path::new("/").join(link)) {
            symlink(to, at.join(link))?;
        }
    }
    for dir in BOUND {
        let of = Path::new("/").join(dir);
        if of.exists() {
            bound(&of, &at.join(dir))?;
        }
    }
    etc(&at.join("etc"), daemon_json)?;
    disk::put_in(image, &at.join("var/lib/docker"))?;
    devices(&at.join("dev"))?;
    for own in ["", "etc", "etc/docker", "dev", "dev/shm", "dev/pts", "dev/mqueue", "run", "tmp", "root", "var/lib/docker"] {
        fs::create_dir_all(at.join(own))?;
        chown(at.join(own), Some(owner), Some(owner))?;
    }
    Ok(())
}

fn etc(etc: &Path, daemon_json: &str) -> io::Result<()> {
    let put = |name: &str, text: &str| fs::write(etc.join(name), text);
    put("passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")?;
    put("group", "root:x:0:\ndocker:x:999:\nnogroup:x:65534:\n")?;
    put("hosts", "127.0.0.1 localhost\n::1 localhost\n")?;
    put("nsswitch.conf", "hosts: files dns\n")?;
    put("resolv.conf", &format!("nameserver {GATE_V4}\noptions timeout:2 attempts:2\n"))?;
    put("docker/daemon.json", daemon_json)
}

fn devices(dev: &Path) -> io::Result<()> {
    mounted(Some("tmpfs"), dev, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755,size=1m"))?;
    for name in DEVICES {
        let of = Path::new("/dev").join(name);
        if of.exists() {
            fs::write(dev.join(name), "")?;
            mounted(of.to_str(), &dev.join(name), None, MsFlags::MS_BIND, None)?;
        }
    }
    for (to, link) in [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
        ("pts/ptmx", "ptmx"),
    ] {
        symlink(to, dev.join(link))?;
    }
    Ok(())
}

/// What the box mounts itself, in namespaces that are its own, before it pivots: `proc`, `sysfs`, its cgroups, its scratch.
pub fn own_mounts(at: &Path, hierarchies: Option<&[String]>) -> io::Result<()> {
    let closed = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let scratch = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mounted(Some("proc"), &at.join("proc"), Some("proc"), closed, None)?;
    mounted(Some("sysfs"), &at.join("sys"), Some("sysfs"), closed, None)?;
    mounted(Some("tmpfs"), &at.join("run"), Some("tmpfs"), scratch, Some("mode=755,size=64m"))?;
    mounted(Some("tmpfs"), &at.join("tmp"), Some("tmpfs"), scratch, Some("mode=1777,size=64m"))?;
    mounted(Some("tmpfs"), &at.join("dev/shm"), Some("tmpfs"), scratch, Some("mode=1777,size=16m"))?;
    mounted(
        Some("devpts"),
        &at.join("dev/pts"),
        Some("devpts"),
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        Some("newinstance,ptmxmode=0666,mode=620"),
    )?;
    fs::set_permissions(at.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    let cgroups = at.join("sys/fs/cgroup");
    let Some(hierarchies) = hierarchies else {
        return mounted(Some("cgroup2"), &cgroups, Some("cgroup2"), closed, None);
    };
    mounted(Some("tmpfs"), &cgroups, Some("tmpfs"), closed, Some("mode=755,size=1m"))?;
    for name in hierarchies {
        let dir = cgroups.join(name);
        fs::create_dir(&dir)?;
        // The hierarchy that systemd names has no controller.
        let data = if name == "systemd" { "none,name=systemd" } else { name };
        mounted(Some("cgroup"), &dir, Some("cgroup"), closed, Some(data))?;
    }
    Ok(())
}

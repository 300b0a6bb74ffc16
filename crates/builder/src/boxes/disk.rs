//! The box's disk: a file system in a sparse file, of the plan's size. A full one fails the builds of its own organization and nothing
//! else, and what is freed within goes back to the machine (`discard`).
//!
//! The loop device belongs to the box's mount namespace: it goes by itself with the last process of the box, however that ended.
#![allow(unsafe_code, reason = "a loop device is made by requests that no library of ours wraps")]
use super::run::run;
use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// Room below which a builder's disk makes room before it builds: a fifth of it, and at least this.
pub const LEAST_FREE: u64 = 1 << 30;
/// The smallest disk that a box is given.
pub const SMALLEST: u64 = 256 << 20;

/// Makes the disk, or looks it over after the last life, and grows it with the plan. A larger one than the plan's is made anew, for it
/// holds nothing but cache. Blocks.
pub fn ready(file: &Path, size: u64, owner: u32) -> io::Result<()> {
    let size = size.max(SMALLEST);
    let length = fs::metadata(file).map(|meta| meta.len()).unwrap_or(0);
    if length == 0 || length > size || !looked_over(file)? {
        return make(file, size, owner);
    }
    if length < size {
        OpenOptions::new().write(true).open(file)?.set_len(size)?;
        // It wants a full look before it grows.
        if !looked_over_fully(file)? {
            return make(file, size, owner);
        }
        run("resize2fs", &[file.as_os_str()], None, Duration::from_secs(60))?.or_said("growing the disk")?;
    }
    Ok(())
}

/// A new file takes the old one's place only when it is whole.
fn make(file: &Path, size: u64, owner: u32) -> io::Result<()> {
    let new = file.with_extension("new");
    let _ = fs::remove_file(&new);
    let made = File::create_new(&new)?;
    made.set_len(size)?;
    drop(made);
    let extended = format!("lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner={owner}:{owner}");
    let words = ["-q", "-F", "-m", "0", "-i", "8192", "-E", &extended].map(std::ffi::OsStr::new);
    let words: Vec<_> = words.into_iter().chain([new.as_os_str()]).collect();
    run("mkfs.ext4", &words, None, Duration::from_secs(60))?.or_said("making the disk")?;
    fs::rename(new, file)
}

/// `e2fsck -p` mends what can be mended without asking: 0 is whole, 1 mended, more is neither.
fn looked_over(file: &Path) -> io::Result<bool> {
    Ok(run("e2fsck", &["-p".as_ref(), file.as_os_str()], None, Duration::from_secs(120))?.code <= 1)
}

fn looked_over_fully(file: &Path) -> io::Result<bool> {
    Ok(run("e2fsck", &["-fp".as_ref(), file.as_os_str()], None, Duration::from_secs(300))?.code <= 1)
}

/// Bytes that a disk really takes on the machine, and those it may.
pub fn taken(file: &Path) -> Option<(u64, u64)> {
    let meta = fs::metadata(file).ok()?;
    Some((meta.blocks() * 512, meta.len()))
}

/// Bytes that are free, and all there are, of the file system that `path` is on.
pub fn room(path: &Path) -> io::Result<(u64, u64)> {
    let of = nix::sys::statvfs::statvfs(path)?;
    let block = of.fragment_size();
    Ok((of.blocks_available() * block, of.blocks() * block))
}

/// What of the disks' file system stays the machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LowWater {
    pub percent: u64,
    /// At least so many bytes.
    pub bytes: u64,
}

impl Default for LowWater {
    fn default() -> Self {
        LowWater { percent: 15, bytes: 10 << 30 }
    }
}

impl LowWater {
    /// Whether a box that may still fill `size` may start: it and what is promised to those that run must leave the low water.
    pub fn admits(self, free: u64, all: u64, promised: u64, size: u64) -> bool {
        let low = (all / 100 * self.percent).max(self.bytes);
        free.saturating_sub(promised).saturating_sub(size) >= low
    }
}

const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;
const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
const AUTOCLEAR: u32 = 4;
const DIRECT_IO: u32 = 16;

/// `struct loop_config` of Linux 5.8, with `struct loop_info64` within: 8 + 232 + 64 bytes. Only the two words that are set are named.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    before_flags: [u8; 52],
    flags: u32,
    after_flags: [u8; 176],
    reserved: [u64; 8],
}

/// Puts the file behind a loop device that goes when its last user does. Direct I/O keeps a filler's pages out of the machine's cache.
fn attach(file: &File, flags: u32) -> io::Result<(File, PathBuf)> {
    let control = OpenOptions::new().read(true).write(true).open("/dev/loop-control")?;
    for _ in 0..64 {
        // SAFETY: the request takes no argument.
        let number = Errno::result(unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) })?;
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let device = OpenOptions::new().read(true).write(true).open(&path)?;
        let fd = u32::try_from(file.as_raw_fd()).map_err(io::Error::other)?;
        let config = LoopConfig { fd, block_size: 0, before_flags: [0; 52], flags, after_flags: [0; 176], reserved: [0; 8] };
        // SAFETY: the structure is the kernel's, outlives the call, and is only read.
        match Errno::result(unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &config) }) {
            Ok(_) => return Ok((device, path)),
            // Somebody else was faster.
            Err(Errno::EBUSY) => continue,
            Err(why) => return Err(why.into()),
        }
    }
    Err(io::Error::other("no loop device is free"))
}

/// Mounts the disk. Without `nosuid`, `nodev` and `noatime`: in the box's user namespace these would be locked, and the engine could bind
/// nothing read only any more; its root is nobody, and no device of the machine can be made there.
pub fn put_in(disk: &File, at: &Path) -> io::Result<()> {
    let (device, path) = match attach(disk, AUTOCLEAR | DIRECT_IO) {
        // Some file systems know no direct I/O.
        Err(why) if why.raw_os_error() == Some(libc::EINVAL) => attach(disk, AUTOCLEAR)?,
        attached => attached?,
    };
    mount(Some(&path), at, Some("ext4"), MsFlags::empty(), Some("discard"))
        .map_err(|why| io::Error::new(io::Error::from(why).kind(), format!("mounting the disk: {why}")))?;
    drop(device);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_runs_low_starts_no_box() {
        let gib = |n: u64| n << 30;
        let admits = |free, all, promised, size| LowWater::default().admits(free, all, promised, size);
        assert!(admits(gib(100), gib(200), gib(20), gib(10)));
        assert!(!admits(gib(100), gib(200), gib(65), gib(10)), "65 are promised already");
        assert!(!admits(gib(15), gib(40), 0, gib(10)), "10 GiB stay the machine's");
        assert!(!admits(gib(1), gib(200), gib(5), gib(1)));
    }

    #[test]
    fn the_kernels_structure_has_the_kernels_size() {
        assert_eq!(std::mem::size_of::<LoopConfig>(), 8 + 232 + 64);
        assert_eq!(std::mem::offset_of!(LoopConfig, flags), 8 + 52);
    }
}

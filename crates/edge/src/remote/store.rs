//! What an edge keeps on its disk: what it was told last, so that it serves from its start although no panel answers. Private keys are in
//! it, so it is readable by its owner only and sealed with a key that comes from the edge's token, which lies elsewhere. It is replaced as
//! a whole; one that is damaged is refused, never half believed.
use super::held::ChunkSet;
use chacha20poly1305::{
    XChaCha20Poly1305,
    aead::{AeadInOut, KeyInit},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// What the file begins with: its form's version, too.
const MAGIC: &[u8; 8] = b"SKYEDGE1";
const NONCE: usize = 24;

/// Where it is.
#[derive(Debug, Clone)]
pub struct SnapshotFile {
    path: PathBuf,
}

fn cipher(token: &str) -> Option<XChaCha20Poly1305> {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(token.as_bytes()).ok()?;
    mac.update(b"skypanel edge: what it was told last");
    let key: [u8; 32] = mac.finalize().into_bytes().into();
    Some(XChaCha20Poly1305::new(&key.into()))
}

impl SnapshotFile {
    /// The file in a folder.
    pub fn new(folder: &Path) -> Self {
        SnapshotFile { path: folder.join("edge.snapshot") }
    }

    /// What is kept, where there is something.
    ///
    /// # Errors
    /// A clause that says why it can't be used.
    pub fn load(&self, token: &str) -> Result<Option<ChunkSet>, String> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(format!("{} can’t be read: {why}", self.path.display())),
        };
        let sealed = bytes.strip_prefix(MAGIC).filter(|rest| rest.len() > NONCE);
        let (nonce, sealed) = sealed.ok_or_else(|| format!("{} is damaged", self.path.display()))?.split_at(NONCE);
        let mut opened = sealed.to_vec();
        let key = <[u8; NONCE]>::try_from(nonce).ok().zip(cipher(token));
        drop(bytes);
        let is_whole = key.is_some_and(|(nonce, cipher)| cipher.decrypt_in_place(&nonce.into(), MAGIC, &mut opened).is_ok());
        if !is_whole {
            return Err(format!("{} is damaged, or was kept under another token", self.path.display()));
        }
        ChunkSet::from_bytes(&opened).map(Some).ok_or_else(|| format!("{} is not whole, or another program’s", self.path.display()))
    }

    /// Puts something in its place: on the disk before the old one goes.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn save(&self, token: &str, held: &ChunkSet) -> io::Result<()> {
        let nonce: [u8; NONCE] = rand::random();
        let mut sealed = held.to_bytes();
        let done = cipher(token).and_then(|cipher| cipher.encrypt_in_place(&nonce.into(), MAGIC, &mut sealed).ok());
        done.ok_or_else(|| io::Error::other("it can’t be sealed"))?;
        let new = self.path.with_extension("snapshot.new");
        // Left by a crash, maybe with another mode.
        fs::remove_file(&new).ok();
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(MAGIC)?;
        file.write_all(&nonce)?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    }
}

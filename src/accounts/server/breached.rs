//! Passwords that are known to be stolen: a list that the operator supplies, in the format that “Pwned Passwords” has when it is ordered
//! by hash. A line is `HASH:count` with the SHA-1 in hex. The file has tens of gigabytes, so it is searched by halves where it lies.
use sha1::{Digest, Sha1};
use std::{
    fs::File,
    io::{Error, ErrorKind, Read, Result, Seek, SeekFrom},
    path::Path,
};

/// Digits of a SHA-1.
const HASH: usize = 40;
/// The longest line, with its end.
const LINE: u64 = 64;

/// Whether the list in a file has a password.
pub fn lists(path: &Path, password: &[u8]) -> Result<bool> {
    let wanted: String = Sha1::digest(password).iter().map(|byte| format!("{byte:02X}")).collect();
    search(&mut File::open(path)?, wanted.as_bytes())
}

fn search(file: &mut (impl Read + Seek), wanted: &[u8]) -> Result<bool> {
    let (mut low, mut high) = (0, file.seek(SeekFrom::End(0))?);
    while low < high {
        let middle = low + (high - low) / 2;
        let (start, end, hash) = line_around(file, middle)?;
        match hash.as_slice().cmp(wanted) {
            std::cmp::Ordering::Equal => return Ok(true),
            std::cmp::Ordering::Less => low = end,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    Ok(false)
}

/// The line that covers a place: where it starts, where the next one does, and its hash in upper case.
fn line_around(file: &mut (impl Read + Seek), place: u64) -> Result<(u64, u64, Vec<u8>)> {
    let from = place.saturating_sub(LINE);
    file.seek(SeekFrom::Start(from))?;
    let mut window = Vec::new();
    file.take(2 * LINE).read_to_end(&mut window)?;
    let at = (place - from) as usize;
    let (before, after) = window.split_at(at.min(window.len()));
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let end = after.iter().position(|byte| *byte == b'\n').map_or(window.len(), |end| at + end + 1);
    let line = &window[start..end];
    let is_line = line.len() >= HASH && line[..HASH].iter().all(u8::is_ascii_hexdigit) && (start > 0 || from == 0);
    if !is_line {
        return Err(Error::new(ErrorKind::InvalidData, "a line is not HASH:count"));
    }
    Ok((from + start as u64, from + end as u64, line[..HASH].to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn hash(word: &str) -> String {
        Sha1::digest(word.as_bytes()).iter().map(|byte| format!("{byte:02X}")).collect()
    }

    #[test]
    fn every_line_is_found_and_no_other() {
        for (count, end) in [(1, "\n"), (2, "\r\n"), (333, "\r\n"), (1000, "\n")] {
            let mut lines: Vec<String> = (0..count).map(|n| format!("{}:{}", hash(&format!("word {n}")), n * 7919)).collect();
            lines.sort();
            for last in ["", end] {
                let mut file = Cursor::new(format!("{}{last}", lines.join(end)).into_bytes());
                for n in 0..count {
                    assert!(search(&mut file, hash(&format!("word {n}")).as_bytes()).unwrap(), "{n} of {count}");
                }
                for n in count..count + 50 {
                    assert!(!search(&mut file, hash(&format!("word {n}")).as_bytes()).unwrap(), "{n} beyond {count}");
                }
            }
        }
        assert!(!search(&mut Cursor::new(Vec::new()), hash("x").as_bytes()).unwrap());
    }

    #[test]
    fn what_is_no_list_is_told() {
        for text in ["password\n123456\n", "{ \"hello\": 1 }", &"A".repeat(500)] {
            assert!(search(&mut Cursor::new(text.as_bytes().to_vec()), hash("x").as_bytes()).is_err(), "{text}");
        }
    }
}

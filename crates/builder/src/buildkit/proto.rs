//! As much of protobuf's wire format as BuildKit's progress and session need: fields by number, in and out. What comes from a box is
//! untrusted: every length is checked, and nothing is allocated that did not come.

/// A field: its number, and a number or bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    pub number: u64,
    pub value: u64,
    pub bytes: &'a [u8],
}

fn varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The fields of a message, in order; nothing where it is none.
pub fn fields(mut message: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut all = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let (mut value, mut bytes): (u64, &[u8]) = (0, &[]);
        match key & 7 {
            0 => value = varint(&mut message)?,
            1 => (bytes, message) = message.split_at_checked(8)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                (bytes, message) = message.split_at_checked(length)?;
            }
            5 => (bytes, message) = message.split_at_checked(4)?,
            // Groups are of another age.
            _ => return None,
        }
        all.push(Field { number: key >> 3, value, bytes });
    }
    Some(all)
}

/// The last field of that number as text; what is no UTF-8 is replaced.
pub fn text(of: &[Field<'_>], number: u64) -> String {
    let bytes = of.iter().rev().find(|field| field.number == number).map_or(&[][..], |field| field.bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

/// The last field of that number as a number, 0 where there is none.
pub fn number(of: &[Field<'_>], number: u64) -> u64 {
    of.iter().rev().find(|field| field.number == number).map_or(0, |field| field.value)
}

pub fn has(of: &[Field<'_>], number: u64) -> bool {
    of.iter().any(|field| field.number == number)
}

/// Appends a field of bytes.
pub fn put(to: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    to.push(number << 3 | 2);
    let mut length = bytes.len();
    while length > 0x7f {
        to.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    to.push(length as u8);
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_put_is_found() {
        let mut message = Vec::new();
        put(&mut message, 1, b"host");
        put(&mut message, 2, &[7; 300]);
        message.extend([3 << 3, 0x96, 0x01]);
        let of = fields(&message).unwrap();
        assert_eq!((text(&of, 1).as_str(), of[1].bytes.len(), number(&of, 3)), ("host", 300, 150));
        assert!(!has(&of, 4) && text(&of, 4).is_empty());
        assert_eq!(fields(&message[..message.len() - 1]), None, "it was torn");
    }

    proptest! {
        #[test]
        fn nonsense_is_refused_or_read_but_never_fatal(message in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = fields(&message);
        }
    }
}

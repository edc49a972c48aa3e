//! Avro files whose marker says what they hold.
//!
//! Avro ends the header and every block of a file with a marker of 16 bytes that its writer chooses. Ours is a hash of
//! the file, so that whoever knows that finds every damage, and all others read the file as any.

use twox_hash::XxHash3_128;

use super::avro::{Reader, SYNC};

/// What our markers begin with.
const OURS: &[u8; 4] = b"ecat";

/// Makes the marker of a file a hash of what it holds. `None`: it is no Avro file.
pub fn seal(mut file: Vec<u8>) -> Option<Vec<u8>> {
    let markers = markers(&file)?;
    let marker = marker(&file, &markers);
    for at in markers {
        file.get_mut(at..at + SYNC)?.copy_from_slice(&marker);
    }
    Some(file)
}

/// Whether a file is whole, as far as it says: each byte belongs to its header or a block, and where its marker is of ours,
/// all are as they were written.
pub fn is_whole(file: &[u8]) -> bool {
    let Some(markers) = markers(file) else { return false };
    let first = markers.first().and_then(|at| file.get(*at..at + SYNC));
    first.is_some_and(|first| !first.starts_with(OURS) || first == marker(file, &markers))
}

/// Where the markers of a file are, which are all the same. `None`: it is malformed.
fn markers(file: &[u8]) -> Option<Vec<usize>> {
    let mut reader = Reader { rest: file.strip_prefix(b"Obj\x01")? };
    let at = |reader: &Reader<'_>| file.len() - reader.rest.len();
    reader.each_element(|reader| {
        reader.bytes()?;
        reader.bytes()?;
        Some(())
    })?;
    let mut markers = vec![at(&reader)];
    let first = reader.take(SYNC)?;
    while !reader.rest.is_empty() {
        reader.long().filter(|records| *records >= 0)?;
        reader.bytes()?;
        markers.push(at(&reader));
        if reader.take(SYNC)? != first {
            return None;
        }
    }
    Some(markers)
}

fn marker(file: &[u8], markers: &[usize]) -> [u8; SYNC] {
    let mut hasher = XxHash3_128::new();
    let mut from = 0;
    for at in markers {
        hasher.write(&file[from..*at]);
        from = at + SYNC;
    }
    let mut marker = [0; SYNC];
    marker[..OURS.len()].copy_from_slice(OURS);
    marker[OURS.len()..].copy_from_slice(&hasher.finish_128().to_le_bytes()[..SYNC - OURS.len()]);
    marker
}

#[cfg(test)]
mod tests {
    use super::super::avro::Writer;
    use super::*;

    /// A file of two blocks of three numbers.
    fn file() -> Vec<u8> {
        let mut writer = Writer { bytes: b"Obj\x01".to_vec() };
        writer.long(1);
        writer.sized(b"avro.schema");
        writer.sized(br#"{"type":"record","name":"r","fields":[{"name":"n","type":"long"}]}"#);
        writer.long(0);
        writer.bytes.extend([7; SYNC]);
        for _ in 0..2 {
            writer.long(3);
            writer.sized(&[2, 4, 6]);
            writer.bytes.extend([7; SYNC]);
        }
        writer.bytes
    }

    #[test]
    fn every_flipped_bit_window_of_zeroes_and_cut_of_a_sealed_file_is_found() {
        let sealed = seal(file()).unwrap();
        assert!(is_whole(&file()) && is_whole(&sealed));
        assert_eq!(seal(sealed.clone()).unwrap(), sealed);
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_whole(&damaged), "bit {bit}");
        }
        for from in 0..sealed.len() {
            assert!(!is_whole(&sealed[..from]), "cut to {from}");
            let mut zeroed = sealed.clone();
            zeroed[from..(from + 64).min(sealed.len())].fill(0);
            assert!(!is_whole(&zeroed), "zeroes from {from}");
        }
    }

    #[test]
    fn zeroes_in_another_writers_file_are_found_and_its_marker_is_its_own() {
        let theirs = file();
        let blocks = markers(&theirs).unwrap()[0];
        for from in blocks..theirs.len() - 16 {
            let mut zeroed = theirs.clone();
            zeroed[from..(from + 64).min(theirs.len())].fill(0);
            assert!(!is_whole(&zeroed), "zeroes from {from}");
        }
    }
}

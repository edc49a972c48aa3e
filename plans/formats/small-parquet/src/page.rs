//! Headers of pages, and the checksum that they have for the body: CRC-32 of its bytes as they are in the file.
//!
//! Source: Apache Parquet's `parquet.thrift` (PageHeader).

use parquet::basic::PageType;

use super::thrift::{I32, Reader, STRUCT, Writer};

/// Fields of a PageHeader.
const CHECKSUM: i16 = 4;
const DATA_PAGE: i16 = 5;
const DICTIONARY_PAGE: i16 = 7;
const DATA_PAGE_V2: i16 = 8;

/// What the header of a page says, whoever wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageHeader {
    /// Bytes of the header.
    pub length: usize,
    pub page_type: PageType,
    /// Bytes of the body.
    pub uncompressed: usize,
    pub compressed: usize,
    pub checksum: Option<u32>,
    /// Nulls included.
    pub values: usize,
    /// Of Encoding.
    pub encoding: usize,
}

impl PageHeader {
    /// Reads the header that `bytes` begin with; `None` if it is malformed.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (mut page_type, mut uncompressed, mut compressed, mut checksum, mut page) = (None, None, None, None, None);
        let mut id = 0;
        while let Some(kind) = reader.field(&mut id)? {
            match (id, kind) {
                (1, I32) => page_type = Some(reader.size()?),
                (2, I32) => uncompressed = Some(reader.size()?),
                (3, I32) => compressed = Some(reader.size()?),
                (CHECKSUM, I32) => checksum = Some(i32::try_from(reader.integer()?).ok()? as u32),
                (DATA_PAGE | DICTIONARY_PAGE | DATA_PAGE_V2, STRUCT) => page = Some((id, read_page(&mut reader, id)?)),
                _ => reader.skip(kind, false)?,
            }
        }
        let (kind, (values, encoding)) = page?;
        let expected = match kind {
            DATA_PAGE => PageType::DATA_PAGE,
            DICTIONARY_PAGE => PageType::DICTIONARY_PAGE,
            _ => PageType::DATA_PAGE_V2,
        };
        (page_type? == expected as usize).then_some(Self {
            length: reader.at,
            page_type: expected,
            uncompressed: uncompressed?,
            compressed: compressed?,
            checksum,
            values,
            encoding,
        })
    }

    /// Whether the body is what the checksum was made of; true if there is none.
    pub fn fits(&self, body: &[u8]) -> bool {
        self.checksum.is_none_or(|checksum| checksum == crc32fast::hash(body))
    }
}

/// Values and encoding of a page.
fn read_page(reader: &mut Reader, page: i16) -> Option<(usize, usize)> {
    let of_encoding = if page == DATA_PAGE_V2 { 4 } else { 2 };
    let (mut values, mut encoding, mut id) = (None, None, 0);
    while let Some(kind) = reader.field(&mut id)? {
        match (id, kind) {
            (1, I32) => values = Some(reader.size()?),
            (_, I32) if id == of_encoding => encoding = Some(reader.size()?),
            _ => reader.skip(kind, false)?,
        }
    }
    values.zip(encoding)
}

/// Writes the checksum of a body: the field of a header that is in progress.
pub(crate) fn write_checksum(out: &mut Writer, body: &[u8]) {
    out.i32(CHECKSUM, crc32fast::hash(body) as i32);
}

/// The header of a page, as parquet wrote it, with the checksum of the body; `None` if it is not the header of that body,
/// or has one.
pub fn with_checksum(header: &[u8], body: &[u8]) -> Option<Vec<u8>> {
    let read = PageHeader::read(header)?;
    if (read.length, read.compressed, read.checksum) != (header.len(), body.len(), None) {
        return None;
    }
    let mut reader = Reader::new(header);
    let mut id = 0;
    while id < 3 {
        let kind = reader.field(&mut id)??;
        reader.skip(kind, false)?;
    }
    let (before, after) = header.split_at_checked(reader.at)?;
    let mut out = Writer::default();
    out.raw_fields(before, id);
    write_checksum(&mut out, body);
    // The id of the next field is told by how far it is from the last one.
    let (next, rest) = after.split_first()?;
    if id != 3 || next >> 4 < 2 {
        return None;
    }
    out.bytes.push(next - 0x10);
    out.bytes.extend_from_slice(rest);
    Some(out.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(page: i16, body: usize) -> Vec<u8> {
        let mut out = Writer::default();
        let page_type = match page {
            DATA_PAGE => PageType::DATA_PAGE,
            DICTIONARY_PAGE => PageType::DICTIONARY_PAGE,
            _ => PageType::DATA_PAGE_V2,
        };
        out.i32(1, page_type as i32);
        out.i32(2, 70_000);
        out.i32(3, body as i32);
        out.begin(page);
        out.i32(1, 300);
        out.i32(2, 8);
        out.i32(3, 3);
        out.i32(4, 3);
        out.end();
        out.end();
        out.bytes
    }

    #[test]
    fn a_header_gets_the_checksum_of_its_body_and_says_the_same_otherwise() {
        for page in [DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2] {
            let body = b"some bytes";
            let plain = header(page, body.len());
            let sealed = with_checksum(&plain, body).unwrap();
            let (before, after) = (PageHeader::read(&plain).unwrap(), PageHeader::read(&sealed).unwrap());
            assert_eq!(after.checksum, Some(crc32fast::hash(body)));
            assert_eq!(after.length, sealed.len());
            assert_eq!(PageHeader { checksum: None, length: before.length, ..after }, before);
            assert!(after.fits(body) && !after.fits(b"some bytef") && before.fits(b"whatever"));
            assert_eq!(with_checksum(&sealed, body), None, "it has one");
            assert_eq!(with_checksum(&plain, b"short"), None);
        }
    }

    #[test]
    fn a_flipped_bit_of_a_header_is_no_panic() {
        let body = b"some bytes";
        let sealed = with_checksum(&header(DATA_PAGE, body.len()), body).unwrap();
        for bit in 0..8 * sealed.len() {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = PageHeader::read(&flipped);
            let _ = with_checksum(&flipped, body);
        }
    }
}

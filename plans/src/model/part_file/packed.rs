//! [`PackedColumns`]: the statistics of a file's columns in one buffer.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ColumnStatistics;

/// The statistics of a file's columns, in order.
///
/// A run keeps those of all its files until it commits: packed, a file of 36 columns takes 0.7 kB, as structs 5.
///
/// Each is: field id, values, nulls, lower, upper. Numbers are LEB128; a bound is its length plus 1 and its
/// bytes, or 0 where there is none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PackedColumns(Box<[u8]>);

impl PackedColumns {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.0 }
    }
}

impl<B: AsRef<[u8]>> FromIterator<ColumnStatistics<B>> for PackedColumns {
    fn from_iter<T: IntoIterator<Item = ColumnStatistics<B>>>(columns: T) -> Self {
        let mut packed = vec![];
        for column in columns {
            put(&mut packed, u64::from(column.field_id.cast_unsigned()));
            put(&mut packed, column.values);
            put(&mut packed, column.nulls);
            for bound in [&column.lower, &column.upper] {
                let bound = bound.as_ref().map(AsRef::as_ref);
                put(&mut packed, bound.map_or(0, |bound| bound.len() as u64 + 1));
                packed.extend_from_slice(bound.unwrap_or_default());
            }
        }
        Self(packed.into())
    }
}

/// As Base64, for documents.
impl Serialize for PackedColumns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD_NO_PAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for PackedColumns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD_NO_PAD.decode(text).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.into()))
    }
}

impl<'a> IntoIterator for &'a PackedColumns {
    type Item = ColumnStatistics<&'a [u8]>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for PackedColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// Unpacks one column after the other.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iter<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some(number)
    }

    fn bound(&mut self) -> Option<Option<&'a [u8]>> {
        let Some(length) = self.number()?.checked_sub(1) else { return Some(None) };
        let (bound, rest) = self.rest.split_at_checked(length as usize)?;
        self.rest = rest;
        Some(Some(bound))
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = ColumnStatistics<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(ColumnStatistics {
            field_id: (self.number()? as u32).cast_signed(),
            values: self.number()?,
            nulls: self.number()?,
            lower: self.bound()?,
            upper: self.bound()?,
        })
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn column() -> impl Strategy<Value = ColumnStatistics> {
        let bound = || prop::option::of(prop::collection::vec(any::<u8>(), 0..200));
        (any::<i32>(), any::<u64>(), any::<u64>(), bound(), bound()).prop_map(
            |(field_id, values, nulls, lower, upper)| ColumnStatistics { field_id, values, nulls, lower, upper },
        )
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked_in_order(columns in prop::collection::vec(column(), 0..10)) {
            let packed: PackedColumns = columns.iter().cloned().collect();
            let unpacked = packed.iter().map(ColumnStatistics::to_owned);
            prop_assert_eq!(unpacked.collect::<Vec<_>>(), columns);
        }
    }
}

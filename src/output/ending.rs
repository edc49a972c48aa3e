//! [`format_for`]: the format that a file gets, by what was asked for or by the ending of its name.

use super::compression::Compression;
use super::sink::{Destination, SinkError};

/// Formats that the ending of a file's name tells.
pub trait NamedFormat: Copy + PartialEq + 'static {
    /// Endings, without a point and in lower case, and the formats that they tell.
    const ENDINGS: &'static [(&'static str, Self)];

    /// Whether its files are compressed inside, so that nothing is to be compressed around them.
    fn compresses_itself(self) -> bool;

    /// The format of a file of that name, which may also end as compressed files do.
    fn named(name: &str) -> Option<Self> {
        let (_, ending) = Compression::named(name).0.rsplit_once('.')?;
        Self::ENDINGS.iter().find_map(|(known, format)| known.eq_ignore_ascii_case(ending).then_some(*format))
    }

    /// The endings, for people.
    fn endings() -> String {
        let endings: Vec<_> = Self::ENDINGS.iter().map(|(ending, _)| format!(".{ending}")).collect();
        let text = Self::ENDINGS.iter().filter(|(_, format)| !format.compresses_itself()).map(|(ending, _)| *ending);
        let example = text.clone().next().unwrap_or_default();
        format!("{}, the text formats also with .gz or .zst (.{example}.gz)", endings.join(", "))
    }
}

/// The format for `destination`: the one that was `asked` for with `flag`, or that the ending tells; `otherwise`, where
/// nothing has a name.
///
/// Errors: an ending that tells no format; a compressed name for a format that compresses itself.
pub fn format_for<F: NamedFormat>(
    destination: &Destination,
    asked: Option<F>,
    flag: &'static str,
    otherwise: F,
) -> Result<F, SinkError> {
    let Some(location) = destination.location() else { return Ok(asked.unwrap_or(otherwise)) };
    let is_device = matches!(destination, Destination::Device { .. });
    let Some(format) = asked.or_else(|| F::named(location)).or(is_device.then_some(otherwise)) else {
        return Err(SinkError::Ending { location: location.to_owned(), endings: F::endings(), flag });
    };
    match Compression::named(location).1.filter(|_| format.compresses_itself()) {
        Some(compression) => {
            Err(SinkError::CompressedTwice { location: location.to_owned(), ending: compression.ending() })
        }
        None => Ok(format),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    #[test]
    fn a_format_is_known_by_the_end_of_a_name() {
        assert_eq!(Format::named("s3://b/a.b.GeoJSON"), Some(Format::Geojson));
        assert_eq!(Format::named("a.csv.gz"), Some(Format::Csv));
        assert_eq!([Format::named("a"), Format::named("a.xlsx"), Format::named("a.gz")], [None; 3]);
    }

    #[test]
    fn an_ending_that_tells_nothing_is_an_error_unless_the_format_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let format = |name: &str, asked| {
            let path = folder.path().join(name);
            let destination = Destination::parse(path.to_str()).unwrap();
            format_for(&destination, asked, "--output", Format::Table).map_err(|e| e.to_string())
        };
        assert_eq!(format("a.ndjson.zst", None), Ok(Format::Ndjson));
        assert_eq!(format("a.dat", Some(Format::Csv)), Ok(Format::Csv));
        let error = format("a.gpkg", None).unwrap_err();
        assert!(error.contains("a.gpkg: its ending tells no format; end it with .txt, .json, "), "{error}");
        assert!(error.ends_with("also with .gz or .zst (.txt.gz), or name the format with --output"), "{error}");
        let error = format("a.parquet.gz", None).unwrap_err();
        assert!(error.ends_with("a.parquet.gz: Parquet files are compressed inside; leave .gz out"), "{error}");
        let null = Destination::parse(Some("/dev/null")).unwrap();
        assert_eq!(format_for(&null, None, "--output", Format::Table).unwrap(), Format::Table);
    }
}

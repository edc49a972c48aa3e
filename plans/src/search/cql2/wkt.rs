//! WKT in CQL2: positions have two to four numbers, with or without `Z` and `M`; two of them are read.

use earthcatalog_stac_rows::footprint::drawn_place;
use earthcatalog_udfs::{read_wkt, wkt_fault};
use geo::Geometry;

const TYPES: [&str; 7] =
    ["POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION"];

/// Whether a geometry begins with this word.
pub(super) fn is_geometry(word: &str) -> bool {
    TYPES.iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// The geometry at the start of `text` as RFC 7946 draws it, and the length of its text.
///
/// Errors: no closing parenthesis, or no WKT.
pub(super) fn parse(text: &str) -> Result<(Geometry, usize), String> {
    let end = end(text)?;
    let flat = flat(&text[..end]);
    let geometry = read_wkt(&flat).map_err(|e| {
        // Of the text as it was typed, if it is wrong, too.
        let fault = wkt_fault(&text[..end]).map_or(e, |fault| fault.to_string());
        format!("{:?} is not WKT: {fault}", &text[..end])
    })?;
    Ok((drawn_place(geometry), end))
}

/// Behind the last parenthesis of the geometry, or behind `EMPTY`.
fn end(text: &str) -> Result<usize, String> {
    let open = text.find('(').unwrap_or(text.len());
    let empty = text.to_ascii_uppercase().find("EMPTY").filter(|empty| *empty < open);
    if let Some(empty) = empty {
        return Ok(empty + "EMPTY".len());
    }
    let mut depth = 0;
    for (at, c) in text.char_indices().skip_while(|(_, c)| *c != '(') {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth == 0 {
            return Ok(at + 1);
        }
    }
    Err("a geometry has no closing parenthesis".to_owned())
}

/// The same geometry with two numbers to a position.
fn flat(text: &str) -> String {
    let mut flat = String::with_capacity(text.len());
    let mut numbers = 0;
    for token in tokens(text) {
        match token {
            "(" | ")" | "," => {
                numbers = 0;
                flat.push_str(token);
            }
            mark if ["Z", "M", "ZM"].iter().any(|known| known.eq_ignore_ascii_case(mark)) => {}
            word if word.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                flat.push_str(marked(word));
                flat.push(' ');
            }
            number => {
                numbers += 1;
                if numbers <= 2 {
                    flat.push_str(number);
                    flat.push(' ');
                }
            }
        }
    }
    flat
}

/// The word without a mark of dimensions right behind it: `POINTZ`.
fn marked(word: &str) -> &str {
    let bare = word.trim_end_matches(['Z', 'M', 'z', 'm']);
    if is_geometry(bare) { bare } else { word }
}

fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let is_mark = |c: char| matches!(c, '(' | ')' | ',');
    text.split_whitespace().flat_map(move |word| {
        word.split_inclusive(is_mark).flat_map(move |part| {
            let (head, mark) = part.split_at(part.trim_end_matches(is_mark).len());
            [head, mark].into_iter().filter(|token| !token.is_empty())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_more_dimensions_are_read_for_two() {
        let point = read_wkt("POINT(1 2)").unwrap();
        for text in ["POINT(1 2)", "point z (1 2 3)", "POINTZM(1 2 3 4)", "POINT ( 1  2 3 )", "Point M(1 2 3)"] {
            assert_eq!(parse(&format!("{text}) AND (x")), Ok((point.clone(), text.len())), "{text}");
        }
        let text = "GEOMETRYCOLLECTION(POINT(1 2 3),LINESTRING Z(1 2 3, 4 5 6))";
        let flat = read_wkt("GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(1 2,4 5))").unwrap();
        assert_eq!(parse(text), Ok((flat, text.len())));
    }

    #[test]
    fn what_is_not_wkt_is_refused() {
        assert!(parse("POINT(1 2").unwrap_err().contains("no closing parenthesis"));
        assert!(parse("POLYGON(1 2)").unwrap_err().contains("is not WKT"));
        assert_eq!(parse("POINT EMPTY AND (x)").unwrap().1, 11);
    }
}

//! [`read_wkt`]: a geometry from WKT; [`wkt_fault`]: what is wrong with a text that should be one, in words.

use std::fmt;

use geo::Geometry;
use wkt::TryFromWkt;

/// The types of geometries, and how deep the parentheses around their positions are.
const TYPES: [(&str, Shape); 7] = [
    ("POINT", Shape::Position),
    ("LINESTRING", Shape::Positions),
    ("POLYGON", Shape::Rings),
    ("MULTIPOINT", Shape::Points),
    ("MULTILINESTRING", Shape::Lines),
    ("MULTIPOLYGON", Shape::Polygons),
    ("GEOMETRYCOLLECTION", Shape::Geometries),
];

/// What stands in the parentheses of a geometry.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Position,
    Positions,
    /// Positions, each in parentheses or not.
    Points,
    Lines,
    Rings,
    Polygons,
    Geometries,
}

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WktFault {
    /// A ring does not end where it begins.
    OpenRing(String),
    /// It is not WKT.
    Malformed(String),
    /// Its collections are so deep in each other that readers, which recurse, could not go there.
    TooDeep,
}

/// Collections in collections, at most.
const DEEPEST: usize = 64;

impl fmt::Display for WktFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenRing(message) | Self::Malformed(message) => f.write_str(message),
            Self::TooDeep => write!(f, "more than {DEEPEST} collections are one in the other"),
        }
    }
}

/// What is wrong with a WKT text, the first fault alone; `None` where nothing was found.
pub fn wkt_fault(text: &str) -> Option<WktFault> {
    let mut scanner = Scanner { text, at: 0, depth: 0 };
    let scanned = scanner.geometry().and_then(|()| match scanner.next() {
        None => Ok(()),
        Some(token) => malformed(format!("{} stands behind the geometry", scanner.named(token))),
    });
    scanned.err()
}

/// The geometry of a WKT text, as it is written.
///
/// Errors: what is wrong with it, in words.
pub fn read_wkt(text: &str) -> Result<Geometry, String> {
    let fault = wkt_fault(text);
    if fault == Some(WktFault::TooDeep) {
        return Err(WktFault::TooDeep.to_string());
    }
    match (Geometry::try_from_wkt_str(text), fault) {
        // A form that the reader takes is one.
        (Ok(geometry), None | Some(WktFault::Malformed(_))) => Ok(geometry),
        (_, Some(fault)) => Err(fault.to_string()),
        (Err(e), None) => Err(e.to_string()),
    }
}

type Scanned<T = ()> = Result<T, WktFault>;

fn malformed<T>(message: String) -> Scanned<T> {
    Err(WktFault::Malformed(message))
}

/// A word, a number or a mark, and the byte at which it begins.
#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    at: usize,
}

/// Reads WKT from the front.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Collections around what is read.
    depth: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        let rest = &self.text[self.at..];
        let text = rest.trim_start();
        let at = self.at + rest.len() - text.len();
        let first = text.chars().next()?;
        let is_mark = |c: char| matches!(c, '(' | ')' | ',');
        let end = match is_mark(first) {
            true => 1,
            false => text.find(|c: char| is_mark(c) || c.is_whitespace()).unwrap_or(text.len()),
        };
        Some(Token { text: &text[..end], at })
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.peek()?;
        self.at = token.at + token.text.len();
        Some(token)
    }

    /// Whether the next token is `text`; then it is read.
    fn takes(&mut self, text: &str) -> bool {
        let is_next = self.peek().is_some_and(|token| token.text.eq_ignore_ascii_case(text));
        if is_next {
            self.next();
        }
        is_next
    }

    /// Which character a byte is, from 1.
    fn character(&self, at: usize) -> usize {
        self.text[..at].chars().count() + 1
    }

    fn named(&self, token: Token<'_>) -> String {
        let beginning: String = token.text.chars().take(30).collect();
        format!("{beginning:?} (character {})", self.character(token.at))
    }

    /// What stands where something else should.
    fn found(&self) -> String {
        self.peek().map_or_else(|| "the end of the text".to_owned(), |token| self.named(token))
    }

    fn geometry(&mut self) -> Scanned {
        let Some(word) = self.next() else { return malformed("the text is empty".to_owned()) };
        let (bare, mark) = TYPES
            .iter()
            .flat_map(|(name, _)| ["", "Z", "M", "ZM"].map(|mark| (*name, mark)))
            .find(|(name, mark)| word.text.eq_ignore_ascii_case(&format!("{name}{mark}")))
            .unwrap_or_default();
        let Some((name, shape)) = TYPES.iter().find(|(name, _)| *name == bare) else {
            let types: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
            return malformed(format!("{} is not a type of geometry; it is {}", self.named(word), types.join(", ")));
        };
        if mark.is_empty() {
            let _ = ["ZM", "Z", "M"].iter().any(|mark| self.takes(mark));
        }
        match self.takes("EMPTY") {
            true => Ok(()),
            false => self.shape(*shape, name),
        }
    }

    fn shape(&mut self, shape: Shape, within: &str) -> Scanned {
        match shape {
            Shape::Position => {
                let opened = self.open(within)?;
                self.position()?;
                self.close(opened)
            }
            Shape::Positions => self.positions(within).map(drop),
            Shape::Points => self.list(within, |scanner| match scanner.peek() {
                Some(token) if token.text == "(" => scanner.shape(Shape::Position, within),
                _ => scanner.position().map(drop),
            }),
            Shape::Lines => self.list(within, |scanner| scanner.shape(Shape::Positions, within)),
            Shape::Rings => self.list(within, |scanner| scanner.ring(within)),
            Shape::Polygons => self.list(within, |scanner| scanner.shape(Shape::Rings, within)),
            Shape::Geometries if self.depth == DEEPEST => Err(WktFault::TooDeep),
            Shape::Geometries => {
                self.depth += 1;
                self.list(within, Self::geometry)?;
                self.depth -= 1;
                Ok(())
            }
        }
    }

    /// Parts in parentheses, with commas between them; a part may be `EMPTY`.
    fn list(&mut self, within: &str, mut part: impl FnMut(&mut Self) -> Scanned) -> Scanned {
        let opened = self.open(within)?;
        loop {
            if !self.takes("EMPTY") {
                part(self)?;
            }
            if !self.takes(",") {
                return self.close(opened);
            }
        }
    }

    fn open(&mut self, within: &str) -> Scanned<usize> {
        let at = self.peek().map_or(self.text.len(), |token| token.at);
        match self.takes("(") {
            true => Ok(at),
            false => malformed(format!("a parenthesis should open in {within}, and there is {}", self.found())),
        }
    }

    fn close(&mut self, opened: usize) -> Scanned {
        if self.takes(")") {
            return Ok(());
        }
        let opened = self.character(opened);
        match self.peek() {
            None => malformed(format!("the parenthesis of character {opened} is never closed")),
            Some(token) => malformed(format!(
                "a comma or the end of the parenthesis of character {opened} should come, and there is {}",
                self.named(token)
            )),
        }
    }

    /// The texts of the first two numbers of a position.
    fn position(&mut self) -> Scanned<[&'a str; 2]> {
        let begin = self.peek();
        let mut numbers = vec![];
        while let Some(token) = self.peek().filter(|token| token.text.parse::<f64>().is_ok()) {
            numbers.push(token.text);
            self.next();
        }
        match (numbers.as_slice(), begin) {
            ([x, y] | [x, y, _] | [x, y, _, _], _) => Ok([x, y]),
            ([], _) => malformed(format!("a number should come, and there is {}", self.found())),
            ([x], Some(begin)) => malformed(format!(
                "a position has two numbers, longitude and latitude, and {} is alone",
                self.named(Token { text: x, ..begin })
            )),
            (_, begin) => {
                let at = self.character(begin.map_or(0, |token| token.at));
                malformed(format!("a position has two to four numbers, and that of character {at} has more"))
            }
        }
    }

    fn positions(&mut self, within: &str) -> Scanned<Vec<[&'a str; 2]>> {
        let mut positions = vec![];
        let opened = self.open(within)?;
        loop {
            positions.push(self.position()?);
            if !self.takes(",") {
                self.close(opened)?;
                return Ok(positions);
            }
        }
    }

    fn ring(&mut self, within: &str) -> Scanned {
        let at = self.peek().map_or(0, |token| token.at);
        let positions = self.positions(within)?;
        let value = |[x, y]: [&str; 2]| (x.parse::<f64>().ok(), y.parse::<f64>().ok());
        match positions.as_slice() {
            [first, .., last] if value(*first) != value(*last) => Err(WktFault::OpenRing(format!(
                "a ring must end where it begins, and that of character {} begins at {} and ends at {}",
                self.character(at),
                first.join(" "),
                last.join(" "),
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wkt_has_no_fault() {
        for text in [
            "POINT(1 2)",
            " point z ( 1 2 3 ) ",
            "POINTZM(1 2 3 4)",
            "POINT EMPTY",
            "LINESTRING(1 2,-3.5 4e2)",
            "POLYGON((0 0,1 0,1 1,0 0),(0.1 0.1,0.2 0.1,0.2 0.2,0.1 0.1))",
            "POLYGON((0 0,1 0,1 1,0.0 0))",
            "MULTIPOINT(1 2, 3 4)",
            "MULTIPOINT((1 2), EMPTY, (3 4))",
            "MULTILINESTRING((1 2,3 4),(5 6,7 8))",
            "MULTIPOLYGON(((0 0,1 0,1 1,0 0)),EMPTY)",
            "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING Z(1 2 3,4 5 6))",
            "GEOMETRYCOLLECTION EMPTY",
        ] {
            assert_eq!(wkt_fault(text), None, "{text}");
        }
    }

    #[test]
    fn a_fault_is_said_with_its_place() {
        for (text, message) in [
            ("", "the text is empty"),
            (
                "POLGON((0 0,1 0,1 1,0 0))",
                "\"POLGON\" (character 1) is not a type of geometry; it is POINT, LINESTRING, POLYGON, MULTIPOINT, \
                 MULTILINESTRING, MULTIPOLYGON, GEOMETRYCOLLECTION",
            ),
            ("POINT 1 2", "a parenthesis should open in POINT, and there is \"1\" (character 7)"),
            ("POLYGON(0 0,1 0)", "a parenthesis should open in POLYGON, and there is \"0\" (character 9)"),
            ("POINT(1)", "a position has two numbers, longitude and latitude, and \"1\" (character 7) is alone"),
            ("POINT(1,2)", "a position has two numbers, longitude and latitude, and \"1\" (character 7) is alone"),
            ("POINT(é 2)", "a number should come, and there is \"é\" (character 7)"),
            ("LINESTRING(é)", "a number should come, and there is \"é\" (character 12)"),
            ("LINESTRING(1 2,", "a number should come, and there is the end of the text"),
            ("LINESTRING(1 2,3 4", "the parenthesis of character 11 is never closed"),
            (
                "LINESTRING(1 2 x)",
                "a comma or the end of the parenthesis of character 11 should come, and there is \"x\" (character 16)",
            ),
            ("POINT(1 2 3 4 5)", "a position has two to four numbers, and that of character 7 has more"),
            ("POINT(1 2) POINT(3 4)", "\"POINT\" (character 12) stands behind the geometry"),
        ] {
            assert_eq!(wkt_fault(text), Some(WktFault::Malformed(message.to_owned())), "{text}");
        }
        let deep = |n: usize| format!("{}POINT(1 2){}", "GEOMETRYCOLLECTION(".repeat(n), ")".repeat(n));
        assert_eq!([wkt_fault(&deep(64)), wkt_fault(&deep(100_000))], [None, Some(WktFault::TooDeep)]);
        let open = wkt_fault("MULTIPOLYGON(((0 0,5 0,5 5)))").unwrap();
        let message = "a ring must end where it begins, and that of character 15 begins at 0 0 and ends at 5 5";
        assert_eq!(open, WktFault::OpenRing(message.to_owned()));
    }
}

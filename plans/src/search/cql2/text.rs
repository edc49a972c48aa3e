//! CQL2 as text: a parser by descent, a method for each level of precedence.

use std::fmt;

use super::Cql2;
use super::call::{self, Function, MOST_NESTED};
use super::wkt;

pub(super) fn parse(text: &str) -> Result<Cql2, String> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let read = parser.or().and_then(|read| match parser.rest() {
        "" => Ok(read),
        _ => Err("an operator was expected".to_owned()),
    });
    read.map_err(|reason| format!("{reason}, {}", Place { text, at: parser.at }))
}

/// Where in a text something is wrong.
struct Place<'a> {
    text: &'a str,
    at: usize,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 40;
        let rest = self.text[self.at..].trim();
        match rest.char_indices().nth(SHOWN) {
            _ if rest.is_empty() => write!(f, "at its end"),
            Some((end, _)) => write!(f, "at {:?}…", &rest[..end]),
            None => write!(f, "at {rest:?}"),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

type Read = Result<Cql2, String>;

impl<'a> Parser<'a> {
    fn or(&mut self) -> Read {
        self.chain(Function::Or, "or", Self::and)
    }

    fn and(&mut self) -> Read {
        self.chain(Function::And, "and", Self::not)
    }

    fn chain(&mut self, function: Function, word: &str, operand: fn(&mut Self) -> Read) -> Read {
        let mut operands = vec![operand(self)?];
        while self.word(word) {
            operands.push(operand(self)?);
        }
        match operands.len() {
            1 => Ok(operands.remove(0)),
            _ => function.call(operands),
        }
    }

    fn not(&mut self) -> Read {
        if self.word("not") {
            let operand = self.deeper(Self::not)?;
            return Function::Not.call(vec![operand]);
        }
        self.predicate()
    }

    fn predicate(&mut self) -> Read {
        let left = self.sum()?;
        for symbol in ["<>", "!=", "<=", ">=", "=", "<", ">"] {
            if self.symbol(symbol) {
                let right = self.sum()?;
                return call::call(symbol, vec![left, right]);
            }
        }
        if self.word("is") {
            let negated = self.word("not");
            self.expect_word("null")?;
            return negated_if(negated, Function::IsNull.call(vec![left]));
        }
        let before = self.at;
        let negated = self.word("not");
        if self.word("like") {
            let pattern = self.sum()?;
            return negated_if(negated, Function::Like.call(vec![left, pattern]));
        }
        if self.word("between") {
            let low = self.sum()?;
            self.expect_word("and")?;
            let high = self.sum()?;
            return negated_if(negated, Function::Between.call(vec![left, low, high]));
        }
        if self.word("in") {
            self.expect_symbol("(")?;
            let list = Cql2::Array(self.list()?);
            return negated_if(negated, Function::In.call(vec![left, list]));
        }
        self.at = before;
        Ok(left)
    }

    fn sum(&mut self) -> Read {
        self.binary(&[("+", Function::Plus), ("-", Function::Minus)], Self::product)
    }

    fn product(&mut self) -> Read {
        let operators = [
            ("*", Function::Times),
            ("/", Function::Divide),
            ("%", Function::Modulo),
            ("div", Function::IntegerDivide),
        ];
        self.binary(&operators, Self::power)
    }

    fn power(&mut self) -> Read {
        self.binary(&[("^", Function::Power)], Self::sign)
    }

    fn binary(&mut self, operators: &[(&str, Function)], operand: fn(&mut Self) -> Read) -> Read {
        let mut left = operand(self)?;
        let mut length = 0;
        while let Some((_, function)) = operators.iter().find(|(name, _)| self.operator(name)) {
            // A long chain is a deep tree.
            length += 1;
            if length > MOST_NESTED {
                return Err(format!("more than {MOST_NESTED} operators follow each other"));
            }
            left = function.call(vec![left, operand(self)?])?;
        }
        Ok(left)
    }

    fn sign(&mut self) -> Read {
        if self.symbol("-") {
            return match self.deeper(Self::sign)? {
                Cql2::Number(number) => Ok(Cql2::Number(-number)),
                other => Function::Times.call(vec![Cql2::Number(-1.0), other]),
            };
        }
        self.symbol("+");
        self.atom()
    }

    fn atom(&mut self) -> Read {
        self.skip_space();
        let rest = self.rest();
        match rest.chars().next() {
            Some('\'') => self.quoted('\'').map(Cql2::Text),
            Some('"') => {
                let name = self.quoted('"')?;
                if self.symbol("(") { self.call(&name) } else { Ok(Cql2::Property(name)) }
            }
            Some('(') => {
                self.at += 1;
                self.parenthesis()
            }
            Some('0'..='9' | '.') => self.number(),
            Some(c) if is_start(c) => {
                let word = self.name();
                if wkt::is_geometry(word) && self.begins_geometry() {
                    let (geometry, length) = wkt::parse(rest)?;
                    self.at += length - word.len();
                    return call::geometry(geometry);
                }
                if self.symbol("(") {
                    return self.call(word);
                }
                Ok(match word.to_ascii_lowercase().as_str() {
                    "true" => Cql2::Boolean(true),
                    "false" => Cql2::Boolean(false),
                    "null" => Cql2::Null,
                    _ => Cql2::Property(word.to_owned()),
                })
            }
            _ => Err("a property, a value or a function was expected".to_owned()),
        }
    }

    /// Behind `(`: an expression in parentheses, or an array.
    fn parenthesis(&mut self) -> Read {
        let mut elements = self.list()?;
        match elements.len() {
            1 => Ok(elements.remove(0)),
            _ => Ok(Cql2::Array(elements)),
        }
    }

    /// Behind `(`: the elements up to `)`.
    fn list(&mut self) -> Result<Vec<Cql2>, String> {
        let mut elements = vec![];
        if self.symbol(")") {
            return Ok(elements);
        }
        loop {
            elements.push(self.deeper(Self::or)?);
            if self.symbol(")") {
                return Ok(elements);
            }
            if !self.symbol(",") {
                return Err("a comma or a closing parenthesis was expected".to_owned());
            }
        }
    }

    fn call(&mut self, name: &str) -> Read {
        let mut arguments = self.list()?;
        if Function::named(name).is_some_and(Function::is_of_arrays) {
            // An array of one element reads as a value in parentheses.
            for argument in &mut arguments {
                if matches!(argument, Cql2::Number(_) | Cql2::Text(_) | Cql2::Boolean(_)) {
                    *argument = Cql2::Array(vec![std::mem::replace(argument, Cql2::Null)]);
                }
            }
        }
        call::call(name, arguments)
    }

    fn number(&mut self) -> Read {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let digits = |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut end = digits(0);
        if bytes.get(end) == Some(&b'.') {
            end = digits(end + 1);
        }
        if let Some(b'e' | b'E') = bytes.get(end) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            end = digits((end + 1 + sign).min(bytes.len()));
        }
        let number = rest[..end].parse::<f64>().map_err(|_| "it is not a number".to_owned())?;
        if rest[end..].starts_with(is_start) {
            return Err("a number ends in letters".to_owned());
        }
        self.at += end;
        Ok(Cql2::Number(number))
    }

    /// What is between two quotes, of which a doubled one stands for itself, and in a text also one behind `\`.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            let next = chars.peek().map(|(_, next)| *next);
            match c {
                '\\' if quote == '\'' && next == Some(quote) => text.extend(chars.next().map(|(_, quote)| quote)),
                c if c != quote => text.push(c),
                _ if next == Some(quote) => text.extend(chars.next().map(|(_, quote)| quote)),
                _ => {
                    self.at += at + 1;
                    return Ok(text);
                }
            }
        }
        Err(format!("there is no closing {quote}"))
    }

    /// The name at the cursor, which is passed.
    fn name(&mut self) -> &'a str {
        let rest = self.rest();
        let is_part = |c: char| is_start(c) || c == '.' || c.is_numeric();
        let name = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        self.at += name.len();
        name
    }

    /// Whether behind the name of a geometry stands what belongs to one.
    fn begins_geometry(&self) -> bool {
        let rest = self.rest().trim_start();
        let word = rest.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let marks = ["z", "m", "zm", "empty"];
        rest.starts_with('(') || marks.iter().any(|mark| mark.eq_ignore_ascii_case(word))
    }

    fn deeper(&mut self, read: fn(&mut Self) -> Read) -> Read {
        self.depth += 1;
        if self.depth > MOST_NESTED {
            return Err(format!("it nests deeper than {MOST_NESTED} levels"));
        }
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn operator(&mut self, name: &str) -> bool {
        if name.starts_with(is_start) { self.word(name) } else { self.symbol(name) }
    }

    /// Passes `symbol` if it comes next.
    fn symbol(&mut self, symbol: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(symbol);
        self.at += if found { symbol.len() } else { 0 };
        found
    }

    /// Passes `word` if it comes next.
    fn word(&mut self, word: &str) -> bool {
        self.skip_space();
        let before = self.at;
        let found = self.rest().starts_with(is_start) && self.name().eq_ignore_ascii_case(word);
        if !found {
            self.at = before;
        }
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<(), String> {
        if self.symbol(symbol) { Ok(()) } else { Err(format!("{symbol} was expected")) }
    }

    fn expect_word(&mut self, word: &str) -> Result<(), String> {
        if self.word(word) { Ok(()) } else { Err(format!("{} was expected", word.to_uppercase())) }
    }
}

/// Whether a name without quotes begins so.
fn is_start(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | ':')
}

fn negated_if(negated: bool, read: Read) -> Read {
    match negated {
        true => Function::Not.call(vec![read?]),
        false => read,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn same(text: &str, json: serde_json::Value) {
        assert_eq!(parse(text), Cql2::from_json(&json), "{text}");
        assert!(parse(text).is_ok(), "{text}");
    }

    #[test]
    fn operators_bind_as_in_the_standard() {
        let p = |name: &str| json!({"property": name});
        same(
            "a = 1 OR b = 2 AND NOT c = 3",
            json!({"op": "or", "args": [
                {"op": "=", "args": [p("a"), 1]},
                {"op": "and", "args": [{"op": "=", "args": [p("b"), 2]}, {"op": "not", "args": [{"op": "=", "args": [p("c"), 3]}]}]},
            ]}),
        );
        same(
            "a + b * -c ^ 2 > 1",
            json!({"op": ">", "args": [
            {"op": "+", "args": [p("a"), {"op": "*", "args": [
                p("b"), {"op": "^", "args": [{"op": "*", "args": [-1, p("c")]}, 2]}]}]}, 1]}),
        );
        same("balance-150.0 > 0", json!({"op": ">", "args": [{"op": "-", "args": [p("balance"), 150]}, 0]}));
        same(
            "x BETWEEN 1 AND 2 AND y = 3",
            json!({"op": "and", "args": [
            {"op": "between", "args": [p("x"), 1, 2]}, {"op": "=", "args": [p("y"), 3]}]}),
        );
        same(
            "x not in ('a') and x IS NOT NULL",
            json!({"op": "and", "args": [
            {"op": "not", "args": [{"op": "in", "args": [p("x"), ["a"]]}]},
            {"op": "not", "args": [{"op": "isNull", "args": [p("x")]}]}]}),
        );
        same(
            "7 div 2 * 3 = 9",
            json!({"op": "=", "args": [
            {"op": "*", "args": [{"op": "div", "args": [7, 2]}, 3]}, 9]}),
        );
    }

    #[test]
    fn names_and_texts_are_quoted_as_in_the_standard() {
        assert_eq!(parse(r#""view:sun-azimuth""#), Ok(Cql2::Property("view:sun-azimuth".into())));
        assert_eq!(parse("properties.été:_x1"), Ok(Cql2::Property("properties.été:_x1".into())));
        assert_eq!(parse("notes"), Ok(Cql2::Property("notes".into())));
        assert_eq!(parse("point"), Ok(Cql2::Property("point".into())));
        assert_eq!(parse(r"'it''s \'so\''"), Ok(Cql2::Text("it's 'so'".into())));
        assert_eq!(parse("+1.5E-3"), Ok(Cql2::Number(0.0015)));
        assert_eq!(parse(".5"), Ok(Cql2::Number(0.5)));
    }

    #[test]
    fn errors_say_what_was_expected_and_where() {
        for (text, words) in [
            ("", "a property, a value or a function was expected, at its end"),
            ("a = ", "was expected, at its end"),
            ("a = 1 b = 2", "an operator was expected, at \"b = 2\""),
            ("a = 'x", "there is no closing ', at \"'x\""),
            ("near(a, 1)", "there is no function near, at its end"),
            ("a IN 1", "( was expected"),
            ("(a = 1", "a comma or a closing parenthesis was expected"),
            ("a IS 1", "NULL was expected"),
            ("a < 1x", "a number ends in letters"),
            ("a < 1.2.3", "an operator was expected, at \".3\""),
            ("casei(a, b) = 1", "casei takes 1 arguments, and has 2"),
            ("t_after(a, DATE('2020-13-01'))", "is not a date"),
            ("s_within(geometry, BBOX(1, 2, 3))", "is no box"),
            ("interval(1, 2)", "an interval ends at times"),
            ("s_within(geometry, POINT EMPTY)", "the geometry is empty"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn what_nests_too_deep_is_refused_and_what_is_long_is_read() {
        for opening in ["(", "not ", "casei(", "- ", "a_overlaps((", "1 + ("] {
            let error = parse(&opening.repeat(100_000)).unwrap_err();
            assert!(error.contains("nests deeper than"), "{opening}: {error}");
        }
        assert!(parse(&format!("a = 1{}", " + 1".repeat(100_000))).unwrap_err().contains("follow each other"));
        assert!(parse(&vec!["a = 1"; 10_000].join(" OR ")).is_ok());
        assert!(parse(&format!("a IN ({})", vec!["'x'"; 10_000].join(","))).is_ok());
    }
}

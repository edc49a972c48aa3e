//! Parameters: their declarations in a script's leading comments, and their values.

use std::collections::BTreeMap;
use std::fmt;

use datafusion::sql::sqlparser::ast::DataType;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer, Whitespace};

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterType {
    /// `VARCHAR`
    Text,
    /// `INT`: a 64-bit integer
    Integer,
    /// `DOUBLE`
    Number,
    /// `BOOLEAN`
    Boolean,
    /// `CONDITION`: an expression in SQL
    Condition,
    /// `ASSIGNMENTS`: columns with their values, as behind SET of an UPDATE
    Assignments,
}

impl fmt::Display for ParameterType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "VARCHAR",
            Self::Integer => "INT",
            Self::Number => "DOUBLE",
            Self::Boolean => "BOOLEAN",
            Self::Condition => CONDITION,
            Self::Assignments => ASSIGNMENTS,
        })
    }
}

const CONDITION: &str = "CONDITION";
const ASSIGNMENTS: &str = "ASSIGNMENTS";

/// A declared parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Without the `$`.
    pub name: String,
    pub kind: ParameterType,
    /// `None`: an argument is required.
    default: Option<Value>,
    /// One line; empty where the script gives none.
    pub help: String,
    /// Where it is declared.
    pub(super) at: Location,
}

/// A value that stands in a statement in place of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Text(String),
    /// Digits, with a sign and a fraction where there are such; kept as written.
    Number(String),
    Boolean(bool),
    /// A part of a statement, as written, and the tokens that stand for it.
    Sql(String, Vec<Token>),
}

/// Values for the parameters of a script, as text: from flags, `key=value` pairs or a file.
#[derive(Debug, Clone, Default)]
pub struct Arguments(BTreeMap<String, String>);

impl Arguments {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.insert(name.to_owned(), value.to_string());
        self
    }

    /// As [`Self::with`]; `None` leaves the parameter to its default.
    pub fn with_option(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl Parameter {
    /// Reads `$name TYPE [DEFAULT literal] [-- help]`, which the script has at `at`.
    pub(super) fn parse(declaration: &str, at: Location) -> Result<Self, String> {
        let tokens = Tokenizer::new(&GenericDialect {}, declaration).tokenize_with_location().map_err(|e| e.message)?;
        let help = tokens.iter().find_map(|t| match &t.token {
            Token::Whitespace(Whitespace::SingleLineComment { comment, .. }) => Some(comment.trim().to_owned()),
            _ => None,
        });
        let mut parser = Parser::new(&GenericDialect {}).with_tokens_with_locations(tokens);
        let name = match parser.next_token().token {
            Token::Placeholder(name) => name.trim_start_matches('$').to_owned(),
            other => return Err(format!("expected $name, found {other}")),
        };
        let kind = kind(&name, &parser.parse_data_type().map_err(|e| format!("${name} has no type: {e}"))?)?;
        let mut parameter = Self { name, kind, default: None, help: help.unwrap_or_default(), at };
        if parser.parse_keyword(Keyword::DEFAULT) {
            parameter.default = Some(parameter.literal(&mut parser)?);
        }
        match parser.next_token().token {
            Token::EOF => Ok(parameter),
            other => Err(format!("${}: expected DEFAULT or --, found {other}", parameter.name)),
        }
    }

    /// A parameter that no script declares; NULL is its default.
    pub(super) fn undeclared(name: &str, kind: ParameterType) -> Self {
        let (default, at) = (Some(Value::Null), Location::new(1, 1));
        Self { name: name.to_owned(), kind, default, help: String::new(), at }
    }

    /// The default as a script writes it.
    pub fn default_text(&self) -> Option<String> {
        self.default.as_ref().map(|value| match value {
            Value::Null => "NULL".to_owned(),
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.clone(),
            Value::Boolean(b) => b.to_string(),
            Value::Sql(text, _) => text.clone(),
        })
    }

    fn literal(&self, parser: &mut Parser<'_>) -> Result<Value, String> {
        let sign = if parser.consume_token(&Token::Minus) { "-" } else { "" };
        match parser.next_token().token {
            Token::Word(word) if word.keyword == Keyword::NULL => Ok(Value::Null),
            Token::Word(word) => self.read(&word.value),
            Token::SingleQuotedString(text) => self.read(&text),
            Token::Number(number, _) => self.read(&format!("{sign}{number}")),
            other => Err(format!("${}: {other} is not a literal", self.name)),
        }
    }

    /// The value of this parameter, given its argument.
    pub(super) fn value(&self, argument: Option<&str>) -> Result<Value, String> {
        match (argument, &self.default) {
            (Some(text), _) => self.read(text),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) if self.help.is_empty() => Err(format!("${} needs a value", self.name)),
            (None, None) => Err(format!("${} needs a value: {}", self.name, self.help)),
        }
    }

    fn read(&self, text: &str) -> Result<Value, String> {
        let value = match self.kind {
            ParameterType::Text => Some(Value::Text(text.to_owned())),
            ParameterType::Integer => text.parse::<i64>().ok().map(|n| Value::Number(n.to_string())),
            ParameterType::Number => {
                text.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| Value::Number(n.to_string()))
            }
            ParameterType::Boolean => text.to_ascii_lowercase().parse().ok().map(Value::Boolean),
            ParameterType::Condition => {
                let tokens = condition(text).map_err(|reason| format!("${} is no condition: {reason}", self.name))?;
                Some(Value::Sql(text.to_owned(), tokens))
            }
            ParameterType::Assignments => {
                let tokens = assignments(text).map_err(|reason| {
                    format!("${} is no list of columns with values, as in platform = 'LC08': {reason}", self.name)
                })?;
                Some(Value::Sql(text.to_owned(), tokens))
            }
        };
        value.ok_or_else(|| format!("${} takes {}, and {text:?} is not one", self.name, self.kind))
    }
}

/// The tokens of one expression, which may stand wherever one may.
fn condition(text: &str) -> Result<Vec<Token>, String> {
    let (tokens, _) = parsed(text, Parser::parse_expr)?;
    Ok([vec![Token::LParen], tokens, vec![Token::RParen]].concat())
}

/// The tokens of columns with their values.
fn assignments(text: &str) -> Result<Vec<Token>, String> {
    let (mut tokens, set) = parsed(text, |parser| parser.parse_comma_separated(Parser::parse_assignment))?;
    let columns: Vec<_> = set.iter().map(|assignment| &assignment.target).collect();
    if let Some((_, twice)) = columns.iter().enumerate().find(|(i, column)| columns[..*i].contains(column)) {
        return Err(format!("{twice} is set twice"));
    }
    // A comment at the end would go on over what comes behind.
    tokens.push(Token::Whitespace(Whitespace::Newline));
    Ok(tokens)
}

/// The tokens of all of `text`, and what it is.
fn parsed<T>(
    text: &str,
    parse: impl FnOnce(&mut Parser<'static>) -> Result<T, ParserError>,
) -> Result<(Vec<Token>, T), String> {
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize().map_err(|e| e.to_string())?;
    let mut parser = Parser::new(&GenericDialect {}).with_tokens(tokens.clone());
    let parsed = parse(&mut parser).map_err(|e| e.to_string())?;
    match parser.next_token().token {
        Token::EOF => Ok((tokens, parsed)),
        other => Err(format!("after it comes {other}")),
    }
}

fn kind(name: &str, declared: &DataType) -> Result<ParameterType, String> {
    Ok(match declared {
        DataType::Varchar(_) | DataType::Text | DataType::String(_) => ParameterType::Text,
        DataType::Int(_) | DataType::Integer(_) | DataType::BigInt(_) => ParameterType::Integer,
        DataType::Double(_) | DataType::Float(_) => ParameterType::Number,
        DataType::Boolean | DataType::Bool => ParameterType::Boolean,
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case(CONDITION) => ParameterType::Condition,
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case(ASSIGNMENTS) => ParameterType::Assignments,
        other => {
            return Err(format!(
                "${name} has type {other}; a parameter is VARCHAR, INT, DOUBLE, BOOLEAN, CONDITION or ASSIGNMENTS"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_its_type() {
        let parameter = |declaration| Parameter::parse(declaration, Location::new(1, 1)).unwrap();
        assert_eq!(parameter("$x INT").value(Some("-7")), Ok(Value::Number("-7".into())));
        assert_eq!(parameter("$x DOUBLE").value(Some("1e3")), Ok(Value::Number("1000".into())));
        assert_eq!(parameter("$x BOOLEAN DEFAULT TRUE").value(None), Ok(Value::Boolean(true)));
        assert_eq!(parameter("$x VARCHAR DEFAULT 'a -- b'").value(None), Ok(Value::Text("a -- b".into())));
        assert!(parameter("$x DOUBLE").value(Some("NaN")).is_err());
        let condition = |text| parameter("$x CONDITION").value(Some(text));
        assert!(matches!(condition("id = 'a' -- or so"), Ok(Value::Sql(..))));
        for (text, reason) in [
            ("", "$x is no condition: "),
            ("true; DROP TABLE t", "$x is no condition: after it comes ;"),
            ("true) OR (true", "$x is no condition: after it comes )"),
            ("id = 'a", "$x is no condition: Unterminated"),
            ("a b", "$x is no condition: after it comes b"),
        ] {
            assert!(condition(text).is_err_and(|e| e.starts_with(reason)), "{text}: {:?}", condition(text));
        }
    }

    #[test]
    fn assignments_are_columns_with_values_each_once() {
        let set = |text| Parameter::parse("$x ASSIGNMENTS", Location::new(1, 1)).unwrap().value(Some(text));
        assert!(matches!(set("a = 'x, y', \"b\" = (SELECT 1) -- or so"), Ok(Value::Sql(..))));
        for (text, reason) in [
            ("", "Expected"),
            ("a", "Expected: =, found: EOF"),
            ("a = 1 WHERE true", "after it comes WHERE"),
            ("a = 1; DROP TABLE t", "after it comes ;"),
            ("a = 1, a = 2", "a is set twice"),
        ] {
            let error = set(text).unwrap_err();
            assert!(error.starts_with("$x is no list of columns with values") && error.contains(reason), "{error}");
        }
    }

    #[test]
    fn what_follows_a_declaration_is_an_error() {
        assert_eq!(
            Parameter::parse("$x INT 5", Location::new(1, 1)),
            Err("$x: expected DEFAULT or --, found 5".into())
        );
    }
}

//! [`declared_columns`]: promoted properties that a text declares, as the column list of a statement does.

use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_datafusion_err, plan_err};
use datafusion::sql::sqlparser::ast::DataType as SqlType;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::model::items::{ItemSchema, Promoted, timestamp};

/// Reads `platform VARCHAR, eo:cloud_cover DOUBLE`: properties under their STAC names, quoted or not, with the types of
/// their columns.
///
/// Errors: other text; a type that no promoted property has; a column that is declared twice, or that every table has.
pub fn declared_columns(text: &str) -> Result<ItemSchema> {
    let columns =
        parse(text).map_err(|e| plan_datafusion_err!("columns is {text:?}: {e}; write them as in {EXAMPLE}"))?;
    let mut promoted = vec![];
    for (property, sql_type) in columns {
        let Some(data_type) = arrow_type(&sql_type) else {
            return plan_err!("columns: {property} has type {sql_type}; a promoted property can be {TYPES}");
        };
        promoted.push(Promoted::new(&property, &data_type).map_err(|e| plan_datafusion_err!("columns: {e}"))?);
    }
    ItemSchema::try_new(promoted).map_err(|e| plan_datafusion_err!("columns: {e}"))
}

/// Types of promoted properties, for messages.
pub(crate) const TYPES: &str = "VARCHAR, BOOLEAN, INT, BIGINT, FLOAT, DOUBLE or TIMESTAMP";

const EXAMPLE: &str = "'platform VARCHAR, eo:cloud_cover DOUBLE'";

fn parse(text: &str) -> Result<Vec<(String, SqlType)>, ParserError> {
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(text)?;
    let mut columns = vec![];
    if parser.peek_token().token == Token::EOF {
        return Ok(columns);
    }
    loop {
        let mut property = parser.parse_identifier()?.value;
        while parser.consume_token(&Token::Colon) {
            property = format!("{property}:{}", parser.parse_identifier()?.value);
        }
        columns.push((property, parser.parse_data_type()?));
        if !parser.consume_token(&Token::Comma) {
            parser.expect_token(&Token::EOF)?;
            return Ok(columns);
        }
    }
}

/// As SQL has the types in a column list; `None` of others than [`TYPES`].
pub(crate) fn arrow_type(sql_type: &SqlType) -> Option<DataType> {
    Some(match sql_type {
        SqlType::Varchar(_) | SqlType::Text | SqlType::String(_) => DataType::Utf8View,
        SqlType::Boolean | SqlType::Bool => DataType::Boolean,
        SqlType::Int(_) | SqlType::Integer(_) => DataType::Int32,
        SqlType::BigInt(_) => DataType::Int64,
        SqlType::Float(_) | SqlType::Real => DataType::Float32,
        SqlType::Double(_) | SqlType::DoublePrecision => DataType::Float64,
        SqlType::Timestamp(..) => timestamp(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_with_their_types_and_other_text_is_an_error() {
        let text = "platform VARCHAR, eo:cloud_cover DOUBLE, \"a:b-c\" timestamp,\n n int";
        let read = declared_columns(text).unwrap();
        let found: Vec<_> = read.promoted().iter().map(|p| (p.property.as_str(), p.column.as_str())).collect();
        assert_eq!(
            found,
            [("platform", "platform"), ("eo:cloud_cover", "eo_cloud_cover"), ("a:b-c", "a_b-c"), ("n", "n")]
        );
        assert_eq!(read.promoted()[2].data_type, timestamp());
        assert!(declared_columns(" ").unwrap().promoted().is_empty());
        for (text, words) in [
            ("platform", "write them as in"),
            ("platform VARCHAR,", "write them as in"),
            ("platform VARCHAR; x INT", "write them as in"),
            ("p DATE", "p has type DATE"),
            ("p INT, p INT", "column p is declared twice"),
            ("id VARCHAR", "column id is declared twice, or is a column that every table"),
        ] {
            let error = declared_columns(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}

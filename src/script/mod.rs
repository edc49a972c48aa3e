//! SQL scripts with declared parameters: how a pipeline is written down.
//!
//! A script starts with a comment block: its first line says what the script does, and each line that starts with `$`
//! declares a parameter by name, type, optional default, and one line of help:
//!
//! ```sql
//! -- Count the lines of a file.
//! -- $file  VARCHAR              -- the file
//! -- $limit INT     DEFAULT NULL -- stop after so many lines
//! CREATE EXTERNAL TABLE lines STORED AS CSV LOCATION $file;
//! SELECT count(*) FROM lines LIMIT $limit;
//! ```
//!
//! Parameters are replaced in the token stream, before DataFusion's parser sees it, so that they may stand wherever a
//! literal may, `LOCATION` and `OPTIONS` included; an option whose value is NULL is as good as not written.

mod effect;
mod error;
mod explain;
mod missing;
mod parameters;
mod source;
mod statement;

pub use effect::Effect;
pub use error::{Place, ScriptError};
pub use explain::Explained;
pub use missing::MissingTable;
pub use parameters::{Arguments, Parameter, ParameterType};
pub use statement::{Planned, Statement};

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

use source::{Source, significant};

/// A parsed script, not yet bound to values.
#[derive(Debug, Clone)]
pub struct Script {
    source: Source,
    description: String,
    parameters: Vec<Parameter>,
    /// The tokens of each statement, without the semicolon.
    statements: Vec<Vec<TokenWithSpan>>,
}

impl Script {
    /// `name` is what errors call the script: its path, or the name of a pipeline.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScriptError> {
        let source = Source::new(name, text);
        let tokens = source.tokens()?;
        let header = tokens.iter().map_while(|t| match &t.token {
            Token::Whitespace(space) => Some((space, t.span.start)),
            _ => None,
        });
        let comments: Vec<_> = header
            .filter_map(|(space, at)| match space {
                Whitespace::SingleLineComment { comment, .. } => Some((comment.trim(), at)),
                _ => None,
            })
            .collect();
        let mut parameters: Vec<Parameter> = vec![];
        for (comment, at) in comments.iter().filter(|(comment, _)| comment.starts_with('$')) {
            let declared = Parameter::parse(comment, *at)
                .and_then(|new| match parameters.iter().any(|p| p.name == new.name) {
                    true => Err(format!("${} is declared twice", new.name)),
                    false => Ok(new),
                })
                .map_err(|reason| ScriptError::Declaration { place: Place::new(name, *at), reason })?;
            parameters.push(declared);
        }
        let description = comments.first().map(|(comment, _)| (*comment).to_owned()).unwrap_or_default();
        let statements = tokens
            .split(|t| t.token == Token::SemiColon)
            .filter(|tokens| tokens.iter().any(significant))
            .map(<[_]>::to_vec)
            .collect();
        Ok(Self { source, description, parameters, statements })
    }

    /// Whether `text` ends a statement, or has none: nobody waits for its next line.
    pub fn is_ended(text: &str) -> bool {
        match Source::new("", text).tokens() {
            Ok(tokens) => tokens.iter().rfind(|t| significant(t)).is_none_or(|last| last.token == Token::SemiColon),
            // A string or comment may still be closed; what else is no token is an error now.
            Err(ScriptError::Parse { message, .. }) => {
                !["Unterminated", "end of file", "EOF"].iter().any(|words| message.contains(words))
            }
            Err(_) => true,
        }
    }

    /// The first line of the leading comment block.
    pub fn description(&self) -> &str {
        &self.description
    }

    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The declared parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|p| p.name == name)
    }

    /// With a parameter that the text need not declare: a program that has values knows their types. It is NULL where it
    /// gets no argument.
    pub fn with_parameter(mut self, name: &str, kind: ParameterType) -> Self {
        if self.parameter(name).is_none() {
            self.parameters.push(Parameter::undeclared(name, kind));
        }
        self
    }

    /// The statements with every parameter replaced by its argument, or its default.
    ///
    /// # Errors
    /// An argument without a parameter or of another type, a parameter with neither argument nor default, and whatever
    /// DataFusion cannot parse.
    pub fn bind(&self, arguments: &Arguments) -> Result<Vec<Statement>, ScriptError> {
        if let Some(name) = arguments.names().find(|name| self.parameter(name).is_none()) {
            return Err(ScriptError::UnknownParameter {
                script: self.source.name().to_owned(),
                name: name.to_owned(),
                declared: self.parameters.iter().map(|p| format!("${}", p.name)).collect::<Vec<_>>().join(", "),
            });
        }
        let value = |p: &'_ Parameter| {
            p.value(arguments.get(&p.name)).map_err(|reason| ScriptError::Argument {
                reason,
                place: self.source.place(p.at),
                quote: self.source.quote(p.at.line, p.at.line),
            })
        };
        let values = self.parameters.iter().map(|p| Ok((p.name.as_str(), value(p)?))).collect::<Result<Vec<_>, _>>()?;
        self.statements.iter().map(|tokens| Statement::bind(&self.source, tokens, &values)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "\
-- Counts things.
--
-- $file  VARCHAR              -- where they are
-- $limit INT     DEFAULT NULL -- at most so many
-- $least DOUBLE  DEFAULT -1.5

SELECT $least; -- $ignored; not a statement
SELECT ';' , $limit;
";

    #[test]
    fn the_leading_comments_describe_the_script_and_its_parameters() {
        let script = Script::parse("count.sql", SCRIPT).unwrap();
        assert_eq!(script.description(), "Counts things.");
        let declared: Vec<_> =
            script.parameters().iter().map(|p| (p.name.as_str(), p.kind, p.default_text(), p.help.as_str())).collect();
        assert_eq!(
            declared,
            [
                ("file", ParameterType::Text, None, "where they are"),
                ("limit", ParameterType::Integer, Some("NULL".into()), "at most so many"),
                ("least", ParameterType::Number, Some("-1.5".into()), ""),
            ]
        );
    }

    #[test]
    fn semicolons_in_strings_and_comments_end_no_statement() {
        let script = Script::parse("count.sql", SCRIPT).unwrap();
        let statements = script.bind(&Arguments::new().with("file", "x")).unwrap();
        let text: Vec<_> = statements.iter().map(|s| s.ast().to_string()).collect();
        assert_eq!(text, ["SELECT -1.5", "SELECT ';', NULL"]);
    }

    #[test]
    fn a_semicolon_ends_a_statement_unless_it_is_text() {
        for ended in ["", "-- nothing", "SELECT 1;", "SELECT ';'; -- done", "SELECT 1; \n"] {
            assert!(Script::is_ended(ended), "{ended}");
        }
        for open in ["SELECT 1", "SELECT ';", "SELECT 1; SELECT", "SELECT 1 -- ;", "/* ;", "SELECT \"a;"] {
            assert!(!Script::is_ended(open), "{open}");
        }
    }

    #[test]
    fn a_parameter_that_a_program_has_need_not_be_declared() {
        let script = Script::parse("count.sql", SCRIPT).unwrap().with_parameter("file", ParameterType::Integer);
        assert_eq!(script.parameter("file").unwrap().kind, ParameterType::Text, "what the text declares, holds");
        let script = Script::parse("SQL", "SELECT $a, $b").unwrap();
        let script = script.with_parameter("a", ParameterType::Text).with_parameter("b", ParameterType::Integer);
        let statements = script.bind(&Arguments::new().with("a", "it's")).unwrap();
        assert_eq!(statements[0].ast().to_string(), "SELECT 'it''s', NULL");
    }

    #[test]
    fn arguments_are_checked_against_the_declarations() {
        let script = Script::parse("count.sql", SCRIPT).unwrap();
        let fails = |arguments: Arguments| script.bind(&arguments).unwrap_err().to_string();
        insta::assert_snapshot!(fails(Arguments::new()), @r"
        $file needs a value: where they are
           --> count.sql:3:1
             3 | -- $file  VARCHAR              -- where they are
        ");
        insta::assert_snapshot!(fails(Arguments::new().with("file", "x").with("limit", "many")), @r#"
        $limit takes INT, and "many" is not one
           --> count.sql:4:1
             4 | -- $limit INT     DEFAULT NULL -- at most so many
        "#);
        assert_eq!(
            fails(Arguments::new().with("flie", "x")),
            "count.sql has no parameter $flie; it declares $file, $limit, $least"
        );
    }

    #[test]
    fn a_bad_declaration_is_found_by_line() {
        let fails = |line: &str| Script::parse("s.sql", &format!("-- S.\n{line}\n")).unwrap_err().to_string();
        assert_eq!(
            fails("-- $x GEOMETRY"),
            "$x has type GEOMETRY; a parameter is VARCHAR, INT, DOUBLE, BOOLEAN, CONDITION or ASSIGNMENTS\n   --> s.sql:2:1"
        );
        assert_eq!(fails("-- $x INT DEFAULT 'a'"), "$x takes INT, and \"a\" is not one\n   --> s.sql:2:1");
    }
}

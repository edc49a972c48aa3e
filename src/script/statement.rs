//! One statement of a script, with its parameters replaced.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, execute_stream};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParserBuilder, Statement as Ast};
use datafusion::sql::sqlparser::ast::Value as SqlValue;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use earthcatalog_plans::call::plan_statement;

use super::effect::Effect;
use super::error::{Place, ScriptError};
use super::explain::{Explained, explain};
use super::missing::MissingTable;
use super::parameters::Value;
use super::source::{Source, significant};
use crate::reason::reason;

/// A statement that is ready to run, and where it came from.
#[derive(Debug, Clone)]
pub struct Statement {
    ast: Ast,
    place: Place,
    /// Its first line.
    title: String,
    /// Its lines, numbered, for errors.
    quote: String,
}

/// A statement that has been planned; running it is up to the caller, who may look at the plan first.
pub struct Planned {
    pub plan: Arc<dyn ExecutionPlan>,
    pub effect: Effect,
    context: Arc<TaskContext>,
    statement: Statement,
}

/// Operators of a statement, at most. Each may be one level of the plan's tree.
const MOST_OPERATORS: usize = 5_000;

/// What NULL becomes in `OPTIONS` and `LOCATION`, where the grammar has no NULL; no script can write it.
const NOTHING: &str = "\0";

/// Kinds of external tables that know their location, so that a statement need not name it.
const KNOW_THEIR_LOCATION: [&str; 2] = ["ICEBERG", "CHECKPOINTS"];

impl Statement {
    pub(super) fn bind(
        source: &Source,
        tokens: &[TokenWithSpan],
        values: &[(&str, Value)],
    ) -> Result<Self, ScriptError> {
        let start = tokens.iter().find(|t| significant(t)).map_or(Location::new(1, 1), |t| t.span.start);
        let end = tokens.iter().rfind(|t| significant(t)).map_or(start, |t| t.span.end);
        let quote = source.quote(start.line, end.line);
        let null = match creates_external_table(tokens) {
            true => Token::EscapedStringLiteral(NOTHING.to_owned()),
            false => Token::make_keyword("NULL"),
        };
        let operators = tokens.iter().filter(|token| is_operator(&token.token)).count();
        if operators > MOST_OPERATORS {
            let message = format!(
                "the statement has {operators} operators, and plans are as deep as those are many; up to {MOST_OPERATORS} can be planned: write `id IN (…)`, or join with a table of the values"
            );
            return Err(ScriptError::Parse { place: source.place(start), message, quote });
        }
        let mut bound = Vec::with_capacity(tokens.len());
        for token in tokens {
            let Token::Placeholder(name) = &token.token else {
                bound.push(token.clone());
                continue;
            };
            let value = values.iter().find(|(known, _)| Some(*known) == name.strip_prefix('$')).map(|(_, v)| v);
            let Some(value) = value else {
                let message = format!("{name} is not declared; a line `-- {name} VARCHAR` at the top declares it");
                return Err(ScriptError::Parse { place: source.place(token.span.start), message, quote });
            };
            bound.extend(
                literal(value, &null).into_iter().map(|literal| TokenWithSpan { token: literal, span: token.span }),
            );
        }
        let parsed = DFParserBuilder::new(bound).build().and_then(|mut parser| {
            let mut statements = parser.parse_statements()?;
            // A token list with something in it, without a semicolon, is one statement or an error.
            statements.pop_front().ok_or_else(|| DataFusionError::Plan("no statement".to_owned()))
        });
        let parsed = parsed.map_err(|error| located(reason(&error)));
        match parsed.and_then(|ast| without_nulls(ast).map_err(|message| (message, None))) {
            Ok(ast) => Ok(Self { ast, place: source.place(start), title: source.line_from(start), quote }),
            Err((message, at)) => Err(ScriptError::Parse { place: source.place(at.unwrap_or(start)), message, quote }),
        }
    }

    /// Where it begins.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The statement as DataFusion's parser reads it.
    pub fn ast(&self) -> &Ast {
        &self.ast
    }

    /// Script, line, column and first line of the statement.
    pub fn title(&self) -> String {
        format!("{}  {}", self.place, self.title)
    }

    /// The plans of a query, or of a statement that writes. Nothing of it is run; definitions and settings, which have no
    /// plans, take effect.
    pub async fn explain(&self, session: &SessionContext) -> Result<Option<Explained>, ScriptError> {
        let plans = async {
            let plan = plan_statement(&session.state(), self.ast.clone()).await?;
            explain(session, self.title(), plan).await
        };
        plans.await.map_err(|e| self.unplanned(session, e))
    }

    /// Plans the statement. Definitions and settings take effect here, and leave an empty plan.
    pub async fn plan(&self, session: &SessionContext) -> Result<Planned, ScriptError> {
        let plan = async {
            let logical = plan_statement(&session.state(), self.ast.clone()).await?;
            let effect = Effect::of_plan(&logical);
            let frame = session.execute_logical_plan(logical).await?;
            let context = Arc::new(frame.task_ctx());
            Ok((frame.create_physical_plan().await?, effect, context))
        };
        let (plan, effect, context) = plan.await.map_err(|e| self.unplanned(session, e))?;
        Ok(Planned { plan, effect, context, statement: self.clone() })
    }

    /// As [`Self::failed`], for an error of planning.
    fn unplanned(&self, session: &SessionContext, error: DataFusionError) -> ScriptError {
        match MissingTable::of(session, &self.ast, &reason(&error)) {
            Some(table) => {
                ScriptError::NoTable { place: self.place.clone(), quote: self.quote.clone(), table: Box::new(table) }
            }
            None => self.failed(error),
        }
    }

    /// `error`, with the place and text of this statement.
    pub fn failed(&self, error: DataFusionError) -> ScriptError {
        ScriptError::Statement { place: self.place.clone(), quote: self.quote.clone(), source: Box::new(error) }
    }
}

impl Planned {
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Starts the plan.
    pub fn execute(&self) -> Result<SendableRecordBatchStream, ScriptError> {
        execute_stream(Arc::clone(&self.plan), Arc::clone(&self.context)).map_err(|e| self.statement.failed(e))
    }

    /// An error of the running plan, with the place and text of its statement.
    pub fn failed(&self, error: DataFusionError) -> ScriptError {
        self.statement.failed(error)
    }
}

/// Whether it is an operator between two expressions.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(word.keyword, Keyword::AND | Keyword::OR),
        Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod | Token::StringConcat => true,
        _ => false,
    }
}

fn creates_external_table(tokens: &[TokenWithSpan]) -> bool {
    let keyword = |t: &TokenWithSpan| match &t.token {
        Token::Word(word) => word.keyword,
        _ => Keyword::NoKeyword,
    };
    let mut head = tokens.iter().filter(|t| significant(t)).map(keyword);
    head.next() == Some(Keyword::CREATE) && head.take(4).any(|k| k == Keyword::EXTERNAL)
}

fn literal(value: &Value, null: &Token) -> Vec<Token> {
    match value {
        Value::Null => vec![null.clone()],
        Value::Text(text) => vec![Token::SingleQuotedString(text.clone())],
        Value::Boolean(true) => vec![Token::make_keyword("TRUE")],
        Value::Boolean(false) => vec![Token::make_keyword("FALSE")],
        Value::Number(number) => match number.strip_prefix('-') {
            Some(digits) => vec![Token::Minus, Token::Number(digits.to_owned(), false)],
            None => vec![Token::Number(number.clone(), false)],
        },
        Value::Sql(_, tokens) => tokens.clone(),
    }
}

/// `ast` without the options that are NULL, and with an empty location for one that is. Errors where nothing else tells the
/// location.
fn without_nulls(ast: Ast) -> Result<Ast, String> {
    let Ast::CreateExternalTable(mut create) = ast else { return Ok(ast) };
    create.options.retain(|(_, v)| !matches!(v, SqlValue::EscapedStringLiteral(s) if s == NOTHING));
    for location in create.locations.iter_mut().filter(|location| *location == NOTHING) {
        if !KNOW_THEIR_LOCATION.contains(&create.file_type.as_str()) {
            return Err(format!(
                "the location of {} is NULL; a table STORED AS {} needs a path or URL",
                create.name, create.file_type
            ));
        }
        location.clear();
    }
    Ok(Ast::CreateExternalTable(create))
}

/// Splits the place off a parser's message: `Expected: …, found: x at Line: 3, Column: 9`.
fn located(message: String) -> (String, Option<Location>) {
    let split = || {
        let (what, place) = message.rsplit_once(" at Line: ")?;
        let (line, column) = place.split_once(", Column: ")?;
        Some((what.to_owned(), Location::new(line.parse().ok()?, column.parse().ok()?)))
    };
    match split() {
        Some((what, at)) => (what, Some(at)),
        None => (message, None),
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::physical_plan::common::collect;

    use super::*;
    use crate::script::{Arguments, Script};

    async fn run(script: &str, arguments: &Arguments) -> Result<String, ScriptError> {
        let session = SessionContext::new();
        let mut last = vec![];
        for statement in Script::parse("test.sql", script)?.bind(arguments)? {
            let planned = statement.plan(&session).await?;
            last = collect(planned.execute()?).await.map_err(|e| planned.failed(e))?;
        }
        Ok(pretty_format_batches(&last).unwrap().to_string())
    }

    #[tokio::test]
    async fn parameters_stand_in_location_options_and_expressions() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it's 1;2.csv");
        std::fs::write(&file, "1|a\n2|b\n3|c\n").unwrap();
        let script = "
            -- Reads a CSV.
            -- $file VARCHAR
            -- $delimiter VARCHAR
            -- $null_regex VARCHAR DEFAULT NULL
            -- $least INT
            -- $limit INT DEFAULT NULL
            CREATE EXTERNAL TABLE t (n INT, s VARCHAR) STORED AS CSV LOCATION $file
            OPTIONS ('format.delimiter' $delimiter, 'format.null_regex' $null_regex, 'format.has_header' false);
            SELECT s, $least AS least FROM t WHERE n > $least ORDER BY n LIMIT $limit;";
        let arguments = Arguments::new().with("file", file.display()).with("delimiter", "|").with("least", -2);
        insta::assert_snapshot!(run(script, &arguments.clone().with("limit", 2)).await.unwrap(), @r"
        +---+-------+
        | s | least |
        +---+-------+
        | a | -2    |
        | b | -2    |
        +---+-------+
        ");
        assert_eq!(run(script, &arguments).await.unwrap().lines().count(), 7, "no limit: three rows");
    }

    #[tokio::test]
    async fn a_location_that_is_null_is_empty_where_the_table_knows_its_own() {
        let script = |kind: &str| {
            format!("-- S.\n-- $at VARCHAR DEFAULT NULL\nCREATE EXTERNAL TABLE t STORED AS {kind} LOCATION $at;")
        };
        let bind = |kind: &str| Script::parse("s.sql", &script(kind)).unwrap().bind(&Arguments::new());
        let Ast::CreateExternalTable(create) = bind("iceberg").unwrap()[0].ast().clone() else { panic!() };
        assert_eq!(create.locations, [""]);
        let error = bind("CSV").unwrap_err().to_string();
        assert!(error.starts_with("the location of t is NULL; a table STORED AS CSV needs a path or URL"), "{error}");
    }

    #[tokio::test]
    async fn a_statement_that_does_not_parse_is_quoted_with_line_and_column() {
        let error = run("-- Broken.\nSELECT 1;\n\nSELECT 1\nFORM t;\n", &Arguments::new()).await.unwrap_err();
        insta::assert_snapshot!(error, @r"
        Expected: end of statement, found: t
           --> test.sql:5:6
             4 | SELECT 1
             5 | FORM t;
        ");
    }

    #[tokio::test]
    async fn a_statement_that_fails_is_quoted_with_its_place() {
        let error = run("SELECT 1;\n  SELECT x\n  FROM missing;", &Arguments::new()).await.unwrap_err();
        insta::assert_snapshot!(error, @r"
        there is no table missing, nor any other one; `earthcatalog sql --catalog FILE|URL` has those of a warehouse, and CREATE EXTERNAL TABLE makes one
           --> test.sql:2:3
             2 |   SELECT x
             3 |   FROM missing;
        ");
        let error = run("SELECT 1 / (n - 1) FROM (VALUES (1)) AS t(n)", &Arguments::new()).await.unwrap_err();
        insta::assert_snapshot!(error, @r"
        Divide by zero error
           --> test.sql:1:1
             1 | SELECT 1 / (n - 1) FROM (VALUES (1)) AS t(n)
        ");
    }

    #[tokio::test]
    async fn an_undeclared_parameter_is_found_before_anything_runs() {
        let error = run("-- $a INT DEFAULT 1\nSELECT $a,\n  $b", &Arguments::new()).await.unwrap_err();
        insta::assert_snapshot!(error, @r"
        $b is not declared; a line `-- $b VARCHAR` at the top declares it
           --> test.sql:3:3
             2 | SELECT $a,
             3 |   $b
        ");
    }
}

//! The prompt: questions line by line. [`Prompt`] takes lines and answers; [`run`] is the editor on a terminal around it.

mod command;
mod editor;
mod functions;
mod vocabulary;

use std::io::{self, Write};
use std::pin::pin;

use datafusion::prelude::SessionContext;
use earthcatalog_plans::query::ITEMS;
use thiserror::Error;
use tokio::task::JoinError;

pub use vocabulary::Vocabulary;

use crate::output::{Destination, Format, OutputError, Rendering, Sink, SinkError, format_for, write_rows};
use crate::query::{Answer, Answers, SqlError};
use crate::report::counted;
use crate::script::{Arguments, Script};
use crate::signals::{interrupt, terminate};
use crate::terminal::{self, ERROR, Paged, Pager, styled};
use command::Command;

/// Why the prompt ended.
#[derive(Debug, Error)]
pub enum PromptError {
    #[error("cannot read from the terminal: {0}; give a statement as an argument, or use -f FILE")]
    Terminal(#[from] rustyline::error::ReadlineError),
    #[error("cannot write to standard output: {0}")]
    Write(#[from] io::Error),
    #[error("cannot wait for the terminal: {0}")]
    Wait(#[from] JoinError),
    #[error("interrupted")]
    Terminated,
}

/// What is asked, and how answers are shown.
pub struct Prompt {
    /// With the tables of the warehouse.
    pub session: SessionContext,
    pub rendering: Rendering,
    pub is_timed: bool,
    pub has_stats: bool,
    /// For what is longer than the screen; `None` where there is none.
    pub pager: Option<Pager>,
    pub is_paged: bool,
}

/// What comes after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Line,
    End,
}

const GREETING: &str =
    "\\d lists the tables (items, item_cells, rejects and others), \\? lists the commands, \\q leaves the prompt.";

const GREETING_WITHOUT_WAREHOUSE: &str =
    "No warehouse is open: --catalog names one. \\? lists the commands, \\q leaves the prompt.";

/// Asks on the terminal until there are no more lines, or SIGTERM comes. Ctrl-C gives up what is running.
pub async fn run(mut prompt: Prompt, out: &mut dyn Write) -> Result<(), PromptError> {
    let has_warehouse = prompt.session.table_exist(ITEMS).unwrap_or(false);
    writeln!(out, "{}", if has_warehouse { GREETING } else { GREETING_WITHOUT_WAREHOUSE })?;
    out.flush()?;
    let mut editor = editor::Editor::open(Vocabulary::known_to(&prompt.session).await)?;
    let mut terminate = pin!(terminate());
    loop {
        let (back, lines) = tokio::select! {
            read = tokio::task::spawn_blocking(move || { let lines = editor.read(); (editor, lines) }) => read?,
            () = &mut terminate => return Err(PromptError::Terminated),
        };
        editor = back;
        let Some(lines) = lines? else { return Ok(()) };
        // The window may have another size by now.
        prompt.rendering.width = terminal::width();
        let next = tokio::select! {
            next = prompt.answer(&lines, out, interrupt()) => next?,
            () = &mut terminate => return Err(PromptError::Terminated),
        };
        if next == Next::End {
            return Ok(());
        }
        editor.learn(Vocabulary::known_to(&prompt.session).await);
    }
}

impl Prompt {
    /// Answers what was typed: statements, or a command; what is wrong is said, too.
    ///
    /// When `interrupt` resolves, what is running is given up.
    pub async fn answer(
        &mut self,
        lines: &str,
        out: &mut dyn Write,
        interrupt: impl Future<Output = ()>,
    ) -> io::Result<Next> {
        let said = match Command::parse(lines) {
            Some(Ok(Command::Quit)) => return Ok(Next::End),
            Some(Ok(command)) => tokio::select! {
                said = self.command(command, out) => said,
                () = interrupt => Err("interrupted".to_owned()),
            },
            Some(Err(error)) => Err(error),
            None => tokio::select! {
                said = self.statements("line", lines, self.rendering, &Destination::StandardOutput, out) => said.map_err(|e| e.to_string()),
                () = interrupt => Err("interrupted".to_owned()),
            },
        };
        if let Err(error) = said {
            writeln!(out, "{} {error}", styled("error:", ERROR, self.rendering.is_coloured))?;
        }
        out.flush()?;
        Ok(Next::Line)
    }

    async fn command(&mut self, command: Command, out: &mut dyn Write) -> Result<(), String> {
        let mut say = |text: String| writeln!(out, "{text}").map_err(|e| e.to_string());
        let switched = |on: bool| if on { "on" } else { "off" };
        match command {
            Command::Quit => Ok(()),
            Command::Help => say(command::HELP.to_owned()),
            Command::Timing => {
                self.is_timed = !self.is_timed;
                say(format!("timing is {}", switched(self.is_timed)))
            }
            Command::Stats => {
                self.has_stats = !self.has_stats;
                say(format!("stats are {}", switched(self.has_stats)))
            }
            Command::Pager if self.pager.is_none() => {
                Err("there is no pager here; --pager or PAGER names one, and `less` is the usual one".to_owned())
            }
            Command::Pager => {
                self.is_paged = !self.is_paged;
                say(format!("pager is {}", switched(self.is_paged)))
            }
            Command::Output(format) => {
                self.rendering.format = format;
                Ok(())
            }
            Command::Expanded => {
                let is_on = self.rendering.format != Format::Expanded;
                self.rendering.format = if is_on { Format::Expanded } else { Format::Table };
                say(format!("expanded display is {}", switched(is_on)))
            }
            Command::Tables => {
                self.list(
                    "SELECT table_name AS \"table\" FROM information_schema.tables
                WHERE table_schema = 'public' ORDER BY 1",
                    out,
                )
                .await
            }
            Command::Columns(table) => {
                let sql = format!(
                    "SELECT column_name AS \"column\", data_type AS type, is_nullable AS nullable
                    FROM information_schema.columns WHERE table_name = '{}' ORDER BY ordinal_position",
                    table.replace('\'', "''")
                );
                match self.session.table_exist(datafusion::common::TableReference::bare(table.as_str())) {
                    Ok(true) => self.list(&sql, out).await,
                    _ => Err(format!("there is no table {table}; \\d lists the tables")),
                }
            }
            Command::Functions(part) => {
                self.list(&functions::list_sql(&part), out).await?;
                if part.is_empty() {
                    let more = "\\df PART also finds the functions of DataFusion and geodatafusion";
                    writeln!(out, "{more}").map_err(|e| e.to_string())?;
                }
                Ok(())
            }
            Command::File(file) => {
                let text = std::fs::read_to_string(&file).map_err(|e| format!("cannot read {file}: {e}"))?;
                let said = self.statements(&file, &text, self.rendering, &Destination::StandardOutput, out).await;
                said.map_err(|e| e.to_string())
            }
            Command::Out { file, sql } => {
                let destination = Destination::parse(Some(&file)).map_err(|e| e.to_string())?;
                let format = format_for(&destination, None, "--output", self.rendering.format);
                let format = format.map_err(|e| match e {
                    SinkError::Ending { location, endings, .. } => {
                        format!("\\o {location}: its ending tells no format; end it with {endings}")
                    }
                    other => other.to_string(),
                })?;
                let rendering = format.into();
                self.statements("line", &sql, rendering, &destination, out).await.map_err(|e| e.to_string())
            }
        }
    }

    /// The rows of a question of our own, as a table.
    async fn list(&self, sql: &str, out: &mut dyn Write) -> Result<(), String> {
        let rows = async { self.session.sql(sql).await?.execute_stream().await };
        let rows = rows.await.map_err(|e| crate::reason::reason(&e))?;
        let rendering = Rendering { format: Format::Table, max_rows: None, is_counted: true, ..self.rendering };
        let written = async {
            let mut paged = Paged::new(out, self.pager());
            let mut sink = Sink::stream(&mut paged);
            write_rows(rows, rendering, &mut sink).await?;
            sink.finish().await
        };
        seen(written.await).map_err(|e| e.to_string())
    }

    /// The pager, if it is turned on.
    fn pager(&self) -> Option<&Pager> {
        self.pager.as_ref().filter(|_| self.is_paged)
    }

    async fn statements(
        &self,
        name: &str,
        text: &str,
        rendering: Rendering,
        destination: &Destination,
        out: &mut dyn Write,
    ) -> Result<(), SqlError> {
        let statements = Script::parse(name, text)?.bind(&Arguments::new())?;
        let is_shown = *destination == Destination::StandardOutput;
        if rendering.format.is_binary() && is_shown {
            return Err(OutputError::Terminal("Parquet").into());
        }
        for (i, statement) in statements.iter().enumerate() {
            if let Some(location) = destination.location().filter(|_| i > 0) {
                return Err(SqlError::Several { place: statement.place().to_string(), what: location.to_owned() });
            }
            let mut paged = Paged::new(out, self.pager().filter(|_| rendering.format.is_for_people() && is_shown));
            let mut sink = destination.open(&mut paged).map_err(OutputError::from)?;
            let answer = match Answers::new(&self.session, rendering, &mut sink).answer(statement).await {
                Ok(answer) => answer,
                // Whoever left the pager has seen enough, and may go on to the next statement.
                Err(SqlError::Output(error)) if is_left(&error) => continue,
                Err(error) => {
                    sink.abort().await;
                    return Err(error);
                }
            };
            seen(sink.finish().await)?;
            drop(paged);
            if let Some((location, written)) = destination.location().zip(answer.written) {
                writeln!(out, "wrote {} to {location}", counted(written.rows, "row")).map_err(OutputError::from)?;
            }
            self.remark(&answer, rendering.format.is_for_people() || !is_shown, out).map_err(OutputError::from)?;
        }
        Ok(())
    }

    /// Says what there is to say of an answer.
    fn remark(&self, answer: &Answer, is_counted: bool, out: &mut dyn Write) -> io::Result<()> {
        if answer.written.is_some_and(|written| written.is_cut) {
            writeln!(out, "the table is cut; \\o FILE before a statement writes all of its rows")?;
        }
        if self.is_timed {
            writeln!(out, "{}", answer.timing(is_counted))?;
        }
        if self.has_stats && answer.written.is_some() {
            writeln!(out, "{}", answer.stats())?;
        }
        Ok(())
    }
}

/// Whether the pager was left before it had shown everything.
fn is_left(error: &OutputError) -> bool {
    matches!(error, OutputError::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
}

/// Takes a pager that was left for one that has shown enough.
fn seen(written: Result<(), OutputError>) -> Result<(), OutputError> {
    written.or_else(|error| if is_left(&error) { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    async fn prompt() -> Prompt {
        let session = earthcatalog_plans::session::session(2).unwrap();
        session.sql("CREATE TABLE scenes AS SELECT 1 AS n, 'LC08' AS platform").await.unwrap().collect().await.unwrap();
        Prompt {
            session,
            rendering: Format::Table.into(),
            is_timed: false,
            has_stats: false,
            pager: None,
            is_paged: true,
        }
    }

    async fn said(prompt: &mut Prompt, lines: &str) -> String {
        let mut out = vec![];
        assert_eq!(prompt.answer(lines, &mut out, pending()).await.unwrap(), Next::Line);
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn statements_are_answered_and_what_is_wrong_is_said() {
        let mut prompt = prompt().await;
        insta::assert_snapshot!(said(&mut prompt, "SELECT platform FROM scenes;\nSELECT m FROM\n  scenes;").await, @r"
        +----------+
        | platform |
        +----------+
        | LC08     |
        +----------+
        1 row
        error: there is no column m; there are scenes.n, scenes.platform
           --> line:2:1
             2 | SELECT m FROM
             3 |   scenes;
        ");
        assert_eq!(said(&mut prompt, "  ").await, "");
    }

    #[tokio::test]
    async fn commands_list_tables_columns_and_functions_and_set_what_is_shown() {
        let mut prompt = prompt().await;
        assert!(said(&mut prompt, "\\d").await.contains("| scenes |"));
        assert!(said(&mut prompt, "\\d scenes").await.contains("| platform | "));
        let functions = said(&mut prompt, "\\df").await;
        assert!(functions.contains("| stac_item(*) ") && !functions.contains("array_append"), "{functions}");
        let functions = said(&mut prompt, "\\df Point").await;
        assert!(functions.contains("| ST_Point("), "{functions}");
        assert!(said(&mut prompt, "\\d nothing").await.contains("error: there is no table nothing; \\d lists"));
        assert_eq!(said(&mut prompt, "\\timing").await, "timing is on\n");
        assert_eq!(said(&mut prompt, "\\output csv").await, "");
        let answer = said(&mut prompt, "SELECT n FROM scenes;").await;
        assert!(answer.starts_with("n\n1\n1 row in 0."), "{answer}");
        assert_eq!(said(&mut prompt, "\\output table").await, "");
        assert_eq!(said(&mut prompt, "\\x").await, "expanded display is on\n");
        assert!(said(&mut prompt, "SELECT n FROM scenes;").await.contains("\nn | 1\n1 row\n"));
        assert_eq!(said(&mut prompt, "\\x").await, "expanded display is off\n");
        assert!(said(&mut prompt, "\\pager").await.contains("there is no pager here; --pager or PAGER"));
        assert!(said(&mut prompt, "\\y").await.contains("there is no command \\y; \\? lists"));
        assert_eq!(prompt.answer("\\q", &mut vec![], pending()).await.unwrap(), Next::End);
        assert_eq!(prompt.answer("exit", &mut vec![], pending()).await.unwrap(), Next::End);
    }

    #[tokio::test]
    async fn one_statement_goes_to_a_file_and_the_next_to_the_terminal() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("n.csv");
        let mut prompt = prompt().await;
        assert_eq!(
            said(&mut prompt, &format!("\\o {} SELECT n FROM scenes;", file.display())).await,
            format!("wrote 1 row to {}\n", file.display())
        );
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "n\n1\n");
        let error = said(&mut prompt, "\\o n.xyz SELECT n FROM scenes;").await;
        assert!(error.starts_with("error: \\o n.xyz: its ending tells no format; end it with .txt"), "{error}");
        assert!(said(&mut prompt, "SELECT n FROM scenes;").await.contains("1 row"));
    }

    #[tokio::test]
    async fn what_is_interrupted_is_given_up_and_the_prompt_goes_on() {
        let mut prompt = prompt().await;
        let (mut out, endless) = (vec![], "SELECT count(*) FROM generate_series(1, 100000000000);");
        assert_eq!(prompt.answer(endless, &mut out, ready(())).await.unwrap(), Next::Line);
        assert_eq!(String::from_utf8(out).unwrap(), "error: interrupted\n");
        assert!(said(&mut prompt, "SELECT n FROM scenes;").await.contains("1 row"));
    }
}

//! Rows as JSON objects: every column is a member, null ones included.

use std::io::Write;

use arrow::json::writer::{JsonArray, JsonFormat, LineDelimited, Writer, WriterBuilder};
use arrow::record_batch::RecordBatch;

use super::{OutputError, RowWriter};

/// Writes one list (`[{…},{…}]`), or one object per line.
pub(super) struct JsonWriter<F: JsonFormat> {
    /// Writes to memory, which is emptied after each batch.
    writer: Writer<Vec<u8>, F>,
    /// What an empty result is.
    empty: &'static str,
    written: bool,
}

impl JsonWriter<JsonArray> {
    pub(super) fn list() -> Self {
        Self { writer: builder().build(vec![]), empty: "[]", written: false }
    }
}

impl JsonWriter<LineDelimited> {
    pub(super) fn lines() -> Self {
        Self { writer: builder().build(vec![]), empty: "", written: false }
    }
}

impl<F: JsonFormat> JsonWriter<F> {
    fn drain(&mut self, out: &mut dyn Write) -> Result<(), OutputError> {
        out.write_all(self.writer.get_ref())?;
        self.writer.get_mut().clear();
        Ok(())
    }
}

impl<F: JsonFormat> RowWriter for JsonWriter<F> {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
        if batch.num_rows() > 0 {
            self.written = true;
            self.writer.write(batch).map_err(datafusion::common::DataFusionError::from)?;
        }
        self.drain(out)
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), OutputError> {
        if self.written {
            self.writer.finish().map_err(datafusion::common::DataFusionError::from)?;
            self.drain(out)?;
        } else {
            out.write_all(self.empty.as_bytes())?;
        }
        if !self.empty.is_empty() {
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

fn builder() -> WriterBuilder {
    WriterBuilder::new().with_explicit_nulls(true)
}

#[cfg(test)]
mod tests {
    use crate::output::Format;
    use crate::output::tests::text;

    const ROWS: &str = "SELECT * FROM (VALUES (1, 'a', X'00ff'), (2, NULL, NULL)) AS t(n, s, b) ORDER BY n";

    #[tokio::test]
    async fn a_list_of_objects() {
        let json: serde_json::Value = serde_json::from_str(&text(ROWS, Format::Json).await).unwrap();
        assert_eq!(json, serde_json::json!([{"n": 1, "s": "a", "b": "00ff"}, {"n": 2, "s": null, "b": null}]));
        assert_eq!(text("SELECT 1 AS n WHERE false", Format::Json).await, "[]\n");
    }

    #[tokio::test]
    async fn an_object_per_line() {
        insta::assert_snapshot!(text(ROWS, Format::Ndjson).await, @r#"
        {"n":1,"s":"a","b":"00ff"}
        {"n":2,"s":null,"b":null}
        "#);
        assert_eq!(text("SELECT 1 AS n WHERE false", Format::Ndjson).await, "");
    }
}

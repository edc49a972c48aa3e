//! `casei(text)` and `accenti(text)`: texts that are compared without regard to case, or to accents.

use std::sync::Arc;

use arrow::array::{AsArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;

/// `casei(text) -> Utf8View`: the text without regard to case: two texts that differ in case alone become the same, as
/// `Straße` and `STRASSE` do. Null for null.
pub fn casei_udf() -> ScalarUDF {
    FoldedText::new(Regardless::Case).into()
}

/// `accenti(text) -> Utf8View`: the text without the marks that Unicode takes apart from letters: `débárquér` becomes
/// `debarquer`. Null for null.
pub fn accenti_udf() -> ScalarUDF {
    FoldedText::new(Regardless::Marks).into()
}

/// What of a text says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Regardless {
    Case,
    Marks,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FoldedText {
    regardless: Regardless,
    signature: Signature,
}

impl FoldedText {
    fn new(regardless: Regardless) -> Self {
        Self { regardless, signature: Signature::uniform(1, vec![DataType::Utf8View], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for FoldedText {
    fn name(&self) -> &str {
        match self.regardless {
            Regardless::Case => "casei",
            Regardless::Marks => "accenti",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = args.args[0].to_array(args.number_rows)?;
        let fold = match self.regardless {
            Regardless::Case => without_case,
            Regardless::Marks => without_marks,
        };
        let folded: StringViewArray = texts.as_string_view().iter().map(|text| text.map(fold)).collect();
        Ok(ColumnarValue::Array(Arc::new(folded)))
    }
}

/// Letter by letter, so that a sigma is the same at the end of a word: upper case joins what lower case keeps apart.
fn without_case(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

fn without_marks(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let class = CanonicalCombiningClassMapBorrowed::new();
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(text);
    decomposed.chars().filter(|c| class.get_u8(*c) == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_case_become_the_same() {
        for (a, b) in [("Straße", "STRASSE"), ("Οδος", "ΟΔΟΣ"), ("ÉTAT", "état"), ("a%_", "A%_")] {
            assert_eq!(without_case(a), without_case(b), "{a}");
        }
        assert_ne!(without_case("état"), without_case("etat"));
    }

    #[test]
    fn marks_are_left_out() {
        for (text, bare) in
            [("débárquér", "debarquer"), ("e\u{301}", "e"), ("Ångström", "Angstrom"), ("plain", "plain")]
        {
            assert_eq!(without_marks(text), bare);
        }
        assert_eq!(without_marks("É"), "E");
    }
}

//! `is_repeated(id)`: whether an id may have more than one version.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::file::IdHash;
use super::known::Repeated;

/// `is_repeated(id: Utf8View) -> Boolean`: whether `id` is one of `ids`. Null for null. Only in plans of ours.
pub fn is_repeated(ids: Arc<Repeated>) -> ScalarUDF {
    let signature = Signature::exact(vec![DataType::Utf8View], Volatility::Immutable);
    ScalarUDF::from(IsRepeated { ids, signature })
}

/// The ids of [`is_repeated`], if `function` is that.
pub fn repeated_of(function: &ScalarUDF) -> Option<&Arc<Repeated>> {
    function.inner().downcast_ref::<IsRepeated>().map(|function| &function.ids)
}

#[derive(Debug)]
struct IsRepeated {
    ids: Arc<Repeated>,
    signature: Signature,
}

impl PartialEq for IsRepeated {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ids, &other.ids)
    }
}

impl Eq for IsRepeated {}

impl Hash for IsRepeated {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.ids).hash(state);
    }
}

impl ScalarUDFImpl for IsRepeated {
    fn name(&self) -> &str {
        "is_repeated"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ids] = args.args.as_slice() else { return internal_err!("is_repeated takes an id") };
        let ids = ids.to_array(args.number_rows)?;
        let is_repeated = |id: Option<&str>| id.map(|id| self.ids.contains(&IdHash::of(id)));
        let found: BooleanArray = ids.as_string_view().iter().map(is_repeated).collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

//! `is_repeated(collection, id)`: whether an Item may have more than one version.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, ident,
};

use super::file::IdHash;
use super::known::Repeated;
use crate::model::item_key::ItemKey;

/// `is_repeated(collection: Utf8View, id: Utf8View) -> Boolean`: whether the Item is one of `ids`. Null where `id` is. Only in
/// plans of ours.
pub fn is_repeated(ids: Arc<Repeated>) -> ScalarUDF {
    let signature = Signature::exact(vec![DataType::Utf8View; 2], Volatility::Immutable);
    ScalarUDF::from(IsRepeated { ids, signature })
}

/// Whether the Item of a row, which has its columns, is one of `ids`.
pub fn are_repeated(ids: Arc<Repeated>) -> Expr {
    is_repeated(ids).call(ItemKey::COLUMNS.map(ident).to_vec())
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
        let [collections, ids] = args.args.as_slice() else {
            return internal_err!("is_repeated takes a collection and an id");
        };
        let [collections, ids] = [collections.to_array(args.number_rows)?, ids.to_array(args.number_rows)?];
        let is_repeated = |(collection, id): (Option<&str>, Option<&str>)| {
            id.map(|id| self.ids.contains(&IdHash::new(collection, id)))
        };
        let keys = collections.as_string_view().iter().zip(ids.as_string_view());
        let found: BooleanArray = keys.map(is_repeated).collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

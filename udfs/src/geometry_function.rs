//! Functions of one geometry, which make a number, a truth or another geometry of it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryViewBuilder, BooleanArray, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use geo::Geometry;

use crate::geometry::{Geometries, check_geometry, to_wkb, wkb_field};
use crate::rows::Rows;

/// What a function makes of a geometry; its name is for errors.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Makes {
    Number(fn(&str, Geometry) -> Result<Option<f64>>),
    Truth(fn(&Geometry) -> bool),
    /// `None` leaves the geometry as it is.
    Changed(fn(&Geometry) -> Option<Geometry>),
    /// `None` is null.
    Part(fn(&Geometry) -> Option<Geometry>),
}

/// A function of one geometry (WKB or any GeoArrow type), null for null. Its other names are those that other databases have.
pub(crate) fn geometry_function(name: &'static str, aliases: &[&str], makes: Makes) -> ScalarUDF {
    let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(GeometryFunction { name, aliases, makes, signature })
}

#[derive(Debug)]
struct GeometryFunction {
    name: &'static str,
    aliases: Vec<String>,
    makes: Makes,
    signature: Signature,
}

impl PartialEq for GeometryFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for GeometryFunction {}

impl Hash for GeometryFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for GeometryFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("{} has a return field", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        check_geometry(self.name, &args.arg_fields[0])?;
        Ok(match self.makes {
            Makes::Number(_) => Arc::new(Field::new(self.name, DataType::Float64, true)),
            Makes::Truth(_) => Arc::new(Field::new(self.name, DataType::Boolean, true)),
            Makes::Changed(_) | Makes::Part(_) => wkb_field(self.name),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let answered = Rows::of(&args.args, args.number_rows);
        let rows = answered.count;
        let geometries = Geometries::try_new(self.name, &args.args[0].to_array(rows)?, &args.arg_fields[0])?;
        let made: ArrayRef = match self.makes {
            Makes::Number(number) => {
                let number = |row| geometries.get(row)?.map_or(Ok(None), |geometry| number(self.name, geometry));
                Arc::new((0..rows).map(number).collect::<Result<Float64Array>>()?)
            }
            Makes::Truth(truth) => {
                let truth = |row| Ok(geometries.get(row)?.map(|geometry| truth(&geometry)));
                Arc::new((0..rows).map(truth).collect::<Result<BooleanArray>>()?)
            }
            Makes::Changed(made) | Makes::Part(made) => {
                let stays = matches!(self.makes, Makes::Changed(_));
                let mut wkb = BinaryViewBuilder::with_capacity(rows);
                for row in 0..rows {
                    match geometries.get(row)?.map(|geometry| made(&geometry)) {
                        Some(Some(geometry)) => wkb.append_value(to_wkb(self.name, &geometry)?),
                        Some(None) if stays => wkb.append_value(geometries.wkb().value(row)),
                        Some(None) | None => wkb.append_null(),
                    }
                }
                Arc::new(wkb.finish())
            }
        };
        answered.answer(made)
    }
}

//! The functions that our SQL has beyond DataFusion's own.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int64Array, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::matching::MatchLastInFirstOut;
use super::{parse, row_hash, text};

/// Changes when a function's results do, so that tables made with it are made again.
pub const VERSION: u32 = 4;

/// All of them.
pub(super) fn all() -> Vec<ScalarUDF> {
    let of = |takes, name, returns, call| ScalarUDF::from(Function::new(name, takes, returns, call));
    let of_text = |name, returns, call| of(DataType::Utf8View, name, returns, call);
    vec![
        of_text("parse_integer", DataType::Int64, |texts| {
            Ok(Arc::new(read_each(texts, parse::integer).collect::<Int64Array>()))
        }),
        of_text("parse_decimal", DataType::Decimal128(18, 4), |texts| {
            let values = read_each(texts, parse::decimal).collect::<Decimal128Array>();
            Ok(Arc::new(values.with_precision_and_scale(18, 4)?))
        }),
        of_text("parse_instant", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), |texts| {
            let values = read_each(texts, parse::instant).collect::<TimestampMicrosecondArray>();
            Ok(Arc::new(values.with_timezone("UTC")))
        }),
        of_text("normalise_code", DataType::Utf8View, |texts| text::normalised(texts, text::code)),
        of_text("normalise_wording", DataType::Utf8View, |texts| text::normalised(texts, text::wording)),
        ScalarUDF::from(row_hash::RowHash::new()),
        ScalarUDF::from(MatchLastInFirstOut::new()),
    ]
}

/// What `read` makes of each text.
fn read_each<T: Copy>(texts: &ArrayRef, read: fn(&str) -> Option<T>) -> impl Iterator<Item = Option<T>> {
    let (texts, mut seen) = (texts.as_string_view(), text::Seen::new(None));
    texts.views().iter().enumerate().map(move |(row, view)| {
        if texts.is_null(row) { None } else { seen.of(*view, || read(texts.value(row))) }
    })
}

/// What a function does with an array of the type that it takes.
type Call = fn(&ArrayRef) -> Result<ArrayRef>;

/// A function of one value; its name says which.
#[derive(Debug)]
struct Function {
    name: &'static str,
    returns: DataType,
    signature: Signature,
    call: Call,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Function {
    fn new(name: &'static str, takes: DataType, returns: DataType, call: Call) -> Self {
        Function { name, returns, signature: Signature::exact(vec![takes], Volatility::Immutable), call }
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    /// The engine has made the value one of the type that the signature names.
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        (self.call)(&arrays[0]).map(ColumnarValue::Array)
    }
}

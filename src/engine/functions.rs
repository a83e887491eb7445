//! The functions that our SQL has beyond DataFusion's own.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int64Array, StringViewArray, StringViewBuilder,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::matching::MatchLastInFirstOut;
use super::parse;

/// Changes when a function's results do, so that tables made with it are made again.
pub const VERSION: u32 = 2;

/// All of them.
pub(super) fn all() -> Vec<ScalarUDF> {
    let text = |name, returns, call| ScalarUDF::from(TextFunction::new(name, returns, call));
    vec![
        text("parse_integer", DataType::Int64, |texts| {
            Ok(Arc::new(texts.iter().map(|text| text.and_then(parse::integer)).collect::<Int64Array>()))
        }),
        text("parse_decimal", DataType::Decimal128(18, 4), |texts| {
            let values = texts.iter().map(|text| text.and_then(parse::decimal)).collect::<Decimal128Array>();
            Ok(Arc::new(values.with_precision_and_scale(18, 4)?))
        }),
        text("parse_instant", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), |texts| {
            let values = texts.iter().map(|text| text.and_then(parse::instant));
            Ok(Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC")))
        }),
        text("collapse_blanks", DataType::Utf8View, collapse_blanks),
        ScalarUDF::from(MatchLastInFirstOut::new()),
    ]
}

fn collapse_blanks(texts: &StringViewArray) -> Result<ArrayRef> {
    let mut collapsed = StringViewBuilder::with_capacity(texts.len());
    let mut buffer = String::new();
    for text in texts {
        match text.filter(|text| parse::collapsed(text, &mut buffer)) {
            Some(_) => collapsed.append_value(&buffer),
            None => collapsed.append_null(),
        }
    }
    Ok(Arc::new(collapsed.finish()))
}

type Call = fn(&StringViewArray) -> Result<ArrayRef>;

/// A function of one text; its name says which.
#[derive(Debug)]
struct TextFunction {
    name: &'static str,
    returns: DataType,
    signature: Signature,
    call: Call,
}

impl PartialEq for TextFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for TextFunction {}

impl Hash for TextFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl TextFunction {
    fn new(name: &'static str, returns: DataType, call: Call) -> Self {
        let signature = Signature::exact(vec![DataType::Utf8View], Volatility::Immutable);
        TextFunction { name, returns, signature, call }
    }
}

impl ScalarUDFImpl for TextFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = arrays[0].as_string_view_opt().ok_or_else(|| {
            exec_datafusion_err!("{} takes a text, not {}", self.name, arrays[0].data_type())
        })?;
        (self.call)(texts).map(ColumnarValue::Array)
    }
}

//! One number for many values: rows with equal values have equal hashes, in every version of the program.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array, Int32Array, Int64Array, PrimitiveArray,
    StringViewArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use siphasher::sip128::SipHasher13;

/// As many of the hash's 128 bits as a number of 28 digits holds, which is as long as clients read numbers: enough that
/// of 10¹⁰ rows no two are taken for equal (the chance of one pair is n² / 2⁹⁴, about 5 · 10⁻⁹).
const BITS: u128 = (1 << 93) - 1;

/// The type of a hash.
const HASH: DataType = DataType::Decimal128(28, 0);

/// `row_hash(value, …)`: SipHash-1-3 of the values in their order as a `DECIMAL(28,0)`; texts, integers, instants and
/// decimals, where NULL differs from every value.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct RowHash {
    signature: Signature,
}

impl RowHash {
    pub(super) fn new() -> Self {
        RowHash { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for RowHash {
    fn name(&self) -> &'static str {
        "row_hash"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.iter().find(|given| !is_hashed(given)) {
            None => Ok(HASH),
            Some(other) => plan_err!("row_hash takes texts, integers, instants and decimals, not {other}"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays =
            args.args.iter().map(|value| viewed(value.to_array(rows)?)).collect::<Result<Vec<_>>>()?;
        let columns = arrays.iter().map(Values::of).collect::<Result<Vec<_>>>()?;
        let (hasher, mut bytes) = (SipHasher13::new(), Vec::new());
        let hashes = (0..rows).map(|row| {
            bytes.clear();
            columns.iter().for_each(|column| column.write(row, &mut bytes));
            (hasher.hash(&bytes).as_u128() & BITS) as i128
        });
        let hashes = Decimal128Array::from_iter_values(hashes).with_data_type(HASH);
        Ok(ColumnarValue::Array(Arc::new(hashes)))
    }
}

fn is_hashed(given: &DataType) -> bool {
    matches!(
        given,
        DataType::Utf8View
            | DataType::Utf8
            | DataType::Int32
            | DataType::Int64
            | DataType::Decimal128(..)
            | DataType::Timestamp(TimeUnit::Microsecond, _)
            | DataType::Null
    )
}

/// The array, texts as views.
fn viewed(array: ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Utf8 => Ok(cast(&array, &DataType::Utf8View)?),
        _ => Ok(array),
    }
}

/// The values of a column.
enum Values<'a> {
    Texts(&'a StringViewArray),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Decimals(&'a Decimal128Array),
    Instants(&'a TimestampMicrosecondArray),
    Nothing,
}

impl Values<'_> {
    fn of(array: &ArrayRef) -> Result<Values<'_>> {
        Ok(match array.data_type() {
            DataType::Utf8View => Values::Texts(array.as_string_view()),
            DataType::Int32 => Values::Int32(array.as_primitive()),
            DataType::Int64 => Values::Int64(array.as_primitive()),
            DataType::Decimal128(..) => Values::Decimals(array.as_primitive()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Values::Instants(array.as_primitive()),
            DataType::Null => Values::Nothing,
            other => return exec_err!("row_hash of {other}"),
        })
    }

    /// Writes a row's value: a mark that there is one, the length of a text, the value.
    fn write(&self, row: usize, bytes: &mut Vec<u8>) {
        match self {
            Values::Texts(texts) if texts.is_valid(row) => {
                let text = texts.value(row);
                bytes.push(1);
                bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
            Values::Int32(values) => write(values, row, bytes, i32::to_le_bytes),
            Values::Int64(values) => write(values, row, bytes, i64::to_le_bytes),
            Values::Decimals(values) => write(values, row, bytes, i128::to_le_bytes),
            Values::Instants(values) => write(values, row, bytes, i64::to_le_bytes),
            Values::Texts(_) | Values::Nothing => bytes.push(0),
        }
    }
}

fn write<T: ArrowPrimitiveType, const N: usize>(
    values: &PrimitiveArray<T>,
    row: usize,
    bytes: &mut Vec<u8>,
    as_bytes: impl Fn(T::Native) -> [u8; N],
) {
    bytes.push(u8::from(values.is_valid(row)));
    if values.is_valid(row) {
        bytes.extend_from_slice(&as_bytes(values.value(row)));
    }
}

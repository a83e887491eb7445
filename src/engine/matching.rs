//! `match_last_in_first_out`: what was taken back is matched to what was given.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Int64Builder, ListArray, StructArray, UInt64Builder};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// A pile of what was given: a list of structs in the order of events, each with a `quantity`, which is laid upon
/// the pile when it is positive, and taken off it from the top when it is negative.
///
/// Gives, for each negative quantity in turn, what it took from which: a list of `taker` and `giver`, elements of
/// the list as they are, and `quantity`. What the pile did not hold has no giver.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct MatchLastInFirstOut {
    signature: Signature,
}

impl MatchLastInFirstOut {
    pub(super) fn new() -> Self {
        MatchLastInFirstOut { signature: Signature::any(1, Volatility::Immutable) }
    }
}

/// A part of a quantity that was taken: places in the list from 0, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Match {
    taker: usize,
    giver: Option<usize>,
    quantity: i64,
}

/// The matches of one list; what is NULL neither gives nor takes.
fn matches(quantities: impl Iterator<Item = Option<i64>>) -> Vec<Match> {
    let (mut pile, mut matches): (Vec<(usize, i64)>, Vec<Match>) = (Vec::new(), Vec::new());
    for (place, quantity) in quantities.enumerate() {
        let quantity = quantity.unwrap_or(0);
        if quantity > 0 {
            pile.push((place, quantity));
        }
        let mut wanted = quantity.min(0).saturating_neg();
        while wanted > 0 {
            let (giver, quantity) = match pile.last_mut() {
                None => (None, wanted),
                Some((giver, left)) => {
                    let quantity = wanted.min(*left);
                    *left -= quantity;
                    (Some(*giver), quantity)
                }
            };
            pile.pop_if(|(_, left)| *left == 0);
            matches.push(Match { taker: place, giver, quantity });
            wanted -= quantity;
        }
    }
    matches
}

fn fields(line: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("taker", line.clone(), true),
        Field::new("giver", line.clone(), true),
        Field::new("quantity", DataType::Int64, false),
    ])
}

fn element(line: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(fields(line)), true))
}

impl ScalarUDFImpl for MatchLastInFirstOut {
    fn name(&self) -> &str {
        "match_last_in_first_out"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match &types[0] {
            DataType::List(line) if matches!(line.data_type(), DataType::Struct(_)) => {
                Ok(DataType::List(element(line.data_type())))
            }
            other => plan_err!("{} takes a list of structs, not {other}", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let lists = arrays[0].as_list::<i32>();
        let lines = lists.values();
        let Some(quantities) = lines.as_struct().column_by_name("quantity") else {
            return exec_err!("{} takes structs with a field `quantity`", self.name());
        };
        let quantities = cast(quantities, &DataType::Int64)?;
        let quantities = quantities.as_primitive::<Int64Type>();
        let (mut takers, mut givers, mut taken) =
            (UInt64Builder::new(), UInt64Builder::new(), Int64Builder::new());
        let mut lengths = Vec::with_capacity(lists.len());
        for (row, ends) in lists.value_offsets().windows(2).enumerate() {
            let (start, end) = (ends[0] as usize, ends[1] as usize);
            let matches = match lists.is_valid(row) {
                true => matches(quantities.slice(start, end - start).iter()),
                false => Vec::new(),
            };
            lengths.push(matches.len());
            for Match { taker, giver, quantity } in matches {
                takers.append_value((start + taker) as u64);
                givers.append_option(giver.map(|giver| (start + giver) as u64));
                taken.append_value(quantity);
            }
        }
        let columns = vec![
            take(lines, &takers.finish(), None)?,
            take(lines, &givers.finish(), None)?,
            Arc::new(taken.finish()) as _,
        ];
        let matches = StructArray::try_new(fields(lines.data_type()), columns, None)?;
        let list = ListArray::try_new(
            element(lines.data_type()),
            OffsetBuffer::from_lengths(lengths),
            Arc::new(matches),
            lists.nulls().cloned(),
        )?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}

#[cfg(test)]
mod tests {
    //! Proves whom each quantity is taken from.

    use super::*;

    fn matched(quantities: &[i64]) -> Vec<(usize, Option<usize>, i64)> {
        let all = matches(quantities.iter().copied().map(Some));
        all.into_iter().map(|m| (m.taker, m.giver, m.quantity)).collect()
    }

    #[test]
    fn the_latest_gives_first_and_nothing_is_given_twice() {
        let all = matched(&[5, 3, -4, -3, -2]);
        assert_eq!(all, [(2, Some(1), 3), (2, Some(0), 1), (3, Some(0), 3), (4, Some(0), 1), (4, None, 1)]);
    }

    #[test]
    fn what_comes_later_gives_nothing() {
        assert_eq!(matched(&[-2, 2]), [(0, None, 2)]);
    }

    #[test]
    fn what_is_taken_is_matched_whole() {
        let quantities = [7, -9, 4, 4, -1, -6, 2, -2, -5];
        let taken: i64 = matched(&quantities).iter().map(|(_, _, quantity)| quantity).sum();
        assert_eq!(taken, 23);
        assert_eq!(matched(&[]), []);
    }
}

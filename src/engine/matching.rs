//! `match_last_in_first_out`: what was taken back is matched to what was given.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Int64Builder, ListArray, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// A pile of what was given: a list of quantities in the order of events, a positive one laid upon it, a
/// negative one taken off it from the top.
///
/// Gives, for each negative quantity in turn, what it took from which: a list of `taker` and `giver`, places in
/// the list from 1, and `quantity`. What the pile did not hold has no giver.
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

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("taker", DataType::Int64, false),
        Field::new("giver", DataType::Int64, true),
        Field::new("quantity", DataType::Int64, false),
    ])
}

fn element() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(fields()), true))
}

impl ScalarUDFImpl for MatchLastInFirstOut {
    fn name(&self) -> &str {
        "match_last_in_first_out"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(element()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let integers = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
        let Ok(lists) = cast(&arrays[0], &integers) else {
            return exec_err!("{} takes a list of quantities, not {}", self.name(), arrays[0].data_type());
        };
        let place = |place: usize| i64::try_from(place + 1).unwrap_or(i64::MAX);
        let (mut takers, mut givers, mut quantities) =
            (Int64Builder::new(), Int64Builder::new(), Int64Builder::new());
        let mut lengths = Vec::with_capacity(lists.len());
        for list in lists.as_list::<i32>().iter() {
            let matches = match &list {
                Some(list) => matches(list.as_primitive::<Int64Type>().iter()),
                None => Vec::new(),
            };
            lengths.push(matches.len());
            for Match { taker, giver, quantity } in matches {
                takers.append_value(place(taker));
                givers.append_option(giver.map(place));
                quantities.append_value(quantity);
            }
        }
        let columns = vec![
            Arc::new(takers.finish()) as _,
            Arc::new(givers.finish()) as _,
            Arc::new(quantities.finish()) as _,
        ];
        let matches = StructArray::try_new(fields(), columns, None)?;
        let list = ListArray::try_new(
            element(),
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

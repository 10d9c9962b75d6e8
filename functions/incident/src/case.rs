//! How cases are numbered: `0001` and on, one after the other.

/// The number of the case that something belongs to whose key goes on like this after the
/// principal's own prefix: `0001/original.json`.
#[must_use]
pub fn case_number(rest: &str) -> Option<u16> {
    let (digits, _) = rest.split_once('/')?;
    let four = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|number| four && *number > 0)
}

/// The newest of the cases with these numbers, and the numbers that lie beyond a gap: cases
/// are opened one after the other, so those were planted, lest there be a next one.
#[must_use]
pub fn newest_case(numbers: impl IntoIterator<Item = u16>) -> (Option<u16>, Vec<u16>) {
    let mut numbers: Vec<u16> = numbers.into_iter().collect();
    numbers.sort_unstable();
    numbers.dedup();
    let count = numbers.iter().zip(1..).take_while(|(number, n)| *number == n).count();
    let beyond = numbers.split_off(count);
    (numbers.pop(), beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_a_folder_with_four_digits() {
        for (rest, number) in [
            ("0001/original.json", Some(1)),
            ("0012/left.json", Some(12)),
            ("9999/x", Some(9_999)),
            ("0000/original.json", None),
            ("1/original.json", None),
            ("00001/original.json", None),
            ("+001/original.json", None),
            ("0001", None),
            ("original.json", None),
            ("", None),
        ] {
            assert_eq!(case_number(rest), number, "{rest}");
        }
    }

    #[test]
    fn cases_are_numbered_one_after_the_other_and_what_is_beyond_a_gap_is_none() {
        for (numbers, expected, planted) in [
            (vec![], None, vec![]),
            (vec![1], Some(1), vec![]),
            (vec![2, 1, 3, 2], Some(3), vec![]),
            (vec![1, 9_999], Some(1), vec![9_999]),
            (vec![9_999], None, vec![9_999]),
        ] {
            assert_eq!(newest_case(numbers), (expected, planted));
        }
    }
}

//! The word that was meant.

/// The known word that is nearest to `word`: at most a third of its letters (and at least one
/// mistake) away, where a letter too many, too few or wrong, or two swapped, is one mistake.
/// Upper and lower case count as equal, and so do `-` and `_`.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word);
    let mistakes_max = (word.len() / 3).max(1);
    known
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= 4 * mistakes_max)
        .map(|candidate| (distance(&word, &folded(candidate)), candidate))
        .filter(|(mistakes, candidate)| *mistakes <= mistakes_max && *mistakes < candidate.len())
        .min_by_key(|(mistakes, _)| *mistakes)
        .map(|(_, candidate)| candidate)
}

/// Letters to compare; what nobody would type is cut, so that a comparison stays cheap.
fn folded(word: &str) -> Vec<char> {
    let fold = |letter| if letter == '_' { '-' } else { letter };
    word.chars().flat_map(char::to_lowercase).map(fold).take(64).collect()
}

/// Edits from one word to the other, after Damerau and Levenshtein, no letter edited twice.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut letter_before = None;
    for (row, &letter) in a.iter().enumerate() {
        let mut current = Vec::with_capacity(last.len());
        current.push(row + 1);
        let mut other_before = None;
        for (column, &other) in b.iter().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX);
            let mut edits = (at(&last, column) + usize::from(letter != other))
                .min(at(&last, column + 1) + 1)
                .min(at(&current, column) + 1);
            let swapped = letter_before == Some(other) && other_before == Some(letter);
            if swapped && let Some(two_back) = column.checked_sub(1) {
                edits = edits.min(at(&before, two_back) + 1);
            }
            current.push(edits);
            other_before = Some(other);
        }
        before = std::mem::replace(&mut last, current);
        letter_before = Some(letter);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, suggest};

    #[test]
    fn the_nearest_word_within_a_third_is_suggested() {
        let known = ["timeout", "idle", "address", "client_id", "tls"];
        for (word, expected) in [
            ("timeut", Some("timeout")),
            ("tiemout", Some("timeout")),
            ("Timeout", Some("timeout")),
            ("client-id", Some("client_id")),
            ("adress", Some("address")),
            ("tsl", Some("tls")),
            ("idel", Some("idle")),
            ("endpoint", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(suggest(word, known), expected, "{word}");
        }
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "acb", 1),
            ("kitten", "sitting", 3),
        ] {
            let letters = |word: &str| word.chars().collect::<Vec<_>>();
            assert_eq!(distance(&letters(a), &letters(b)), expected, "{a} {b}");
        }
    }
}

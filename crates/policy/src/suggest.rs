//! The nearest known word to one that is not known.

/// `did you mean ...`, where one of the known words is near enough, and the list of them otherwise.
pub(crate) fn among<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = nearest(word, known.clone()) {
        return format!("did you mean `{near}`?");
    }
    let all: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    if all.is_empty() { "none is defined".to_owned() } else { format!("one of {}", all.join(", ")) }
}

/// The nearest known word, where one differs in at most a third of its letters.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (distance(word, name), name))
        .filter(|(far, name)| *far <= name.chars().count().min(word.chars().count()) / 3)
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions, substitutions and swaps of neighbours between two words, blind to case
/// and to `-` against `_`.
fn distance(a: &str, b: &str) -> usize {
    let fold = |text: &str| -> Vec<char> {
        text.chars().map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    let (a, b) = (fold(a), fold(b));
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i.saturating_add(1)];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX);
            let changed = at(&last, j).saturating_add(usize::from(x != y));
            let shifted = at(&last, j.saturating_add(1)).min(at(&row, j)).saturating_add(1);
            let mut best = changed.min(shifted);
            if let (Some(k), Some(l)) = (i.checked_sub(1), j.checked_sub(1))
                && a.get(k) == Some(y)
                && b.get(l) == Some(x)
            {
                best = best.min(at(&before, l).saturating_add(1));
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{among, distance, nearest};

    #[test]
    fn distances() {
        for (a, b, far) in [
            ("", "abc", 3),
            ("groups", "gruops", 1),
            ("group", "groups", 1),
            ("allow_groups", "allow-groups", 0),
            ("POST", "post", 0),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), far, "{a} {b}");
            assert_eq!(distance(b, a), far, "{b} {a}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["user.groups", "user.email", "device.managed"];
        assert_eq!(nearest("user.group", known.into_iter()), Some("user.groups"));
        assert_eq!(nearest("colour", known.into_iter()), None);
        assert_eq!(among("paht", ["path", "b"].into_iter()), "did you mean `path`?");
        assert_eq!(among("min", ["is", "in"].into_iter()), "one of `is`, `in`");
        assert_eq!(among("colour", ["a", "b"].into_iter()), "one of `a`, `b`");
    }
}

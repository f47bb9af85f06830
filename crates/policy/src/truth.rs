//! Three values, and a fourth for asking again.
//!
//! A truth is two bits: whether it can be true and whether it can be false. `True` and `False` are
//! one of them, `Unknown` is neither (nothing supports either side), and `Open` is both: a fact
//! that a remedy could supply, so that either side can be had. On the first three, the operations
//! are Kleene's; with the fourth they are Belnap's, and one evaluator serves the decision and the
//! question what could still be supplied.

/// What a condition comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// A fact is missing: counts against the request on both sides.
    Unknown,
    /// Only when asking again: a remedy decides it.
    Open,
}

impl Truth {
    pub(crate) fn can_be_true(self) -> bool {
        match self {
            Self::True | Self::Open => true,
            Self::False | Self::Unknown => false,
        }
    }

    pub(crate) fn can_be_false(self) -> bool {
        match self {
            Self::False | Self::Open => true,
            Self::True | Self::Unknown => false,
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self::possible(
            self.can_be_true() && other.can_be_true(),
            self.can_be_false() || other.can_be_false(),
        )
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self::possible(
            self.can_be_true() || other.can_be_true(),
            self.can_be_false() && other.can_be_false(),
        )
    }

    pub(crate) fn not(self) -> Self {
        Self::possible(self.can_be_false(), self.can_be_true())
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Unknown => "unknown",
            Self::Open => "open",
        }
    }

    fn possible(can_be_true: bool, can_be_false: bool) -> Self {
        match (can_be_true, can_be_false) {
            (true, false) => Self::True,
            (false, true) => Self::False,
            (false, false) => Self::Unknown,
            (true, true) => Self::Open,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, False, Open, True, Unknown};

    const ALL: [Truth; 4] = [True, False, Unknown, Open];

    #[test]
    fn the_first_three_are_kleenes() {
        let and = [
            (True, True, True),
            (True, Unknown, Unknown),
            (True, False, False),
            (Unknown, Unknown, Unknown),
            (Unknown, False, False),
            (False, False, False),
        ];
        for (a, b, expected) in and {
            assert_eq!(a.and(b), expected, "{a:?} and {b:?}");
            assert_eq!(b.and(a), expected, "{b:?} and {a:?}");
            assert_eq!(a.not().or(b.not()), expected.not(), "not {a:?} or not {b:?}");
        }
        assert_eq!(Unknown.not(), Unknown);
        assert_eq!(Open.not(), Open);
    }

    #[test]
    fn the_operations_are_associative_commutative_and_dual() {
        for a in ALL {
            for b in ALL {
                assert_eq!(a.and(b), b.and(a));
                assert_eq!(a.or(b), b.or(a));
                assert_eq!(a.and(b).not(), a.not().or(b.not()));
                for c in ALL {
                    assert_eq!(a.and(b).and(c), a.and(b.and(c)));
                    assert_eq!(a.or(b).or(c), a.or(b.or(c)));
                }
            }
        }
    }
}

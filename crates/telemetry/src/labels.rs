//! Labels as enums: a closed set of values, known when the program is built.

/// A label with a closed set of values; implemented by [`label!`](crate::label).
pub trait Label: Copy + 'static {
    /// The label's name, such as `reason`.
    const NAME: &'static str;
    /// All values, in the order of [`Label::index`].
    const VALUES: &'static [Self];

    /// This value as it is exposed.
    fn value(self) -> &'static str;

    /// The position of this value in [`Label::VALUES`].
    fn index(self) -> usize;
}

/// The labels of a family together: a tuple of labels has every combination of their values. A type of its
/// own has those that there can be, where not all go together.
pub trait Labels: Copy + 'static {
    /// The names.
    const NAMES: &'static [&'static str];

    /// All combinations, in the order of [`Labels::index`].
    fn all() -> Vec<Self>;

    /// The values of this combination, in the order of the names.
    fn values(self) -> Vec<&'static str>;

    /// The position of this combination in [`Labels::all`].
    fn index(self) -> usize;
}

/// No label: a single series.
impl Labels for () {
    const NAMES: &'static [&'static str] = &[];

    fn all() -> Vec<Self> {
        vec![()]
    }

    fn values(self) -> Vec<&'static str> {
        Vec::new()
    }

    fn index(self) -> usize {
        0
    }
}

macro_rules! tuple_of_labels {
    ($($label:ident $value:ident),+) => {
        impl<$($label: Label),+> Labels for ($($label,)+) {
            const NAMES: &'static [&'static str] = &[$($label::NAME),+];

            fn all() -> Vec<Self> {
                let count: usize = [$($label::VALUES.len()),+].iter().product();
                let combination = |index: usize| {
                    let mut rest = index;
                    let mut digit = |size: usize| {
                        let digit = rest.checked_rem(size).unwrap_or_default();
                        rest = rest.checked_div(size).unwrap_or_default();
                        digit
                    };
                    Some(($(*$label::VALUES.get(digit($label::VALUES.len()))?,)+))
                };
                (0..count).filter_map(combination).collect()
            }

            fn values(self) -> Vec<&'static str> {
                let ($($value,)+) = self;
                vec![$($value.value()),+]
            }

            fn index(self) -> usize {
                let ($($value,)+) = self;
                let digits = [$(($value.index(), $label::VALUES.len())),+];
                // The first is the lowest digit.
                digits.iter().rev().fold(0, |index, (digit, size)| index * size + digit)
            }
        }
    };
}

tuple_of_labels!(A a);
tuple_of_labels!(A a, B b);
tuple_of_labels!(A a, B b, C c);
tuple_of_labels!(A a, B b, C c, D d);

/// Declares a label: `label! { /// Who ended it. pub enum Reason("reason") { /// The client. Client = "client" } }`.
#[macro_export]
macro_rules! label {
    ($(#[$meta:meta])* $vis:vis enum $name:ident($label:literal) {
        $($(#[$variant_meta:meta])* $variant:ident = $value:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $crate::Label for $name {
            const NAME: &'static str = $label;
            const VALUES: &'static [Self] = &[$(Self::$variant),+];

            fn value(self) -> &'static str {
                match self { $(Self::$variant => $value),+ }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::label! {
        /// Two values.
        enum Two("two") {
            /// Yes.
            Yes = "yes",
            /// No.
            No = "no",
        }
    }

    crate::label! {
        /// Three values.
        enum Three("three") {
            /// One.
            One = "1",
            /// Two.
            Two = "2",
            /// Many.
            Many = "3",
        }
    }

    #[test]
    fn a_tuple_has_each_combination_once_at_its_index() {
        let all = <(Three, Two, Three)>::all();
        assert_eq!(all.len(), 18);
        for (index, combination) in all.into_iter().enumerate() {
            assert_eq!(combination.index(), index, "{combination:?}");
        }
        assert_eq!(<(Two, Three)>::NAMES, ["two", "three"]);
        assert_eq!((Two::No, Three::One).values(), ["no", "1"]);
        assert_eq!(<()>::all().len(), 1);
    }
}

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

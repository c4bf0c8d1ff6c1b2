//! [`word_enum!`]: enums whose values are stored and sent as words.

/// Defines an enum, each value beside its word. A new value needs one line.
macro_rules! word_enum {
    (
        $(#[$of_enum:meta])*
        pub enum $name:ident { $($(#[$of_value:meta])* $value:ident = $word:literal,)+ }
    ) => {
        $(#[$of_enum])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $(
                $(#[$of_value])*
                #[doc = concat!("`", $word, "`")]
                $value,
            )+
        }

        impl $name {
            /// Every value, in the order of the definition.
            pub const ALL: [Self; [$(Self::$value,)+].len()] = [$(Self::$value,)+];

            /// The word that is stored and sent.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }

            /// Reads what `as_str` wrote.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$value),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use word_enum;

//! The macros that views and the builders of pages are written with.

/// A view of Leptos as an `AnyView`, so that branches of different markup have one type.
macro_rules! html {
    ($($view:tt)*) => { ::leptos::prelude::IntoAny::into_any(::leptos::prelude::view! { $($view)* }) };
}

/// Methods of a builder that each set the field of their name.
macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident($value:ident: $type:ty) = $set:expr;)*) => {$(
        $(#[$doc])*
        pub fn $field(mut self, $value: $type) -> Self {
            self.$field = $set;
            self
        }
    )*};
}

pub(crate) use {html, setters};

/// Text as HTML, for the elements whose text Leptos does not write itself.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

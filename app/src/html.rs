//! The macro that most views are written with.

/// A view of Leptos as an `AnyView`, so that branches of different markup have one type.
macro_rules! html {
    ($($view:tt)*) => { ::leptos::prelude::IntoAny::into_any(::leptos::prelude::view! { $($view)* }) };
}

pub(crate) use html;

//! The dashboard in Leptos, rendered on the server only.
//!
//! # Layout
//!
//! | module | what it holds |
//! |---|---|
//! | [`visit`] | [`Visit`](visit::Visit): who looks at a page, when, from where; what server functions run with |
//! | [`render`](mod@render) | from a page to HTML, without a line of script of our own making |
//! | [`page`] | a page before it is rendered, and how it is framed |
//! | [`error`] | the typed error of server functions |
//! | [`form`] | what was typed into a form, and why it was refused |
//! | [`links`] | addresses of pages |
//! | `number` | numbers for people |
//! | [`done`] | what the address of a page says was done, and its receipt |
//! | [`pages`] | a room for each thing, a module for each page: its component, its server functions, its view types |
//! | [`components`] | layout, fields, panels, notices, tables, charts, snippets |
//! | `prelude` | what most pages use, in one import |
//! | [`snippets`] | the texts that connect a program, with or without the secret |
//! | [`assets`] | style sheet, script and icon, embedded and named by their content |
//!
//! Nothing is hydrated: pages work without script, and the security policy allows no inline script. Leptos's own
//! renderers append one, and serialise every `Resource` into it; so pages await their data, and
//! [`render::render`] turns the finished view into text.

#![recursion_limit = "256"]
#![expect(missing_docs, reason = "a component's parameters become the public fields of a struct, which nobody reads")]

pub mod assets;
pub mod components;
pub mod done;
pub mod error;
pub mod form;
mod html;
pub mod links;
mod number;
pub mod page;
pub mod pages;
mod prelude;
pub mod render;
pub mod snippets;
pub mod visit;

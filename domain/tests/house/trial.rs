//! The rules on small sources that break them, and on sources that only look as if they did.

use crate::rules::{self, Violation};
use crate::source::Source;

/// What the rule says of these files, in their order of path and line.
fn named(rule: impl Fn(&[Source]) -> Vec<Violation>, files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<Source> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    let mut found = rule(&sources);
    found.sort();
    found.iter().map(ToString::to_string).collect()
}

const DOMAIN: [(&str, &str); 5] = [
    ("domain/src/lib.rs", "pub mod base;\npub mod store;\npub mod token;\npub use token::Token;"),
    ("domain/src/base.rs", "pub mod clock;\n#[cfg(test)]\nmod fixed;"),
    ("domain/src/base/fixed.rs", "use crate::token::Token;"),
    ("domain/src/store/mod.rs", "pub mod teams;\nuse crate::base::clock;\npub use self::teams::Team;"),
    ("domain/src/token.rs", "use crate::store::{self, Team};\nfn f() { store::teams::list() }"),
];

/// What the layers say of a file of `base` and one of `store`, in the house above.
fn layers(clock: &str, teams: &str) -> Vec<String> {
    let files = [("domain/src/base/clock.rs", clock), ("domain/src/store/teams.rs", teams)];
    named(rules::layers, &[&DOMAIN[..], &files].concat())
}

#[test]
fn an_arrow_that_points_up_is_seen_in_every_way_of_writing() {
    assert_eq!(layers("use crate::base;", "use crate::base::clock;\nfn f() { super::teams::g() }"), [""; 0]);
    let clock = "use crate::{\n    base,\n    store::{self as rows, teams::Team},\n};\nfn f() { rows::teams::list() }";
    let expected = [
        "domain/src/base/clock.rs:3: base -> store",
        "domain/src/base/clock.rs:3: base -> store::teams::Team",
        "domain/src/base/clock.rs:5: base -> store::teams::list",
    ];
    assert_eq!(layers(clock, ""), expected);
    let teams = "use super::super::token as t;\npub(crate) use crate::token::*;\nfn f(x: crate::token::A) -> t::B {}";
    let expected = [
        "domain/src/store/teams.rs:1: store -> token",
        "domain/src/store/teams.rs:2: store -> token",
        "domain/src/store/teams.rs:3: store -> token::A",
        "domain/src/store/teams.rs:3: store -> token::B",
    ];
    assert_eq!(layers("", teams), expected);
    assert_eq!(layers("", "use crate::Token;"), ["domain/src/store/teams.rs:1: store -> Token, by way of lib.rs"]);
}

#[test]
fn what_is_no_code_or_only_a_tests_draws_no_arrow() {
    let clock = r##"
        // use crate::token::Token;
        /* use crate::token::Token; */
        const TEXT: [&str; 3] = ["use crate::token;", r#"" use crate::token;"#, "\" use crate::token;"];
        fn f<'a>(quote: &'a char) -> bool { *quote == '"' || *quote == '\'' || b'"' == b'\\' }
        #[cfg(test)]
        mod tests { use crate::token::Token; fn g() { crate::store::teams::list() } }
        use time::token;
    "##;
    assert_eq!(layers(clock, ""), [""; 0]);
    let after = format!("{clock}\nuse crate::token;");
    assert_eq!(layers(&after, ""), ["domain/src/base/clock.rs:10: base -> token"]);
}

#[test]
fn a_room_without_a_place_is_named() {
    let cellar = [("domain/src/lib.rs", "mod cellar;"), ("domain/src/cellar.rs", "")];
    assert_eq!(named(rules::layers, &cellar), ["domain/src/cellar.rs:1: stands in no layer"]);
}

#[test]
fn a_crate_that_knows_one_above_it_is_named() {
    let manifests = [("app/Cargo.toml", "[dependencies]\ndomain.workspace = true\nserver = { path = \"../server\" }")];
    assert_eq!(named(rules::crates, &manifests), ["app/Cargo.toml:3: app -> server"]);
}

#[test]
fn a_circle_of_four_is_named_with_every_arrow_in_it() {
    let mut files = vec![
        ("app/src/lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\nmod e;"),
        ("app/src/a.rs", "use crate::b::B;"),
        ("app/src/b.rs", "fn f() { crate::c::f() }\nfn g() { crate::c::f() }"),
        ("app/src/c.rs", "use crate::a;\n#[cfg(test)]\nmod tests { use crate::d; }"),
        ("app/src/d.rs", "use super::a;"),
        ("app/src/e.rs", "use crate::a;"),
    ];
    assert_eq!(named(rules::circles, &files), [""; 0]);
    files[3].1 = "use crate::d;";
    let expected = [
        "app/src/a.rs:1: in a circle of 4 files -> b",
        "app/src/b.rs:1: in a circle of 4 files -> c",
        "app/src/c.rs:1: in a circle of 4 files -> d",
        "app/src/d.rs:1: in a circle of 4 files -> a",
    ];
    assert_eq!(named(rules::circles, &files), expected);
}

#[test]
fn a_long_function_is_named_and_a_long_list_is_not() {
    let long = |lines: usize| format!("\npub fn long<'a>(x: [u8; 4]) -> char {{\n{}'}}' }}", "\n".repeat(lines - 2));
    assert_eq!(named(rules::functions, &[("a.rs", &long(80))]), [""; 0]);
    assert_eq!(named(rules::functions, &[("a.rs", &long(81))]), ["a.rs:2: long has 81 lines"]);
    let table = format!("fn table() -> Vec<u8> {{\n    vec![\n{}    ]\n}}", "        0,\n".repeat(90));
    assert_eq!(named(rules::functions, &[("a.rs", &table), ("b.rs", "trait A { fn f(&self); }")]), [""; 0]);
}

#[test]
fn a_long_file_is_named_unless_it_is_a_test() {
    let long = "\n".repeat(501);
    let files = [("app/src/a.rs", &long[1..]), ("app/src/b.rs", &long), ("app/tests/it/c.rs", &long)];
    assert_eq!(named(rules::files, &files), ["app/src/b.rs:501: 501 lines"]);
}

#[test]
fn a_full_folder_is_named_where_a_module_counts_once() {
    let names: Vec<String> = (0..16).map(|number| format!("app/src/pages/page{number}.rs")).collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (&name[..], "")).collect();
    files[0] = ("app/src/pages/page1/part.rs", "");
    assert_eq!(named(rules::folders, &files), [""; 0]);
    files.push(("app/src/pages/logo.svg", ""));
    assert_eq!(named(rules::folders, &files), ["app/src/pages:1: 16 entries"]);
}

#[test]
fn a_wide_comment_is_named_in_every_language() {
    let wide = "x".repeat(117);
    let files = [
        ("a.rs", format!("/// {}\n/// {wide}\nlet x = 1; // {wide}", &wide[1..])),
        ("b.css", format!("a {{}}\n/* one\n   {wide}x\n*/\na {{ b: {wide} }}")),
        ("c.lua", format!("-- {wide}y")),
        ("d.toml", format!("# {wide}yy\na = \"{wide}\"")),
        ("e", format!("#!/bin/sh\n  # {wide}")),
        ("f.md", format!("# {wide}yy")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, &text[..])).collect();
    let named = named(rules::comments, &files);
    assert_eq!(
        named,
        ["a.rs:2:", "b.css:3:", "c.lua:1:", "d.toml:1:", "e:2:"].map(|at| format!("{at} a comment of 121 columns"))
    );
}

#[test]
fn a_function_that_is_public_for_its_own_crate_alone_is_named() {
    let files = [
        ("domain/src/lib.rs", "pub mod a;\npub const fn used() {}\npub struct Type;\nfn own() { lone() }"),
        ("domain/src/a.rs", "pub async fn lone() {}\n    pub const LONE: u8 = 1;\npub(crate) fn inner() {}"),
        ("domain/tests/it.rs", "fn f() { domain::used() } // lone"),
        ("app/src/lib.rs", "pub fn own() {}"),
    ];
    let expected = ["domain/src/a.rs:1: no other crate names lone", "domain/src/a.rs:2: no other crate names LONE"];
    assert_eq!(named(rules::visibility, &files), expected);
}

#[test]
fn words_that_do_not_stand_here_are_named() {
    let files = [
        (
            "app/src/a.rs",
            "#[allow(dead_code)]\nfn f() { x.unwrap() }\n#[cfg(test)]\nmod tests { fn g() { x.unwrap() } }",
        ),
        ("app/src/b.rs", "// x.unwrap()\n#![allow(dead_code)]"),
        ("app/tests/it/c.rs", "fn f() { x.unwrap() }"),
        ("end2end/tests/d.spec.ts", "await x.click({ force: true });"),
    ];
    let expected = [
        "app/src/a.rs:1: #[allow",
        "app/src/a.rs:2: .unwrap()",
        "app/src/b.rs:2: #![allow",
        "end2end/tests/d.spec.ts:1: force:",
    ];
    assert_eq!(named(rules::words, &files), expected);
}

//! The rules that the source code must follow.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::graph::{Arrow, Graph};
use crate::source::{Source, is_word, line_of};

/// The layers of `domain/src`, lowest first. A layer may import itself and those before it.
const LAYERS: [&[&str]; 12] = [
    &["base"],
    &["crypto"],
    &["model"],
    &["store"],
    &["error"],
    &["services"],
    &["context"],
    &["change", "idempotency"],
    &["prelude"],
    &["credential", "client", "token", "server", "person", "incident", "audit", "webhook", "operations"],
    &["testing"],
    &["properties"],
];
/// Each crate, and those it must not know.
const CRATES: [(&str, &[&str]); 3] = [("domain", &["app", "server"]), ("app", &["server"]), ("server", &[])];
const FILES_OF_A_CIRCLE: usize = 3;
const LINES_OF_A_FUNCTION: usize = 80;
const LINES_OF_A_FILE: usize = 500;
const ENTRIES_OF_A_FOLDER: usize = 15;
/// In the root of a crate stand its layers and all its rooms.
const ENTRIES_OF_A_ROOT: usize = 22;
const COLUMNS: usize = 120;

/// A place where a rule is broken.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

fn at(source: &Source, line: usize, what: impl Into<String>) -> Violation {
    Violation { path: source.path.clone(), line, what: what.into() }
}

/// Arrows inside `domain` that point up, and modules that stand in no layer.
pub(crate) fn layers(sources: &[Source]) -> Vec<Violation> {
    let graph = Graph::of(sources, "domain");
    let rank = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    let unknown = graph.files.iter().filter(|(module, _)| module.len() == 1 && rank(module[0]).is_none());
    let mut found: Vec<Violation> = unknown.map(|(_, file)| at(file, 1, "stands in no layer")).collect();
    for arrow in &graph.arrows {
        let Some(from) = arrow.from.first().filter(|from| rank(from).is_some()) else { continue };
        let mention = arrow.path.join("::");
        match arrow.to.first() {
            Some(to) if rank(from) >= rank(to) => {}
            Some(_) => found.push(at(arrow.source, arrow.line, format!("{from} -> {mention}"))),
            None => found.push(at(arrow.source, arrow.line, format!("{from} -> {mention}, by way of lib.rs"))),
        }
    }
    found
}

/// Dependencies on a crate above. The compiler sees to the rest: without the dependency there is no arrow.
pub(crate) fn crates(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, above) in CRATES {
        let manifest = format!("{name}/Cargo.toml");
        for source in sources.iter().filter(|source| source.path == manifest) {
            for (number, line) in source.text.lines().enumerate() {
                let key = line.split(['.', '=', ' ']).next().unwrap_or_default();
                if above.contains(&key) {
                    found.push(at(source, number + 1, format!("{name} -> {key}")));
                }
            }
        }
    }
    found
}

/// Every arrow of a circle, in any crate, where it is drawn first: one of them has to go.
pub(crate) fn circles(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, _) in CRATES {
        let graph = Graph::of(sources, name);
        for circle in graph.circles().into_iter().filter(|circle| circle.len() > FILES_OF_A_CIRCLE) {
            let mut pairs = BTreeSet::new();
            let inside = |arrow: &&Arrow<'_>| circle.contains(&arrow.from) && circle.contains(&arrow.to);
            let inside = graph.arrows.iter().filter(inside).filter(|arrow| pairs.insert((&arrow.from, &arrow.to)));
            let what = |to: &str| format!("in a circle of {} files -> {to}", circle.len());
            found.extend(inside.map(|arrow| at(arrow.source, arrow.line, what(&arrow.to.join("::")))));
        }
    }
    found
}

/// Functions that are long even without their tables.
pub(crate) fn functions(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources {
        let long = source.functions().into_iter().filter(|function| function.lines > LINES_OF_A_FUNCTION);
        found.extend(long.map(|f| at(source, f.line, format!("{} has {} lines", f.name, f.lines))));
    }
    found
}

/// Long files of Rust, tests aside.
pub(crate) fn files(sources: &[Source]) -> Vec<Violation> {
    let long = sources.iter().filter(|source| source.path.ends_with(".rs") && !source.is_test());
    let long = long.map(|source| (source, source.text.lines().count())).filter(|(_, lines)| *lines > LINES_OF_A_FILE);
    long.map(|(source, lines)| at(source, lines, format!("{lines} lines"))).collect()
}

/// Folders of sources with many entries, tests and migrations aside. A module with folder and file is one entry.
pub(crate) fn folders(sources: &[Source]) -> Vec<Violation> {
    let mut folders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let aside = |source: &&Source| source.is_test() || source.path.starts_with("migrations/");
    for source in sources.iter().filter(|source| !aside(source)) {
        for (slash, _) in source.path.match_indices('/') {
            let entry = source.path[slash + 1..].split('/').next().unwrap_or_default();
            folders.entry(&source.path[..slash]).or_default().insert(entry.trim_end_matches(".rs"));
        }
    }
    let most = |folder: &str| if folder.ends_with("/src") { ENTRIES_OF_A_ROOT } else { ENTRIES_OF_A_FOLDER };
    let full = folders.into_iter().filter(|(folder, entries)| entries.len() > most(folder));
    full.map(|(folder, entries)| Violation {
        path: folder.to_owned(),
        line: 1,
        what: format!("{} entries", entries.len()),
    })
    .collect()
}

/// Comments that are wider than rustfmt makes the code. Migrations aside: one that ran somewhere never changes again,
/// and its comments are part of it.
pub(crate) fn comments(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources {
        let (line_comment, block) = match source.path.rsplit_once('.').map(|(_, ending)| ending) {
            Some("rs" | "ts" | "js" | "mjs") => ("//", Some(("/*", "*/"))),
            Some("css") => ("/*", Some(("/*", "*/"))),
            Some("lua") => ("--", None),
            Some("toml" | "sh" | "py" | "service") => ("#", None),
            _ if source.text.starts_with("#!/usr/bin/env node") => ("//", None),
            _ if source.text.starts_with("#!") => ("#", None),
            _ => continue,
        };
        let mut inside = false;
        for (number, line) in source.text.lines().enumerate() {
            let text = line.trim_start();
            inside |= block.is_some_and(|(begin, _)| text.starts_with(begin));
            let width = line.chars().count();
            if (inside || text.starts_with(line_comment)) && width > COLUMNS {
                found.push(at(source, number + 1, format!("a comment of {width} columns")));
            }
            inside &= !block.is_some_and(|(_, end)| text.contains(end));
        }
    }
    found
}

/// Functions and constants that are public although no other crate names them. The compiler asks only whether another
/// crate could. Types are left out: they are public because a signature has them.
pub(crate) fn visibility(sources: &[Source]) -> Vec<Violation> {
    let rust: Vec<&Source> = sources.iter().filter(|source| source.path.ends_with(".rs")).collect();
    // Each name, and one of the crates that it stands in; none if it stands in several.
    let mut homes: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for source in &rust {
        let home = source.compiled_into();
        for name in source.code.split(|letter| !is_word(letter)) {
            let known = homes.entry(name).or_insert(Some(home));
            *known = known.filter(|known| *known == home);
        }
    }
    let mut found = Vec::new();
    for source in rust.iter().filter(|source| source.module().is_some()) {
        for (start, _) in source.code.match_indices("pub ").filter(|(at, _)| !source.code[..*at].ends_with(is_word)) {
            let words = source.code[start..].split(|letter| !is_word(letter)).skip(1);
            let mut words = words.skip_while(|word| ["async", "unsafe"].contains(word)).take(3);
            let name = match (words.next(), words.next(), words.next()) {
                (Some("const"), Some("fn"), name) | (Some("fn" | "const" | "static"), name, _) => name,
                _ => None,
            };
            if let Some(name) = name.filter(|name| homes.get(name).is_some_and(Option::is_some)) {
                found.push(at(source, line_of(&source.code, start), format!("no other crate names {name}")));
            }
        }
    }
    found
}

/// Silenced lints, values unwrapped outside tests, clicks on what cannot be clicked.
pub(crate) fn words(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources {
        let is_end_to_end = source.path.starts_with("end2end/") && source.path.ends_with(".ts");
        let rules = [
            ("#[allow", true, &source.code),
            ("#![allow", true, &source.code),
            (".unwrap()", !source.is_test(), &source.shipped),
            ("force:", is_end_to_end, &source.text),
        ];
        for (word, _, text) in rules.iter().filter(|(_, applies, _)| *applies) {
            found.extend(text.match_indices(word).map(|(start, _)| at(source, line_of(text, start), *word)));
        }
    }
    found
}

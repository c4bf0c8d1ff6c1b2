//! The files of the workspace, and Rust reduced to what the rules look at.

use std::fs;
use std::path::Path;

/// A text file.
pub(crate) struct Source {
    /// From the root of the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The code of a Rust file: spaces in the place of comments and of what quotes hold, so that lines stay where they
    /// are.
    pub(crate) code: String,
    /// The code without what stands under `#[cfg(test)]`.
    pub(crate) shipped: String,
}

/// A function with a body.
pub(crate) struct Function<'code> {
    pub(crate) name: &'code str,
    /// The line of its name.
    pub(crate) line: usize,
    /// Lines from its name to the end of its body. The rows of a list do not count: between `[` and `]` stands a table.
    pub(crate) lines: usize,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") { code(text) } else { String::new() };
        Self { path: path.to_owned(), text: text.to_owned(), shipped: shipped(&code), code }
    }

    /// The crate and the module within it: `domain/src/store/teams.rs` is `store`, `teams` of `domain`. None for what
    /// is no part of a library.
    pub(crate) fn module(&self) -> Option<(&str, Vec<&str>)> {
        let (name, file) = self.path.strip_suffix(".rs")?.split_once("/src/")?;
        let module = file.split('/').filter(|part| !["lib", "mod"].contains(part)).collect::<Vec<_>>();
        (file != "main" && !name.contains('/')).then_some((name, module))
    }

    /// Whether it is one of the tests that stand beside a crate.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests")
    }

    /// The crate that the file is compiled into. A test and a binary are crates of their own beside the library.
    pub(crate) fn compiled_into(&self) -> &str {
        match self.module() {
            Some((name, _)) => name,
            None => &self.path,
        }
    }

    /// Its functions, those inside others too.
    pub(crate) fn functions(&self) -> Vec<Function<'_>> {
        let code = &self.code;
        let starts = code.match_indices("fn ").filter(|(at, _)| !code[..*at].ends_with(is_word));
        starts.filter_map(|(start, _)| function(code, start)).collect()
    }
}

/// All text files of the workspace but what `.gitignore` names and what is hidden.
pub(crate) fn of_the_workspace() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let ignored = fs::read_to_string(root.join(".gitignore")).expect("the list of what is ignored");
    let ignored: Vec<&str> = ignored.lines().filter_map(|line| line.rsplit('/').next()).collect();
    let mut sources = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            if name.starts_with('.') || ignored.contains(&name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(root).expect("a file of the workspace");
                sources.push(Source::new(path.to_str().expect("a path"), &text));
            }
        }
    }
    assert!(sources.len() > 200, "the workspace is not here: {}", root.display());
    sources
}

/// The line of a place in the text.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Whether a name of Rust can hold the letter.
pub(crate) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// As many bytes, and the same lines.
fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

/// See [`Source::code`].
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    while let Some(next) = text[code.len()..].chars().next() {
        let rest = &text[code.len()..];
        let length = if is_word(next) && code.ends_with(is_word) { 0 } else { opaque(rest) };
        if length == 0 && next.is_ascii() {
            code.push(next);
        } else {
            code.push_str(&blank(&rest[..length.max(next.len_utf8())]));
        }
    }
    code
}

/// The length of the comment or literal that this begins with, 0 if it begins with neither.
fn opaque(rest: &str) -> usize {
    let until = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until("*/", 2);
    }
    if let Some(raw) = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return until(&format!("\"{}", &raw[..hashes]), rest.len() - raw.len() + hashes + 1);
        }
    }
    let mut letters = rest.char_indices().skip(1);
    match rest.chars().next() {
        Some('"') => loop {
            match letters.next() {
                Some((_, '\\')) => _ = letters.next(),
                Some((at, '"')) => return at + 1,
                Some(_) => {}
                None => return rest.len(),
            }
        },
        // A character, not a lifetime.
        Some('\'') => match (letters.next(), letters.next()) {
            (Some((_, '\\')), Some((at, _))) => until("'", at + 1),
            (Some(_), Some((at, '\''))) => at + 1,
            _ => 0,
        },
        _ => 0,
    }
}

/// See [`Source::shipped`].
fn shipped(code: &str) -> String {
    const TEST: &str = "#[cfg(test)]";
    let mut shipped = code.to_owned();
    while let Some(start) = shipped.find(TEST) {
        let end = start + TEST.len();
        let end = item(&shipped[end..]).map_or(shipped.len(), |(_, length)| end + length);
        shipped.replace_range(start..end, &blank(&shipped[start..end]));
    }
    shipped
}

fn function(code: &str, start: usize) -> Option<Function<'_>> {
    let rest = &code[start..];
    let name = rest["fn ".len()..].split(|letter| !is_word(letter)).next().filter(|name| !name.is_empty())?;
    let (has_body, end) = item(rest)?;
    let mut lists = 0;
    let counts = |line: &&str| {
        let counts = lists == 0;
        lists += line.matches('[').count();
        lists -= line.matches(']').count();
        counts
    };
    let lines = rest[..end].lines().filter(counts).count();
    has_body.then(|| Function { name, line: line_of(code, start), lines })
}

/// Whether the item that this begins with has a body, and where it ends.
fn item(code: &str) -> Option<(bool, usize)> {
    let mut depth = 0;
    for (at, letter) in code.char_indices() {
        match letter {
            ';' if depth == 0 => return Some((false, at + 1)),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if letter == '}' && depth <= 0 {
            return Some((true, at + 1));
        }
    }
    None
}

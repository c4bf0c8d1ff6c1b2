//! Which file of a crate names which other file: the `use` lines and the paths in the code say it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::source::{Source, is_word, line_of};

/// A module by its names from the root of the crate, which has none.
type Module<'sources> = Vec<&'sources str>;
type Files<'sources> = BTreeMap<Module<'sources>, &'sources Source>;

/// The files of one crate, without what only tests have.
pub(crate) struct Graph<'sources> {
    pub(crate) files: Files<'sources>,
    pub(crate) arrows: Vec<Arrow<'sources>>,
}

/// Where a file mentions another.
pub(crate) struct Arrow<'sources> {
    pub(crate) source: &'sources Source,
    pub(crate) line: usize,
    pub(crate) from: Module<'sources>,
    pub(crate) to: Module<'sources>,
    /// What is mentioned, from the root of the crate.
    pub(crate) path: Vec<&'sources str>,
}

impl<'sources> Graph<'sources> {
    /// The files and arrows of the crate of this name.
    pub(crate) fn of(sources: &'sources [Source], name: &str) -> Self {
        let module = |source: &'sources Source| Some((source.module()?, source));
        let of_crate = sources.iter().filter_map(module).filter(|((other, _), _)| *other == name);
        let mut files: Files<'_> = of_crate.map(|((_, module), source)| (module, source)).collect();
        let all = files.clone();
        files.retain(|module, _| (1..=module.len()).all(|depth| is_shipped(&module[..depth], &all)));
        let arrows = files.iter().flat_map(|(module, source)| arrows(module, source, &files)).collect();
        Self { files, arrows }
    }

    /// Sets of more than one file that all reach each other.
    pub(crate) fn circles(&self) -> BTreeSet<Vec<Module<'sources>>> {
        let reached: BTreeMap<_, _> = self.files.keys().map(|module| (module, self.reached_from(module))).collect();
        let circle = |module| -> Vec<_> {
            reached[module]
                .iter()
                .filter(|other| reached[*other].contains(module))
                .map(|other| (*other).clone())
                .collect()
        };
        self.files.keys().map(circle).filter(|circle| circle.len() > 1).collect()
    }

    fn reached_from<'graph>(&'graph self, start: &'graph Module<'sources>) -> BTreeSet<&'graph Module<'sources>> {
        let (mut reached, mut next) = (BTreeSet::new(), vec![start]);
        while let Some(module) = next.pop() {
            let arrows = self.arrows.iter().filter(|arrow| arrow.from == *module);
            next.extend(arrows.map(|arrow| &arrow.to).filter(|to| reached.insert(*to)));
        }
        reached
    }
}

/// Whether the file above declares the module, and not for tests alone.
fn is_shipped(module: &[&str], files: &Files<'_>) -> bool {
    let Some((name, above)) = module.split_last() else { return true };
    files.get(above).is_none_or(|file| {
        let words: Vec<&str> = file.shipped.split_whitespace().collect();
        words.windows(2).any(|pair| pair[0] == "mod" && pair[1].trim_end_matches(';') == *name)
    })
}

fn arrows<'sources>(
    module: &Module<'sources>,
    source: &'sources Source,
    files: &Files<'sources>,
) -> Vec<Arrow<'sources>> {
    let code = &source.shipped;
    let starts = code.match_indices("use ").map(|(start, _)| start).filter(|start| !code[..*start].ends_with(is_word));
    let uses: Vec<_> = starts.map(|start| start..start + code[start..].find(';').unwrap_or(0)).collect();
    let mut names = BTreeMap::new();
    let mut mentions = Vec::new();
    for (at, path, name) in uses.iter().flat_map(|used| leaves(code, used)) {
        if let Some(path) = from_root(module, &path, files, &BTreeMap::new()) {
            names.insert(name, path.clone());
            mentions.push((at, path));
        }
    }
    let inline = paths(code).filter(|(at, _)| !uses.iter().any(|used| used.contains(at)));
    mentions.extend(inline.filter_map(|(at, path)| Some((at, from_root(module, &path, files, &names)?))));
    let arrow = |(at, path): (usize, Vec<&'sources str>)| {
        let to = (0..=path.len()).rev().map(|length| path[..length].to_vec()).find(|to| files.contains_key(to))?;
        (to != *module).then(|| Arrow { source, line: line_of(code, at), from: module.clone(), to, path })
    };
    mentions.into_iter().filter_map(arrow).collect()
}

/// What a `use` brings: where each stands, its path, its name here.
fn leaves<'code>(code: &'code str, used: &Range<usize>) -> Vec<(usize, Vec<&'code str>, &'code str)> {
    let mut leaves = Vec::new();
    let mut outer: Vec<Vec<&str>> = vec![Vec::new()];
    let mut start = used.start + "use ".len();
    for (length, mark) in code[used.start..=used.end].match_indices(['{', ',', '}', ';']) {
        let text = &code[start..used.start + length];
        let at = start + text.len() - text.trim_start().len();
        start += text.len() + mark.len();
        let (path, name) = text.split_once(" as ").map_or((text, None), |(path, name)| (path, Some(name.trim())));
        let before = outer.last().cloned().unwrap_or_default();
        let is_name = |part: &&str| !["", "*"].contains(part) && (*part != "self" || before.is_empty());
        let path: Vec<&str> = before.iter().copied().chain(path.split("::").map(str::trim).filter(is_name)).collect();
        if mark == "{" {
            outer.push(path);
            continue;
        }
        if let Some(last) = path.last().copied().filter(|_| !text.trim().is_empty()) {
            leaves.push((at, path, name.unwrap_or(last)));
        }
        if mark == "}" {
            outer.pop();
        }
    }
    leaves
}

/// The paths of more than one name in the code, and where they stand.
fn paths(code: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        loop {
            let start = rest + code[rest..].find(is_word)?;
            let length = code[start..].find(|letter| !is_word(letter) && letter != ':').unwrap_or(code.len() - start);
            rest = start + length;
            let path: Vec<&str> = code[start..rest].split("::").take_while(|part| !part.is_empty()).collect();
            if path.len() > 1 && !code[..start].ends_with("::") {
                return Some((start, path));
            }
        }
    })
}

/// The path from the root of the crate; none for a path into another crate.
fn from_root<'code>(
    module: &[&'code str],
    path: &[&'code str],
    files: &Files<'code>,
    names: &BTreeMap<&'code str, Vec<&'code str>>,
) -> Option<Vec<&'code str>> {
    let (first, rest) = path.split_first()?;
    match *first {
        "crate" => Some(rest.to_vec()),
        "self" => Some([module, rest].concat()),
        "super" => {
            let more = rest.iter().take_while(|part| **part == "super").count();
            let above = module.len().checked_sub(more + 1)?;
            Some([&module[..above], &rest[more..]].concat())
        }
        name => {
            let child = [module, &[name]].concat();
            let known = names.get(name).cloned().or_else(|| files.contains_key(&child).then_some(child))?;
            Some([&known[..], rest].concat())
        }
    }
}

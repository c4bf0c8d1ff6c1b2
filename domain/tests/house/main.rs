//! The order of the house, read from the sources of the whole workspace: layers, circles, sizes, and a few words that
//! do not stand here. What it names, it names with file and line. It has no list of exceptions.

mod graph;
mod rules;
mod source;
mod trial;

use rules::Violation;
use source::Source;

fn holds(rule: impl Fn(&[Source]) -> Vec<Violation>) {
    let mut found = rule(&source::of_the_workspace());
    found.sort();
    let lines: String = found.iter().map(|violation| format!("\n{violation}")).collect();
    assert!(found.is_empty(), "{} places:{lines}\n", found.len());
}

#[test]
fn a_layer_of_the_domain_imports_only_those_below_it() {
    holds(rules::layers);
}

#[test]
fn a_crate_depends_only_on_those_below_it() {
    holds(rules::crates);
}

#[test]
fn no_more_than_three_files_import_each_other_in_a_circle() {
    holds(rules::circles);
}

#[test]
fn a_function_is_short_or_a_table() {
    holds(rules::functions);
}

#[test]
fn a_file_is_short() {
    holds(rules::files);
}

#[test]
fn a_folder_has_few_entries() {
    holds(rules::folders);
}

#[test]
fn a_comment_is_as_wide_as_the_code() {
    holds(rules::comments);
}

#[test]
fn a_function_is_public_where_another_crate_needs_it() {
    holds(rules::visibility);
}

#[test]
fn no_lint_is_allowed_no_click_forced_no_value_unwrapped() {
    holds(rules::words);
}

//! Where the value of a setting comes from: its flag, else its environment variable, else the configuration file, else
//! the defaults.
//!
//! The fields of the sections are the only list of settings: `clap` reads it from them. A value stays text until all
//! layers are known. Then `clap` parses each value once. So the same words refuse a wrong value wherever it comes from,
//! and no field is an `Option` only because a layer may not hold it.
//!
//! Rejected: `figment`. It merges layers too, but every section would need `Serialize` and `Option` fields beside the
//! checked ones, and would name its settings twice.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use app::pages::operations::about::ShownSetting;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use toml::{Spanned, Value};

use super::error::ConfigError;
use super::values::variable;
use super::{Config, environment};

/// The defaults. The file is also the reference of the configuration file.
const DEFAULTS: &str = include_str!("../../countersign.default.toml");
/// Read from the working directory when no other file is named.
const FILE: &str = "countersign.toml";
/// The heading above the settings in `--help`.
pub(crate) const HEADING: &str = "Settings";

/// Adds each setting to the options of `command` and of all its subcommands, under a heading of its own.
pub(crate) fn add_settings(command: Command) -> Result<Command, ConfigError> {
    let defaults = Defaults::read()?;
    let settings =
        settings().get_arguments().map(|setting| option(setting, &defaults)).collect::<Result<Vec<_>, _>>()?;
    // A command that needs no settings has them as its own, hidden options: so the global ones do not reach it.
    let hidden: Vec<Arg> = settings
        .iter()
        .filter(|setting| setting.get_id() != "listen")
        .cloned()
        .chain([Arg::new("config").long("config")])
        .map(|setting| setting.global(false).hide(true))
        .collect();
    Ok(command.args(settings).mut_subcommand("connect", |connect| connect.args(hidden)))
}

/// A setting as an optional option. `--help` shows the default. Values are checked later.
fn option(setting: &Arg, defaults: &Defaults) -> Result<Arg, ConfigError> {
    let name = setting.get_id().as_str();
    let option = setting.clone().global(true).required(false).help_heading(HEADING);
    let option = option.env(variable(name)).value_parser(value_parser!(OsString));
    let default = defaults.text(name)?;
    Ok(if default.is_empty() { option } else { option.default_value(default) })
}

/// Builds the settings from the layers.
///
/// `file` is the file that the caller asked for. Without it, `countersign.toml` in the working directory is read if it
/// exists.
///
/// # Errors
///
/// The error names the setting and says what is wrong with it.
pub(crate) fn resolve(flags_and_environment: &ArgMatches, file: Option<&Path>) -> Result<Config, ConfigError> {
    environment::check(&settings())?;
    let defaults = Defaults::read()?;
    let file = file.or_else(|| Some(Path::new(FILE)).filter(|file| file.exists()));
    let in_file = file.map(|file| read_file(file, &defaults)).transpose()?.unwrap_or_default();
    let value = |name: &str| match (given(flags_and_environment, name)?, in_file.get(name)) {
        (Some(text), _) if flags_and_environment.value_source(name) == Some(ValueSource::CommandLine) => {
            Ok((text, "Flag"))
        }
        (Some(text), _) => Ok((text, "Environment")),
        (None, Some(text)) => Ok((text.clone(), "File")),
        (None, None) => Ok((defaults.text(name)?, "Default")),
    };
    let mut config = parse(|name| value(name).map(|(text, _)| text))?;
    for setting in settings().get_arguments() {
        let name = setting.get_id().to_string();
        let (value, source) = value(&name)?;
        config.in_force.push(ShownSetting { value: without_secret(&value), name, source });
    }
    Ok(config)
}

/// The value of a setting without what may be a secret: the address of a database may hold a password.
pub(super) fn without_secret(value: &str) -> String {
    match value.split_once("://") {
        Some((scheme, rest)) if rest.contains(['@', '?']) => {
            let host = rest.split('?').next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}")
        }
        _ => value.to_owned(),
    }
}

/// The value of a setting from its flag, else from its environment variable.
fn given(matches: &ArgMatches, name: &str) -> Result<Option<String>, ConfigError> {
    let source = matches.value_source(name);
    let Some(ValueSource::CommandLine | ValueSource::EnvVariable) = source else { return Ok(None) };
    let text = matches.get_one::<OsString>(name).map(|text| text.clone().into_string());
    match text.transpose() {
        // Some script forgot to fill the variable. An empty flag, or an empty value in a file, is written on purpose.
        Ok(Some(text)) if text.is_empty() && source == Some(ValueSource::EnvVariable) => {
            Err(ConfigError::new(name, format!("is empty: give a value, or leave {} out", variable(name))))
        }
        Ok(text) => Ok(text),
        Err(_) => Err(ConfigError::new(name, "is not text in UTF-8")),
    }
}

/// The settings, with the values that `value` gives for their names. An empty value means "not set" where a setting is
/// optional.
pub(super) fn parse(value: impl Fn(&str) -> Result<String, ConfigError>) -> Result<Config, ConfigError> {
    let mut arguments = Vec::new();
    for setting in settings().get_arguments() {
        let text = value(setting.get_id().as_str())?;
        if setting.is_required_set() || !text.is_empty() {
            arguments.push(format!("--{}={text}", setting.get_long().unwrap_or_default()));
        }
    }
    let parsed = settings().try_get_matches_from(arguments);
    let mut config =
        parsed.and_then(|parsed| Config::from_arg_matches(&parsed)).map_err(|error| wrong_value(&error))?;
    config.check()?;
    Ok(config)
}

/// A parser that knows only the settings.
fn settings() -> Command {
    Config::augment_args(Command::new(HEADING).no_binary_name(true).disable_help_flag(true))
}

/// Writes the name of the setting in errors, not the name of its flag.
fn wrong_value(error: &clap::Error) -> ConfigError {
    let named = ConfigError::from_parser(error).map(ConfigError::of_setting);
    named.unwrap_or_else(|| ConfigError::new("settings", error.kind().to_string()))
}

/// The defaults. They also define the type of each setting in a file.
pub(super) struct Defaults(pub(super) BTreeMap<String, Value>);

impl Defaults {
    pub(super) fn read() -> Result<Self, ConfigError> {
        let defaults = keys(DEFAULTS, "the defaults")?;
        Ok(Self(defaults.into_iter().map(|(key, value)| (key.into_inner(), value)).collect()))
    }

    /// The default of a setting, written as for a flag.
    pub(super) fn text(&self, setting: &str) -> Result<String, ConfigError> {
        self.0.get(setting).and_then(text).ok_or_else(|| ConfigError::new(setting, "has no default"))
    }
}

/// A scalar, written as for a flag.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(switch) => Some(switch.to_string()),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

/// The settings in a file. An unknown name is an error: otherwise a misspelt setting would be ignored without a
/// message.
fn read_file(path: &Path, defaults: &Defaults) -> Result<BTreeMap<String, String>, ConfigError> {
    let file = path.display().to_string();
    let content = std::fs::read_to_string(path).map_err(|error| ConfigError::new(file.as_str(), error.to_string()))?;
    let mut settings = BTreeMap::new();
    for (key, value) in keys(&content, &file)? {
        let wrong = |problem: String| {
            let line = line_at(&content, key.span().start);
            ConfigError::new(file.as_str(), format!("line {line}: {} {problem}", key.get_ref()))
        };
        let Some(default) = defaults.0.get(key.get_ref()) else {
            return Err(wrong("is not the name of a setting".to_owned()));
        };
        match (&value, text(&value)) {
            (Value::Array(values), _) if is_list(key.get_ref()) => {
                let Some(text) = joined(values) else { return Err(wrong("must hold texts without commas".to_owned())) };
                settings.insert(key.into_inner(), text)
            }
            (_, Some(text)) if value.same_type(default) => settings.insert(key.into_inner(), text),
            _ => return Err(wrong(format!("must be of type {}, not {}", default.type_str(), value.type_str()))),
        };
    }
    Ok(settings)
}

/// Whether the setting takes several values with commas between them. The name of its value says so.
fn is_list(setting: &str) -> bool {
    let settings = settings();
    let mut names = settings.get_arguments().filter(|known| known.get_id() == setting).filter_map(Arg::get_value_names);
    names.any(|names| names.iter().any(|name| name.ends_with(",…")))
}

/// A list of a file, written as for a flag.
fn joined(values: &[Value]) -> Option<String> {
    let texts = values.iter().map(|value| value.as_str().filter(|text| !text.contains(',')));
    Some(texts.collect::<Option<Vec<_>>>()?.join(","))
}

fn keys(content: &str, file: &str) -> Result<BTreeMap<Spanned<String>, Value>, ConfigError> {
    toml::from_str(content).map_err(|error| {
        let line = error.span().map_or(0, |span| line_at(content, span.start));
        ConfigError::new(file, format!("line {line}: {}", error.message().replace('\n', " ")))
    })
}

fn line_at(content: &str, offset: usize) -> usize {
    content[..offset].matches('\n').count() + 1
}

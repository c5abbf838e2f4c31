//! What was given: a file, the environment and flags, merged, each value with where it came from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Num, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::error::{SettingsError, WrongSetting};
use super::flags::Flags;

/// Every setting there is, as files name them.
pub const NAMES: [&str; 22] = [
    "listen",
    "model",
    "adapter",
    "no_adapter",
    "device",
    "threads",
    "context_max",
    "kv_tokens",
    "max_memory_usage",
    "batch_tokens_max",
    "sequences_max",
    "queue_max",
    "request_deadline_ms",
    "quantize",
    "hop_secret",
    "hop_secret_file",
    "hop_secret_previous",
    "hop_secret_previous_file",
    "drain_seconds",
    "connections_max",
    "log_format",
    "log_filter",
];

/// Begins the name of every environment variable that is a setting.
const PREFIX: &str = "ADLIB_";

/// Names of two layers, as figment keeps them beside each value; the third is named after its file.
const ENVIRONMENT: &str = "environment";
const FLAGS: &str = "flags";

/// Environment variables by name; passed in so that reading the configuration needs no process-wide state.
pub type Environment = BTreeMap<String, OsString>;

/// Settings as given, and what was found wrong with them so far.
pub struct Raw {
    figment: Figment,
    environment: Environment,
    wrong: Vec<WrongSetting>,
}

impl Raw {
    /// Merges the file that `flags` name (or `ADLIB_CONFIG` does), the environment and the flags; later ones win.
    pub fn given(flags: &Flags, environment: Environment) -> Result<Self, SettingsError> {
        let file = flags.config.clone().or_else(|| environment.get("ADLIB_CONFIG").map(PathBuf::from));
        let mut figment = Figment::new();
        if let Some(path) = file {
            figment = figment.merge(read_file(&path)?);
        }
        figment = figment.merge(Variables(&environment)).merge(GivenFlags(flags));
        Ok(Self { figment, environment, wrong: Vec::new() })
    }

    /// The environment that the settings were read from.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Reports every name that is no setting. Only a file can hold one: flags are known to the command line, and of
    /// the environment only known names are read, since other programs of the project share the prefix.
    pub fn refuse_unknown(&mut self) {
        let keys: Vec<String> = self.figment.extract::<Dict>().unwrap_or_default().into_keys().collect();
        for key in keys.iter().filter(|key| !NAMES.contains(&key.as_str())) {
            let source = self.source(key);
            let allowed = format!("no such setting; the settings are {}", NAMES.join(", "));
            self.wrong.push(WrongSetting { name: key.clone(), value: None, source, allowed });
        }
    }

    /// The setting's text, if it was given.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.figment.find_value(name).ok()? {
            Value::String(_, text) => Some(text),
            Value::Num(_, number) => Some(digits(number)),
            Value::Bool(_, truth) => Some(truth.to_string()),
            _ => {
                self.refuse_value(name, None, "one value, not a list or a table");
                None
            }
        }
    }

    /// The setting's texts, if it was given: a list, or one text.
    pub fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let Ok(Value::Array(_, items)) = self.figment.find_value(name) else {
            return self.text(name).map(|text| vec![text]);
        };
        let texts: Option<Vec<String>> = items.into_iter().map(Value::into_string).collect();
        if texts.is_none() {
            self.refuse_value(name, None, "a list of texts");
        }
        texts
    }

    /// The setting parsed, if it was given and `parse` takes it; else it is among the errors.
    pub fn parsed<T>(
        &mut self,
        name: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(text.trim());
        if value.is_none() {
            self.refuse(name, &text, allowed);
        }
        value
    }

    /// A number in a range, if it was given.
    pub fn number<T: FromStr + PartialOrd + Display>(
        &mut self,
        name: &str,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        self.parsed(name, &allowed, |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    /// A yes or no; no where it was not given.
    pub fn truth(&mut self, name: &str) -> bool {
        self.parsed(name, "true or false", |text| match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
        .unwrap_or(false)
    }

    /// Notes that a setting's value is wrong.
    pub fn refuse(&mut self, name: &str, value: &str, allowed: &str) {
        self.refuse_value(name, Some(value.to_owned()), allowed);
    }

    /// Notes that a setting is wrong whose value must not be repeated, or is missing.
    pub fn refuse_unseen(&mut self, name: &str, allowed: &str) {
        self.refuse_value(name, None, allowed);
    }

    fn refuse_value(&mut self, name: &str, value: Option<String>, allowed: &str) {
        let source = self.source(name);
        self.wrong.push(WrongSetting { name: name.to_owned(), value, source, allowed: allowed.to_owned() });
    }

    /// Ends the reading: an error that lists everything found wrong.
    pub fn finish(self) -> Result<(), SettingsError> {
        if self.wrong.is_empty() { Ok(()) } else { Err(SettingsError(self.wrong)) }
    }

    fn source(&self, name: &str) -> Option<String> {
        Some(match self.figment.find_metadata(name)?.name.as_ref() {
            ENVIRONMENT => format!("environment variable {}", variable(name)),
            FLAGS => format!("--{}", name.replace('_', "-")),
            file => file.to_owned(),
        })
    }
}

/// Reads a file of settings; `toml` would otherwise take a missing file for an empty one.
fn read_file(path: &Path) -> Result<impl Provider, SettingsError> {
    let refuse = |allowed: String| {
        let value = Some(path.display().to_string());
        SettingsError(vec![WrongSetting { name: "config".to_owned(), value, source: None, allowed }])
    };
    let text =
        std::fs::read_to_string(path).map_err(|error| refuse(format!("a readable TOML file ({error})")))?;
    let data = Toml::string(&text);
    data.data().map_err(|error| refuse(format!("a TOML file ({error})")))?;
    Ok(FromFile { data, path: path.to_owned() })
}

struct FromFile<P> {
    data: P,
    path: PathBuf,
}

impl<P: Provider> Provider for FromFile<P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("file {}", self.path.display()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        self.data.data()
    }
}

/// The environment's settings, as text: figment's own provider would turn a secret of digits into a number.
struct Variables<'a>(&'a Environment);

impl Provider for Variables<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(ENVIRONMENT)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut settings = BTreeMap::new();
        for name in NAMES {
            if let Some(value) = self.0.get(&variable(name)) {
                settings.insert(name, value.to_string_lossy().into_owned());
            }
        }
        Serialized::globals(settings).data()
    }
}

struct GivenFlags<'a>(&'a Flags);

impl Provider for GivenFlags<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(FLAGS)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Serialized::globals(self.0).data()
    }
}

/// The environment variable of a setting.
fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase())
}

/// A number as a file had it.
fn digits(number: Num) -> String {
    number
        .to_u128()
        .map(|number| number.to_string())
        .or_else(|| number.to_i128().map(|number| number.to_string()))
        .or_else(|| number.to_f64().map(|number| number.to_string()))
        .unwrap_or_default()
}

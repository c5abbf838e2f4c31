//! Wrong settings, each with its name, its value and what is allowed.

use std::fmt;

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", list(.0))]
pub struct SettingsError(pub Vec<WrongSetting>);

/// One wrong setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongSetting {
    /// The setting's name, as a configuration file has it.
    pub name: String,
    /// What was given; absent for secrets and for settings that are missing.
    pub value: Option<String>,
    /// Where it was given, such as `environment variable ADLIB_THREADS`.
    pub source: Option<String>,
    /// What is allowed.
    pub allowed: String,
}

impl fmt::Display for WrongSetting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.name)?;
        if let Some(source) = &self.source {
            write!(out, " ({source})")?;
        }
        if let Some(value) = &self.value {
            write!(out, " is {value:?}")?;
        }
        write!(out, "; allowed: {}", self.allowed)
    }
}

fn list(wrong: &[WrongSetting]) -> String {
    let lines: Vec<_> = wrong.iter().map(|setting| format!("  {setting}")).collect();
    format!("the configuration is wrong:\n{}", lines.join("\n"))
}

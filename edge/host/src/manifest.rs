//! `spin.toml`, manifest version 2: what this host reads of it, checked.
//!
//! One manifest serves Spin and this host. What Spin knows and this host does not offer is refused by name, so that a
//! component never runs with less than its manifest asks for.

mod document;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::routes::{Route, RouteError};
use crate::template::{Template, TemplateError};
use document::Document;

/// A manifest that this host can run: one component behind one or several HTTP routes.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// The component's name.
    pub(crate) component: String,
    /// The component's `.wasm` file.
    pub(crate) source: PathBuf,
    /// The routes that lead to the component, the longest first.
    pub(crate) routes: Vec<Route>,
    /// The application's variables and, where they have one, their default.
    pub(crate) variables: BTreeMap<String, Option<String>>,
    /// The component's variables: templates over the application's.
    pub(crate) component_variables: BTreeMap<String, Template>,
    /// Labels of the key-value stores the component may open.
    pub(crate) key_value_stores: BTreeSet<String>,
    /// Where the component may send requests to: templates over the application's variables.
    pub(crate) allowed_outbound_hosts: Vec<Template>,
    /// Environment variables of the component.
    pub(crate) environment: BTreeMap<String, String>,
}

/// Why a manifest cannot be run.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum ManifestError {
    #[error("cannot read the manifest {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the manifest is not what this host understands: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("spin_manifest_version is {0}, this host reads version 2")]
    Version(u32),
    #[error("the manifest has no [[trigger.http]]")]
    NoTrigger,
    #[error("the triggers name the components `{0}` and `{1}`, this host runs one component")]
    SeveralComponents(String, String),
    #[error("the trigger names the component `{0}`, which the manifest does not have")]
    NoComponent(String),
    #[error("the route `{route}`: {source}")]
    Route { route: String, source: RouteError },
    #[error("the variable `{0}` has neither a default nor `required = true`")]
    NeitherDefaultNorRequired(String),
    #[error("the variable `{0}` has a default and `required = true`")]
    DefaultAndRequired(String),
    #[error(
        "`{name}` is no name of a variable: words of lower-case letters and digits, a letter first in each, joined by `_`"
    )]
    VariableName { name: String },
    #[error("{place}: {source}")]
    Template { place: String, source: TemplateError },
}

impl Manifest {
    /// Reads and checks the manifest; relative paths in it are taken from its folder.
    pub(crate) fn read(path: &Path) -> Result<Self, ManifestError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ManifestError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("")))
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, ManifestError> {
        let mut document: Document = toml::from_str(text)?;
        if document.spin_manifest_version != 2 {
            return Err(ManifestError::Version(document.spin_manifest_version));
        }
        let (name, routes) = routes(&document)?;
        let component =
            document.component.remove(&name).ok_or_else(|| ManifestError::NoComponent(name.clone()))?;
        let mut component_variables = BTreeMap::new();
        for (key, text) in component.variables {
            check_variable_name(&key)?;
            let place = format!("the component variable `{key}`");
            component_variables.insert(key, template(&text, place)?);
        }
        let mut allowed_outbound_hosts = Vec::new();
        for text in component.allowed_outbound_hosts {
            allowed_outbound_hosts.push(template(&text, format!("the allowed outbound host `{text}`"))?);
        }
        Ok(Self {
            component: name,
            source: folder.join(component.source),
            routes,
            variables: variables(document.variables)?,
            component_variables,
            key_value_stores: component.key_value_stores,
            allowed_outbound_hosts,
            environment: component.environment,
        })
    }
}

/// The one component all triggers name, and their routes.
fn routes(document: &Document) -> Result<(String, Vec<Route>), ManifestError> {
    let mut routes = Vec::new();
    let mut component: Option<&str> = None;
    for trigger in &document.trigger.http {
        match component {
            Some(name) if name != trigger.component => {
                return Err(ManifestError::SeveralComponents(name.into(), trigger.component.clone()));
            }
            _ => component = Some(&trigger.component),
        }
        let route = Route::parse(&trigger.route)
            .map_err(|source| ManifestError::Route { route: trigger.route.clone(), source })?;
        routes.push(route);
    }
    routes.sort_by_key(|route| std::cmp::Reverse(route.specificity()));
    let component = component.ok_or(ManifestError::NoTrigger)?;
    Ok((component.to_owned(), routes))
}

fn variables(
    declared: BTreeMap<String, document::Variable>,
) -> Result<BTreeMap<String, Option<String>>, ManifestError> {
    let mut variables = BTreeMap::new();
    for (name, variable) in declared {
        check_variable_name(&name)?;
        match (&variable.default, variable.required) {
            (None, false) => return Err(ManifestError::NeitherDefaultNorRequired(name)),
            (Some(_), true) => return Err(ManifestError::DefaultAndRequired(name)),
            _ => variables.insert(name, variable.default),
        };
    }
    Ok(variables)
}

fn template(text: &str, place: String) -> Result<Template, ManifestError> {
    Template::parse(text).map_err(|source| ManifestError::Template { place, source })
}

fn check_variable_name(name: &str) -> Result<(), ManifestError> {
    if is_variable_name(name) { Ok(()) } else { Err(ManifestError::VariableName { name: name.into() }) }
}

/// Spin's rule: such a name maps one to one onto the name of an environment variable.
pub(crate) fn is_variable_name(name: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    name.split('_').all(is_word)
}

#[cfg(test)]
mod tests;

//! `spin:variables`: the component's variables, resolved once before anything starts.
//!
//! A component's variable is a template over the application's variables; an application's variable has a value given
//! to this host, or one from the surroundings (environment, file), or its default. Values may be secrets: no error
//! and no log line of this module carries one.

pub mod sources;

use std::collections::BTreeMap;

use thiserror::Error;
use wasmtime::component::Accessor;

use crate::bindings::spin::variables::variables::{Error as WitError, Host, HostWithStore};
use crate::guest::{Guest, Spin};
use crate::manifest::{Manifest, is_variable_name};
use crate::template::Template;

/// The values of the application's and the component's variables.
pub(crate) struct Variables {
    application: BTreeMap<String, String>,
    component: BTreeMap<String, String>,
}

/// Why the variables cannot be resolved.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum VariableError {
    #[error("no value for the required variables {}; give them as SPIN_VARIABLE_<NAME> or with --variable", .names.join(", "))]
    Missing { names: Vec<String> },
    #[error("the manifest has no variable `{name}`")]
    Unknown { name: String },
    #[error("the {place} speaks of the variable `{name}`, which the manifest does not have")]
    UnknownInTemplate { place: String, name: String },
}

impl Variables {
    /// Resolves what the manifest declares. `given` comes first and may name nothing else; `ambient` comes second and
    /// may, since an environment serves more than one program.
    pub(crate) fn resolve(
        manifest: &Manifest,
        given: &BTreeMap<String, String>,
        ambient: &BTreeMap<String, String>,
    ) -> Result<Self, VariableError> {
        if let Some(name) = given.keys().find(|name| !manifest.variables.contains_key(*name)) {
            return Err(VariableError::Unknown { name: name.clone() });
        }
        let mut application = BTreeMap::new();
        let mut missing = Vec::new();
        for (name, default) in &manifest.variables {
            match given.get(name).or_else(|| ambient.get(name)).or(default.as_ref()) {
                Some(value) => drop(application.insert(name.clone(), value.clone())),
                None => missing.push(name.clone()),
            }
        }
        if !missing.is_empty() {
            return Err(VariableError::Missing { names: missing });
        }
        let mut variables = Self { application, component: BTreeMap::new() };
        for (name, template) in &manifest.component_variables {
            let value = variables.fill(template, || format!("component variable `{name}`"))?;
            variables.component.insert(name.clone(), value);
        }
        Ok(variables)
    }

    /// Fills a template of the manifest with the application's variables.
    pub(crate) fn fill(
        &self,
        template: &Template,
        place: impl Fn() -> String,
    ) -> Result<String, VariableError> {
        template
            .fill(|name| self.application.get(name).map(String::as_str))
            .map_err(|name| VariableError::UnknownInTemplate { place: place(), name })
    }

    fn get(&self, name: &str) -> Result<String, WitError> {
        if !is_variable_name(name) {
            return Err(WitError::InvalidName(name.into()));
        }
        self.component.get(name).cloned().ok_or_else(|| WitError::Undefined(name.into()))
    }
}

impl Host for Guest {}

impl<T: Send> HostWithStore<T> for Spin {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> wasmtime::Result<Result<String, WitError>> {
        Ok(accessor.with(|mut access| access.get().shared.variables.get(&name)))
    }
}

#[cfg(test)]
mod tests;

//! `adapter_config.json`, as PEFT writes it.

use std::path::Path;

use serde::Deserialize;

use super::{AdapterError, RANK_MAX};
use crate::model::json_file;
use crate::model::load_error::LoadError;
use crate::model::slot::Part;

/// The settings that change what an adapter computes; others only concern its training.
#[derive(Debug, Deserialize)]
pub(super) struct AdapterConfig {
    peft_type: String,
    r: usize,
    lora_alpha: f32,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    bias: Option<String>,
    #[serde(default)]
    rank_pattern: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    alpha_pattern: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    modules_to_save: Option<Vec<String>>,
    #[serde(default)]
    target_modules: Option<TargetModules>,
}

/// A list of module names, or an expression that matches them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TargetModules {
    Names(Vec<String>),
    Expression(serde::de::IgnoredAny),
}

impl AdapterConfig {
    pub(super) fn read(path: &Path) -> Result<Self, LoadError> {
        json_file::read(path)
    }

    /// The rank and the factor of `B * A`.
    pub(super) fn validate(&self) -> Result<(usize, f32), AdapterError> {
        let refuse = |setting, value: &dyn std::fmt::Display| {
            Err(AdapterError::Setting { setting, value: value.to_string() })
        };
        if self.peft_type != "LORA" {
            return refuse("peft_type", &self.peft_type);
        }
        if self.r == 0 || self.r > RANK_MAX {
            return Err(AdapterError::Rank { rank: self.r });
        }
        if !self.lora_alpha.is_finite() {
            return refuse("lora_alpha", &self.lora_alpha);
        }
        if self.use_dora {
            return refuse("use_dora", &true);
        }
        if self.fan_in_fan_out {
            return refuse("fan_in_fan_out", &true);
        }
        if let Some(bias) = self.bias.as_ref().filter(|bias| *bias != "none") {
            return refuse("bias", bias);
        }
        for (setting, pattern) in
            [("rank_pattern", &self.rank_pattern), ("alpha_pattern", &self.alpha_pattern)]
        {
            if let Some(key) = pattern.keys().next() {
                return refuse(setting, key);
            }
        }
        if let Some(module) = self.modules_to_save.iter().flatten().next() {
            return refuse("modules_to_save", module);
        }
        self.check_targets()?;
        let rank = self.r as f32;
        Ok((self.r, self.lora_alpha / if self.use_rslora { rank.sqrt() } else { rank }))
    }

    /// A module that the model lacks would be left unadapted, so it is refused. An expression cannot be checked this
    /// way; the names of the weights are, in any case.
    fn check_targets(&self) -> Result<(), AdapterError> {
        let names = match &self.target_modules {
            Some(TargetModules::Names(names)) => names.as_slice(),
            Some(TargetModules::Expression(_)) | None => &[],
        };
        let known = |name: &str| {
            Part::MATRICES.iter().any(|part| {
                let module = part.huggingface_module();
                module == name || module.rsplit('.').next() == name.rsplit('.').next()
            })
        };
        match names.iter().find(|name| !known(name)) {
            None => Ok(()),
            Some(name) => Err(AdapterError::Module { name: name.clone() }),
        }
    }
}

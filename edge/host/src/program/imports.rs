//! Which imports of a component this host lacks.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Packages and interfaces this host offers, up to their version.
const OFFERED: [&str; 8] = [
    "spin:key-value/key-value@3.",
    "spin:redis/redis@3.",
    "spin:variables/variables@3.",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:http/",
    "wasi:io/",
    "wasi:random/",
];
/// Within those: the older HTTP, which comes with another way to serve.
const OLDER_HTTP: &str = "@0.2.";

/// The names of imports nothing here answers, in the component's order.
pub(super) fn unsupported(engine: &Engine, component: &Component) -> Vec<String> {
    let component = component.component_type();
    let names = component.imports(engine).map(|(name, _)| name.to_owned());
    names.filter(|name| !is_offered(name)).collect()
}

fn is_offered(name: &str) -> bool {
    let older_http = name.starts_with("wasi:http/") && name.contains(OLDER_HTTP);
    !older_http && OFFERED.iter().any(|offered| name.starts_with(offered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spin_component_imports_is_offered_and_what_it_does_not_is_named() {
        for name in ["spin:redis/redis@3.0.0", "wasi:http/types@0.3.0", "wasi:cli/environment@0.2.6"] {
            assert!(is_offered(name), "{name}");
        }
        for name in
            ["spin:mqtt/mqtt@3.0.0", "wasi:http/types@0.2.6", "wasi:nn/graph@0.2.0", "fermyon:spin/llm@2.0.0"]
        {
            assert!(!is_offered(name), "{name}");
        }
    }
}

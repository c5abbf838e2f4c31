//! What a configuration may be, and what is said of one that is wrong.

use adlib_shared::signature::Secret;
use clap::Parser;

use super::device::{Device, GPUS_MAX};
use super::flags::{Cli, Verb};
use super::model_source::{DEFAULT_MODEL, ModelSource};
use super::raw::{Environment, NAMES, Raw};
use super::secret::HopSecrets;
use super::{KvSize, Settings};
use crate::model::quantize::Quantize;

/// A folder that serves as a model path, so that only the setting under test can be wrong.
struct Given {
    folder: tempfile::TempDir,
    environment: Environment,
}

impl Given {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("tiny.gguf");
        std::fs::write(&model, b"GGUF").unwrap();
        let environment = Environment::from([("ADLIB_MODEL".to_owned(), model.into_os_string())]);
        Self { folder, environment }
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    fn file(self, text: &str) -> Self {
        let path = self.folder.path().join("adlib.toml");
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap().to_owned();
        self.variable("ADLIB_CONFIG", &path)
    }

    fn read(&self, flags: &[&str]) -> Result<Settings, String> {
        let cli = Cli::try_parse_from(std::iter::once(&"origin").chain(flags))
            .map_err(|error| error.to_string())?;
        let Verb::Serve(flags) = cli.into_verb() else { panic!("these flags are another verb's") };
        let raw = Raw::given(&flags, self.environment.clone()).map_err(|error| error.to_string())?;
        Settings::read(raw).map_err(|error| error.to_string())
    }

    /// Asserts that the configuration is refused in words that hold each of `parts`.
    fn refused(&self, flags: &[&str], parts: &[&str]) {
        let error = self.read(flags).expect_err("the configuration must be refused");
        for part in parts {
            assert!(error.contains(part), "{part:?} is missing from: {error}");
        }
    }
}

/// The ids of the secrets that a configuration accepts.
fn accepted(settings: &Settings) -> Vec<&str> {
    settings.hop.iter().flat_map(HopSecrets::accepted).map(Secret::id).collect()
}

#[test]
fn defaults_are_those_of_the_contract() {
    let settings = Given::new().read(&[]).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.engine.kv, KvSize::MemoryShare(0.8));
    assert!(settings.hop.is_none());
    assert!(settings.adapters.is_empty(), "only the default model has a house adapter");
}

#[test]
fn a_flag_wins_over_the_environment_which_wins_over_the_file() {
    let given = Given::new().file("context_max = 1024\nqueue_max = 7\nthreads = 3\n");
    let given = given.variable("ADLIB_CONTEXT_MAX", "4096").variable("ADLIB_QUEUE_MAX", "8");
    let settings = given.read(&["serve", "--context-max", "512"]).unwrap();
    assert_eq!(settings.engine.context_max, 512);
    assert_eq!(settings.engine.queue_max, 8);
    assert_eq!(settings.engine.threads, 3);
}

#[test]
fn a_wrong_setting_names_itself_its_value_its_source_and_what_is_allowed() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("ADLIB_THREADS", "many", &["threads", "\"many\"", "ADLIB_THREADS", "from 1 to 512"]),
        ("ADLIB_THREADS", "0", &["\"0\"", "from 1 to 512"]),
        ("ADLIB_THREADS", "513", &["\"513\"", "from 1 to 512"]),
        ("ADLIB_CONTEXT_MAX", "255", &["context_max", "from 256"]),
        ("ADLIB_KV_TOKENS", "1000", &["kv_tokens", "at least context_max, which is 2048"]),
        ("ADLIB_MAX_MEMORY_USAGE", "1.5", &["max_memory_usage", "from 0.05 to 0.95"]),
        ("ADLIB_MAX_MEMORY_USAGE", "NaN", &["max_memory_usage"]),
        ("ADLIB_QUANTIZE", "int2", &["quantize", "\"int2\"", "int8 or int4"]),
        ("ADLIB_LISTEN", "nowhere", &["listen", "127.0.0.1:8080"]),
        ("ADLIB_LOG_FORMAT", "xml", &["log_format", "json or pretty"]),
        ("ADLIB_LOG_FILTER", "a=b=c", &["log_filter", "directives"]),
        ("ADLIB_REQUEST_DEADLINE_MS", "99", &["request_deadline_ms", "from 100 to 3600000"]),
        ("ADLIB_DRAIN_SECONDS", "3601", &["drain_seconds", "from 0 to 3600"]),
        ("ADLIB_MODEL", "/no/such/file.gguf", &["model", "/no/such/file.gguf", "owner/name"]),
        ("ADLIB_ADAPTER", "/no/such/folder", &["adapter", "/no/such/folder", "adapter_config.json"]),
        ("ADLIB_HOP_SECRET", "short", &["hop_secret", "32 to 512 bytes; it has 5"]),
        ("ADLIB_HOP_SECRET_FILE", "/no/such/file", &["hop_secret_file", "a readable file"]),
        ("ADLIB_HOP_SECRET_PREVIOUS", "0123456789abcdef0123456789abcdef", &["only together with hop_secret"]),
        ("ADLIB_CONFIG", "/no/such/file.toml", &["config", "/no/such/file.toml", "a readable TOML file"]),
    ];
    for (name, value, parts) in cases {
        Given::new().variable(name, value).refused(&[], parts);
    }
}

#[test]
fn limits_are_taken_at_the_limit() {
    let edges: &[(&str, &str)] = &[
        ("ADLIB_THREADS", "512"),
        ("ADLIB_CONTEXT_MAX", "256"),
        ("ADLIB_KV_TOKENS", "2048"),
        ("ADLIB_REQUEST_DEADLINE_MS", "100"),
    ];
    for (name, value) in edges {
        Given::new().variable(name, value).read(&[]).unwrap();
    }
}

/// The first so many GPUs.
fn named(count: usize) -> String {
    let numbers: Vec<_> = (0..count).map(|number| number.to_string()).collect();
    format!("cuda:{}", numbers.join(","))
}

#[test]
fn gpus_that_cannot_be_meant_are_refused() {
    for device in ["gpu", "cuda:", "cuda:-1", "cuda:0,", "cuda:1,0,1", &named(GPUS_MAX + 1)] {
        let given = Given::new().variable("ADLIB_DEVICE", device);
        given.refused(&[], &["device", &format!("{device:?}"), "auto, cpu, cuda, or cuda:N,N"]);
    }
}

#[test]
fn a_device_is_chosen_by_name() {
    let device = |name: &str| Given::new().variable("ADLIB_DEVICE", name).read(&[]).unwrap().engine.device;
    assert_eq!(["auto", "cpu", "cuda"].map(device), [Device::Auto, Device::Cpu, Device::Cuda(None)]);
    assert_eq!(device("cuda:3"), Device::Cuda(Some(vec![3])));
    assert_eq!(device("cuda:2,0"), Device::Cuda(Some(vec![2, 0])));
    assert_eq!(device(&named(GPUS_MAX)), Device::Cuda(Some((0..GPUS_MAX).collect())));
    assert_eq!(Given::new().read(&["--device", "auto"]).unwrap().engine.device, Device::Auto);
    assert_eq!(Given::new().read(&[]).unwrap().engine.device, Device::Cpu);
}

#[test]
fn every_wrong_setting_is_reported_at_once() {
    let given = Given::new().variable("ADLIB_THREADS", "x").variable("ADLIB_QUANTIZE", "y");
    given.refused(&["--listen", "z"], &["threads", "quantize", "--listen"]);
}

#[test]
fn a_file_with_an_unknown_or_misplaced_setting_is_refused() {
    Given::new().file("thread = 2\n").refused(&[], &["thread", "adlib.toml", "no such setting"]);
    Given::new().file("threads = [2]\n").refused(&[], &["threads", "not a list"]);
    Given::new().file("threads = \n").refused(&[], &["config", "a TOML file"]);
}

#[test]
fn a_secret_is_never_shown() {
    let secret = "00000000000000000000000000000042";
    let settings = Given::new().variable("ADLIB_HOP_SECRET", secret).read(&[]).unwrap();
    assert_eq!(accepted(&settings), [Secret::new(secret).id()]);
    assert!(!format!("{settings:?}").contains("00042"));
    let given = Given::new().variable("ADLIB_HOP_SECRET", "a secret that is short");
    assert!(!given.read(&[]).unwrap_err().contains("a secret that"));
}

#[test]
fn a_secret_is_read_from_its_file_without_the_line_break() {
    let given = Given::new();
    let path = given.folder.path().join("secret");
    std::fs::write(&path, "0123456789abcdef0123456789abcdef\n").unwrap();
    let settings = given.read(&["--hop-secret-file", path.to_str().unwrap()]).unwrap();
    assert_eq!(accepted(&settings), [Secret::new("0123456789abcdef0123456789abcdef").id()]);
}

#[test]
fn a_hub_name_is_taken_where_no_such_path_exists() {
    let settings = Given::new().read(&["--model", "HuggingFaceTB/SmolLM2-135M-Instruct"]).unwrap();
    assert_eq!(settings.model, ModelSource::Hub("HuggingFaceTB/SmolLM2-135M-Instruct".to_owned()));
    Given::new().refused(&["--model", "a/b/c"], &["model", "\"a/b/c\""]);
}

#[test]
fn the_default_model_is_looked_for_in_the_user_s_cache() {
    let given = Given::new();
    let cache = given.folder.path().to_owned();
    let mut given = given.variable("XDG_CACHE_HOME", cache.to_str().unwrap());
    given.environment.remove("ADLIB_MODEL");
    let path = cache.join("adlib/models").join(DEFAULT_MODEL);
    given.refused(&["--no-adapter"], &["model", path.to_str().unwrap(), "cargo dev up"]);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, b"GGUF").unwrap();
    assert_eq!(given.read(&["--no-adapter"]).unwrap().model, ModelSource::Path(path));
    given.environment.remove("XDG_CACHE_HOME");
    given.refused(&["--no-adapter"], &["model", "neither XDG_CACHE_HOME nor HOME"]);
}

#[test]
fn adapters_are_merged_in_the_order_given() {
    let given = Given::new();
    let folders = ["voice", "brand"].map(|name| {
        let folder = given.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("adapter_config.json"), b"{}").unwrap();
        folder
    });
    let [voice, brand] = folders.each_ref().map(|folder| folder.to_str().unwrap());
    assert_eq!(given.read(&["--adapter", voice, "--adapter", brand]).unwrap().adapters, folders);
    given.refused(&["--adapter", voice, "--no-adapter"], &["no_adapter", "not both"]);
}

#[test]
fn weights_are_converted_where_asked() {
    assert_eq!(Given::new().read(&["--quantize", "int4"]).unwrap().engine.quantize, Some(Quantize::Int4));
}

#[test]
fn every_setting_has_a_flag_of_its_name() {
    use clap::CommandFactory;
    let command = Cli::command();
    for name in NAMES {
        let flag = name.replace('_', "-");
        assert!(command.get_arguments().any(|argument| argument.get_long() == Some(&flag)), "no --{flag}");
    }
}

#[test]
fn a_selftest_takes_one_gpu() {
    let parse = |device| match Cli::try_parse_from(["origin", "selftest", "--device", device]) {
        Ok(cli) => match cli.into_verb() {
            Verb::Selftest(flags) => Ok(flags.device),
            Verb::Serve(_) | Verb::Bench(_) => panic!("another verb"),
        },
        Err(error) => Err(error.to_string()),
    };
    assert_eq!([parse("cuda").unwrap(), parse("cuda:3").unwrap()], [0, 3]);
    for wrong in ["auto", "cpu", "cuda:0,1", "cuda:"] {
        let refused = parse(wrong).unwrap_err();
        assert!(refused.contains(&format!("'{wrong}' is")), "{refused}");
    }
}

//! The targets under libFuzzer. The variable `ADLIB_FUZZ_TARGET` names the one that runs; without it all are listed. Before it
//! begins, its seeds (`corpus/`) and its dictionary (`dictionary`) are put into the folder that `ADLIB_FUZZ_FOLDER` names.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;
use std::{env, fs, process};

use adlib_fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

const NAME: &str = "ADLIB_FUZZ_TARGET";

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = env::var(NAME).expect("the target is named in Unicode");
    Target::named(&name).unwrap_or_else(|| panic!("{name} is no target"))
});

/// Puts down what libFuzzer begins with.
fn prepare() {
    if env::var_os(NAME).is_none() {
        for target in TARGETS {
            println!("{}", target.name);
        }
        process::exit(0);
    }
    let Some(folder) = env::var_os("ADLIB_FUZZ_FOLDER") else { return };
    let corpus = Path::new(&folder).join("corpus");
    fs::create_dir_all(&corpus).expect("the folder can be written");
    for (number, seed) in (TARGET.seeds)().into_iter().enumerate() {
        fs::write(corpus.join(format!("seed-{number}")), seed).expect("the folder can be written");
    }
    fs::write(Path::new(&folder).join("dictionary"), TARGET.dictionary()).expect("the folder can be written");
}

fuzz_target!(init: prepare(), |input: &[u8]| (TARGET.run)(input));

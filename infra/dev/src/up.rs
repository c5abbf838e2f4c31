//! `cargo dev up`: from a checkout to a running Adlib.

mod edge;
mod greeting;
mod key;
mod origin;
mod port;
mod programs;

use std::thread;
use std::time::Duration;

use crate::arguments::{Runtime, Up};
use crate::component;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::model;
use crate::program;
use crate::readiness;
use crate::service::{POLL, Service};
use crate::state::State;
use crate::steps::Steps;
use crate::toolchain;
use crate::workspace::Workspace;
use edge::Host;
use key::DevelopmentKey;
use programs::Programs;

/// From the origin's start to its being ready; a large model on a slow disk takes its time.
const ORIGIN_READY_MAX: Duration = Duration::from_mins(5);
/// From the edge's start to its being ready; it compiles the component first.
const EDGE_READY_MAX: Duration = Duration::from_mins(2);

/// Sets up, builds, starts, and runs until it is told to stop or a service ends.
pub(crate) fn run(workspace: &Workspace, options: &Up) -> Result<(), Error> {
    let runtime = choose_runtime(options.runtime)?;
    port::check_free(options)?;
    let state = State::open(options.state_dir.as_deref())?;

    let mut steps = Steps::new(5);
    steps.next("the model");
    let model = match &options.model {
        Some(given) => origin::given_model(given)?,
        None => model::fetch()?,
    };
    println!("      {}", model.display());
    steps.next("building the edge");
    toolchain::ensure_wasm_target()?;
    component::build(workspace)?;
    steps.next("building what runs it, and the origin (the first time takes some minutes)");
    let programs = Programs::prepare(workspace, runtime)?;
    let host = Host { runtime, program: programs.host };
    let key = DevelopmentKey::of(&state)?;

    let interrupt = Interrupt::install()?;
    steps.next("starting the origin");
    let url = format!("http://127.0.0.1:{}", options.origin_port);
    let mut origin = Service::start(origin::launch(workspace, options, &state, &programs.origin, &model)?)?;
    wait(&mut origin, &url, ORIGIN_READY_MAX, &interrupt)?;
    steps.next("starting the edge");
    let url = format!("http://127.0.0.1:{}", options.edge_port);
    let mut edge = Service::start(host.launch(workspace, options, &state, &key)?)?;
    wait(&mut edge, &url, EDGE_READY_MAX, &interrupt)?;
    greeting::print(&url, &key, &state);

    watch(&mut [&mut origin, &mut edge], &interrupt)?;
    println!("\nstopping; a second Ctrl-C does not wait");
    // The edge first: then nothing new reaches the origin while it finishes what runs.
    for service in [&mut edge, &mut origin] {
        let ending = if service.stop() { "stopped" } else { "did not stop in time and was ended" };
        println!("the {} {ending}", service.name());
    }
    Ok(())
}

fn choose_runtime(given: Option<Runtime>) -> Result<Runtime, Error> {
    match (given, program::on_path("spin")) {
        (Some(Runtime::Spin), None) => Err(Error::NoSpin),
        (None, None) => Ok(Runtime::Embedded),
        (None, Some(_)) => Ok(Runtime::Spin),
        (Some(runtime), _) => Ok(runtime),
    }
}

fn wait(service: &mut Service, url: &str, limit: Duration, interrupt: &Interrupt) -> Result<(), Error> {
    let took = readiness::wait(service, &format!("{url}/readyz"), limit, interrupt)?;
    println!("      ready on {url} after {:.1} s", took.as_secs_f64());
    Ok(())
}

/// Returns when the user asks to stop; an error when a service ends by itself.
fn watch(services: &mut [&mut Service], interrupt: &Interrupt) -> Result<(), Error> {
    while !interrupt.is_raised() {
        for service in &mut *services {
            service.check_alive()?;
        }
        thread::sleep(POLL);
    }
    Ok(())
}

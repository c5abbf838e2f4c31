//! What a component is linked against: no folders, no sockets, nothing it does not need to answer HTTP.

use wasmtime::Engine;
use wasmtime::component::{Component, Linker};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
use wasmtime_wasi::{p2, p3};
use wasmtime_wasi_http::p3::bindings::{ServicePre, http};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView as _};

use crate::bindings;
use crate::departure::WhileClientStays;
use crate::guest::{Guest, Spin};

/// Links the component and checks that it answers HTTP.
pub(super) fn link(engine: &Engine, component: &Component) -> wasmtime::Result<ServicePre<Guest>> {
    let mut linker: Linker<Guest> = Linker::new(engine);
    wasi_0_2(&mut linker)?;
    p3::cli::add_to_linker(&mut linker)?;
    p3::clocks::add_to_linker(&mut linker)?;
    p3::random::add_to_linker(&mut linker)?;
    http::types::add_to_linker::<_, WasiHttp>(&mut linker, Guest::http)?;
    http::client::add_to_linker::<_, WhileClientStays>(&mut linker, Guest::http)?;
    bindings::Spin::add_to_linker::<_, Spin>(&mut linker, |guest| guest)?;
    ServicePre::new(linker.instantiate_pre(component)?)
}

/// What Rust's standard library imports of WASI 0.2.
fn wasi_0_2(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use p2::bindings::{cli, random};

    // Streams, clocks, random numbers, standard input and output.
    p2::add_to_linker_proxy_interfaces_async(linker)?;
    random::insecure::add_to_linker::<_, WasiRandom>(linker, Guest::random)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, Guest::random)?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    Ok(())
}

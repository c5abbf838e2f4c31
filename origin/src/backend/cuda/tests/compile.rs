//! The gate of the device's compiler: every kernel becomes machine code for every architecture that the project ships,
//! spills nothing, and keeps within its budget of registers and shared memory.

use crate::backend::cuda::architecture::Architecture;
use crate::backend::cuda::compilation;
use crate::backend::cuda::nvrtc::Nvrtc;
use crate::backend::cuda::sources::{HEADERS, KERNELS};
use std::thread;

/// What kernels whose names begin so may take, the first match counting.
struct Budget {
    kernels: &'static str,
    /// Of one thread. A multiprocessor has 65536.
    registers: u32,
    /// Of one block, in bytes, without the dynamic part.
    shared: u32,
}

const BUDGETS: [Budget; 22] = [
    // One warp: 7 blocks for the widest heads, whose sums are most of it, and four blocks of whose cache are under way.
    // Of wider ones a warp sums 64 columns.
    Budget { kernels: "attend_256", registers: 240, shared: 40 << 10 },
    Budget { kernels: "attend_128", registers: 232, shared: 32 << 10 },
    Budget { kernels: "attend_96", registers: 200, shared: 24 << 10 },
    Budget { kernels: "attend_80", registers: 176, shared: 20 << 10 },
    Budget { kernels: "attend_64", registers: 144, shared: 16 << 10 },
    Budget { kernels: "attend_32", registers: 104, shared: 8 << 10 },
    // 256 threads for up to 32 rows: 2 blocks, which have enough of the weights under way.
    Budget { kernels: "product_few_", registers: 128, shared: 16 << 10 },
    Budget { kernels: "gated_few_", registers: 128, shared: 32 << 10 },
    // The same, with 32 KiB for their rows at most, which are not counted here.
    Budget { kernels: "product_normalised_", registers: 128, shared: 5 << 10 },
    Budget { kernels: "gated_normalised_", registers: 128, shared: 9 << 10 },
    // 128 threads for 64 rows: 3 blocks. 256 for 128: one, most of whose registers are sums.
    Budget { kernels: "product_many_", registers: 224, shared: 48 << 10 },
    Budget { kernels: "gated_many_", registers: 224, shared: 48 << 10 },
    Budget { kernels: "product_parts_", registers: 184, shared: 48 << 10 },
    Budget { kernels: "gated_parts_", registers: 184, shared: 48 << 10 },
    Budget { kernels: "product_join", registers: 32, shared: 0 },
    Budget { kernels: "gated_join", registers: 40, shared: 0 },
    // 256 threads, a block a row: few blocks, so registers are no concern.
    Budget { kernels: "sample", registers: 72, shared: 1152 },
    Budget { kernels: "rotate", registers: 64, shared: 0 },
    // 128 threads: 12 blocks.
    Budget { kernels: "embed_", registers: 40, shared: 0 },
    // 256 threads: 6 blocks.
    Budget { kernels: "normalise_", registers: 40, shared: 32 },
    // 256 threads: 8 blocks, and 4 for what only multiplies.
    Budget { kernels: "fill", registers: 32, shared: 0 },
    Budget { kernels: "multiply_rate", registers: 64, shared: 0 },
];

/// What the assembler says of a kernel.
#[derive(Debug, Default, PartialEq, Eq)]
struct Usage {
    kernel: String,
    /// Bytes of local memory: a stack, and what is spilled.
    stack: u32,
    spilled: u32,
    registers: u32,
    shared: u32,
}

/// Reads the assembler's report.
fn usages(log: &str) -> Vec<Usage> {
    let mut usages: Vec<Usage> = Vec::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let kernel = rest.split('\'').next().unwrap_or_default().to_owned();
            usages.push(Usage { kernel, ..Usage::default() });
        } else if let Some(usage) = usages.last_mut() {
            if line.contains("bytes stack frame") {
                usage.stack = before(line, " bytes stack frame");
                usage.spilled = before(line, " bytes spill stores") + before(line, " bytes spill loads");
            } else if line.contains("Used ") {
                usage.registers = before(line, " registers");
                usage.shared = if line.contains(" bytes smem") { before(line, " bytes smem") } else { 0 };
            }
        }
    }
    usages
}

/// The number that stands before these words.
fn before(line: &str, words: &str) -> u32 {
    let number = line.split_once(words).and_then(|(start, _)| start.rsplit([' ', ',']).next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no number before {words:?} in {line:?}"))
}

/// What is wrong with a kernel's usage.
fn faults(usage: &Usage) -> Vec<String> {
    let Usage { kernel, stack, spilled, registers, shared } = usage;
    let Some(budget) = BUDGETS.iter().find(|budget| kernel.starts_with(budget.kernels)) else {
        return vec![format!("{kernel} has no budget")];
    };
    let limits = [
        ("bytes of stack", *stack, 0),
        ("bytes spilled", *spilled, 0),
        ("registers", *registers, budget.registers),
        ("bytes of shared memory", *shared, budget.shared),
    ];
    let over = limits.into_iter().filter(|(_, used, limit)| used > limit);
    over.map(|(what, used, limit)| format!("{kernel} takes {used} {what}; its budget is {limit}")).collect()
}

fn compiler() -> Nvrtc {
    compilation::compiler().unwrap_or_else(|error| panic!("{error}; `cargo dev test` fetches it"))
}

#[test]
fn every_file_of_kernels_is_compiled() {
    let entries = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/kernels")).expect("the kernels");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut found: Vec<_> = names.filter(|name| name.contains(".cu")).collect();
    found.sort();
    let mut listed: Vec<_> = KERNELS.iter().chain(&HEADERS).map(|file| file.name).collect();
    listed.sort_unstable();
    assert_eq!(found, listed);
}

#[test]
fn every_kernel_compiles_within_its_budget() {
    let nvrtc = compiler();
    assert!(nvrtc.version().expect("a version") >= (12, 0));
    let work: Vec<_> = KERNELS
        .iter()
        .flat_map(|file| Architecture::SHIPPED.map(|architecture| (*file, architecture.name())))
        .collect();
    let nvrtc = &nvrtc;
    let check = |(file, target)| {
        let compiled =
            nvrtc.compile(file, &HEADERS, target).unwrap_or_else(|error| panic!("{target}: {error}"));
        assert!(compiled.cubin.starts_with(b"\x7fELF"), "{} for {target} is no machine code", file.name);
        let usages = usages(&compiled.log);
        // What is in the file is in the report.
        let kernels = file.text.lines().filter(|line| line.contains("REGISTER(")).count();
        assert!(kernels > 0 && usages.len() >= kernels, "{} for {target}: {}", file.name, compiled.log);
        let faults = usages.iter().flat_map(faults);
        faults.map(|fault| format!("{} for {target}: {fault}", file.name)).collect::<Vec<_>>()
    };
    let faults: Vec<String> = thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            let work = work.iter().skip(half).step_by(2).copied().collect::<Vec<_>>();
            scope.spawn(move || work.into_iter().flat_map(check).collect::<Vec<_>>())
        });
        halves.into_iter().flat_map(|half| half.join().expect("a compilation")).collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_kernel_over_its_budget_is_named() {
    let report = "\
ptxas info    : Compiling entry function 'embed_f16' for 'sm_80'
ptxas info    : Function properties for embed_f16
ptxas         .     8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 41 registers, used 1 barriers, 16 bytes smem, 388 bytes cmem[0]
ptxas info    : Compiling entry function 'unknown' for 'sm_80'
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 10 registers, used 0 barriers";
    let found: Vec<_> = usages(report).iter().flat_map(faults).collect();
    let wanted = [
        "embed_f16 takes 8 bytes of stack; its budget is 0",
        "embed_f16 takes 16 bytes spilled; its budget is 0",
        "embed_f16 takes 41 registers; its budget is 40",
        "embed_f16 takes 16 bytes of shared memory; its budget is 0",
        "unknown has no budget",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn the_compilers_complaint_names_the_place() {
    let broken =
        crate::backend::cuda::nvrtc::SourceFile { name: "broken.cu", text: "__global__ void f() { x; }" };
    let error = compiler().compile(broken, &HEADERS, "sm_80").expect_err("x is unknown").to_string();
    assert!(error.contains("broken.cu(1)") && error.contains("\"x\" is undefined"), "{error}");
}

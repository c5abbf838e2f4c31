//! Single kernels, on every instruction set of the machine.

use super::*;
use crate::model::tensors::random::WeightFormat;
use std::slice;

/// Rows of activations, some groups all zero, one with a single large element.
fn activations(rows: usize, width: usize) -> Grid<f32> {
    let mut grid = Grid::new(rows, width);
    for row in 0..rows {
        for (i, x) in grid.row_mut(row).iter_mut().enumerate() {
            *x = match (i / GROUP) % 5 {
                3 => 0.0,
                4 if i % GROUP != 7 => 0.0,
                _ => ((row * 31 + i * 17) as f32 * 0.37).sin() * (1.0 + (i % 13) as f32),
            };
        }
    }
    grid
}

fn quantised(isa: Isa, values: &Grid<f32>) -> Groups {
    let mut groups = Groups::new(values.rows(), values.width() / GROUP);
    for row in 0..values.rows() {
        isa.run(Quantise { input: values.row(row), groups: groups.row_mut(row) });
    }
    groups
}

#[test]
fn products_agree_with_plain_sums() {
    for isa in Isa::all() {
        let mut pool = Pool::new(2);
        for format in WeightFormat::ALL {
            for (rows, outputs, width) in [(1, 16, 32), (1, 203, 96), (3, 17, 64), (8, 48, 160), (15, 33, 32)]
            {
                let source = Matrix::random(outputs, width, rows as u64, format);
                let packed = PackedMatrix::pack(&source, &Arena::default()).expect("memory");
                let values = activations(rows, width);
                let groups = quantised(isa, &values);
                let input = Input { values: &values, groups: &groups };
                let mut output = Grid::new(rows, outputs);
                output.row_mut(0).fill(2.5);
                multiply(isa, &mut pool, slice::from_ref(&packed), input, Then::Add, &mut output);
                for row in 0..rows {
                    let x = |i: usize| {
                        let group = &groups.row(row)[i / GROUP];
                        let quant = group.quads.as_flattened()[i % GROUP];
                        let x = if packed.is_quantised() {
                            group.scale * f32::from(quant)
                        } else {
                            values.row(row)[i]
                        };
                        f64::from(x)
                    };
                    for (i, &found) in output.row(row).iter().enumerate() {
                        let terms = (0..width).map(|col| source.weight(i, col) * x(col));
                        let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
                        let wanted = sum + if row == 0 { 2.5 } else { 0.0 };
                        let error = (f64::from(found) - wanted).abs();
                        assert!(
                            error <= 1e-6 * (size + 2.5),
                            "{isa} {format:?} {rows}×{outputs}×{width}: {error}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_packed_row_is_the_row() {
    for format in WeightFormat::ALL {
        let source = Matrix::random(37, 64, 1, format);
        let packed = PackedMatrix::pack(&source, &Arena::default()).expect("memory");
        for row in [0, 15, 16, 36] {
            let mut found = [0.0; 64];
            packed.row(row, &mut found);
            for (col, &x) in found.iter().enumerate() {
                assert!((f64::from(x) - source.weight(row, col)).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn quantisation_keeps_half_a_step() {
    for isa in Isa::all() {
        let values = activations(3, 320);
        let groups = quantised(isa, &values);
        for row in 0..3 {
            for (group, values) in groups.row(row).iter().zip(values.row(row).chunks_exact(GROUP)) {
                let quants = group.quads.as_flattened();
                assert_eq!(group.sum, quants.iter().map(|&q| i32::from(q)).sum::<i32>());
                for (&quant, value) in quants.iter().zip(values) {
                    assert!((group.scale * f32::from(quant) - value).abs() <= group.scale * 0.500_01);
                }
            }
        }
    }
}

#[test]
fn exponentials_are_close_everywhere() {
    for isa in Isa::all() {
        let x: Vec<f32> = (0..4001_i16).map(|i| f32::from(i) * 0.04 - 80.0).collect();
        let mut found = vec![0.0; x.len()];
        isa.run(Exponentials { x: &x, shift: 0.0, scale: 1.0, to: &mut found });
        for (&x, found) in x.iter().zip(found) {
            let wanted = f64::from(x).exp();
            assert!((f64::from(found) / wanted - 1.0).abs() < 3e-7, "{isa}: e^{x} = {found}");
        }
    }
}

#[test]
fn fused_instruction_sets_agree_bit_for_bit() {
    let fused: Vec<_> = Isa::all().into_iter().filter(|isa| !matches!(isa, Isa::Portable(_))).collect();
    let values = activations(5, 320);
    let mut pool = Pool::new(1);
    for format in WeightFormat::ALL {
        let packed =
            PackedMatrix::pack(&Matrix::random(50, 320, 4, format), &Arena::default()).expect("memory");
        let mut outputs = fused.iter().map(|&isa| {
            let groups = quantised(isa, &values);
            let mut output = Grid::new(5, 50);
            let input = Input { values: &values, groups: &groups };
            multiply(isa, &mut pool, slice::from_ref(&packed), input, Then::Gate(&packed), &mut output);
            output.cells().to_vec()
        });
        if let Some(first) = outputs.next() {
            assert!(outputs.all(|other| other == first), "{format:?}");
        }
    }
}

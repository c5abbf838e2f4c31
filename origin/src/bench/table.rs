//! Tables as Markdown, which people and documents read alike.

/// Rows under a heading, with columns as wide as their widest cell; numbers stand to the right.
pub fn markdown(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([heading[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, &width)| format!(" {cell:>width$} |"));
        format!("|{}\n", padded.collect::<String>())
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 1)).collect();
    let body = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    format!("{}|{}:|\n{}", line(heading.to_vec()), rule.join(":|"), body.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::markdown;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["1".to_owned(), "164.2".to_owned()], vec!["16".to_owned(), "–".to_owned()]];
        let table = "|  n | tokens/s |\n|---:|---------:|\n|  1 |    164.2 |\n| 16 |        – |\n";
        assert_eq!(markdown(&["n", "tokens/s"], &rows), table);
    }
}

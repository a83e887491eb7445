//! Lists the project's five folders for the copies that `lake init` writes.

use std::fmt::Write;
use std::path::Path;

fn main() {
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let mut list = String::from("&[\n");
    for folder in ["bronze", "silver", "gold", "sql", "config"] {
        println!("cargo::rerun-if-changed={folder}");
        add(Path::new(&root), Path::new(folder), &mut list);
    }
    list.push(']');
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    std::fs::write(Path::new(&out).join("project_files.rs"), list).expect("OUT_DIR can be written");
}

/// Adds the files below `folder`, in order, as pairs of a path and its text.
fn add(root: &Path, folder: &Path, list: &mut String) {
    let entries = std::fs::read_dir(root.join(folder)).expect("the project's folders can be read");
    let mut paths: Vec<_> = entries.map(|entry| folder.join(entry.expect("an entry").file_name())).collect();
    paths.sort();
    for path in paths {
        if root.join(&path).is_dir() {
            add(root, &path, list);
        } else if path.extension().is_some_and(|e| e == "toml" || e == "sql" || e == "csv") {
            // The root is left to the compiler: checkouts that share a target folder share this list, not their files.
            let name = path.display().to_string();
            writeln!(
                list,
                "    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?}))),",
                format!("/{name}")
            )
            .expect("a string can be written");
        }
    }
}

//! `lake init DIR`: the folders of a new project.

use std::path::PathBuf;

use clap::Args;
use lake::error::{Result, io_error};
use lake::project::FILES;

use super::print;

/// Make a new project: the five folders, ready to run.
///
/// Writes the contracts, jobs, mappings and settings that the program carries. Files that are there are
/// left as they are, so that the command can be repeated.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  lake init shop\n  lake init .")]
pub struct InitArgs {
    /// The folder of the project; made when it is not there
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// What git should not keep of a project.
const IGNORED: &str = "/lakehouse\n/landing\n";

/// Writes the project and says what to do with it.
pub fn init(args: &InitArgs) -> Result<()> {
    let (written, kept) = write_project(args)?;
    let written = print::counted(written, "file", "files");
    let kept = match kept {
        0 => String::new(),
        1 => ", 1 was there and stays as it is".into(),
        kept => format!(", {kept} were there and stay as they are"),
    };
    print::line(format!("{written} written to {}{kept}", args.dir.display()))?;
    print::line(format!(
        "\nNext:\n  cd {}\n  lake generate                 simulated sales, or put your own files into landing/online_retail\n  lake run --layer gold\n  lake status",
        args.dir.display()
    ))
}

/// Writes the files that are missing; gives how many were written and how many were there.
pub fn write_project(args: &InitArgs) -> Result<(u64, u64)> {
    let extra = [(".gitignore", IGNORED)];
    let (mut written, mut kept) = (0, 0);
    for (name, text) in FILES.iter().chain(&extra) {
        let path = args.dir.join(name);
        if path.exists() {
            kept += 1;
            continue;
        }
        let folder = path.parent().unwrap_or(&args.dir);
        std::fs::create_dir_all(folder).map_err(|e| io_error("create", folder, &e))?;
        std::fs::write(&path, text).map_err(|e| io_error("write", &path, &e))?;
        written += 1;
    }
    let landing = args.dir.join("landing/online_retail");
    std::fs::create_dir_all(&landing).map_err(|e| io_error("create", &landing, &e))?;
    Ok((written, kept))
}

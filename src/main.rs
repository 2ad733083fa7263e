//! The command line's entry; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    smppolicy::cli::main()
}

//! Takes the program for servers that the dashboard shows. Where `VERIFY` names a file, the file is the program with a
//! server's values filled in; without it the program is only compiled.

use std::path::Path;
use std::{env, fs};

const TEXT: &str = "../../../app/snippets/server/verify.rs";

fn main() {
    println!("cargo::rerun-if-changed={TEXT}");
    println!("cargo::rerun-if-env-changed=VERIFY");
    let text = match env::var("VERIFY") {
        Ok(path) => {
            println!("cargo::rerun-if-changed={path}");
            fs::read_to_string(path).expect("the filled text")
        }
        Err(_) => fs::read_to_string(TEXT).expect("the text").replace("__ALG__", "ES256"),
    };
    let folder = env::var("OUT_DIR").expect("set by cargo");
    fs::write(Path::new(&folder).join("verify.rs"), text).expect("written");
}

//! Texts as people write them, and what they ask for; and what of a PDU is read as such a text.

mod frames;
mod keywords;
mod nothing;
mod wishes;

use super::*;

/// The account's senders.
fn is_sender(sender: &str) -> bool {
    ["shop", "winkelplus", "8850"].contains(&sender)
}

/// One line a text: what it asks for, a bar, the text, with `\n` for the end of a line.
fn check(table: &str) -> usize {
    let mut wrong = Vec::new();
    let lines = table.lines().filter(|line| !line.trim().is_empty());
    let count = lines.clone().count();
    for line in lines {
        let (expected, text) = line.trim_start().split_once('|').unwrap();
        let text = &text.replace("\\n", "\n");
        let found = match of_text(text, &is_sender) {
            Reply::OptOut(Scope::ThisSender) => "stop".to_owned(),
            Reply::OptOut(Scope::Everything) => "all".to_owned(),
            Reply::OptOut(Scope::Sender(name)) => format!("stop {name}"),
            Reply::OptIn { agrees: true, .. } => "yes".to_owned(),
            Reply::OptIn { scope: Scope::ThisSender, .. } => "start".to_owned(),
            Reply::OptIn { scope: Scope::Everything, .. } => "start all".to_owned(),
            Reply::OptIn { scope: Scope::Sender(name), .. } => format!("start {name}"),
            Reply::Help => "help".to_owned(),
            Reply::Other => "other".to_owned(),
        };
        if found != expected.trim() {
            wrong.push(format!("{text:?} asks for {expected}, found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    count
}

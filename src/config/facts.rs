//! Facts for one question, as a file: what `explain` takes as known beside the configuration.

use std::path::Path;

use toml::de::DeTable;

use super::fault::Faults;
use super::load::read_text;
use super::reader::{Document, Table};
use super::value;

/// Facts about one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Numbers that the account has been in contact with, in international form without `+`.
    pub contacts: Vec<String>,
}

impl Facts {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// Every fault of the file at once; or that it cannot be read, is no UTF-8 or is larger than 32 MiB.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        let file = path.display().to_string();
        let text = read_text(path).map_err(|wrong| Faults::of_file(&file, wrong.message, &wrong.help))?;
        Self::parse(&text, &file)
    }

    /// Checks `text`; faults name it `file_name`.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, Faults> {
        let (root, syntax) = DeTable::parse_recoverable(text);
        let document = Document::new(file_name, text, Path::new(""));
        let facts = facts(Table::root(&document, root.into_inner()));
        match Faults::collect(file_name, text, &syntax, document) {
            Some(faults) => Err(faults),
            None => Ok(facts),
        }
    }
}

fn facts(mut root: Table<'_>) -> Facts {
    let contact = |mut table: Table<'_>| table.required("msisdn", "add the recipient's number", value::msisdn);
    Facts { contacts: root.tables("contact").into_iter().filter_map(contact).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_numbers_in_one_form() {
        let text = "[[contact]]\nmsisdn = '32470123456'\n[[contact]]\nmsisdn = '+32 470 65 43 21'";
        let contacts = ["32470123456", "32470654321"].map(str::to_owned).to_vec();
        assert_eq!(Facts::parse(text, "facts.toml").unwrap(), Facts { contacts });
        assert_eq!(Facts::parse("", "facts.toml").unwrap(), Facts::default());
    }

    #[test]
    fn each_fault_has_its_place() {
        let text = "[[contact]]\nmsisdn = '0470123456'\n[[contact]]\nmsidsn = '32470123456'\n[[optout]]";
        let expected = "facts.toml:2:10: contact[0].msisdn: is \"0470123456\"; expected an international number such as \
                        \"32470123456\"\n\
                        facts.toml:3:1: contact[1].msisdn: is missing; add the recipient's number\n\
                        facts.toml:4:1: contact[1].msidsn: unknown key; did you mean \"msisdn\"?\n\
                        facts.toml:5:3: optout: unknown key; expected one of contact";
        assert_eq!(Facts::parse(text, "facts.toml").unwrap_err().to_string(), expected);
    }
}

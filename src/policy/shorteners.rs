//! Hosts of services that shorten links, which hide where a link leads. Whether they are welcome is the rule's to say.

use std::collections::HashSet;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

static HOSTS: LazyLock<HashSet<&'static str, RandomState>> = LazyLock::new(|| hosts().collect());

fn hosts() -> impl Iterator<Item = &'static str> {
    include_str!("data/shorteners.txt").lines().filter(|line| !line.starts_with('#'))
}

/// Whether a host, in lower case, shortens links for others.
pub fn is_shortener(host: &str) -> bool {
    HOSTS.contains(host.strip_prefix("www.").unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::links::Links;

    #[test]
    fn hosts_and_no_others() {
        for host in ["bit.ly", "www.bit.ly", "tinyurl.com", "t.co"] {
            assert!(is_shortener(host), "{host}");
        }
        for host in ["", "bank.nl", "x.bit.ly", "www.www.bit.ly", "ly", "# hosts"] {
            assert!(!is_shortener(host), "{host}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_each_host_is_found_in_a_text() {
        assert!(hosts().is_sorted() && hosts().all(|host| host == host.to_lowercase()));
        let mut links = Links::default();
        for host in hosts() {
            let text = format!("go to {host}/abc now");
            let found = links.find(&text).iter().next().and_then(|link| link.host.name()).unwrap();
            assert_eq!(found.as_str(), host);
        }
    }
}

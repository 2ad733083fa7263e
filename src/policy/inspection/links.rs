//! The links of a text: which are not what they seem, and which lead where links may not lead.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::brands::{self, Brands};
use super::super::{Clause, Evidence, Octets, lists, lures, pictures, shorteners};
use super::run::Window;
use super::{Findings, Found, Ground};
use crate::text::links::{Host, Link};

/// Clause 6: not misleading about one's nature.
const NATURE: Clause = Clause(6);
/// Clause 29: pictures as well.
const PICTURES: Clause = Clause(29);

/// Notes what one link shows.
pub(super) fn look(
    link: &Link<'_>,
    brands: &Brands,
    scratch: &mut brands::Scratch,
    window: &Window<'_, '_, '_, '_>,
    findings: &mut Findings,
) {
    if !window.is_settled(&link.span) || !window.is_fresh(&link.span) {
        return;
    }
    let mut note = |ground, clause, fault, brand: &str| {
        findings.note(ground, || Found {
            clause,
            evidence: Evidence::Link {
                fault,
                host: Octets::new(host(link).as_bytes()),
                brand: Octets::new(brand.as_bytes()),
                span: window.span(link.span.clone()),
            },
        });
    };
    if let Some(fault) = fault(link) {
        note(Ground::LookAlike, NATURE, fault, "");
    }
    if let Some(alike) = brands.judge(link, scratch).filter(|alike| !window.speaks_for(alike.brand)) {
        note(Ground::LookAlike, NATURE, "a look-alike of", alike.brand);
    }
    if link.host.name().is_some_and(|name| shorteners::is_shortener(name.as_str())) {
        note(Ground::Shortener, NATURE, "a shortener's", "");
    }
    if pictures::is_picture(link) {
        note(Ground::Picture, PICTURES, "a picture or film", "");
    }
}

/// A link as the lists know it.
pub(super) fn for_lists(link: Link<'_>) -> lists::Link {
    // A host that the lists would not see all of tells them nothing.
    let seen = link.span.len() - link.path.len() <= lists::Link::HOST;
    let kind = link.host.name().filter(|_| seen).map_or(lists::LinkKind::Common, lures::kind);
    lists::Link { span: link.span, kind }
}

/// What is wrong with how a link is written, whoever it leads to.
fn fault(link: &Link<'_>) -> Option<&'static str> {
    match link.host {
        Host::V4(address) if is_public_v4(address) => Some("an address in place of a name"),
        Host::V6(address) if is_public_v6(address) => Some("an address in place of a name"),
        _ if link.user.is_some() => Some("behind a name that leads nowhere"),
        _ if link.disguised => Some("written so as not to look like one"),
        _ => None,
    }
}

/// Devices in a home or an office are reached by address, and nobody is misled.
fn is_public_v4(address: Ipv4Addr) -> bool {
    !(address.is_private() || address.is_loopback() || address.is_link_local())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local())
}

/// A host as records show it.
fn host(link: &Link<'_>) -> String {
    match link.host {
        Host::Name(name) => name.as_str().to_owned(),
        Host::V4(address) => address.to_string(),
        Host::V6(address) => address.to_string(),
    }
}
